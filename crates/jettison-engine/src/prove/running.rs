//! What a judge needs of something that runs: a container of the sandbox, or
//! a plain child process where no sandbox can be had.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use jettison_plan::Trace;
use jettison_sandbox::{Container, Written};

/// Starts programs of one image in its surroundings, each from the image's
/// pristine files.
pub(crate) trait Runner {
    /// Starts the image's own program, or `argv` in its place.
    fn start(&self, argv: Option<&[String]>) -> Result<Box<dyn Running + '_>, RunError>;
}

/// A program that was started.
pub(crate) trait Running {
    /// How it ended; `None` while it runs.
    fn ended(&self) -> io::Result<Option<i32>>;

    /// What it has said so far, bounded.
    fn output(&self) -> Output;

    /// The ports on which it accepts connections.
    fn listeners(&self) -> io::Result<Vec<Listener>>;

    /// Connects from outside, as a published port would.
    fn connect(&self, port: u16) -> io::Result<TcpStream>;

    /// Runs a further program beside it.
    fn exec(&self, argv: &[String], timeout: Duration) -> Result<Ended, RunError>;

    /// What it created, changed and removed in its root, mounts aside.
    fn written(&self) -> io::Result<Vec<Written>> {
        Ok(Vec::new())
    }

    /// Ends it and keeps what it wrote into its volumes, for another to start on.
    fn keep(&self) -> io::Result<Option<Arc<Container>>> {
        Ok(None)
    }

    /// What its programs touched since this was last asked; none where that
    /// is not recorded.
    fn take_trace(&self) -> io::Result<Option<Trace>> {
        Ok(None)
    }

    /// How its memory and processes are bounded, when they are.
    fn bounds(&self) -> Option<String> {
        None
    }

    /// Sends the image's stop signal.
    fn stop(&self) -> io::Result<()>;
}

/// Standard output and standard error.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Output {
    /// Both, for a reader who wants the last words.
    pub(crate) fn text(&self) -> String {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let stderr = String::from_utf8_lossy(&self.stderr);
        format!(
            "{stdout}{}{stderr}",
            if stdout.is_empty() || stdout.ends_with('\n') {
                ""
            } else {
                "\n"
            }
        )
    }
}

/// A program that ran to its end.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) output: Output,
}

/// A port on which something accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    /// Only from inside: a published port would not reach it.
    pub(crate) loopback_only: bool,
    /// Connections that the kernel has made and the program not accepted.
    pub(crate) waiting: u32,
}

/// Why something could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The program of the image could not be started: it is not there, or
    /// cannot be executed. That is a finding about the image.
    #[error("{program} cannot be started")]
    Program {
        /// The program as the image names it.
        program: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It did not end in time.
    #[error("{program} did not end in {seconds} s")]
    Timeout {
        /// The program.
        program: String,
        /// How long it was given.
        seconds: u64,
    },
    /// The sandbox failed. That says nothing about the image.
    #[error(transparent)]
    Sandbox(#[from] Box<dyn std::error::Error + Send + Sync>),
}
