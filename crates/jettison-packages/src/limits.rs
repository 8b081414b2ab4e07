//! Bounds on everything that a mirror or an image hands over.

use std::io::{self, Read};

/// What one source may make this crate read or hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageLimits {
    /// Bytes of one InRelease or Release file; Debian's largest is 0.3 MB.
    pub release_bytes: u64,
    /// Unpacked bytes of one Packages index; Debian's largest is 60 MB.
    pub index_bytes: u64,
    /// Bytes of one `.deb`; Debian's largest honest ones have about 2 GB.
    pub deb_bytes: u64,
    /// Unpacked bytes of one `.deb`.
    pub deb_unpacked_bytes: u64,
    /// Entries of one `.deb`.
    pub deb_entries: u64,
    /// Bytes of one control paragraph.
    pub paragraph_bytes: usize,
    /// Bytes of one database or metadata file that is read from an image.
    pub database_bytes: u64,
    /// Bytes of databases and metadata files that are read in one scan of an
    /// image, each as often as it is read: many records may name one list.
    pub scanned_bytes: u64,
    /// Bytes of the paths that the packages of one image list, with what
    /// holding them costs. Half a million honest ones have about 50 MB.
    pub claimed_bytes: u64,
    /// Packages of one image.
    pub packages: usize,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self {
            release_bytes: 4 << 20,
            index_bytes: 512 << 20,
            deb_bytes: 4 << 30,
            deb_unpacked_bytes: 16 << 30,
            deb_entries: 200_000,
            paragraph_bytes: 1 << 20,
            database_bytes: 128 << 20,
            scanned_bytes: 512 << 20,
            claimed_bytes: 96 << 20,
            packages: 100_000,
        }
    }
}

/// Reads at most so many bytes; one more is an error, not an end.
pub(crate) struct Capped<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Capped<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            left: limit,
            limit,
        }
    }
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("more than {} bytes", self.limit),
                ));
            }
        }
        Ok(count)
    }
}
