//! Fills a snapshot, entry by entry.

use std::io::Read;
use std::os::fd::OwnedFd;

use jettison_image::{Entry, ImagePath};

use crate::error::Error;
use crate::root::{Records, RootEntry, RootKind, RootReport};
use crate::wire::{Failure, decode};

/// Fills a snapshot. Every path comes once, parents and first names of hard
/// links before what needs them; a hard link to a file of a layer below has
/// to come as a file. A directory that was never written is made as root's
/// with mode 0755; that holds for the root too, whose owner and mode in a stack
/// are those of the highest snapshot. When it is dropped unfinished, what was written is removed.
#[derive(Debug)]
pub struct SnapshotWriter {
    records: Records,
}

impl SnapshotWriter {
    pub(super) fn over(fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let records = Records::over(fds)?;
        Ok(Self { records })
    }

    /// Writes one entry; `content` is read for files only.
    pub fn put(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), Error> {
        self.records.put(&RootEntry::from_entry(entry), content)
    }

    /// Hides a path of the layers below.
    pub fn removed(&mut self, path: &ImagePath) -> Result<(), Error> {
        self.mark(path, RootKind::Whiteout)
    }

    /// Hides everything that the layers below have in this directory.
    pub fn opaque(&mut self, directory: &ImagePath) -> Result<(), Error> {
        self.mark(directory, RootKind::Opaque)
    }

    fn mark(&mut self, path: &ImagePath, kind: RootKind) -> Result<(), Error> {
        let entry = RootEntry::mark(path, kind);
        self.records.put(&entry, &mut std::io::empty())
    }

    /// Ends the snapshot; no more can be written to it. Nothing is forced to
    /// the disk: after a crash of the machine it may be incomplete.
    pub fn finish(self) -> Result<RootReport, Error> {
        self.records.finish()
    }
}

/// Waits for a worker that says only whether it failed.
pub(super) fn wait_for_end(fds: Vec<OwnedFd>) -> Result<(), Error> {
    let socket = fds.into_iter().next().ok_or(Error::Gone)?;
    let mut bytes = Vec::new();
    let _ = std::fs::File::from(socket)
        .take(1 << 20)
        .read_to_end(&mut bytes);
    match decode::<Option<Failure>>(&bytes) {
        Some(None) => Ok(()),
        Some(Some(failure)) => Err(Error::from_failure(failure)),
        None => Err(Error::Gone),
    }
}
