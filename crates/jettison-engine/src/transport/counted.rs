//! Reports what is read.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::progress::ProgressItem;

/// Reports what is read through it; bytes that were reported before a
/// transfer had to go back are not reported again.
pub(super) struct Counted<'a, R> {
    pub(super) inner: R,
    pub(super) position: u64,
    pub(super) reported: &'a AtomicU64,
    pub(super) item: &'a dyn ProgressItem,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.position += count as u64;
        let before = self.reported.fetch_max(self.position, Ordering::Relaxed);
        if self.position > before {
            self.item.advance(self.position - before);
        }
        Ok(count)
    }
}
