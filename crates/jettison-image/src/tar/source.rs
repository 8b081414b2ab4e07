//! Where a tar archive is read from: any buffered reader, one that can jump
//! over content, one that hashes what passes.

use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use sha2::{Digest as _, Sha256};

use crate::compression::Decoder;
use crate::{DiffId, Digest};

/// A buffered reader that an archive can be read from.
pub trait Source: BufRead {
    /// Leaves out up to `count` bytes; how many there were. The default reads
    /// them.
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let available = match self.fill_buf() {
                Ok(buf) => buf.len() as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available == 0 {
                break;
            }
            let step = available.min(left);
            self.consume(step as usize);
            left -= step;
        }
        Ok(count - left)
    }

    /// How many packed bytes lie behind what was handed out, where the source
    /// unpacks ([`Decoder::consumed_bytes`]); otherwise none.
    fn consumed_bytes(&self) -> Option<u64> {
        None
    }
}

impl Source for &[u8] {}
impl<T: AsRef<[u8]>> Source for Cursor<T> {}
impl<R: Read> Source for BufReader<R> {}

impl<R: Read> Source for Decoder<R> {
    fn consumed_bytes(&self) -> Option<u64> {
        Some(Decoder::consumed_bytes(self))
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        (**self).skip(count)
    }

    fn consumed_bytes(&self) -> Option<u64> {
        (**self).consumed_bytes()
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        (**self).skip(count)
    }

    fn consumed_bytes(&self) -> Option<u64> {
        (**self).consumed_bytes()
    }
}

/// [`Read::read`] of what is buffered already.
pub(crate) fn read_buffered(source: &mut impl BufRead, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    let available = source.fill_buf()?;
    let count = available.len().min(buf.len());
    buf[..count].copy_from_slice(&available[..count]);
    source.consume(count);
    Ok(count)
}

/// Bytes of a [`SeekSource`]'s buffer: a header and what usually surrounds it.
const SEEK_BUFFER_BYTES: usize = 8 << 10;

/// A plain archive that can be jumped about in: reading its headers touches
/// hardly more than the headers.
pub struct SeekSource<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Position in `inner`, which is where `buffer` ends.
    position: u64,
    length: u64,
}

impl<R: Read + Seek> SeekSource<R> {
    /// Reads from the current position of `inner` to its end.
    pub fn new(mut inner: R) -> io::Result<Self> {
        let position = inner.stream_position()?;
        let length = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(position))?;
        let buffer = vec![0; SEEK_BUFFER_BYTES].into();
        Ok(Self {
            inner,
            buffer,
            start: 0,
            end: 0,
            position,
            length,
        })
    }
}

impl<R: Read + Seek> Read for SeekSource<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && buf.len() >= self.buffer.len() {
            let count = self.inner.read(buf)?;
            self.position += count as u64;
            return Ok(count);
        }
        read_buffered(self, buf)
    }
}

impl<R: Read + Seek> BufRead for SeekSource<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.inner.read(&mut self.buffer)?;
            self.position += self.end as u64;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

impl<R: Read + Seek> Source for SeekSource<R> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let buffered = (self.end - self.start) as u64;
        if count <= buffered {
            self.start += count as usize;
            return Ok(count);
        }
        self.start = self.end;
        // A seek beyond the end would succeed and hide a truncated archive.
        let jump = (count - buffered).min(self.length.saturating_sub(self.position));
        self.position = self.inner.seek(SeekFrom::Start(self.position + jump))?;
        Ok(buffered + jump)
    }
}

/// Hashes everything that is read through it: the archive's diff id.
pub struct Hashing<S> {
    inner: S,
    hasher: Sha256,
    /// Buffered bytes that are hashed and not yet consumed. Hashing whole
    /// buffers when they appear is quicker than hashing every small read.
    ahead: usize,
    size_bytes: u64,
}

impl<S: Source> Hashing<S> {
    /// Starts hashing in front of `inner`.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            ahead: 0,
            size_bytes: 0,
        }
    }

    /// Reads what is left; the source, the hash of everything and its length.
    pub fn finish(mut self) -> io::Result<(S, DiffId, u64)> {
        self.skip(u64::MAX)?;
        let digest = Digest::from_sha256(self.hasher.finalize().into());
        Ok((self.inner, DiffId(digest), self.size_bytes))
    }
}

impl<S: Source> Read for Hashing<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

impl<S: Source> BufRead for Hashing<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buf = self.inner.fill_buf()?;
        if buf.len() > self.ahead {
            self.hasher.update(&buf[self.ahead..]);
            self.size_bytes += (buf.len() - self.ahead) as u64;
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

impl<S: Source> Source for Hashing<S> {
    fn consumed_bytes(&self) -> Option<u64> {
        self.inner.consumed_bytes()
    }
}
