//! A command that could not do its work: the error, and what to do about it.

use std::error::Error;
use std::{fmt, io};

use crate::exit::Exit;

/// Why a command stops.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, with its causes behind `source()`.
    pub error: Box<dyn Error + Send + Sync>,
    /// Something to paste or to do next.
    pub hint: Option<String>,
    /// With which code.
    pub exit: Exit,
}

impl Failure {
    /// An error that no hint is known for.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            error: error.into(),
            hint: None,
            exit: Exit::CouldNotRun,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// True when a disk had no room left, whatever was being done.
    pub fn is_for_want_of_room(&self) -> bool {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&*self.error);
        while let Some(error) = cause {
            let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
            if let Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) = kind {
                return true;
            }
            cause = error.source();
        }
        false
    }

    /// Ends with another code than 2.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, "\ncaused by: {error}")?;
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}
