//! Blobs out of the local store.

use std::io::Read;

use jettison_image::{BlobSource, Descriptor, Error};

use crate::store::{Store, StoreError};

/// The store as the place an image's blobs are read from.
#[derive(Debug, Clone)]
pub struct StoreSource(pub Store);

impl BlobSource for StoreSource {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        match self.0.open_blob(&blob.digest, blob.size_bytes) {
            Ok(reader) => Ok(Box::new(reader)),
            Err(StoreError::MissingBlob { digest }) => Err(Error::MissingBlob { digest }),
            Err(error) => Err(Error::Read {
                what: format!("blob {}", blob.digest),
                source: std::io::Error::other(error),
            }),
        }
    }
}
