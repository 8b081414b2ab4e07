//! Containers of the sandbox as a judge sees them.

use std::ffi::OsString;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jettison_plan::Trace;
use jettison_sandbox::{
    Container, ContainerSpec, Error, ExecSpec, LimitsBy, ResourceLimits, Root, Sandbox, Tracing,
    Written,
};

use super::running::{Ended, Listener, Output, RunError, Runner, Running};

/// How long a connection may take to be accepted or refused.
const CONNECT: Duration = Duration::from_secs(3);

/// An image, ready to be started any number of times.
pub(crate) struct SandboxRunner<'a> {
    pub(crate) sandbox: &'a Sandbox,
    /// None: a program of this machine, without isolation.
    pub(crate) root: Option<&'a Root>,
    /// As the image's own program is started.
    pub(crate) spec: ContainerSpec,
    pub(crate) stop_signal: i32,
}

impl Runner for SandboxRunner<'_> {
    fn start(&self, argv: Option<&[String]>) -> Result<Box<dyn Running + '_>, RunError> {
        let mut spec = self.spec.clone();
        if let Some(argv) = argv {
            spec.args = argv.iter().map(OsString::from).collect();
        }
        let started = match self.root {
            Some(root) => self.sandbox.start(root, &spec),
            None => self.sandbox.start_unisolated(&spec),
        };
        let container = started.map_err(run_error)?;
        Ok(Box::new(Judged {
            container: Arc::new(container),
            stop_signal: self.stop_signal,
            traced: spec.trace != Tracing::Off,
        }))
    }
}

struct Judged {
    container: Arc<Container>,
    stop_signal: i32,
    traced: bool,
}

impl Running for Judged {
    fn ended(&self) -> io::Result<Option<i32>> {
        Ok(self
            .container
            .try_wait()
            .map_err(io::Error::other)?
            .map(|exit| exit.code))
    }

    fn output(&self) -> Output {
        Output {
            stdout: self.container.stdout().to_bytes(),
            stderr: self.container.stderr().to_bytes(),
        }
    }

    fn listeners(&self) -> io::Result<Vec<Listener>> {
        let listeners = self.container.listeners().map_err(io::Error::other)?;
        let listener = |found: jettison_sandbox::Listener| Listener {
            port: found.port,
            loopback_only: found.loopback_only,
            waiting: found.waiting,
        };
        Ok(listeners.into_iter().map(listener).collect())
    }

    fn connect(&self, port: u16) -> io::Result<TcpStream> {
        self.container.connect(port, CONNECT)
    }

    fn exec(&self, argv: &[String], timeout: Duration) -> Result<Ended, RunError> {
        let spec = ExecSpec {
            args: argv.iter().map(OsString::from).collect(),
            time: Some(timeout),
            ..ExecSpec::default()
        };
        let command = self.container.exec(&spec).map_err(run_error)?;
        let exit = command.wait(Some(timeout + CONNECT)).map_err(run_error)?;
        let timed_out =
            |exit: &jettison_sandbox::Exit| exit.reason == jettison_sandbox::ExitReason::Time;
        match exit.filter(|exit| !timed_out(exit)) {
            Some(exit) => Ok(Ended {
                code: exit.code,
                output: Output {
                    stdout: command.stdout().to_bytes(),
                    stderr: command.stderr().to_bytes(),
                },
            }),
            None => Err(RunError::Timeout {
                program: argv.join(" "),
                seconds: timeout.as_secs(),
            }),
        }
    }

    fn written(&self) -> io::Result<Vec<Written>> {
        self.container.written().map_err(io::Error::other)
    }

    fn keep(&self) -> io::Result<Option<Arc<Container>>> {
        const KILL: i32 = 9;
        self.container
            .stop(KILL, CONNECT)
            .map_err(io::Error::other)?;
        Ok(Some(Arc::clone(&self.container)))
    }

    fn take_trace(&self) -> io::Result<Option<Trace>> {
        if !self.traced {
            return Ok(None);
        }
        let trace = self.container.take_trace().map_err(io::Error::other)?;
        Ok(Some(trace))
    }

    fn bounds(&self) -> Option<String> {
        match self.container.limits_by() {
            LimitsBy::Nothing => None,
            LimitsBy::ControlGroup => Some("memory and processes were bounded by the kernel".to_owned()),
            LimitsBy::Watching => Some(
                "memory and processes were bounded by watching: control groups are not writable here"
                    .to_owned(),
            ),
        }
    }

    fn stop(&self) -> io::Result<()> {
        self.container
            .signal(self.stop_signal)
            .map_err(io::Error::other)
    }
}

/// A program that cannot be executed is the image's fault, all else is ours.
fn run_error(error: Error) -> RunError {
    match error {
        Error::Program { program, source } => RunError::Program { program, source },
        other => RunError::Sandbox(Box::new(other)),
    }
}

/// The bounds of every container.
pub(crate) fn limits(memory_bytes: Option<u64>, processes: Option<u64>) -> ResourceLimits {
    ResourceLimits {
        memory_bytes,
        processes: processes.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        ..ResourceLimits::default()
    }
}

/// The number of a signal as an image's config writes it: `SIGTERM`, `TERM`,
/// `15`; SIGTERM where it says nothing that Linux knows.
pub(crate) fn signal_number(text: Option<&str>) -> i32 {
    const TERM: i32 = 15;
    const NAMES: [(&str, i32); 31] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
        ("STKFLT", 16),
        ("CHLD", 17),
        ("CONT", 18),
        ("STOP", 19),
        ("TSTP", 20),
        ("TTIN", 21),
        ("TTOU", 22),
        ("URG", 23),
        ("XCPU", 24),
        ("XFSZ", 25),
        ("VTALRM", 26),
        ("PROF", 27),
        ("WINCH", 28),
        ("IO", 29),
        ("PWR", 30),
        ("SYS", 31),
    ];
    let Some(text) = text else { return TERM };
    if let Ok(number @ 1..=64) = text.parse() {
        return number;
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    // glibc keeps the first two real-time signals for itself.
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return rest
            .parse::<i32>()
            .map_or(34, |above| (34 + above).clamp(34, 64));
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return rest
            .parse::<i32>()
            .map_or(64, |below| (64 + below).clamp(34, 64));
    }
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(TERM, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::signal_number;

    #[test]
    fn signals() {
        for (text, number) in [
            ("SIGQUIT", 3),
            ("int", 2),
            ("9", 9),
            ("SIGRTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("RTMIN", 34),
            ("nonsense", 15),
            ("0", 15),
            ("WINCH", 28),
        ] {
            assert_eq!(signal_number(Some(text)), number, "{text}");
        }
        assert_eq!(signal_number(None), 15);
    }
}
