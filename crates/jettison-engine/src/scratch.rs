//! Directories for what is not worth keeping. Each is locked for as long as
//! its process lives, so that the next one can take away what a killed one left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Ours, among what sandboxes keep in the same place.
const PREFIX: &str = "build-";

/// A directory that is removed when this is dropped.
pub(crate) struct ScratchDirectory {
    directory: tempfile::TempDir,
    _lock: File,
}

impl ScratchDirectory {
    /// Makes one below `parent`, and removes those of dead processes.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        // What cannot be removed stays; it is only room.
        Self::create_after(parent, |left| {
            let _ = fs::remove_dir_all(left);
        })
    }

    /// The same; `remove` takes away what a dead process left.
    pub(crate) fn create_after(parent: &Path, remove: impl FnMut(&Path)) -> io::Result<Self> {
        reap(parent, remove);
        loop {
            // Closed to others (0700), as tempfile makes them.
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            if let Some(_lock) = lock_if_there(directory.path())? {
                return Ok(Self { directory, _lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// The lock of a directory; None where somebody took it away, since between
/// creation and lock it looks like a dead process' one.
fn lock_if_there(path: &Path) -> io::Result<Option<File>> {
    let lock = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    lock.lock()?;
    let there = fs::metadata(path).and_then(|there| Ok(there.ino() == lock.metadata()?.ino()));
    Ok(there.unwrap_or(false).then_some(lock))
}

fn reap(parent: &Path, mut remove: impl FnMut(&Path)) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_ours
            && let Ok(directory) = File::open(entry.path())
            && directory.try_lock().is_ok()
        {
            remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ScratchDirectory;

    #[test]
    fn what_a_killed_process_left_is_taken_away() {
        let parent = tempfile::tempdir().expect("a directory");
        let left = parent.path().join("build-left");
        std::fs::create_dir(&left).expect("room");
        std::fs::write(left.join("program"), "x").expect("room");
        std::fs::create_dir(parent.path().join("other")).expect("room");
        let first = ScratchDirectory::create(parent.path()).expect("a directory");
        assert!(!left.exists());
        let second = ScratchDirectory::create(parent.path()).expect("a directory");
        assert!(first.path().exists() && second.path().exists());
        drop((first, second));
        let names = std::fs::read_dir(parent.path()).expect("readable");
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn several_at_once_get_one_each() {
        let parent = tempfile::tempdir().expect("a directory");
        let lost = std::thread::scope(|scope| {
            let make = || {
                let make = || ScratchDirectory::create(parent.path()).expect("a directory");
                (0..200)
                    .map(|_| make())
                    .filter(|own| !own.path().exists())
                    .count()
            };
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            let lost = makers
                .into_iter()
                .map(|maker| maker.join().expect("no panic"));
            lost.sum::<usize>()
        });
        assert_eq!(lost, 0, "taken away from under their owners");
    }
}
