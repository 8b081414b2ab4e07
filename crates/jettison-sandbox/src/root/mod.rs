//! Prepared roots: an image's files inside the sandbox, read-only for good.
//! Containers write into layers of their own above it.

mod entry;
mod extract;
mod prepare;

use std::io::{BufWriter, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use jettison_image::{Entry, EntryKind};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::Error;
use crate::sandbox::Link;
use crate::supervisor::Supervisor;
use crate::sys;
use crate::wire::{Failure, Request, Wire, decode, encode, wire_struct};
pub(crate) use entry::{RootEntry, RootKind};

/// Content travels in pieces of at most this size.
const PIECE: usize = 256 << 10;
/// Stands for the length of a piece: the reader failed, give up.
const BROKEN: u32 = u32::MAX;

/// A root file system in the sandbox; freed when it and the containers that
/// stand on it are dropped.
#[derive(Debug)]
pub struct Root {
    pub(crate) prepared: Arc<Prepared>,
    report: RootReport,
}

/// The files of a root.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) id: u64,
    link: Arc<Link>,
}

impl Root {
    /// What became of the image's files.
    pub fn report(&self) -> &RootReport {
        &self.report
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let _ = self.link.call(&Request::DropRoot { id: self.id }, &[]);
    }
}

/// What was written, and what this tier could not carry over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RootReport {
    /// Files, directories, links and the rest.
    pub entries: u64,
    /// Content of files.
    pub content_bytes: u64,
    /// Devices that could not be made (no right to).
    pub devices_left_out: u64,
    /// Entries whose owner is not an id of this tier.
    pub owners_lost: u64,
    /// Extended attributes that could not be set.
    pub attributes_lost: u64,
}

wire_struct!(RootReport {
    entries,
    content_bytes,
    devices_left_out,
    owners_lost,
    attributes_lost
});

/// Fills a new root, entry by entry; parents and first names of hard links
/// come before what needs them. A directory that was never written is made
/// as root's with mode 0755.
#[derive(Debug)]
pub struct RootWriter {
    id: u64,
    link: Arc<Link>,
    records: BufWriter<std::fs::File>,
    piece: Vec<u8>,
}

impl RootWriter {
    pub(crate) fn new(link: Arc<Link>, on_disk: bool) -> Result<Self, Error> {
        let id = link.next_id();
        let (_, fds) = link.call(&Request::NewRoot { id, on_disk }, &[])?;
        let records = fds.into_iter().next().ok_or(Error::Gone)?;
        let records = BufWriter::with_capacity(PIECE, std::fs::File::from(records));
        Ok(Self {
            id,
            link,
            records,
            piece: vec![0; PIECE],
        })
    }

    /// Writes one entry; `content` is read for files only.
    pub fn put(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Error> {
        self.record(&RootEntry::from_entry(entry), content)
    }

    pub(crate) fn record(
        &mut self,
        entry: &RootEntry,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let header = encode(entry);
        let length = u32::try_from(header.len()).unwrap_or(BROKEN);
        let header = [&length.to_le_bytes()[..], &header].concat();
        if self.records.write_all(&header).is_err() {
            return Err(self.why());
        }
        if entry.kind != RootKind::File {
            return Ok(());
        }
        loop {
            let count = match content.read(&mut self.piece) {
                Ok(count) => count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let _ = self.records.write_all(&BROKEN.to_le_bytes());
                    return Err(Error::step(
                        format!("reading the content of {}", entry.shown()),
                        e,
                    ));
                }
            };
            let length = u32::try_from(count).unwrap_or(BROKEN).to_le_bytes();
            let written = self
                .records
                .write_all(&length)
                .and_then(|()| self.records.write_all(&self.piece[..count]));
            if written.is_err() {
                return Err(self.why());
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// A file with this content, owned by root; parents are made.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), Error> {
        let path = jettison_image::ImagePath::new(path).map_err(|e| Error::Root {
            path: path.to_owned(),
            problem: e.to_string(),
        })?;
        let kind = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        let metadata = jettison_image::Metadata {
            mode,
            ..Default::default()
        };
        self.put(
            &Entry {
                path,
                kind,
                metadata,
            },
            &mut &content[..],
        )
    }

    /// Ends the root; no more can be written to it.
    pub fn finish(mut self) -> Result<Root, Error> {
        if self.records.write_all(&0_u32.to_le_bytes()).is_err() || self.records.flush().is_err() {
            return Err(self.why());
        }
        match self.answer()? {
            Ok(report) => {
                let prepared = Prepared {
                    id: self.id,
                    link: Arc::clone(&self.link),
                };
                Ok(Root {
                    prepared: Arc::new(prepared),
                    report,
                })
            }
            Err(failure) => Err(Error::from_failure(failure)),
        }
    }

    /// The other side has hung up: it has said why.
    fn why(&mut self) -> Error {
        match self.answer() {
            Ok(Err(failure)) => Error::from_failure(failure),
            Ok(Ok(_)) | Err(_) => Error::Gone,
        }
    }

    fn answer(&mut self) -> Result<Result<RootReport, Failure>, Error> {
        let mut bytes = Vec::new();
        let _ = self.records.get_mut().take(1 << 20).read_to_end(&mut bytes);
        let answer: (Option<RootReport>, Option<Failure>) = decode(&bytes).ok_or(Error::Gone)?;
        match answer {
            (Some(report), _) => Ok(Ok(report)),
            (None, Some(failure)) => Ok(Err(failure)),
            (None, None) => Err(Error::Gone),
        }
    }
}

impl Supervisor<'_> {
    /// Starts a worker that fills a root from records; returns the socket for
    /// them.
    pub(crate) fn new_root(&mut self, id: u64, on_disk: bool) -> Result<OwnedFd, Failure> {
        let base = self.layout().disk.clone().filter(|_| on_disk);
        let base = base.unwrap_or_else(|| self.layout().base.clone());
        let directory = base.join(format!("roots/{id}"));
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| Failure::step("creating a socket pair", e))?;
        let keep_owners = self.tier() != crate::tier::Tier::SingleUser;
        let pid = sys::fork_into(0, || {
            // Our copy would hide that the writer has gone.
            drop(sys::adopt_fd(theirs.as_raw_fd()));
            let mut records = std::fs::File::from(sys::adopt_fd(ours.as_raw_fd()));
            let answer: (Option<RootReport>, Option<Failure>) =
                match extract::extract(&directory, &mut records, keep_owners) {
                    Ok(report) => (Some(report), None),
                    Err(failure) => {
                        let _ = std::fs::remove_dir_all(&directory);
                        (None, Some(failure))
                    }
                };
            let _ = records.write_all(&encode(&answer));
            0
        })
        .map_err(|e| Failure::step("starting the extractor", e))?;
        self.adopt(pid, crate::supervisor::Role::Worker, None, None)?;
        drop(ours);
        Ok(theirs)
    }

    pub(crate) fn drop_root(&mut self, id: u64) {
        let _ = std::fs::remove_dir_all(self.root_directory(id));
    }
}

/// Reads a value with its length in front.
fn take_record<T: Wire>(records: &mut impl Read, most: usize) -> std::io::Result<Option<T>> {
    let mut length = [0; 4];
    records.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 {
        return Ok(None);
    }
    let broken = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    if length > most {
        return Err(broken());
    }
    let mut bytes = vec![0; length];
    records.read_exact(&mut bytes)?;
    decode(&bytes).map(Some).ok_or_else(broken)
}
