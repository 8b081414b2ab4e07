//! Prepared roots: an image's files inside the sandbox, read-only for good.
//! Containers write into layers of their own above it.

mod entry;
mod extract;
mod prepare;
mod records;

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use jettison_image::{Entry, EntryKind};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::error::Error;
use crate::remove::remove_tree;
use crate::sandbox::Link;
use crate::supervisor::Supervisor;
use crate::sys;
use crate::wire::{Failure, Request, Wire, decode, encode, wire_struct};
pub(crate) use entry::{RootEntry, RootKind};
pub(crate) use extract::{open_directory, split};
pub(crate) use records::Records;

/// Content travels in pieces of at most this size.
pub(crate) const PIECE: usize = 256 << 10;
/// Stands for the length of a piece: the reader failed, give up.
pub(crate) const BROKEN: u32 = u32::MAX;

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
    pub(crate) fn new(link: Arc<Link>, id: u64, report: RootReport) -> Self {
        let prepared = Arc::new(Prepared { id, link });
        Self { prepared, report }
    }

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
    records: Records,
}

impl RootWriter {
    pub(crate) fn new(link: Arc<Link>, on_disk: bool) -> Result<Self, Error> {
        let id = link.next_id();
        let (_, fds) = link.call(&Request::NewRoot { id, on_disk }, &[])?;
        let records = Records::over(fds)?;
        Ok(Self { id, link, records })
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
        self.records.put(entry, content)
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
    pub fn finish(self) -> Result<Root, Error> {
        let report = self.records.finish()?;
        Ok(Root::new(self.link, self.id, report))
    }
}

impl Supervisor<'_> {
    pub(crate) fn new_root(&mut self, id: u64, on_disk: bool) -> Result<OwnedFd, Failure> {
        let base = self.layout().disk.clone().filter(|_| on_disk);
        let base = base.unwrap_or_else(|| self.layout().base.clone());
        self.fill(base.join(format!("roots/{id}")))
    }

    /// Creates a directory and starts a worker that fills it from records;
    /// returns the socket for them.
    pub(crate) fn fill(&mut self, directory: PathBuf) -> Result<OwnedFd, Failure> {
        let tier = self.tier();
        // What is there already is somebody's, and not removed on a failure.
        std::fs::create_dir(&directory).map_err(|e| {
            let what = format!("creating {}", directory.display());
            Failure::step(what, e)
        })?;
        self.work("writing files", move |mut records| {
            let answer: (Option<RootReport>, Option<Failure>) =
                match extract::extract(&directory, &mut records, tier) {
                    Ok(report) => (Some(report), None),
                    Err(failure) => {
                        let _ = remove_tree(&directory);
                        (None, Some(failure))
                    }
                };
            let _ = records.write_all(&encode(&answer));
        })
    }

    /// Starts a worker with one end of a stream; returns the other end.
    pub(crate) fn work(
        &mut self,
        what: &str,
        body: impl FnOnce(std::fs::File),
    ) -> Result<OwnedFd, Failure> {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| Failure::step("creating a socket pair", e))?;
        let pid = sys::fork_into(0, || {
            // Our copy would hide that the other side has gone.
            drop(sys::adopt_fd(theirs.as_raw_fd()));
            body(std::fs::File::from(sys::adopt_fd(ours.as_raw_fd())));
            0
        })
        .map_err(|e| Failure::step(format!("starting a worker for {what}"), e))?;
        self.adopt(pid, crate::supervisor::Role::Worker, None, None)?;
        drop(ours);
        Ok(theirs)
    }

    pub(crate) fn drop_root(&mut self, id: u64) {
        if self.stacks.remove(&id).is_none() {
            let _ = remove_tree(&self.root_directory(id));
        }
    }
}

/// Reads a value with its length in front.
pub(crate) fn take_record<T: Wire>(
    records: &mut impl Read,
    most: usize,
) -> std::io::Result<Option<T>> {
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
