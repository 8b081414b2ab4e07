//! Packs a layer as a stream. The bytes depend on the input and the options
//! alone: not on the machine, the clock, the number of threads, or how the
//! input was cut into writes.

use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

use super::Compression;
use super::members::GzipWriter;

/// Data per zstd job. Given explicitly, because the library's choice depends
/// on the level and, at the highest, takes hundreds of MiB per thread.
const ZSTD_JOB_BYTES: u32 = 8 << 20;

/// How a layer is to be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderOptions {
    /// The format.
    pub compression: Compression,
    /// How hard to try.
    pub level: Level,
    /// Threads that pack; the result does not depend on it. 1 packs in the
    /// calling thread.
    pub threads: usize,
}

/// How hard to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// The best ratio for the first megabytes, which is all of a small image,
    /// then ever quicker ones: a small image takes under a second and a large
    /// one does not take minutes.
    #[default]
    Graded,
    /// One level throughout: 1 to 12 for gzip (libdeflate's scale), 1 to 19
    /// for zstd. Values outside are brought to the nearest.
    Fixed(i32),
}

impl EncoderOptions {
    /// The format with graded level, in the calling thread.
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            level: Level::default(),
            threads: 1,
        }
    }
}

/// Packs what is written to it into `W`. [`Encoder::finish`] must be called;
/// dropping an encoder loses the end.
pub struct Encoder<W: Write> {
    form: Form<W>,
}

enum Form<W: Write> {
    Plain(W),
    Gzip(GzipWriter<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Encoder<W> {
    /// Starts packing into `sink`.
    pub fn new(sink: W, options: &EncoderOptions) -> io::Result<Self> {
        let form = match options.compression {
            Compression::None => Form::Plain(sink),
            Compression::Gzip => Form::Gzip(GzipWriter::new(sink, options)),
            Compression::Zstd => Form::Zstd(zstd_encoder(sink, options)?),
        };
        Ok(Self { form })
    }

    /// Writes the end and gives the sink back.
    pub fn finish(self) -> io::Result<W> {
        match self.form {
            Form::Plain(sink) => Ok(sink),
            Form::Gzip(writer) => writer.finish(),
            Form::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn zstd_encoder<W: Write>(
    sink: W,
    options: &EncoderOptions,
) -> io::Result<zstd::stream::write::Encoder<'static, W>> {
    let level = match options.level {
        Level::Graded => 12,
        Level::Fixed(level) => level.clamp(1, 19),
    };
    let mut encoder = zstd::stream::write::Encoder::new(sink, level)?;
    // One worker at least: without any, the library cuts blocks differently.
    let workers = u32::try_from(options.threads.clamp(1, 64)).unwrap_or(1);
    encoder.set_parameter(CParameter::NbWorkers(workers))?;
    encoder.set_parameter(CParameter::JobSize(ZSTD_JOB_BYTES))?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.form {
            Form::Plain(sink) => sink.write(buf),
            Form::Gzip(writer) => writer.write(buf),
            Form::Zstd(encoder) => encoder.write(buf),
        }
    }

    /// Does nothing: a flush in the middle would change the packed bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
