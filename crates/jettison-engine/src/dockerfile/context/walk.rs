//! The walk over the directory: what is there, without reading any content.
//! Names are kept as bytes; no link is followed. Devices and FIFOs are there, as
//! with BuildKit, and never opened; sockets are left out, as is what a layer
//! reserves for whiteouts.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_dockerfile::ignore::{Ignore, ParentMatches};
use jettison_image::{
    Budget, Entry, EntryKind, Error, ImagePath, LayerIndexBuilder, Limits, Metadata, Tree,
};
use rustix::fs::{AtFlags, FileType, Stat, major, minor};

use super::known::Facts;
use super::{ContextError, LeftOut, open};

/// Things that are left out and named; of more, the first are enough.
const MOST_LEFT_OUT: usize = 1000;

/// What a walk found.
pub(super) struct Walked {
    pub(super) tree: Tree,
    /// By the ordinal of the tree's entries.
    pub(super) facts: Vec<Option<Facts>>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Walks a directory that is open.
pub(super) fn walk(
    root: &Path,
    directory: &OwnedFd,
    ignore: &Ignore,
    limits: &Limits,
) -> Result<Walked, ContextError> {
    let mut walk = Walk {
        root,
        ignore,
        limits,
        builder: LayerIndexBuilder::new(Arc::new(Budget::new(limits))),
        facts: Vec::new(),
        left_out: Vec::new(),
        first_names: HashMap::new(),
        path: Vec::new(),
        waiting: Vec::new(),
    };
    walk.directory(directory.as_fd(), &ParentMatches::default(), 0, false)?;
    let Walk {
        builder,
        facts,
        left_out,
        ..
    } = walk;
    let tree = Tree::merge(vec![Arc::new(builder.finish())], limits).map_err(|source| {
        ContextError::Limit {
            path: root.to_owned(),
            source,
        }
    })?;
    Ok(Walked {
        tree,
        facts,
        left_out,
    })
}

struct Walk<'a> {
    root: &'a Path,
    ignore: &'a Ignore,
    limits: &'a Limits,
    builder: LayerIndexBuilder,
    facts: Vec<Option<Facts>>,
    left_out: Vec<LeftOut>,
    /// First names of files that have several, by device and inode.
    first_names: HashMap<(u64, u64), ImagePath>,
    path: Vec<u8>,
    /// Ignored directories on the way that appear only if something in them does.
    waiting: Vec<Entry>,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        fd: impl AsFd,
        parent: &ParentMatches,
        depth: usize,
        ignored: bool,
    ) -> Result<(), ContextError> {
        let names = match names(&fd) {
            Ok(names) => names,
            Err(error) if ignored && is_refused(&error) => return Ok(()),
            Err(error) => return Err(self.unreadable(error)),
        };
        for name in names {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(name.to_bytes());
            self.entry(&fd, &name, parent, depth)?;
            self.path.truncate(length);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fd: impl AsFd,
        name: &CStr,
        parent: &ParentMatches,
        depth: usize,
    ) -> Result<(), ContextError> {
        let (ignored, matches) = if self.ignore.is_empty() {
            (false, ParentMatches::default())
        } else {
            let walked = self.ignore.walk(&self.path, parent);
            walked.map_err(|source| ContextError::Ignore {
                path: self.root.join(".dockerignore"),
                source,
            })?
        };
        if ignored && !self.ignore.has_exclusions() {
            return Ok(());
        }
        let stat = match rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone since the directory was listed: then it is not there.
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(error) => return Err(self.unreadable(error.into())),
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_directory = kind == FileType::Directory;
        if ignored && !(is_directory && self.ignore.may_take_back_below(&self.path)) {
            return Ok(());
        }
        if name.to_bytes().starts_with(b".wh.") {
            return self.leave_out("a name that layers keep for whiteouts");
        }
        let path = self.image_path(depth)?;
        let metadata = metadata(&stat);
        match kind {
            FileType::Directory => {
                let entry = Entry {
                    path,
                    kind: EntryKind::Directory,
                    metadata,
                };
                let waiting = self.waiting.len();
                self.waiting.push(entry);
                if !ignored {
                    self.push_waiting()?;
                }
                match open::child(&fd, name) {
                    Ok(child) => self.directory(&child, &matches, depth + 1, ignored)?,
                    Err(error) if ignored && is_refused(&error) => {}
                    Err(error) => return Err(self.unreadable(error)),
                }
                self.waiting.truncate(waiting);
                Ok(())
            }
            FileType::RegularFile => self.file(path, metadata, &stat),
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(&fd, name, Vec::new())
                    .map_err(|error| self.unreadable(error.into()))?
                    .into_bytes();
                self.push(
                    Entry {
                        path,
                        kind: EntryKind::Symlink { target },
                        metadata,
                    },
                    None,
                )
            }
            FileType::Fifo => self.push(
                Entry {
                    path,
                    kind: EntryKind::Fifo,
                    metadata,
                },
                None,
            ),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
                if (major, minor) == (0, 0) {
                    return self.leave_out("a device that layers keep for whiteouts");
                }
                let kind = if kind == FileType::CharacterDevice {
                    EntryKind::CharDevice { major, minor }
                } else {
                    EntryKind::BlockDevice { major, minor }
                };
                self.push(
                    Entry {
                        path,
                        kind,
                        metadata,
                    },
                    None,
                )
            }
            _ => self.leave_out("a socket"),
        }
    }

    fn file(
        &mut self,
        path: ImagePath,
        metadata: Metadata,
        stat: &Stat,
    ) -> Result<(), ContextError> {
        let facts = Facts::of(stat);
        let size_bytes = facts.size_bytes;
        if stat.st_nlink > 1 {
            if let Some(first) = self.first_names.get(&facts.identity()) {
                let kind = EntryKind::HardLink {
                    target: first.clone(),
                };
                return self.push(
                    Entry {
                        path,
                        kind,
                        metadata,
                    },
                    Some(facts),
                );
            }
            self.first_names.insert(facts.identity(), path.clone());
        }
        let kind = EntryKind::File { size_bytes };
        self.push(
            Entry {
                path,
                kind,
                metadata,
            },
            Some(facts),
        )
    }

    fn push(&mut self, entry: Entry, facts: Option<Facts>) -> Result<(), ContextError> {
        self.push_waiting()?;
        self.push_now(&entry, facts)
    }

    fn push_waiting(&mut self) -> Result<(), ContextError> {
        // What was pushed stays in the list as a directory that is done: its
        // place says how deep the walk is.
        for at in 0..self.waiting.len() {
            if self.waiting[at].path.is_root() {
                continue;
            }
            let done = Entry {
                path: ImagePath::root(),
                kind: EntryKind::Directory,
                metadata: Metadata::default(),
            };
            let entry = std::mem::replace(&mut self.waiting[at], done);
            self.push_now(&entry, None)?;
        }
        Ok(())
    }

    fn push_now(&mut self, entry: &Entry, facts: Option<Facts>) -> Result<(), ContextError> {
        // `Limits::entries` is a u64, the ordinal of an entry a u32.
        let ordinal = u32::try_from(self.facts.len()).unwrap_or(u32::MAX);
        self.builder
            .push(entry, ordinal, None)
            .map_err(|source| self.too_large(source))?;
        self.facts.push(facts);
        Ok(())
    }

    fn leave_out(&mut self, why: &'static str) -> Result<(), ContextError> {
        if self.left_out.len() < MOST_LEFT_OUT
            && let Ok(path) = ImagePath::new(&self.path)
        {
            self.left_out.push(LeftOut { path, why });
        }
        Ok(())
    }

    fn image_path(&self, depth: usize) -> Result<ImagePath, ContextError> {
        let path = ImagePath::new(&self.path)
            .map_err(|error| self.too_large(Error::malformed("a name", error.to_string())))?;
        let limit = |limit: usize, unit, flag| Error::Limit {
            what: path.display().to_string(),
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            unit,
            flag,
        };
        if self.path.len() > self.limits.path_bytes {
            let error = limit(self.limits.path_bytes, "bytes of a path", "path-bytes");
            return Err(self.too_large(error));
        }
        if depth >= self.limits.path_depth {
            let error = limit(self.limits.path_depth, "components", "path-depth");
            return Err(self.too_large(error));
        }
        Ok(path)
    }

    fn too_large(&self, source: Error) -> ContextError {
        ContextError::Limit {
            path: self.root.to_owned(),
            source,
        }
    }

    fn unreadable(&self, source: io::Error) -> ContextError {
        ContextError::Read {
            path: self.host_path(),
            source,
        }
    }

    fn host_path(&self) -> PathBuf {
        self.root.join(OsStr::from_bytes(&self.path))
    }
}

fn metadata(stat: &Stat) -> Metadata {
    Metadata {
        mode: stat.st_mode & 0o7777,
        mtime: Facts::of(stat).mtime(),
        ..Metadata::default()
    }
}

/// The names in a directory, in byte order.
fn names(fd: impl AsFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}
