//! Packs a layer as a stream. The bytes depend on the input and the options
//! alone: not on the machine, the clock, the number of threads, or how the
//! input was cut into writes.

use std::io::{self, Write};

use super::Compression;
use super::members::GzipWriter;
use super::zstd_writer::ZstdWriter;

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
    Zstd(ZstdWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// Starts packing into `sink`.
    pub fn new(sink: W, options: &EncoderOptions) -> io::Result<Self> {
        let form = match options.compression {
            Compression::None => Form::Plain(sink),
            Compression::Gzip => Form::Gzip(GzipWriter::new(sink, options)),
            Compression::Zstd => Form::Zstd(ZstdWriter::new(sink, options)?),
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
