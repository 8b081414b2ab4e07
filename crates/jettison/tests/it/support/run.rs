//! The real binary with a private home, an end in time and a bound on memory.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tempfile::TempDir;

/// Unoptimised code on a busy machine; a hang is what this is to find.
const LONGEST: Duration = Duration::from_secs(120);
/// What no input may make the program take.
const MOST_MIB: i64 = 300;

/// The binary, with a home and a store that end with this value.
pub(crate) struct Jettison {
    home: TempDir,
}

/// How a run ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Jettison {
    pub(crate) fn new() -> Self {
        Self {
            home: TempDir::new().unwrap(),
        }
    }

    /// A place for inputs.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it to its end. A panic, a hang, too much memory and a control
    /// character on either stream fail the test, whatever the arguments.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jettison"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("JETTISON_STORE", self.home().join("store"))
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let begun = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if begun.elapsed() > LONGEST => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    panic!("{command:?} does not end");
                }
                None => std::thread::sleep(Duration::from_millis(3)),
            }
        };
        // Of all children that ended so far, the largest; KiB on Linux.
        let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024;
        assert!(peak < MOST_MIB, "{command:?}, or one beside it: {peak} MiB");
        let ran = Ran {
            code: status.code(),
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        };
        assert!(ran.code.is_some(), "{command:?}: {status}");
        for text in [&ran.stdout, &ran.stderr] {
            let control = text.chars().find(|&c| {
                (c.is_control() && c != '\n')
                    || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            });
            assert_eq!(control, None, "{command:?}: {text}");
            assert!(!text.contains("panicked"), "{command:?}: {text}");
        }
        ran
    }
}

impl Ran {
    /// The answer of a run that ended well.
    #[track_caller]
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// The error of a run that could not do its work.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        assert_eq!(self.code, Some(2), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        self.stderr
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    })
}
