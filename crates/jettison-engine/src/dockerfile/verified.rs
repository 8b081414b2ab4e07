//! A content that must be the one that is expected.

use std::io::{self, Read, Write};

use jettison_image::{Digest, Sha256Writer};

/// Reads on to the end of `content`, which fails where it was another one.
pub(super) struct Verified<R, E> {
    content: R,
    /// Until the end.
    hasher: Option<Sha256Writer<io::Sink>>,
    expected: Digest,
    /// What it fails with.
    otherwise: E,
}

impl<R: Read, E: Fn() -> io::Error> Verified<R, E> {
    pub(super) fn new(content: R, expected: Digest, otherwise: E) -> Self {
        Self {
            content,
            hasher: Some(Sha256Writer::new(io::sink())),
            expected,
            otherwise,
        }
    }
}

impl<R: Read, E: Fn() -> io::Error> Read for Verified<R, E> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        let Some(hasher) = &mut self.hasher else {
            return Ok(count);
        };
        hasher.write_all(&buffer[..count])?;
        if count == 0 && !buffer.is_empty() {
            let found = self.hasher.take().map(|hasher| hasher.finish().1);
            if found != Some(self.expected) {
                return Err((self.otherwise)());
            }
        }
        Ok(count)
    }
}
