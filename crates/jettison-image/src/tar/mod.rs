//! The tar format of layers: a streaming [`Reader`] and the encoding of one
//! entry ([`encode_header`]).
//!
//! Reads v7, ustar, star, GNU and PAX, sparse files of all four kinds, the way
//! Go's `archive/tar` does, because every container engine reads layers with
//! it: what it takes is taken, with the same meaning; where it takes nonsense
//! (an archive that ends after an extended header), this refuses. Names are
//! normalised by [`ImagePath`](crate::ImagePath), which refuses `..`.

mod content;
mod encode;
mod header;
mod kind;
mod pax;
mod reader;
mod source;
mod sparse;

use crate::escape::is_bidi_control;

pub(crate) use encode::encode_sparse_header;
pub use encode::{END_OF_ARCHIVE, encode_header, padding};
pub use reader::{Reader, TarEntry};
pub(crate) use source::read_buffered;
pub use source::{Hashing, SeekSource, Source};

/// Everything in a tar archive is a multiple of this.
pub const BLOCK_BYTES: usize = 512;

/// A name from an archive, fit for a terminal and for one line.
pub(crate) fn quoted(name: &[u8]) -> String {
    const SHOWN: usize = 200;
    let mut text = String::new();
    for chunk in name[..name.len().min(SHOWN)].utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || is_bidi_control(c) {
                text.extend(c.escape_unicode());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if name.len() > SHOWN {
        text.push('…');
    }
    text
}
