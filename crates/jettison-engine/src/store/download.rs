//! Blobs on their way from a network: what has arrived survives the process.
//!
//! An unfinished download lies under a name made of its digest, so the next
//! attempt takes it up, and is locked while somebody works on it, so that two
//! processes never fetch the same blob at the same time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use jettison_image::{Digest, Sha256Writer};

use super::turn::open_locked;
use super::{Store, StoreError, StoredBlob};

/// A download under way. Dropping it keeps what has arrived.
pub(crate) struct Download {
    store: Store,
    digest: Digest,
    name: String,
    file: File,
    hasher: Sha256Writer<io::Sink>,
    position: u64,
}

impl Store {
    /// Begins or takes up the download of a blob. Waits while another process
    /// is at it; none when the blob is there afterwards.
    pub(crate) fn download(
        &self,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<Option<Download>, StoreError> {
        let directory = &self.inner.temporary;
        let name = format!("download-{}", digest.hex());
        let fail = || StoreError::io("write", directory.path().join(&name));
        let mut file = open_locked(directory, &name).map_err(fail())?;
        if self.has_blob(digest, size_bytes)? {
            directory.remove(&name).map_err(fail())?;
            return Ok(None);
        }
        let mut hasher = Sha256Writer::new(io::sink());
        let mut position =
            io::copy(&mut (&mut file).take(size_bytes + 1), &mut hasher).map_err(fail())?;
        if position > size_bytes {
            (hasher, position) = (Sha256Writer::new(io::sink()), 0);
            empty(&mut file).map_err(fail())?;
        }
        Ok(Some(Download {
            store: self.clone(),
            digest: *digest,
            name,
            file,
            hasher,
            position,
        }))
    }
}

impl Download {
    /// How many bytes have arrived, earlier ones included.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Forgets what has arrived and begins anew.
    pub(crate) fn restart(&mut self) -> Result<(), StoreError> {
        (self.hasher, self.position) = (Sha256Writer::new(io::sink()), 0);
        empty(&mut self.file).map_err(StoreError::io("write", self.store.inner.temporary.path()))
    }

    /// Forgets what has arrived; it is worth nothing.
    pub(crate) fn discard(self) -> Result<(), StoreError> {
        let directory = &self.store.inner.temporary;
        directory
            .remove(&self.name)
            .map_err(StoreError::io("write", directory.path()))
    }

    /// Keeps the blob, or refuses it when it is another one than was promised.
    pub(crate) fn commit(self) -> Result<StoredBlob, StoreError> {
        let inner = &self.store.inner;
        let (_, actual, size_bytes) = self.hasher.finish();
        if actual != self.digest {
            let _ = inner.temporary.remove(&self.name);
            return Err(StoreError::Digest {
                expected: self.digest,
                actual,
            });
        }
        let _lock = inner.lease.hold([actual])?;
        self.file
            .sync_data()
            .and_then(|()| {
                inner
                    .temporary
                    .rename(&self.name, &inner.blobs, &actual.hex())
            })
            .map_err(StoreError::io(
                "write",
                inner.blobs.path().join(actual.hex()),
            ))?;
        Ok(StoredBlob {
            digest: actual,
            size_bytes,
        })
    }
}

impl Write for Download {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.file.write(buf)?;
        self.hasher.write_all(&buf[..count])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn empty(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0)).map(drop)
}
