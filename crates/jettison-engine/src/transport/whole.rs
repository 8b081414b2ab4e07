//! An image as the source of its own blobs.
//!
//! The config of an image that was just made is in memory only; its source
//! need not have it.

use std::io::{Cursor, Read};
use std::sync::Arc;

use jettison_image::{BlobSource, Descriptor, Error, Image};

pub(super) struct Whole {
    config: Descriptor,
    config_bytes: Vec<u8>,
    layers: Arc<dyn BlobSource>,
}

impl Whole {
    pub(super) fn of(image: &Image) -> Self {
        Self {
            config: image.manifest.config.clone(),
            config_bytes: image.config_bytes.clone(),
            layers: image.source.clone(),
        }
    }
}

impl BlobSource for Whole {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        if blob.digest == self.config.digest {
            return Ok(Box::new(Cursor::new(self.config_bytes.clone())));
        }
        self.layers.open(blob)
    }
}
