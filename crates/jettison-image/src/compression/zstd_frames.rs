//! Unpacks zstd (RFC 8878), as many frames as follow each other; skippable
//! frames are skipped. Refuses frames that want a larger window than the
//! reference tool allows, so that a few bytes cannot ask for gigabytes.

use std::io;

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation as _, OutBuffer};

use super::decoder::{Step, invalid};

/// 2^27 bytes = 128 MiB, the limit of `zstd -d` without `--long`.
const WINDOW_LOG_MAX: u32 = 27;

/// The frames of a zstd stream, one after the other.
pub(super) struct ZstdFrames {
    decoder: Decoder<'static>,
    between_frames: bool,
}

impl ZstdFrames {
    pub(super) fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self {
            decoder,
            between_frames: false,
        })
    }
}

impl Step for ZstdFrames {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        if self.between_frames && input.is_empty() {
            return Ok((0, 0));
        }
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around(output);
        let hint = self.decoder.run(&mut input, &mut output).map_err(|error| {
            invalid(&format!(
                "zstd data is damaged or wants too much memory: {error}"
            ))
        })?;
        // A frame is over, and all of it handed out, when zstd wants nothing more.
        self.between_frames = hint == 0;
        Ok((input.pos(), output.pos()))
    }

    fn is_complete(&self) -> bool {
        self.between_frames
    }
}
