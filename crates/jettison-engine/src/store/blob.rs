//! Blobs: written under a temporary name, verified, renamed to their digest.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use jettison_image::{Digest, Sha256Writer, VerifyingReader};

use super::{Store, StoreError};
use crate::files::{Directory, read_bounded};

/// A blob on its way into the store. Dropping it leaves nothing behind.
pub struct BlobWriter {
    store: Store,
    name: String,
    /// `None` once committed.
    sink: Option<Sha256Writer<File>>,
}

/// A blob that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
}

impl Store {
    /// Starts writing a blob.
    pub fn blob_writer(&self) -> Result<BlobWriter, StoreError> {
        let (name, file) = create_temporary(&self.inner.temporary, "blob-")
            .map_err(StoreError::io("write", self.inner.temporary.path()))?;
        Ok(BlobWriter {
            store: self.clone(),
            name,
            sink: Some(Sha256Writer::new(file)),
        })
    }

    /// Writes a small blob that is in memory.
    pub fn put_blob(&self, content: &[u8]) -> Result<StoredBlob, StoreError> {
        let digest = Digest::of(content);
        if let Some(size_bytes) = self.blob_size(&digest)?
            && size_bytes == content.len() as u64
        {
            return Ok(StoredBlob { digest, size_bytes });
        }
        let mut writer = self.blob_writer()?;
        writer
            .write_all(content)
            .map_err(StoreError::io("write", self.blob_path(&digest)))?;
        writer.commit_as(digest)
    }

    /// The size of a blob that is there, which is from now on safe from
    /// pruning until this store is dropped.
    pub fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let _lock = self.inner.lease.hold([*digest])?;
        let facts = self.inner.blobs.facts(&digest.hex());
        let facts = facts.map_err(StoreError::io("read", self.blob_path(digest)))?;
        Ok(facts.map(|facts| facts.size_bytes))
    }

    /// True when a blob of this digest and size is there; one of another size
    /// was damaged after it had been written, and counts as missing.
    pub fn has_blob(&self, digest: &Digest, size_bytes: u64) -> Result<bool, StoreError> {
        Ok(self.blob_size(digest)? == Some(size_bytes))
    }

    /// Opens a blob of `size_bytes`. Its digest is verified while it is read: a
    /// damaged one fails at its end and is taken out of the store.
    pub fn open_blob(
        &self,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<impl Read + Send + 'static, StoreError> {
        let file = self.open_blob_file(digest)?;
        Ok(StoredReader {
            store: self.clone(),
            digest: *digest,
            reader: VerifyingReader::new(file, *digest, size_bytes),
        })
    }

    /// Opens a blob for reading at any place; nothing is verified, so this is
    /// for what has been verified before.
    pub fn open_blob_file(&self, digest: &Digest) -> Result<File, StoreError> {
        drop(self.inner.lease.hold([*digest])?);
        self.inner
            .blobs
            .open_file(&digest.hex())
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => StoreError::MissingBlob { digest: *digest },
                _ => StoreError::io("read", self.blob_path(digest))(error),
            })
    }

    /// Reads a blob that is expected to be small.
    pub fn read_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let size = self
            .blob_size(digest)?
            .ok_or(StoreError::MissingBlob { digest: *digest })?;
        read_bounded(self.open_blob(digest, size)?, limit_bytes)
            .map_err(StoreError::io("read", self.blob_path(digest)))
    }

    fn blob_path(&self, digest: &Digest) -> std::path::PathBuf {
        self.inner.blobs.path().join(digest.hex())
    }
}

impl BlobWriter {
    /// Ends the blob and keeps it under the digest it turned out to have.
    pub fn commit(mut self) -> Result<StoredBlob, StoreError> {
        self.end(None)
    }

    /// Ends the blob and keeps it only if it has the promised digest.
    pub fn commit_as(mut self, expected: Digest) -> Result<StoredBlob, StoreError> {
        self.end(Some(expected))
    }

    fn end(&mut self, expected: Option<Digest>) -> Result<StoredBlob, StoreError> {
        let (file, digest, size_bytes) = self
            .sink
            .take()
            .expect("a blob ends once, commit takes self")
            .finish();
        let inner = &self.store.inner;
        let result = (|| {
            if let Some(expected) = expected
                && expected != digest
            {
                return Err(StoreError::Digest {
                    expected,
                    actual: digest,
                });
            }
            let _lock = inner.lease.hold([digest])?;
            let there = matches!(inner.blobs.facts(&digest.hex()),
                Ok(Some(facts)) if facts.size_bytes == size_bytes);
            if there {
                return inner
                    .temporary
                    .remove(&self.name)
                    .map_err(StoreError::io("write", inner.temporary.path()));
            }
            // Without this a power failure could leave a name without content.
            file.sync_data()
                .and_then(|()| {
                    inner
                        .temporary
                        .rename(&self.name, &inner.blobs, &digest.hex())
                })
                .map_err(StoreError::io("write", self.store.blob_path(&digest)))
        })();
        if result.is_err() {
            let _ = inner.temporary.remove(&self.name);
        }
        result.map(|()| StoredBlob { digest, size_bytes })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Some(sink) => sink.write(buf),
            None => Err(io::Error::other("the blob is committed")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.sink.is_some() {
            // Nothing is lost when this fails: the file is unlocked and reaped later.
            let _ = self.store.inner.temporary.remove(&self.name);
        }
    }
}

struct StoredReader {
    store: Store,
    digest: Digest,
    reader: VerifyingReader<File>,
}

impl Read for StoredReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf).inspect_err(|error| {
            if error.kind() == io::ErrorKind::InvalidData {
                let _ = self.store.inner.blobs.remove(&self.digest.hex());
            }
        })
    }
}

/// Makes a temporary file, locked for as long as it is open.
pub(super) fn create_temporary(temporary: &Directory, prefix: &str) -> io::Result<(String, File)> {
    loop {
        let (name, file) = temporary.create_unique(prefix)?;
        file.lock()?;
        // Between creation and lock it looks like a dead process' file.
        if file.metadata()?.nlink() > 0 {
            return Ok((name, file));
        }
    }
}

/// Removes temporary files whose process is gone and returns their bytes.
/// Unfinished downloads are kept for the next attempt until `downloads_before`.
pub(super) fn reap(
    temporary: &Directory,
    downloads_before: Option<SystemTime>,
) -> Result<u64, StoreError> {
    let mut freed_bytes = 0;
    let fail = || StoreError::io("clean up", temporary.path());
    for name in temporary.names().map_err(fail())? {
        let Ok(file) = temporary.open_file(&name) else {
            continue;
        };
        match file.try_lock() {
            Ok(()) => {
                let facts = file.metadata().map_err(fail())?;
                let is_download = name.starts_with("download-");
                let keep = is_download
                    && downloads_before
                        .is_none_or(|limit| facts.modified().is_ok_and(|time| time >= limit));
                if keep {
                    continue;
                }
                // A file of another user stays for that user to reap.
                if temporary.remove(&name).is_ok() {
                    freed_bytes += facts.len();
                }
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(fail()(error)),
        }
    }
    Ok(freed_bytes)
}
