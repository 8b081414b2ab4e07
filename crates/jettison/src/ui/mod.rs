//! Everything that is printed goes through one [`Ui`]: the answer to standard
//! output, the talk to standard error, both escaped.

pub mod escape;
mod progress;
mod table;
pub mod terminal;
pub mod units;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::commands::dockerfile::ProgressMode;
use crate::failure::Failure;

pub use progress::{Shows, TerminalProgress};
pub use table::Table;

/// Where a command's words go.
pub struct Ui {
    quiet: bool,
    progress: Arc<TerminalProgress>,
    /// Something else has standard output.
    is_taken: AtomicBool,
}

impl Ui {
    /// Talks on standard error unless `quiet`; draws progress on a terminal only.
    pub fn new(quiet: bool, mode: ProgressMode) -> Self {
        let quiet = quiet || mode == ProgressMode::Quiet;
        let shows = match mode {
            _ if quiet => Shows::Nothing,
            ProgressMode::Plain => Shows::Lines { with_output: true },
            _ if io::stderr().is_terminal() => Shows::Drawn,
            _ => Shows::Lines { with_output: false },
        };
        Self {
            quiet,
            is_taken: AtomicBool::new(false),
            progress: Arc::new(TerminalProgress::new(shows)),
        }
    }

    /// Whether nothing but the answer and errors is wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Where long work reports to.
    pub fn progress(&self) -> Arc<TerminalProgress> {
        Arc::clone(&self.progress)
    }

    /// A part of the answer. A reader that went away is not an error.
    pub fn answer(&self, text: &str) -> Result<(), Failure> {
        self.progress.clear();
        self.write(&escape::lines(text))
    }

    /// A part of the answer that is a document.
    pub fn document(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::new)?;
        self.progress.clear();
        self.write(&(escape::json(text) + "\n"))
    }

    /// From now on the answer goes to standard error: an archive has the other.
    pub fn leave_stdout(&self) {
        self.is_taken.store(true, Ordering::Relaxed);
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        written(match self.is_taken.load(Ordering::Relaxed) {
            true => io::stderr().lock().write_all(text.as_bytes()),
            false => io::stdout().lock().write_all(text.as_bytes()),
        })
    }

    /// A line of talk.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.progress.line(&escape::lines(text));
        }
    }

    /// A line of talk that is not left out when quiet.
    pub fn warn(&self, text: &str) {
        self.progress
            .line(&format!("warning: {}", escape::lines(text)));
    }

    /// The end of a command that could not do its work.
    pub fn fail(&self, failure: &Failure) {
        self.progress.line(&escape::lines(&failure.to_string()));
    }
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(()),
    }
}
