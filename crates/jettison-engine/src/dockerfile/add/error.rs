//! Why an ADD cannot be done.

use std::path::PathBuf;

use jettison_image::{Error, escape};

use crate::dockerfile::context::ContextError;
use crate::dockerfile::copy::CopyError;
use crate::http::HttpError;
use crate::store::StoreError;

/// Why an ADD cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// As for COPY.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// `--checksum` where it means nothing.
    #[error("{0}")]
    Checksum(&'static str),
    /// `--checksum` is no digest that can be checked.
    #[error("checksum {} is not sha256: and 64 hexadecimal digits", escape(&String::from_utf8_lossy(.0)))]
    BadChecksum(Vec<u8>),
    /// What was fetched is something else.
    #[error("{what}: digest mismatch: it is {found}, and {expected} is asked for")]
    Mismatch {
        /// The URL.
        what: String,
        /// What was fetched.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// A source is neither a path nor a URL that can be fetched.
    #[error("{what}: {problem}")]
    Source {
        /// The word.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// The server said no.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What was fetched cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no git.
    #[error("{what} needs git, which is not installed")]
    NoGit {
        /// The repository.
        what: String,
    },
    /// git failed.
    #[error("{what}: git {command} failed: {said}")]
    Git {
        /// The repository.
        what: String,
        /// Which command.
        command: String,
        /// Its last words, escaped.
        said: String,
    },
    /// The checkout cannot be read.
    #[error(transparent)]
    Checkout(#[from] ContextError),
    /// There is no room for what is fetched.
    #[error("{} cannot be written", path.display())]
    Scratch {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What was fetched cannot be taken in.
    #[error(transparent)]
    Image(#[from] Error),
}
