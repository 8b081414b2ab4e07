//! Turns: what processes of this machine do one after another to something
//! that has no lock of its own.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use jettison_image::Digest;

use super::{Store, StoreError};
use crate::files::Directory;

/// The turn of one process, over when this value is dropped.
pub(crate) struct Turn {
    store: Store,
    name: String,
    _file: File,
}

impl Store {
    /// Waits until nobody else with this store is at what `about` names.
    pub(crate) fn turn(&self, about: &str) -> Result<Turn, StoreError> {
        let directory = &self.inner.temporary;
        let name = format!("turn-{}", Digest::of(about.as_bytes()).hex());
        let file = open_locked(directory, &name)
            .map_err(StoreError::io("lock", directory.path().join(&name)))?;
        Ok(Turn {
            store: self.clone(),
            name,
            _file: file,
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Nothing is lost when this fails: the file is unlocked and reaped later.
        let _ = self.store.inner.temporary.remove(&self.name);
    }
}

/// A file under this name, locked as soon as nobody else has it.
pub(super) fn open_locked(directory: &Directory, name: &str) -> io::Result<File> {
    loop {
        let file = directory.open_or_create(name)?;
        file.lock()?;
        // Finished, or reaped, by whoever had the lock before.
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn one_after_another() {
        let scratch = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| Store::open(scratch.path()).unwrap());
        let at_it = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for store in [&one, &one, &other, &other] {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let _turn = store.turn("a tag").unwrap();
                        assert_eq!(at_it.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        at_it.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        let _here = one.turn("a tag").unwrap();
        let _elsewhere = one.turn("another tag").unwrap();
    }

    #[test]
    fn nothing_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).unwrap();
        drop(store.turn("a tag").unwrap());
        assert_eq!(store.inner.temporary.names().unwrap(), [""; 0]);
    }
}
