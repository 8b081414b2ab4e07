//! Scratch directories on a disk: each locked by its owner for as long as it
//! lives, so that the next sandbox can tell which were left by a killed one.

use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use crate::error::Error;

/// A look at a lock takes less.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// A directory that is ours alone.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Holds the lock. Beside the directory, not in it, so that the directory
    /// can be removed before the lock is given up.
    _lock: OwnedFd,
    lock_path: PathBuf,
    /// Left by killed owners, with files that only root of a user namespace
    /// can remove: path, its lock's path, the lock.
    abandoned: Vec<(PathBuf, PathBuf, OwnedFd)>,
}

impl Scratch {
    /// Makes a directory below `parent`, and removes those of dead owners.
    pub(crate) fn create(parent: &Path, name: &str) -> Result<Self, Error> {
        let failed = |what: &Path| {
            let step = format!("creating the scratch directory {}", what.display());
            move |e: std::io::Error| Error::step(step, e)
        };
        std::fs::create_dir_all(parent).map_err(failed(parent))?;
        let parent = std::fs::canonicalize(parent).map_err(failed(parent))?;
        let abandoned = reap(&parent);
        let (path, lock_path) = (parent.join(name), parent.join(format!("{name}.lock")));
        let lock = create_locked(&lock_path).map_err(failed(&lock_path))?;
        // What lies in it has setuid programs of strangers and copies of
        // volumes: nobody else on the machine gets past its door.
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(failed(&path))?;
        Ok(Self {
            path,
            _lock: lock,
            lock_path,
            abandoned,
        })
    }

    /// What the supervisor has to remove.
    pub(crate) fn abandoned(&self) -> Vec<PathBuf> {
        self.abandoned
            .iter()
            .map(|(path, _, _)| path.clone())
            .collect()
    }

    /// The supervisor has removed what it could.
    pub(crate) fn forget_abandoned(&mut self) {
        for (path, lock_path, _lock) in self.abandoned.drain(..) {
            remove(&path, &lock_path);
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path, &self.lock_path);
    }
}

/// A new file with its lock.
fn create_locked(path: &Path) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let begun = Instant::now();
    loop {
        let lock = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            // Between creation and lock it looks like a dead owner's, and may go.
            Ok(()) if is_there(&lock) => return Ok(lock),
            Ok(()) => {}
            // Somebody is just looking; or has the same name elsewhere, by a
            // process number of another namespace, and will not let go.
            Err(Errno::WOULDBLOCK) if begun.elapsed() < PATIENCE => thread::sleep(LOOK),
            Err(error) => return Err(error.into()),
        }
    }
}

/// True for a file that still has its name.
fn is_there(file: &OwnedFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|facts| facts.st_nlink > 0)
}

/// Removes a directory, and then its lock; where something is left of the
/// directory the lock stays, so that whoever can remove it finds it.
fn remove(path: &Path, lock_path: &Path) {
    let _ = std::fs::remove_dir_all(path);
    if !path.exists() {
        let _ = std::fs::remove_file(lock_path);
    }
}

/// Directories whose owner is gone; with the lock that proves it.
fn abandoned(parent: &Path) -> Vec<(PathBuf, PathBuf, OwnedFd)> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let lock_path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".lock")) else {
            continue;
        };
        if !name.starts_with("jettison-") {
            continue;
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(lock) = rustix::fs::open(&lock_path, flags, Mode::empty()) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && is_there(&lock) {
            found.push((parent.join(name), lock_path, lock));
        }
    }
    found
}

/// Removes what killed owners left; what could not be removed comes back.
fn reap(parent: &Path) -> Vec<(PathBuf, PathBuf, OwnedFd)> {
    let mut left = abandoned(parent);
    left.retain(|(path, lock_path, _)| {
        remove(path, lock_path);
        path.exists()
    });
    left
}

#[cfg(test)]
mod tests {
    use super::Scratch;

    #[test]
    fn several_at_once_get_one_each() {
        let parent = tempfile::tempdir().expect("a directory");
        let lost = std::thread::scope(|scope| {
            let parent = parent.path();
            let make = move |maker: u32| {
                (0..200)
                    .map(|number| format!("jettison-{maker}-{number}"))
                    .map(|name| Scratch::create(parent, &name).expect("a directory"))
                    .filter(|own| !own.path().exists() || !own.lock_path.exists())
                    .count()
            };
            let makers: Vec<_> = (0..8)
                .map(|maker| scope.spawn(move || make(maker)))
                .collect();
            let lost = makers
                .into_iter()
                .map(|maker| maker.join().expect("no panic"));
            lost.sum::<usize>()
        });
        assert_eq!(lost, 0, "taken away from under their owners");
    }
}
