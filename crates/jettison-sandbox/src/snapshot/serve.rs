//! The supervisor's side of snapshots: fills, stacks, removes and reads them,
//! the slow part in workers.

use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid, lgetxattr};
use rustix::io::Errno;

use super::FILES;
use super::read::{Walk, end};
use crate::init::Overlay;
use crate::remove::remove_tree;
use crate::root::PIECE;
use crate::supervisor::Supervisor;
use crate::supervisor::enter::below;
use crate::tier::Tier;
use crate::wire::{Failure, encode};

impl Supervisor<'_> {
    pub(crate) fn new_snapshot(&mut self, directory: &Path) -> Result<OwnedFd, Failure> {
        let directory = below(&self.layout().host, directory);
        self.fill(directory.join(FILES))
    }

    /// Notes the snapshots of a root.
    pub(crate) fn stack(&mut self, id: u64, directories: &[PathBuf]) -> Result<(), Failure> {
        let layers = layers(&self.layout().host, directories, self.tier())?;
        self.stacks.insert(id, layers);
        Ok(())
    }

    /// Starts a worker that removes a directory; returns the socket that tells.
    pub(crate) fn discard(&mut self, directory: &Path) -> Result<OwnedFd, Failure> {
        let seen = below(&self.layout().host, directory);
        self.work("removing files", |mut answer| {
            let step = || format!("removing {}", directory.display());
            let failure = remove_tree(&seen).err();
            let failure = failure.map(|e| Failure::step(step(), e));
            let _ = answer.write_all(&encode(&failure));
        })
    }

    pub(crate) fn make_directory(
        &self,
        directory: &Path,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<(), Failure> {
        let seen = below(&self.layout().host, directory);
        let failed = |e| Failure::step(format!("creating {}", directory.display()), e);
        match rustix::fs::mkdir(&seen, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => return Ok(()),
            result => result.map_err(failed)?,
        }
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::chown(&seen, Some(uid), Some(gid))
            .and_then(|()| rustix::fs::chmod(&seen, Mode::from_raw_mode(mode & 0o7777)))
            .map_err(failed)
    }

    /// Starts a worker that reads a snapshot; returns the socket from which
    /// its entries come.
    pub(crate) fn export(
        &mut self,
        id: u64,
        directory: &Path,
        on: &[PathBuf],
    ) -> Result<OwnedFd, Failure> {
        let tier = self.tier();
        let files = layers(&self.layout().host, &[directory.to_owned()], tier)?;
        let on = layers(&self.layout().host, on, tier)?;
        let scratch = self.layout().base.join(format!("containers/export{id}"));
        self.work("reading files", |to| {
            let mut to = BufWriter::with_capacity(PIECE, to);
            let result = merged(&on, &scratch, tier).and_then(|lower| {
                let step = || format!("opening {}", directory.display());
                let files = files.first().ok_or_else(Failure::ended)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let files = rustix::fs::open(files, flags, Mode::empty())
                    .map_err(|e| Failure::step(step(), e))?;
                Walk::new(files, lower, tier, &mut to).all()
            });
            let ended = end(&mut to, result);
            let _ = ended.and_then(|()| to.flush());
        })
    }
}

/// The directories of snapshots as the supervisor sees them, lowest first. An
/// overlay does not look whether the top of a layer hides those below it.
pub(crate) fn layers(
    host: &Path,
    directories: &[PathBuf],
    tier: Tier,
) -> Result<Vec<PathBuf>, Failure> {
    let mark = format!("{}opaque", tier.overlay_attributes());
    let mut layers = Vec::new();
    for directory in directories.iter().rev() {
        let files = below(host, directory).join(FILES);
        let step = || format!("opening the snapshot {}", directory.display());
        let stat = rustix::fs::lstat(&files).map_err(|e| Failure::step(step(), e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Failure::step(step(), Errno::NOTDIR));
        }
        let is_opaque = lgetxattr(&files, &*mark, &mut [0_u8; 4][..]).is_ok();
        layers.push(files);
        if is_opaque {
            break;
        }
    }
    layers.reverse();
    Ok(layers)
}

/// The layers below as a container saw them; not reachable by a path.
fn merged(layers: &[PathBuf], scratch: &Path, tier: Tier) -> Result<Option<OwnedFd>, Failure> {
    if layers.is_empty() {
        return Ok(None);
    }
    let failed = |e: io::Error| Failure::step("preparing the overlay", e);
    std::fs::create_dir(scratch).map_err(failed)?;
    let overlay = Overlay {
        layers,
        upper: None,
        scratch,
        tier,
    };
    let root = overlay.mount()?;
    rustix::mount::unmount(scratch.join("merged"), rustix::mount::UnmountFlags::DETACH)
        .map_err(|e| Failure::step("detaching the overlay", e))?;
    let _ = std::fs::remove_dir_all(scratch);
    Ok(Some(root))
}
