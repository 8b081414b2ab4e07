//! Blobs held in memory.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

use crate::{BlobSource, Descriptor, Digest, Error};

/// A [`BlobSource`] over blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs(HashMap<Digest, Arc<[u8]>>);

impl MemoryBlobs {
    /// Adds a blob under its digest.
    pub fn add(&mut self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.0.insert(digest, bytes.into());
        digest
    }
}

impl BlobSource for MemoryBlobs {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        let missing = Error::MissingBlob {
            digest: blob.digest,
        };
        let bytes = self.0.get(&blob.digest).ok_or(missing)?;
        Ok(Box::new(Cursor::new(Arc::clone(bytes))))
    }
}
