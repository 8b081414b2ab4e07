//! Copies an archive while it is read.

use std::io::{self, BufRead, Read, Write};

use crate::tar::{Source, read_buffered};

/// A source whose bytes go somewhere else too, in the order and as far as they
/// are read.
pub(super) struct Tee<S> {
    inner: S,
    copy: Option<Box<dyn Write + Send>>,
    /// Buffered bytes that are copied and not yet consumed.
    ahead: usize,
    bytes: u64,
}

impl<S: Source> Tee<S> {
    pub(super) fn new(inner: S, copy: Option<Box<dyn Write + Send>>) -> Self {
        Self {
            inner,
            copy,
            ahead: 0,
            bytes: 0,
        }
    }

    /// Reads and copies what is left; the length of everything.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.skip(u64::MAX)?;
        if let Some(copy) = &mut self.copy {
            copy.flush()?;
        }
        Ok(self.bytes)
    }
}

impl<S: Source> Read for Tee<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

impl<S: Source> BufRead for Tee<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buf = self.inner.fill_buf()?;
        if buf.len() > self.ahead {
            if let Some(copy) = &mut self.copy {
                copy.write_all(&buf[self.ahead..])?;
            }
            self.bytes += (buf.len() - self.ahead) as u64;
            self.ahead = buf.len();
        }
        Ok(buf)
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.ahead);
        self.ahead -= count;
        self.inner.consume(count);
    }
}

impl<S: Source> Source for Tee<S> {
    fn consumed_bytes(&self) -> Option<u64> {
        self.inner.consumed_bytes()
    }
}
