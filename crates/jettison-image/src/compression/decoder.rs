//! Unpacks a layer as a stream, in this thread or in one of its own.
//!
//! Memory is bounded whatever the input says; what is unpacked is counted
//! against a limit; a stream that ends too early, goes on after its end or
//! contradicts its checksums is an error, never a short read.

use std::io::{self, BufRead, Read};

use super::gzip::GzipMembers;
use super::pipeline::Pipeline;
use super::zstd_frames::ZstdFrames;
use super::{Compression, UnknownPacking};
use crate::tar::read_buffered;
use crate::{Error, Limits};

/// Packed bytes fetched at a time.
const INPUT_BYTES: usize = 128 << 10;

/// Unpacked bytes between two readings of the packed position: the precision
/// of [`Decoder::consumed_bytes`]. As long as a zstd block at most is, and
/// long enough that inflating is not slowed by the calls.
pub(super) const MARK_BYTES: usize = 128 << 10;

/// Unpacks what it reads. It is a [`BufRead`]; reading through `fill_buf`
/// spares a copy.
pub struct Decoder<R> {
    source: Source<R>,
    chunk: Chunk,
    position: usize,
    ended: bool,
}

enum Source<R> {
    Inline(Box<Unpacker<R>>),
    Thread(Pipeline),
}

impl<R: Read> Decoder<R> {
    /// Unpacks `inner` in the calling thread.
    pub fn new(inner: R, compression: Compression, limits: &Limits) -> io::Result<Self> {
        let unpacker = Unpacker::new(inner, compression, limits)?;
        Ok(Self::from_source(Source::Inline(Box::new(unpacker))))
    }

    /// Recognises the packing by the first bytes and unpacks in the calling
    /// thread.
    pub fn detect(mut inner: R, limits: &Limits) -> io::Result<(Compression, Self)> {
        let first = Buffered::first_of(&mut inner)?;
        let compression = recognise(first.unread())?;
        let unpacker = Unpacker::with_input(inner, first, compression, limits)?;
        Ok((
            compression,
            Self::from_source(Source::Inline(Box::new(unpacker))),
        ))
    }
}

impl<R: Read + Send + 'static> Decoder<R> {
    /// Reads and unpacks `inner` in a thread of its own, a few MiB ahead of
    /// the caller, so that hashing and parsing have a core to themselves.
    pub fn pipelined(inner: R, compression: Compression, limits: &Limits) -> io::Result<Self> {
        let unpacker = Unpacker::new(inner, compression, limits)?;
        Ok(Self::from_source(Source::Thread(Pipeline::start(
            unpacker,
        )?)))
    }

    /// [`Decoder::pipelined`], with the packing recognised by the first bytes.
    pub fn detect_pipelined(mut inner: R, limits: &Limits) -> io::Result<(Compression, Self)> {
        let first = Buffered::first_of(&mut inner)?;
        let compression = recognise(first.unread())?;
        let unpacker = Unpacker::with_input(inner, first, compression, limits)?;
        Ok((
            compression,
            Self::from_source(Source::Thread(Pipeline::start(unpacker)?)),
        ))
    }
}

impl<R> Decoder<R> {
    fn from_source(source: Source<R>) -> Self {
        Self {
            source,
            chunk: Chunk::default(),
            position: 0,
            ended: false,
        }
    }

    /// How many packed bytes lie behind what has been handed out so far.
    /// Between two marks, at most 128 KiB of unpacked data apart, the bytes
    /// are shared out evenly; at the end it is the length of the input.
    pub fn consumed_bytes(&self) -> u64 {
        self.chunk.consumed_at(self.position)
    }
}

impl<R: Read> BufRead for Decoder<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position >= self.chunk.length && !self.ended {
            match &mut self.source {
                Source::Inline(unpacker) => unpacker.fill(&mut self.chunk, MARK_BYTES)?,
                Source::Thread(pipeline) => pipeline.next(&mut self.chunk)?,
            }
            self.position = 0;
            self.ended = self.chunk.length == 0;
        }
        Ok(&self.chunk.data[self.position..self.chunk.length])
    }

    fn consume(&mut self, count: usize) {
        self.position = (self.position + count).min(self.chunk.length);
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, buf)
    }
}

/// A piece of unpacked data with the packed positions that go with it.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) data: Vec<u8>,
    pub(super) length: usize,
    start_consumed: u64,
    /// End of each stretch in `data`, and the packed position there.
    marks: Vec<(usize, u64)>,
}

impl Chunk {
    fn consumed_at(&self, position: usize) -> u64 {
        let (mut from, mut consumed_from) = (0, self.start_consumed);
        for &(to, consumed_to) in &self.marks {
            if position >= to {
                (from, consumed_from) = (to, consumed_to);
                continue;
            }
            let stretch = (to - from) as u128;
            let share = u128::from(consumed_to - consumed_from) * (position - from) as u128;
            return consumed_from + u64::try_from(share / stretch).unwrap_or(0);
        }
        consumed_from
    }
}

/// One way of unpacking.
pub(super) trait Step: Send {
    /// Unpacks from `input` to `output`; the bytes consumed and produced. It
    /// is called with empty input too, because output may still be pending.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)>;

    /// Whether the input may end here.
    fn is_complete(&self) -> bool;
}

/// No packing: copies.
struct Plain;

impl Step for Plain {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let count = input.len().min(output.len());
        output[..count].copy_from_slice(&input[..count]);
        Ok((count, count))
    }

    fn is_complete(&self) -> bool {
        true
    }
}

/// Reads, unpacks and counts.
pub(super) struct Unpacker<R> {
    inner: R,
    input: Buffered,
    step: Box<dyn Step>,
    is_plain: bool,
    consumed: u64,
    produced: u64,
    limit: u64,
    /// What comes after the bytes that were unpacked before it.
    failed: Option<io::Error>,
}

impl<R: Read> Unpacker<R> {
    fn new(inner: R, compression: Compression, limits: &Limits) -> io::Result<Self> {
        Self::with_input(inner, Buffered::new(), compression, limits)
    }

    fn with_input(
        inner: R,
        input: Buffered,
        compression: Compression,
        limits: &Limits,
    ) -> io::Result<Self> {
        let step: Box<dyn Step> = match compression {
            Compression::None => Box::new(Plain),
            Compression::Gzip => Box::new(GzipMembers::new()),
            Compression::Zstd => Box::new(ZstdFrames::new()?),
        };
        Ok(Self {
            inner,
            input,
            step,
            is_plain: compression == Compression::None,
            consumed: 0,
            produced: 0,
            limit: limits.unpacked_bytes,
            failed: None,
        })
    }

    /// Replaces the chunk's content by the next `size` bytes, fewer at the
    /// end of the data, none after it. What precedes a fault is handed out
    /// before it: a caller may ask what a broken stream begins with.
    pub(super) fn fill(&mut self, chunk: &mut Chunk, size: usize) -> io::Result<()> {
        chunk.data.resize(size, 0);
        chunk.length = 0;
        chunk.start_consumed = self.consumed;
        chunk.marks.clear();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while chunk.length < size {
            let end = size.min(chunk.length + MARK_BYTES);
            let count = self.unpack(&mut chunk.data[chunk.length..end])?;
            chunk.length += count;
            if self.failed.is_some() {
                chunk.marks.push((chunk.length, self.consumed));
                break;
            }
            // Also at the end: what trails the last byte belongs to it.
            if count > 0 {
                chunk.marks.push((chunk.length, self.consumed));
            } else {
                match chunk.marks.last_mut() {
                    Some(last) => last.1 = self.consumed,
                    None => chunk.start_consumed = self.consumed,
                }
                break;
            }
        }
        Ok(())
    }

    /// Fills `output` as far as the data goes; 0 only at the very end.
    fn unpack(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < output.len() {
            if self.input.unread().is_empty() {
                if self.is_plain {
                    return self.read_plain(output, filled);
                }
                self.input.fetch(&mut self.inner)?;
            }
            let available = self.input.unread();
            let step = self.step.step(available, &mut output[filled..]);
            let (consumed, produced) = match step {
                Ok(step) => step,
                Err(error) => return self.fail(error, filled),
            };
            let at_end = available.is_empty();
            self.input.take(consumed);
            self.consumed += consumed as u64;
            self.produced += produced as u64;
            filled += produced;
            if self.produced > self.limit {
                return Err(self.over_limit());
            }
            if consumed == 0 && produced == 0 {
                return match (at_end, self.step.is_complete()) {
                    (true, true) => Ok(filled),
                    (true, false) => self.fail(self.truncated(), filled),
                    (false, _) => self.fail(invalid("packed data makes no progress"), filled),
                };
            }
        }
        Ok(filled)
    }

    /// Answers what was unpacked; the fault is for the next call.
    fn fail(&mut self, error: io::Error, filled: usize) -> io::Result<usize> {
        if filled == 0 {
            return Err(error);
        }
        self.failed = Some(error);
        Ok(filled)
    }

    /// Without packing nothing needs to be copied from one buffer to another.
    fn read_plain(&mut self, output: &mut [u8], mut filled: usize) -> io::Result<usize> {
        while filled < output.len() {
            let count = read_some(&mut self.inner, &mut output[filled..])?;
            if count == 0 {
                break;
            }
            filled += count;
            self.consumed += count as u64;
            self.produced += count as u64;
            if self.produced > self.limit {
                return Err(self.over_limit());
            }
        }
        Ok(filled)
    }

    fn truncated(&self) -> io::Error {
        let message = format!("packed data ends too early, after {} bytes", self.consumed);
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }

    fn over_limit(&self) -> io::Error {
        io::Error::other(Error::Limit {
            what: "layer".into(),
            limit: self.limit,
            unit: "unpacked bytes",
            flag: "unpacked-bytes",
        })
    }
}

/// Packed bytes that were read and not yet used.
struct Buffered {
    data: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffered {
    fn new() -> Self {
        Self {
            data: vec![0; INPUT_BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    fn first_of(inner: &mut impl Read) -> io::Result<Self> {
        let mut first = Self::new();
        while first.end < Compression::MAGIC_BYTES {
            let count = read_some(inner, &mut first.data[first.end..])?;
            if count == 0 {
                break;
            }
            first.end += count;
        }
        Ok(first)
    }

    fn unread(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    fn take(&mut self, count: usize) {
        self.start += count;
    }

    fn fetch(&mut self, inner: &mut impl Read) -> io::Result<()> {
        self.start = 0;
        self.end = 0;
        self.end = read_some(inner, &mut self.data)?;
        Ok(())
    }
}

fn read_some(inner: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn recognise(first: &[u8]) -> io::Result<Compression> {
    Compression::detect(first)
        .map_err(|error: UnknownPacking| io::Error::new(io::ErrorKind::InvalidData, error))
}

pub(super) fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
