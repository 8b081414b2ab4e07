//! What an image is: digests, references, manifests, configs, layers, tar
//! entries and the merged tree, all as values.
//!
//! This crate opens no file, reads no clock and touches no network: bytes are
//! handed in as readers and handed out through writers. Nothing read from
//! outside is unbounded ([`Limits`]).

mod digest;
mod entry;
mod error;
mod limits;
mod path;

pub use digest::{DiffId, Digest, DigestParseError, Sha256Writer, VerifyingReader};
pub use entry::{Entry, EntryKind, Metadata, Timestamp};
pub use error::Error;
pub use limits::Limits;
pub use path::{ImagePath, PathError};
