//! Writes zstd: one frame, or, graded, one for the beginning and a quicker one
//! for the rest. Where the second begins depends on the position in the input
//! alone.

use std::io::{self, Write};

use zstd::stream::write::Encoder;
use zstd::zstd_safe::CParameter;

use super::encoder::{EncoderOptions, Level};

/// Data per job. Given explicitly, because the library's choice depends on the
/// level and, at the highest, takes hundreds of MiB per thread.
const JOB_BYTES: u32 = 8 << 20;
/// A small image is all beginning: its ratio counts, and takes under a second.
const BEGINNING_BYTES: u64 = 16 << 20;
/// 1 % larger than level 12 for half of its time.
const BEGINNING: i32 = 9;
/// 2 % larger than level 5 for half of its time.
const REST: i32 = 3;

pub(super) struct ZstdWriter<W: Write> {
    /// None after a frame that could not be ended.
    frame: Option<Encoder<'static, W>>,
    threads: usize,
    /// Input that the frame still takes.
    left: u64,
}

impl<W: Write> ZstdWriter<W> {
    pub(super) fn new(sink: W, options: &EncoderOptions) -> io::Result<Self> {
        let (level, left) = match options.level {
            Level::Graded => (BEGINNING, BEGINNING_BYTES),
            Level::Fixed(level) => (level.clamp(1, 19), u64::MAX),
        };
        Ok(Self {
            frame: Some(frame(sink, level, options.threads)?),
            threads: options.threads,
            left,
        })
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.frame.ok_or_else(broken)?.finish()
    }
}

impl<W: Write> Write for ZstdWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.left == 0 && !buf.is_empty() {
            let sink = self.frame.take().ok_or_else(broken)?.finish()?;
            self.frame = Some(frame(sink, REST, self.threads)?);
            self.left = u64::MAX;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let frame = self.frame.as_mut().ok_or_else(broken)?;
        let count = frame.write(&buf[..buf.len().min(most)])?;
        self.left -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frame<W: Write>(sink: W, level: i32, threads: usize) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(sink, level)?;
    // One worker at least: without any, the library cuts blocks differently.
    let workers = u32::try_from(threads.clamp(1, 64)).unwrap_or(1);
    encoder.set_parameter(CParameter::NbWorkers(workers))?;
    encoder.set_parameter(CParameter::JobSize(JOB_BYTES))?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

fn broken() -> io::Error {
    io::Error::other("an earlier write failed")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::compression::Compression;

    #[test]
    fn the_beginning_and_the_rest_unpack_to_one() {
        let data: Vec<u8> = (0..BEGINNING_BYTES + 100_000)
            .map(|at| (at / 7 % 251) as u8 ^ (at >> 16) as u8)
            .collect();
        let packed = |piece: usize, threads| {
            let options = EncoderOptions {
                threads,
                ..EncoderOptions::new(Compression::Zstd)
            };
            let mut writer = ZstdWriter::new(Vec::new(), &options).expect("memory");
            for piece in data.chunks(piece) {
                writer.write_all(piece).expect("memory");
            }
            writer.finish().expect("memory")
        };
        let whole = packed(data.len(), 1);
        let unpacked = zstd::stream::decode_all(whole.as_slice()).expect("two frames");
        assert!(unpacked == data);
        assert!(
            packed(1_000_003, 2) == whole,
            "cuts and threads change nothing"
        );
        // The checksum of a frame, and the magic number of the next.
        let frames = whole
            .windows(4)
            .filter(|four| *four == [0x28, 0xb5, 0x2f, 0xfd]);
        assert!(frames.count() >= 2);
    }
}
