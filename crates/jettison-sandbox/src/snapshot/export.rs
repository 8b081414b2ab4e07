//! A snapshot as the entries of a layer, as they come from the worker that
//! reads it.

use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;

use jettison_image::Entry;

use crate::error::Error;
use crate::root::{BROKEN, PIECE, RootEntry, take_record};
use crate::wire::{Failure, decode};

/// Room for a path, a link and the attributes of one entry.
const HEADER: usize = 16 << 20;

/// The entries of a snapshot: every directory before what is in it, names in
/// the order of their bytes, removed paths at their own place and as the OCI
/// layer specification writes them (`.wh.NAME`, `.wh..wh..opq`). Sockets are left out, as docker
/// leaves them out.
#[derive(Debug)]
pub struct Export {
    records: BufReader<std::fs::File>,
    /// Of the content of the entry that was handed out.
    content: Content,
    ended: bool,
}

/// How much is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// A piece's length comes next.
    Between,
    /// Of the current piece.
    Piece(u32),
    /// Nothing.
    End,
}

/// One entry, and its content to be read.
#[derive(Debug)]
pub struct ExportedEntry<'a> {
    entry: Entry,
    export: &'a mut Export,
}

impl Export {
    pub(super) fn over(fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let socket = fds.into_iter().next().ok_or(Error::Gone)?;
        Ok(Self {
            records: BufReader::with_capacity(PIECE, std::fs::File::from(socket)),
            content: Content::End,
            ended: false,
        })
    }

    /// The next entry; none after the last one. Content of the entry before
    /// that was not read is skipped.
    pub fn next_entry(&mut self) -> Result<Option<ExportedEntry<'_>>, Error> {
        let failed = |e| Error::step("reading what a container wrote", e);
        if self.ended {
            return Ok(None);
        }
        let mut rest = [0; 8192];
        while self.read_content(&mut rest).map_err(failed)? > 0 {}
        let record = take_record::<(Option<(RootEntry, u64)>, Option<Failure>)>;
        let (entry, size_bytes) = match record(&mut self.records, HEADER).map_err(failed)? {
            Some((Some(entry), _)) => entry,
            Some((None, Some(failure))) => return Err(Error::from_failure(failure)),
            Some((None, None)) => return Err(Error::Gone),
            None => {
                self.ended = true;
                return Ok(None);
            }
        };
        let broken = || failed(io::ErrorKind::InvalidData.into());
        let entry = entry.into_entry(size_bytes).ok_or_else(broken)?;
        self.content = match entry.kind {
            jettison_image::EntryKind::File { .. } => Content::Between,
            _ => Content::End,
        };
        let export = self;
        Ok(Some(ExportedEntry { entry, export }))
    }

    fn read_content(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.content == Content::Between {
            let mut length = [0; 4];
            self.records.read_exact(&mut length)?;
            self.content = match u32::from_le_bytes(length) {
                0 => Content::End,
                BROKEN => return Err(self.why()),
                length => Content::Piece(length),
            };
        }
        let Content::Piece(length) = self.content else {
            return Ok(0);
        };
        let most = buffer.len().min(usize::try_from(length).unwrap_or(PIECE));
        let count = self.records.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // At most `length`, so that it fits.
        let left = length - u32::try_from(count).unwrap_or(length);
        self.content = match left {
            0 => Content::Between,
            left => Content::Piece(left),
        };
        Ok(count)
    }

    /// The file could not be read to its end; the reason follows.
    fn why(&mut self) -> io::Error {
        self.ended = true;
        let mut bytes = Vec::new();
        let _ = (&mut self.records).take(1 << 20).read_to_end(&mut bytes);
        match decode::<Failure>(&bytes) {
            Some(failure) => io::Error::other(Error::from_failure(failure)),
            None => io::ErrorKind::UnexpectedEof.into(),
        }
    }
}

impl ExportedEntry<'_> {
    /// What a layer says about it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl Read for ExportedEntry<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.export.read_content(buffer)
    }
}
