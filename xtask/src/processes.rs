//! Processes that must not outlive this one: each in a process group of its own, ended in order on success, failure, panic,
//! Ctrl-C and a termination signal alike. What ends this program without a word (SIGKILL) ends services too, by the kernel's
//! parent-death signal, where util-linux' `setpriv` is there to ask for it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::{Problem, workspace};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// The process group in front, 0 when there is none.
static FOREGROUND: AtomicI32 = AtomicI32::new(0);

/// Makes Ctrl-C and termination end the process in front only, so that everything else is cleaned up on the way out.
pub(crate) fn watch_interrupts() -> Result<(), Problem> {
    ctrlc::set_handler(interrupt)?;
    Ok(())
}

/// Ends the process in front and remembers that it was ended.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
    let group = FOREGROUND.load(Ordering::SeqCst);
    if group > 0 {
        // Gone already is as good.
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
    }
}

/// Fails once somebody has asked to stop.
pub(crate) fn go_on() -> Result<(), Problem> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        return Err("interrupted".into());
    }
    Ok(())
}

/// A process in front, whose group is ended by an interrupt, or when this value is dropped before it has ended by itself.
pub(crate) struct Foreground {
    child: Child,
    ended: bool,
}

impl Foreground {
    /// Starts it with no standard input.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Problem> {
        go_on()?;
        let child = command
            .stdin(std::process::Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
        FOREGROUND.store(pid(&child).as_raw(), Ordering::SeqCst);
        // An interrupt between the check and the store found nobody to end.
        if INTERRUPTED.load(Ordering::SeqCst) {
            interrupt();
        }
        Ok(Self {
            child,
            ended: false,
        })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for its end; an interrupt meanwhile is an error.
    pub(crate) fn wait(mut self) -> Result<ExitStatus, Problem> {
        let status = self.child.wait()?;
        self.ended = true;
        FOREGROUND.store(0, Ordering::SeqCst);
        go_on()?;
        Ok(status)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        if !self.ended {
            FOREGROUND.store(0, Ordering::SeqCst);
            end(&mut self.child, Duration::from_secs(10));
        }
    }
}

/// A service in the background, ended when this value is dropped.
pub(crate) struct Service {
    name: &'static str,
    child: Child,
}

impl Service {
    /// Starts a program with its arguments (no other settings are kept), no standard input, and all output into `log`.
    pub(crate) fn start(name: &'static str, command: &Command, log: File) -> Result<Self, Problem> {
        go_on()?;
        let mut command = bound_to_us(command);
        let child = command
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, child })
    }

    /// Asks `ready` until it says yes. Says no when the service has ended or the time is over.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < limit && !INTERRUPTED.load(Ordering::SeqCst) {
            if ready() {
                return true;
            }
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !end(&mut self.child, Duration::from_secs(20)) {
            eprintln!("{} did not end when asked and was killed", self.name);
        }
    }
}

/// The same program and arguments, dying with this process.
fn bound_to_us(command: &Command) -> Command {
    let mut bound = match workspace::find_program("setpriv") {
        Some(setpriv) => {
            let mut bound = Command::new(setpriv);
            bound.args([
                OsStr::new("--pdeathsig"),
                OsStr::new("TERM"),
                command.get_program(),
            ]);
            bound
        }
        None => Command::new(command.get_program()),
    };
    bound.args(command.get_args());
    bound
}

/// Asks a process to end and kills its group after a while. Says whether it ended by itself.
fn end(child: &mut Child, patience: Duration) -> bool {
    if !matches!(child.try_wait(), Ok(None)) {
        return true;
    }
    let _ = kill(pid(child), Signal::SIGTERM);
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = killpg(pid(child), Signal::SIGKILL);
    let _ = child.wait();
    false
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id is a pid_t"))
}
