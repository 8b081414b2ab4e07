//! Content digests (OCI image-spec, descriptor.md, "Digests").
//!
//! Only sha256 is accepted: every registry, engine and archive in use writes
//! it, and an unknown algorithm cannot be verified while it is read.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The digest of a blob as it is stored and sent, `sha256:<64 hex digits>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// The digest of a layer's uncompressed tar stream (OCI image-spec,
/// config.md, "Layer DiffID"). Never interchangeable with a [`Digest`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestParseError {
    /// The algorithm is not sha256.
    #[error("digest algorithm is not sha256")]
    Algorithm,
    /// What follows the algorithm is not 64 lower-case hexadecimal digits.
    #[error("digest is not sha256: and 64 lower-case hexadecimal digits")]
    Hex,
}

impl Digest {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps an already computed SHA-256.
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The 32 bytes of the hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hexadecimal digits without the algorithm.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The first twelve hexadecimal digits, as docker shows ids.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Digest {
    type Err = DigestParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix("sha256:")
            .ok_or(DigestParseError::Algorithm)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(DigestParseError::Hex);
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(digits, &mut hash).map_err(|_| DigestParseError::Hex)?;
        Ok(Self(hash))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Hashes what is written through it to `inner`.
pub struct Sha256Writer<W> {
    inner: W,
    hasher: Sha256,
    size_bytes: u64,
}

impl<W: Write> Sha256Writer<W> {
    /// Starts hashing in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            size_bytes: 0,
        }
    }

    /// Ends hashing: the inner writer, the digest and the number of bytes.
    pub fn finish(self) -> (W, Digest, u64) {
        (
            self.inner,
            Digest(self.hasher.finalize().into()),
            self.size_bytes,
        )
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buf)?;
        self.hasher.update(&buf[..written]);
        self.size_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads a blob and fails at its end, before the end is reported to the
/// caller, when size or digest are not the promised ones.
pub struct VerifyingReader<R> {
    inner: R,
    hasher: Option<Sha256>,
    expected: Digest,
    size_bytes: u64,
    read_bytes: u64,
    /// What was wrong: whoever reads on after an error must not meet an end.
    failed: Option<String>,
}

impl<R: Read> VerifyingReader<R> {
    /// Wraps `inner`, whose content must be `size_bytes` long and hash to `expected`.
    pub fn new(inner: R, expected: Digest, size_bytes: u64) -> Self {
        Self {
            inner,
            hasher: Some(Sha256::new()),
            expected,
            size_bytes,
            read_bytes: 0,
            failed: None,
        }
    }

    fn fail(&mut self, problem: String) -> io::Error {
        self.failed = Some(problem.clone());
        invalid(problem)
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(problem) = &self.failed {
            return Err(invalid(problem.clone()));
        }
        let Some(hasher) = &mut self.hasher else {
            return Ok(0);
        };
        if buf.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(buf)?;
        if count > 0 {
            self.read_bytes += count as u64;
            if self.read_bytes > self.size_bytes {
                let problem = format!(
                    "blob {} is longer than the {} bytes its descriptor says",
                    self.expected, self.size_bytes
                );
                return Err(self.fail(problem));
            }
            hasher.update(&buf[..count]);
            return Ok(count);
        }
        if self.read_bytes != self.size_bytes {
            let problem = format!(
                "blob {} ends after {} of {} bytes",
                self.expected, self.read_bytes, self.size_bytes
            );
            return Err(self.fail(problem));
        }
        let actual = Digest(self.hasher.take().unwrap_or_default().finalize().into());
        if actual != self.expected {
            let problem = format!("blob {} has the content of {actual}", self.expected);
            return Err(self.fail(problem));
        }
        Ok(0)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
