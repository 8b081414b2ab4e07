//! What living processes use, so that `prune` leaves it alone.
//!
//! Each open store holds one lease: a file, locked with flock(2) for as long as
//! the process lives, that lists the digests it has read, written or looked
//! for. The kernel releases the lock however the process ends, so a lease that
//! can be locked is a dead one. Adding to a lease and making a blob or a name
//! visible happen under a shared lock of the whole store, pruning under the
//! exclusive one: a blob is never judged between being looked up and being
//! leased.

use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::sync::Mutex;

use jettison_image::Digest;

use super::StoreError;
use crate::files::Directory;

pub(super) struct Lease {
    root: Directory,
    leases: Directory,
    name: String,
    state: Mutex<State>,
}

struct State {
    file: File,
    held: HashSet<Digest>,
}

/// The whole store's lock, released when dropped.
pub(super) struct StoreLock {
    _file: File,
}

impl Lease {
    pub(super) fn take(root: &Directory, leases: &Directory) -> Result<Self, StoreError> {
        let reopen = |directory: &Directory| {
            Directory::open(directory.path()).map_err(StoreError::io("open", directory.path()))
        };
        let (root, leases) = (reopen(root)?, reopen(leases)?);
        let _lock = lock(&root, Sharing::Shared)?;
        let created = leases.create_unique("lease-").and_then(|(name, file)| {
            file.lock()?;
            Ok((name, file))
        });
        let (name, file) = created.map_err(StoreError::io("write", leases.path()))?;
        let state = Mutex::new(State {
            file,
            held: HashSet::new(),
        });
        Ok(Self {
            root,
            leases,
            name,
            state,
        })
    }

    /// Keeps blobs from being pruned for as long as this lease lives. The
    /// returned lock must be held until whatever depends on it is visible.
    pub(super) fn hold(
        &self,
        digests: impl IntoIterator<Item = Digest>,
    ) -> Result<StoreLock, StoreError> {
        let lock = lock(&self.root, Sharing::Shared)?;
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut lines = String::new();
        for digest in digests {
            if state.held.insert(digest) {
                lines.push_str(&digest.hex());
                lines.push('\n');
            }
        }
        if let Err(error) = state.file.write_all(lines.as_bytes()) {
            // What may not have been written must not count as leased.
            state.held.clear();
            return Err(StoreError::io("write", self.leases.path().join(&self.name))(error));
        }
        Ok(lock)
    }

    /// What this lease holds.
    pub(super) fn held(&self) -> HashSet<Digest> {
        let state = self.state.lock();
        let state = state.unwrap_or_else(|poisoned| poisoned.into_inner());
        state.held.clone()
    }

    /// Shuts every other process out and says what they use. Leases of dead
    /// processes are taken away.
    pub(super) fn shut_others_out(&self) -> Result<(StoreLock, HashSet<Digest>), StoreError> {
        let lock = lock(&self.root, Sharing::Exclusive)?;
        let mut used = HashSet::new();
        let fail = || StoreError::io("read", self.leases.path());
        for name in self.leases.names().map_err(fail())? {
            if name == self.name {
                continue;
            }
            let file = match self.leases.open_file_to_write(&name) {
                Ok(file) => file,
                // Dropped by its owner just now; dropping takes no lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(StoreError::io("read", self.leases.path().join(name))(error));
                }
            };
            match file.try_lock() {
                Ok(()) => self.leases.remove(&name).map_err(fail())?,
                Err(TryLockError::WouldBlock) => read_lease(file, &mut used).map_err(fail())?,
                Err(TryLockError::Error(error)) => return Err(fail()(error)),
            }
        }
        Ok((lock, used))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Nothing is lost when this fails: the next prune finds it unlocked.
        let _ = self.leases.remove(&self.name);
    }
}

#[derive(Clone, Copy)]
enum Sharing {
    Shared,
    Exclusive,
}

/// A fresh open file description each time: flock(2) locks belong to it, so
/// threads of one process exclude each other as processes do.
fn lock(root: &Directory, sharing: Sharing) -> Result<StoreLock, StoreError> {
    let fail = || StoreError::io("lock", root.path().join("lock"));
    let file = root.open_or_create("lock").map_err(fail())?;
    match sharing {
        Sharing::Shared => file.lock_shared(),
        Sharing::Exclusive => file.lock(),
    }
    .map_err(fail())?;
    Ok(StoreLock { _file: file })
}

fn read_lease(mut file: File, used: &mut HashSet<Digest>) -> io::Result<()> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    used.extend(
        text.lines()
            .filter_map(|hex| format!("sha256:{hex}").parse::<Digest>().ok()),
    );
    Ok(())
}
