//! Reports what is read from an image's blobs.

use std::io::{self, Read};
use std::sync::Arc;

use jettison_image::{BlobSource, Descriptor, Error};

use crate::progress::ProgressItem;

/// A source whose reads are reported.
pub(crate) struct Counted {
    source: Arc<dyn BlobSource>,
    item: Arc<dyn ProgressItem>,
}

impl Counted {
    pub(crate) fn new(source: Arc<dyn BlobSource>, item: Box<dyn ProgressItem>) -> Self {
        Self {
            source,
            item: item.into(),
        }
    }
}

impl BlobSource for Counted {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(CountedBlob {
            content: self.source.open(blob)?,
            item: Arc::clone(&self.item),
        }))
    }
}

struct CountedBlob {
    content: Box<dyn Read + Send>,
    item: Arc<dyn ProgressItem>,
}

impl Read for CountedBlob {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buf)?;
        self.item.advance(count as u64);
        Ok(count)
    }
}
