//! Reads a layer: its entries, what each does to the tree, the diff id of the
//! whole and, where asked for, the SHA-256 of each file, in one pass.

use std::io::{BufRead, Read};

use sha2::{Digest as _, Sha256};

use super::Change;
use crate::tar::{Hashing, Reader, Source, TarEntry};
use crate::{DiffId, Digest, Entry, EntryKind, Error, Limits};

/// A layer being read.
pub struct LayerReader<S: Source> {
    tar: Reader<Hashing<S>>,
}

/// An entry of a layer; [`Read`] and [`BufRead`] give its content.
pub struct LayerEntry<'a, S: Source> {
    tar: TarEntry<'a, Hashing<S>>,
    change: Change,
}

/// What is known of a layer once it is read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSummary {
    /// The digest of the uncompressed archive.
    pub diff_id: DiffId,
    /// The length of the uncompressed archive.
    pub unpacked_bytes: u64,
    /// Packed bytes, where the source unpacks.
    pub packed_bytes: Option<u64>,
}

impl<S: Source> LayerReader<S> {
    /// Starts at the beginning of a layer's uncompressed archive.
    pub fn new(source: S, limits: &Limits) -> Self {
        Self {
            tar: Reader::new(Hashing::new(source), limits),
        }
    }

    /// The next entry; none at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<LayerEntry<'_, S>>, Error> {
        let Some(tar) = self.tar.next_entry()? else {
            return Ok(None);
        };
        let change = Change::of(&tar.entry().path, &tar.entry().kind)?;
        Ok(Some(LayerEntry { tar, change }))
    }

    /// Packed bytes behind what was read so far, where the source unpacks.
    pub fn consumed_bytes(&self) -> Option<u64> {
        self.tar.consumed_bytes()
    }

    /// Reads what is left and tells the diff id.
    pub fn finish(self) -> Result<LayerSummary, Error> {
        let hashing = self.tar.finish()?;
        let (source, diff_id, unpacked_bytes) = hashing
            .finish()
            .map_err(|error| Error::read("layer", error))?;
        Ok(LayerSummary {
            diff_id,
            unpacked_bytes,
            packed_bytes: source.consumed_bytes(),
        })
    }
}

impl<'a, S: Source> LayerEntry<'a, S> {
    /// What it does to the tree.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// Path, kind and metadata.
    pub fn entry(&self) -> &Entry {
        self.tar.entry()
    }

    /// Which entry of the layer this is, from 0.
    pub fn ordinal(&self) -> u32 {
        self.tar.ordinal()
    }

    /// The SHA-256 of what is left of the content; none for what is not a
    /// regular file.
    pub fn sha256(&mut self) -> Result<Option<Digest>, Error> {
        if !matches!(self.entry().kind, EntryKind::File { .. }) {
            return Ok(None);
        }
        let mut hasher = Sha256::new();
        loop {
            let buf = match self.tar.fill_buf() {
                Ok(buf) => buf,
                Err(error) => {
                    let name = self.entry().path.display().to_string();
                    return Err(Error::read(name, error));
                }
            };
            if buf.is_empty() {
                return Ok(Some(Digest::from_sha256(hasher.finalize().into())));
            }
            hasher.update(buf);
            let count = buf.len();
            self.tar.consume(count);
        }
    }

    /// The entry as the archive has it, to copy it or to ask where it lies.
    pub fn as_tar(&mut self) -> &mut TarEntry<'a, Hashing<S>> {
        &mut self.tar
    }
}

impl<S: Source> Read for LayerEntry<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.tar.read(buf)
    }
}

impl<S: Source> BufRead for LayerEntry<'_, S> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.tar.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.tar.consume(count);
    }
}
