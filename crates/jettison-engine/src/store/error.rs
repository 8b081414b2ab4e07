//! What can go wrong with the store.

use std::io;
use std::path::{Path, PathBuf};

use jettison_image::Digest;

/// Why the store cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The host refused a file operation.
    #[error("store cannot {deed} {}{}", path.display(), advice(source))]
    Io {
        /// What was tried, a verb.
        deed: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The directory holds a store that this version does not understand.
    #[error("{} is not a store of this version (it says {found:?}); choose another with --store", path.display())]
    Version {
        /// The store.
        path: PathBuf,
        /// What its version file says.
        found: String,
    },
    /// The bytes written are not those that were promised.
    #[error("blob {expected} has the content of {actual}")]
    Digest {
        /// The promised digest.
        expected: Digest,
        /// The digest of what was written.
        actual: Digest,
    },
    /// A blob that is asked for is not there.
    #[error("blob {digest} is not in the store")]
    MissingBlob {
        /// The blob.
        digest: Digest,
    },
    /// A name that is asked for is not there.
    #[error("no image {name:?} in the store")]
    MissingName {
        /// The name, as it is kept.
        name: String,
    },
    /// A file of the store does not hold what it should.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    /// A closure for `map_err` that names what was tried on which file.
    pub(crate) fn io(deed: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { deed, path, source }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": the disk is full; `jettison store prune` frees space, --store names another place"
        }
        io::ErrorKind::PermissionDenied => {
            ": it belongs to another user; --store names another place"
        }
        io::ErrorKind::ReadOnlyFilesystem => ": --store names a place that can be written to",
        _ => "",
    }
}
