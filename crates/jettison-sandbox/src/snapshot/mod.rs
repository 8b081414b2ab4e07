//! Snapshots: directories of the machine that outlive the sandbox, each with
//! the files of one layer, or of several merged, as an overlay wants them. A
//! row of them is a root; what a container writes above it can be the next.
//!
//! The caller owns the directory, and may rename it while nobody uses it. The
//! files are inside it, below [`FILES`], because they and their directory
//! belong to the users of the image: in a user namespace to ids of the
//! machine that only a sandbox can act for.

mod attributes;
mod export;
mod read;
mod serve;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::ids;
use crate::remove::remove_tree;
use crate::root::{Root, RootReport};
use crate::sandbox::Sandbox;
use crate::tier::Tier;
use crate::wire::Request;
pub(crate) use attributes::attributes_through;
pub use export::{Export, ExportedEntry};
pub(crate) use serve::layers;
pub use writer::SnapshotWriter;

/// The files of a snapshot.
pub const FILES: &str = "fs";
/// What the overlay needs beside them while a container runs.
pub(crate) const WORK: &str = "work";

impl Sandbox {
    /// Starts to fill a snapshot: `directory` is created, or empty. Snapshots
    /// need [`Tier::Root`] or [`Tier::UserNamespace`].
    pub fn new_snapshot(&self, directory: &Path) -> Result<SnapshotWriter, Error> {
        self.check_snapshots()?;
        create_private(directory)?;
        let directory = seen(directory)?;
        let (_, fds) = self.link().call(&Request::NewSnapshot { directory }, &[])?;
        SnapshotWriter::over(fds)
    }

    /// A root made of snapshots, lowest first; none make an empty root. They
    /// must stay as they are while the root, or a container on it, lives.
    pub fn stack(&self, directories: &[PathBuf]) -> Result<Root, Error> {
        self.check_snapshots()?;
        let directories = seen_all(directories)?;
        let link = Arc::clone(self.link());
        let id = link.next_id();
        link.call(&Request::Stack { id, directories }, &[])?;
        Ok(Root::new(link, id, RootReport::default()))
    }

    /// Reads a snapshot as the entries of a layer. `below` are the snapshots
    /// that it lies on, lowest first.
    pub fn export(&self, directory: &Path, below: &[PathBuf]) -> Result<Export, Error> {
        self.check_snapshots()?;
        let directory = seen(directory)?;
        let below = seen_all(below)?;
        let id = self.link().next_id();
        let request = Request::Export {
            id,
            directory,
            below,
        };
        let (_, fds) = self.link().call(&request, &[])?;
        Export::over(fds)
    }

    /// Removes a snapshot, or another directory in which containers wrote,
    /// with everything in it. One that is not there is removed already.
    pub fn discard(&self, directory: &Path) -> Result<(), Error> {
        match std::fs::symlink_metadata(directory) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Ok(metadata) if metadata.is_dir() => {}
            _ => {
                let source = std::io::ErrorKind::NotADirectory;
                return Err(Error::step(removing(directory), source));
            }
        }
        if !self.tier().has_user_namespace() {
            return remove_tree(directory).map_err(|e| Error::step(removing(directory), e));
        }
        let directory = seen(directory)?;
        let (_, fds) = self.link().call(&Request::Discard { directory }, &[])?;
        writer::wait_for_end(fds)
    }

    /// Makes a directory with an owner as containers see it, for
    /// [`crate::MountSource::HostDirectory`]. One that is there stays as it is.
    pub fn make_directory(
        &self,
        directory: &Path,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<(), Error> {
        let step = || format!("creating {}", directory.display());
        let absolute = std::path::absolute(directory).map_err(|e| Error::step(step(), e))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Ok(());
        };
        let directory = seen(parent)?.join(name);
        let request = Request::MakeDirectory {
            directory,
            mode,
            uid,
            gid,
        };
        self.link().call(&request, &[]).map(|_| ())
    }

    fn check_snapshots(&self) -> Result<(), Error> {
        check_tier(self.tier())
    }
}

/// Snapshots keep the owners of files, so there must be ids for them.
pub(crate) fn check_tier(tier: Tier) -> Result<(), Error> {
    if tier.keeps_snapshots() {
        return Ok(());
    }
    Err(Error::Unavailable {
        tier: Tier::UserNamespace,
        reason: format!("layers on disk need it, and programs run here with {tier}"),
        hint: Some(format!("{} (or run it with sudo)", ids::HINT)),
    })
}

/// The path as the supervisor can follow it: absolute, and without links,
/// because an absolute one would lead it elsewhere.
pub(crate) fn seen(path: &Path) -> Result<PathBuf, Error> {
    std::fs::canonicalize(path).map_err(|e| Error::step(format!("opening {}", path.display()), e))
}

pub(crate) fn seen_all(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    paths.iter().map(|path| seen(path)).collect()
}

fn removing(directory: &Path) -> String {
    format!("removing {}", directory.display())
}

/// In it lie setuid programs of strangers: nobody else on the machine gets in.
fn create_private(directory: &Path) -> Result<(), Error> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let failed = |e| Error::step(format!("creating {}", directory.display()), e);
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let closed = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(directory, closed).map_err(failed)
        }
        result => result.map_err(failed),
    }
}
