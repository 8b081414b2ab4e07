//! What builds leave beside the blobs of the store, taken away: unpacked layers
//! and cache mounts. They belong to ids of containers, so a sandbox removes
//! them; the store knows none.
//!
//! Nothing is touched that a running build has locked.

use std::cell::OnceCell;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jettison_image::Digest;
use jettison_sandbox::Sandbox;

use super::cache_directories::{self, CacheDirectories};
use super::error::StepError;
use super::run::open_sandbox;
use super::snapshots;
use crate::Context;
use crate::scratch::ScratchDirectory;
use crate::store::Prune;

/// A cache that is being removed.
const REMOVED: &str = "removed-";

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Unpacked layers.
    pub snapshots: u64,
    /// Cache mounts.
    pub caches: u64,
    /// Bytes of everything that went, as far as they can be read.
    pub freed_bytes: u64,
    /// What would have gone if no build were using it.
    pub in_use: u64,
}

/// Takes away what killed builds left, unpacked layers that the store has no
/// blob of any more, and, as [`Prune`] says, others and cache mounts. The store
/// itself is pruned before.
pub fn prune(what: &Prune, context: &Context) -> Result<Tidied, StepError> {
    let mut tidy = Tidy {
        what,
        context,
        sandbox: OnceCell::new(),
        done: Tidied::default(),
    };
    tidy.snapshots()?;
    tidy.caches()?;
    Ok(tidy.done)
}

struct Tidy<'a> {
    what: &'a Prune,
    context: &'a Context,
    sandbox: OnceCell<Arc<Sandbox>>,
    done: Tidied,
}

impl Tidy<'_> {
    fn snapshots(&mut self) -> Result<(), StepError> {
        let parent = self.context.store().path().join(snapshots::DIRECTORY);
        let names = names(&parent)?;
        if names.is_empty() || self.what.dry_run {
            return names.iter().try_for_each(|name| {
                let path = parent.join(name);
                if self.is_unwanted(&path)? {
                    self.count(&path);
                    self.done.snapshots += 1;
                }
                Ok(())
            });
        }
        let failed = || StepError::host(format!("tidying {}", parent.display()));
        let mut left = Vec::new();
        let own = ScratchDirectory::create_after(&parent, |path| left.push(path.to_owned()))
            .map_err(failed())?;
        for path in left {
            self.discard(&path)?;
        }
        for name in names {
            let path = parent.join(&name);
            let Some(moved) = self.take_snapshot(&path, &name, own.path())? else {
                continue;
            };
            self.discard(&moved)?;
            self.done.snapshots += 1;
        }
        Ok(())
    }

    /// Moves an unpacked layer that goes to where no build looks.
    fn take_snapshot(
        &mut self,
        path: &Path,
        name: &str,
        to: &Path,
    ) -> Result<Option<PathBuf>, StepError> {
        let failed = || StepError::host(format!("removing {}", path.display()));
        let _turn = self.context.store().turn(&snapshots::turn_of(name))?;
        if !self.is_unwanted(path)? {
            return Ok(None);
        }
        let Some(file) = there(File::open(path)).map_err(failed())? else {
            return Ok(None);
        };
        if !self.is_free(&file).map_err(failed())? {
            return Ok(None);
        }
        let to = to.join(name);
        fs::rename(path, &to).map_err(failed())?;
        Ok(Some(to))
    }

    /// True where nobody has the lock; it is held as long as the file.
    fn is_free(&mut self, file: &File) -> io::Result<bool> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => {
                self.done.in_use += 1;
                Ok(false)
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// True for an unpacked layer that is too old, or that no blob is left of.
    fn is_unwanted(&self, path: &Path) -> Result<bool, StepError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("layer-") && !name.starts_with("base-") {
            return Ok(false);
        }
        let Ok(facts) = fs::symlink_metadata(path) else {
            return Ok(false);
        };
        if self.is_old(&facts) {
            return Ok(true);
        }
        let Ok(layers) = fs::read_to_string(path.join(snapshots::LAYERS)) else {
            return Ok(true);
        };
        let blobs = self.context.store().path().join("blobs/sha256");
        let is_there = |line: &str| {
            let digest = line.parse::<Digest>();
            digest.is_ok_and(|digest| blobs.join(digest.hex()).exists())
        };
        Ok(!layers.lines().all(is_there))
    }

    fn is_old(&self, facts: &fs::Metadata) -> bool {
        let unused = |age: Duration| {
            let last = facts.modified().ok()?;
            Some(SystemTime::now().duration_since(last).ok()? > age)
        };
        self.what.all || self.what.older_than.and_then(unused).unwrap_or(false)
    }

    fn caches(&mut self) -> Result<(), StepError> {
        let caches = CacheDirectories::of(self.context);
        let parent = caches.directory();
        for name in names(parent)? {
            let path = parent.join(&name);
            if name.starts_with(REMOVED) {
                self.discard(&path)?;
            } else if let Some(cache) = name.strip_suffix(cache_directories::LOCK) {
                self.cache(parent, cache)?;
            }
        }
        Ok(())
    }

    fn cache(&mut self, parent: &Path, name: &str) -> Result<(), StepError> {
        let path = parent.join(name);
        let failed = || StepError::host(format!("removing {}", path.display()));
        let lock_path = parent.join(format!("{name}{}", cache_directories::LOCK));
        let Some(lock) = there(File::open(&lock_path)).map_err(failed())? else {
            return Ok(());
        };
        let facts = lock.metadata().map_err(failed())?;
        if facts.nlink() == 0 || !self.is_old(&facts) || !self.is_free(&lock).map_err(failed())? {
            return Ok(());
        }
        if self.what.dry_run {
            self.count(&path);
            self.done.caches += 1;
            return Ok(());
        }
        // In its place, since it may be another user's: a directory's own
        // permissions decide whether it may move elsewhere.
        let removed = parent.join(format!("{REMOVED}{name}"));
        self.discard(&removed)?;
        there(fs::rename(&path, &removed)).map_err(failed())?;
        there(fs::remove_file(&lock_path)).map_err(failed())?;
        drop(lock);
        self.discard(&removed)?;
        self.done.caches += 1;
        Ok(())
    }

    fn count(&mut self, path: &Path) {
        self.done.freed_bytes += size_bytes(path);
    }

    fn discard(&mut self, path: &Path) -> Result<(), StepError> {
        if self.what.dry_run || !path.exists() {
            return Ok(());
        }
        self.count(path);
        if self.sandbox.get().is_none() {
            let _ = self.sandbox.set(open_sandbox(self.context)?);
        }
        let sandbox = self.sandbox.get().expect("it was opened just now");
        Ok(sandbox.discard(path)?)
    }
}

fn names(directory: &Path) -> Result<Vec<String>, StepError> {
    let failed = || StepError::host(format!("listing {}", directory.display()));
    let Some(entries) = there(fs::read_dir(directory)).map_err(failed())? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed())?.file_name();
        // Ours are plain words.
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// None for what is not there.
fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bytes of all files below, as far as they can be read: what containers
/// closed to others is closed to us.
fn size_bytes(path: &Path) -> u64 {
    let mut bytes = 0_u64;
    let mut next = vec![path.to_owned()];
    while let Some(directory) = next.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(facts) if facts.is_dir() => next.push(entry.path()),
                Ok(facts) => bytes = bytes.saturating_add(facts.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}
