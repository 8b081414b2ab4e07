//! The build context: a directory of the host as a file system to copy from.
//!
//! What `.dockerignore` leaves out is not there. Owners are root and extended
//! attributes stay behind, so that a checkout's owner does not reach an image;
//! modes, times, links and hard links are the host's. Content decides what
//! counts as changed: every file that a step reads is hashed when it is first
//! asked for, and an index remembers the hashes of files whose inode did not
//! change since.
//!
//! Nothing outside the directory is ever read: no link is followed, and what is
//! no regular file is never opened.

mod hash;
mod ignored;
mod known;
mod open;
mod walk;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jettison_dockerfile::ignore::Ignore;
use jettison_image::{Digest, Error, ImagePath, Limits, Node, Tree};

use super::FileSystem;
use crate::store::Store;
use known::{Facts, Known};

/// A directory of the host that a build copies from.
pub struct Context {
    path: PathBuf,
    directory: OwnedFd,
    tree: Tree,
    /// What the walk found of each entry; none for what is no regular file.
    facts: Vec<Option<Facts>>,
    hashes: Vec<OnceLock<Hash>>,
    known: Known,
    ignore_file: Option<PathBuf>,
    left_out: Vec<LeftOut>,
}

struct Opened {
    path: PathBuf,
    directory: OwnedFd,
    known: Known,
}

/// A hash that was computed or remembered.
#[derive(Debug, Clone, Copy)]
struct Hash {
    digest: Digest,
    /// The file had rested when it was hashed: a later change moves its ctime.
    rested: bool,
}

/// Something in the directory that cannot be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it lies in the context.
    pub path: ImagePath,
    /// Why, as a fragment: `a socket`.
    pub why: &'static str,
}

/// Why a directory cannot be a build context.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// Something in it cannot be read.
    #[error("build context: {} cannot be read", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The ignore file cannot be used.
    #[error("{}", path.display())]
    Ignore {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: jettison_dockerfile::ignore::IgnoreError,
    },
    /// It is larger than the limits allow.
    #[error("build context {}", path.display())]
    Limit {
        /// The directory.
        path: PathBuf,
        /// Which limit.
        #[source]
        source: Error,
    },
}

impl Context {
    /// Walks a directory. `<dockerfile>.dockerignore` counts where it is
    /// there, else `.dockerignore` in the directory. No file's content is read
    /// yet; with a store, hashes are remembered there.
    pub fn open(
        path: &Path,
        dockerfile: Option<&Path>,
        store: Option<&Store>,
        limits: &Limits,
    ) -> Result<Self, ContextError> {
        let path = std::path::absolute(path).map_err(|source| ContextError::Read {
            path: path.to_owned(),
            source,
        })?;
        let directory = open::directory(&path).map_err(|source| ContextError::Read {
            path: path.clone(),
            source,
        })?;
        let (ignore, ignore_file) = ignored::read(&path, &directory, dockerfile)?;
        let known = Known::load(store, &path);
        let opened = Opened {
            path,
            directory,
            known,
        };
        Self::walk(opened, &ignore, ignore_file, limits)
    }

    /// All of a directory, without an ignore file and without a memory.
    pub(crate) fn open_all(path: &Path, limits: &Limits) -> Result<Self, ContextError> {
        let directory = open::directory(path).map_err(|source| ContextError::Read {
            path: path.to_owned(),
            source,
        })?;
        let opened = Opened {
            path: path.to_owned(),
            directory,
            known: Known::load(None, path),
        };
        Self::walk(opened, &Ignore::default(), None, limits)
    }

    fn walk(
        opened: Opened,
        ignore: &Ignore,
        ignore_file: Option<PathBuf>,
        limits: &Limits,
    ) -> Result<Self, ContextError> {
        let Opened {
            path,
            directory,
            known,
        } = opened;
        let walk::Walked {
            tree,
            facts,
            left_out,
        } = walk::walk(&path, &directory, ignore, limits)?;
        let hashes = facts
            .iter()
            .map(|facts| match facts.as_ref().and_then(|f| known.digest(f)) {
                Some(digest) => OnceLock::from(Hash {
                    digest,
                    rested: true,
                }),
                None => OnceLock::new(),
            })
            .collect();
        Ok(Self {
            path,
            directory,
            tree,
            facts,
            hashes,
            known,
            ignore_file,
            left_out,
        })
    }

    /// Where it lies, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that says what is left out; none when there is none.
    pub fn ignore_file(&self) -> Option<&Path> {
        self.ignore_file.as_deref()
    }

    /// What is not ignored and still cannot be copied.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Keeps the hashes of this build for the next one. Dropping the context
    /// does so as well; that it fails is no reason to fail a build.
    pub fn remember(&self) {
        let hashed = self.facts.iter().zip(&self.hashes);
        let hashed = hashed.filter_map(|(facts, hash)| Some((*facts.as_ref()?, *hash.get()?)));
        self.known.save(
            hashed
                .filter(|(_, hash)| hash.rested)
                .map(|(f, h)| (f, h.digest)),
        );
    }

    fn ordinal(&self, file: Node<'_>) -> Option<usize> {
        Some(file.content_origin()?.entry as usize)
    }
}

impl FileSystem for Context {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn open(&self, file: Node<'_>) -> Result<Box<dyn std::io::Read + '_>, Error> {
        self.open_checked(file)
    }

    fn digests(&self, files: &[Node<'_>]) -> Result<Vec<Digest>, Error> {
        self.hash_all(files)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.remember();
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests;
