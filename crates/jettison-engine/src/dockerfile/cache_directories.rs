//! Directories that outlive builds: those that `RUN --mount=type=cache` names,
//! and those of toolchains. Each lies beside the store with a lock of its own,
//! which whoever uses it has, and which says when that was.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jettison_sandbox::Sandbox;

use super::error::StepError;
use super::key::Key;
use crate::Context;

/// What the name of a lock ends with.
pub(super) const LOCK: &str = ".lock";
/// Where they lie, below the store.
const CACHES: &str = "mounts";

/// All caches of a store.
pub(crate) struct CacheDirectories<'a> {
    context: &'a Context,
    directory: PathBuf,
}

impl<'a> CacheDirectories<'a> {
    pub(crate) fn of(context: &'a Context) -> Self {
        let directory = context.store().path().join(CACHES);
        Self { context, directory }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The lock of a cache, taken, and its last use noted.
    pub(super) fn lock(
        &self,
        name: &str,
        take: impl Fn(&File) -> io::Result<()>,
    ) -> io::Result<File> {
        std::fs::create_dir_all(&self.directory)?;
        loop {
            let file = File::create(self.directory.join(format!("{name}{LOCK}")))?;
            take(&file)?;
            // Else it was pruned while we waited.
            if file.metadata()?.nlink() > 0 {
                file.set_modified(SystemTime::now())?;
                return Ok(file);
            }
        }
    }

    /// What could not be done to them.
    pub(super) fn failed(&self) -> impl FnOnce(io::Error) -> StepError + use<> {
        StepError::host(format!("making {}", self.directory.display()))
    }

    /// The directory of a cache, made by `make` while nobody else makes it.
    pub(super) fn open(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), StepError>,
    ) -> Result<PathBuf, StepError> {
        let _turn = self.context.store().turn(&format!("{CACHES}/{name}"))?;
        let path = self.directory.join(name);
        make(&path)?;
        Ok(path)
    }

    /// The directory of a toolchain under a name, of root and for everyone,
    /// with the lock that keeps it from being pruned.
    pub(crate) fn of_toolchain(
        &self,
        name: &str,
        sandbox: &Sandbox,
    ) -> Result<(PathBuf, File), StepError> {
        let name = Key::default().with("toolchain").with(name).digest().hex();
        let lock = self.lock(&name, File::lock_shared).map_err(self.failed())?;
        let path = self.open(&name, |path| Ok(sandbox.make_directory(path, 0o755, 0, 0)?))?;
        Ok((path, lock))
    }
}
