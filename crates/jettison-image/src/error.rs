//! What can be wrong with an image.

use std::io;

use crate::Digest;

/// Why bytes are not an image, or not one within the limits.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source of the bytes failed.
    #[error("{what} cannot be read")]
    Read {
        /// The blob, entry or file that was being read.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The sink of the bytes failed.
    #[error("{what} cannot be written")]
    Write {
        /// What was being written.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The bytes contradict their format.
    #[error("{what}: {problem}")]
    Malformed {
        /// The blob, entry or file, escaped for a terminal.
        what: String,
        /// What is wrong with it, in one line.
        problem: String,
    },
    /// The bytes ask for more than the limits allow.
    #[error("{what}: more than {limit} {unit}; raise it with --limit {flag}=N")]
    Limit {
        /// The blob or entry, escaped.
        what: String,
        /// The bound that is in force.
        limit: u64,
        /// What is counted.
        unit: &'static str,
        /// The name of the limit on the command line.
        flag: &'static str,
    },
    /// A blob that a manifest names is not there.
    #[error("blob {digest} is missing")]
    MissingBlob {
        /// The blob.
        digest: Digest,
    },
}

impl Error {
    /// A [`Error::Malformed`] from its two texts.
    pub fn malformed(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Malformed {
            what: what.into(),
            problem: problem.into(),
        }
    }

    /// What a failed read means: the error that the reader wrapped where it is
    /// one of ours, [`Error::Read`] otherwise.
    pub fn read(what: impl Into<String>, source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::Read {
                what: what.into(),
                source,
            },
        }
    }
}
