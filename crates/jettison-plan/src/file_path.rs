//! A path inside an image as the documents write it.
//!
//! Bytes that are not UTF-8, control characters and backslashes are escaped
//! (`\xNN`, `\\`), so that every path survives JSON and no path harms a
//! terminal. This crate stands beside the one that knows images, so the path
//! here only promises what a document needs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An absolute path inside an image: bytes without the leading slash, joined
/// by `/`; the root is empty. Written with the leading slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FilePath(Box<[u8]>);

/// Why a text is no path of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilePathError {
    /// It does not begin with a slash.
    #[error("path does not begin with `/`")]
    Relative,
    /// A backslash that begins no escape.
    #[error("path has a backslash that begins no escape")]
    Escape,
}

impl FilePath {
    /// Takes a path that is normalised already; leading and trailing slashes go.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        let mut bytes = path.as_ref();
        while let [b'/', rest @ ..] = bytes {
            bytes = rest;
        }
        while let [rest @ .., b'/'] = bytes {
            bytes = rest;
        }
        Self(bytes.into())
    }

    /// The bytes, without the leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for FilePath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for FilePath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str(r"\\")?,
                    c if c.is_control() || is_bidi_control(c) => {
                        let mut buffer = [0; 4];
                        for byte in c.encode_utf8(&mut buffer).bytes() {
                            write!(f, "\\x{byte:02x}")?;
                        }
                    }
                    c => fmt::Write::write_char(f, c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for FilePath {
    type Err = FilePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix('/').ok_or(FilePathError::Relative)?;
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first != b'\\' {
                bytes.push(first);
                rest = after;
                continue;
            }
            let (byte, after) = escaped(after).ok_or(FilePathError::Escape)?;
            bytes.push(byte);
            rest = after;
        }
        Ok(Self(bytes.into()))
    }
}

/// What follows a backslash.
fn escaped(after: &[u8]) -> Option<(u8, &[u8])> {
    match after {
        [b'\\', rest @ ..] => Some((b'\\', rest)),
        [b'x', high, low, rest @ ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let byte = digit(high)? * 16 + digit(low)?;
            Some((u8::try_from(byte).ok()?, rest))
        }
        _ => None,
    }
}

/// Characters that reorder the text around them (Unicode TR9).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Serialize for FilePath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::FilePath;

    #[test]
    fn every_path_survives_its_text() {
        for (bytes, text) in [
            (&b""[..], "/"),
            (b"usr/lib/libc.so.6", "/usr/lib/libc.so.6"),
            (b"a\\b", r"/a\\b"),
            (b"a\x1b[31m", r"/a\x1b[31m"),
            (b"caf\xe9", r"/caf\xe9"),
            ("é/\u{202e}".as_bytes(), r"/é/\xe2\x80\xae"),
        ] {
            let path = FilePath::new(bytes);
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
        assert!(r"/a\".parse::<FilePath>().is_err());
        assert!(r"/a\xg0".parse::<FilePath>().is_err());
        assert!("a".parse::<FilePath>().is_err());
    }
}
