//! Unpacked archives in files: written once as a stream, then read at any
//! place by any number of threads.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jettison_image::tar::Source;
use jettison_image::{Error, Limits};

/// Read at a time where content is long.
const BUFFER_BYTES: u64 = 128 << 10;
/// Read at least: a header and what usually surrounds it.
const FIRST_BYTES: u64 = 1 << 10;

/// Writes an archive. Long runs of zeros become holes, so that a packed layer
/// of nothing else does not fill the disk; all archives of an image are held
/// to one limit together.
pub(crate) struct ArchiveFile {
    file: File,
    position: u64,
    taken: Arc<AtomicU64>,
    most: u64,
}

impl ArchiveFile {
    pub(crate) fn new(file: File, taken: Arc<AtomicU64>, limits: &Limits) -> Self {
        Self {
            file,
            position: 0,
            taken,
            most: limits.unpacked_bytes,
        }
    }
}

impl Write for ArchiveFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let length = buf.len() as u64;
        let before = self.taken.fetch_add(length, Ordering::Relaxed);
        if before.saturating_add(length) > self.most {
            return Err(io::Error::other(Error::Limit {
                what: "layers".to_owned(),
                limit: self.most,
                unit: "unpacked bytes",
                flag: "unpacked-bytes",
            }));
        }
        // The first byte decides almost always.
        if buf.iter().any(|&byte| byte != 0) {
            let written = self.file.write_all_at(buf, self.position);
            written.map_err(write_failed)?;
        }
        self.position += length;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.set_len(self.position).map_err(write_failed)
    }
}

/// So that whoever reads the layer is not told that reading failed.
fn write_failed(source: io::Error) -> io::Error {
    io::Error::other(Error::Write {
        what: "scratch file".to_owned(),
        source,
    })
}

/// A stretch of a file, read without moving anybody's position.
pub(crate) struct Stretch {
    file: Arc<File>,
    /// What is not in the buffer yet.
    left: Range<u64>,
    buffer: Vec<u8>,
    start: usize,
    /// How much is worth reading at once.
    wanted: u64,
}

impl Stretch {
    /// `wanted` is how many bytes are likely to be read.
    pub(crate) fn new(file: Arc<File>, range: Range<u64>, wanted: u64) -> Self {
        Self {
            file,
            left: range,
            buffer: Vec::new(),
            start: 0,
            wanted: wanted.clamp(FIRST_BYTES, BUFFER_BYTES),
        }
    }
}

impl Read for Stretch {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buf.len());
        buf[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stretch {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.buffer.len() {
            self.start = 0;
            self.buffer.clear();
            let length = self.wanted.min(self.left.end - self.left.start);
            let range = self.left.start..self.left.start + length;
            read_at(&self.file, range, &mut self.buffer)?;
            self.left.start += self.buffer.len() as u64;
        }
        Ok(&self.buffer[self.start..])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
    }
}

impl Source for Stretch {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let buffered = (self.buffer.len() - self.start) as u64;
        if count <= buffered {
            self.start += count as usize;
            return Ok(count);
        }
        self.start = self.buffer.len();
        let jump = (count - buffered).min(self.left.end - self.left.start);
        self.left.start += jump;
        Ok(buffered + jump)
    }
}

/// Appends a range of a file, or as much of it as there is.
pub(super) fn read_at(file: &File, range: Range<u64>, content: &mut Vec<u8>) -> io::Result<()> {
    /// Appends are zeroed in steps of this, not for a whole file at once.
    const STEP: u64 = 1 << 20;
    let mut at = range.start;
    while at < range.end {
        let filled = content.len();
        let step = STEP.min(range.end - at) as usize;
        content.resize(filled + step, 0);
        let count = match file.read_at(&mut content[filled..], at) {
            Ok(count) => count,
            Err(error) => {
                content.truncate(filled);
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            }
        };
        content.truncate(filled + count);
        if count == 0 {
            return Ok(());
        }
        at += count as u64;
    }
    Ok(())
}
