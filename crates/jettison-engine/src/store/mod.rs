//! The content-addressed local store.
//!
//! Blobs lie under their SHA-256, names point at manifests, small documents
//! and cached values lie beside. Any number of processes may use one store at
//! once, and any of them may die at any moment: a file is written under a
//! temporary name and renamed when it is complete, what a living process uses
//! is named in a lease that its death releases, and nothing is ever changed in
//! place.
//!
//! The store knows no environment: where it lies is handed in.

mod blob;
mod download;
mod error;
mod lease;
mod list;
mod prune;
mod refs;
mod side;
mod turn;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use blob::{BlobWriter, StoredBlob};
pub use error::StoreError;
pub use list::StoredImage;
pub use prune::{Prune, Pruned};
pub use refs::StoredRef;
pub use side::LayerFacts;
pub(crate) use side::NOTE_BYTES;

use crate::files::Directory;
use lease::Lease;

/// Says that backups may leave the directory out (bford.info/cachedir).
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Images and caches of jettison; `jettison store prune` tidies it up.\n";

/// The layout of the directory; another layout gets another number.
const VERSION: &str = "1\n";

/// A local store, open. Clones share the same lease: what one of them touched
/// is safe from pruning until the last of them is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    blobs: Directory,
    refs: Directory,
    temporary: Directory,
    notes: Directory,
    cache: Directory,
    lease: Lease,
}

impl Store {
    /// Opens the store in `path` and makes it when it is not there. What
    /// processes that died have left behind is taken away.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(StoreError::io("create", path))?;
        let root = Directory::open(path).map_err(StoreError::io("open", path))?;
        let child = |name: &str| {
            root.make_child(name)
                .map_err(StoreError::io("open", root.path().join(name)))
        };
        let temporary = child("tmp")?;
        mark(&root, &temporary)?;
        let blobs = child("blobs")?;
        let blobs = blobs
            .make_child("sha256")
            .map_err(StoreError::io("open", blobs.path().join("sha256")))?;
        let (refs, notes, cache) = (child("refs")?, child("notes")?, child("cache")?);
        let lease = Lease::take(&root, &child("leases")?)?;
        let store = Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                blobs,
                refs,
                temporary,
                notes,
                cache,
                lease,
            }),
        };
        blob::reap(&store.inner.temporary, None)?;
        Ok(store)
    }

    /// Where the store lies.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// A directory beside the blobs for what is not worth keeping.
    pub(crate) fn scratch(&self) -> Result<PathBuf, StoreError> {
        let path = self.inner.path.join("scratch");
        std::fs::create_dir_all(&path).map_err(StoreError::io("create", &path))?;
        Ok(path)
    }

    /// Writes a small file of the store so that readers see the old content or
    /// the new one, never a part.
    fn replace(&self, directory: &Directory, name: &str, content: &[u8]) -> Result<(), StoreError> {
        replace(&self.inner.temporary, directory, name, content)
            .map_err(StoreError::io("write", directory.path().join(name)))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.inner.path).finish()
    }
}

fn replace(
    temporary: &Directory,
    directory: &Directory,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    let (from, mut file) = blob::create_temporary(temporary, "small-")?;
    let written = file.write_all(content).and_then(|()| file.sync_data());
    let moved = written.and_then(|()| temporary.rename(&from, directory, name));
    if moved.is_err() {
        temporary.remove(&from)?;
    }
    moved
}

/// Marks a new store, or refuses one of another version.
fn mark(root: &Directory, temporary: &Directory) -> Result<(), StoreError> {
    let path = root.path().join("version");
    match root.read("version", 64) {
        Ok(found) if found == VERSION.as_bytes() => Ok(()),
        Ok(found) => Err(StoreError::Version {
            path: root.path().to_owned(),
            found: String::from_utf8_lossy(&found).trim_end().to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            replace(temporary, root, "CACHEDIR.TAG", CACHEDIR_TAG.as_bytes())
                .and_then(|()| replace(temporary, root, "version", VERSION.as_bytes()))
                .map_err(StoreError::io("write", path))
        }
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}
