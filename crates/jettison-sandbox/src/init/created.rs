//! What is made in a container's root only so that something can be mounted
//! there, and how it is taken away again: a layer has no mount points in it.
//!
//! Making a file in a directory copies the directory, and those above it, into
//! the container's own layer, and changes its time. The time is put back at
//! once; a copy that in the end holds nothing and says nothing new is removed.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Stat, Timespec, Timestamps};
use rustix::fs::{fstat, readlinkat, statat, unlinkat, utimensat};
use rustix::io::Errno;

use super::mounts::fd_path;
use crate::root::{open_directory, split};
use crate::snapshot::attributes_through;
use crate::wire::wire_struct;

/// What we made. Paths are relative to the root and have no links in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Created {
    /// Mount points, parents first.
    pub(crate) stubs: Vec<OsString>,
    /// The working directory, and those above it.
    pub(crate) directories: Vec<OsString>,
    /// The directories in which we made something, and those above them, as
    /// they were before.
    before: Vec<Before>,
}

/// A directory as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Before {
    path: OsString,
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

wire_struct!(Created {
    stubs,
    directories,
    before
});
wire_struct!(Before {
    path,
    mode,
    owner,
    mtime,
    attributes
});

impl Created {
    /// Makes `name` in the directory `here` of `root`.
    pub(crate) fn make(
        &mut self,
        root: &OwnedFd,
        here: &OwnedFd,
        name: &OsStr,
        make: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let parent = real_path(root, here)?;
        let stat = fstat(here)?;
        self.remember(root, &parent)?;
        make()?;
        put_times_back(here, &stat);
        let mut path = parent;
        if !path.is_empty() {
            path.push("/");
        }
        path.push(name);
        self.stubs.push(path);
        Ok(())
    }

    fn remember(&mut self, root: &OwnedFd, path: &OsStr) -> Result<(), Errno> {
        let bytes = path.as_bytes();
        let ends = bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| at);
        for end in ends.chain([bytes.len()]) {
            let path = OsStr::from_bytes(&bytes[..end]);
            let known = |list: &[OsString]| list.iter().any(|made| made == path);
            if path.is_empty()
                || known(&self.stubs)
                || known(&self.directories)
                || self.before.iter().any(|before| before.path == path)
            {
                continue;
            }
            let directory = open_directory(root, path)?;
            self.before.push(Before::of(path, &directory, "")?);
        }
        Ok(())
    }

    /// Takes away from the container's own layer what nobody has used.
    pub(crate) fn clean(&self, upper: &OwnedFd, marks: &str) -> Result<(), Errno> {
        for path in self.stubs.iter().rev() {
            let (parent, name) = split(path);
            let Ok(parent) = open_directory(upper, parent) else {
                continue;
            };
            let Ok(stat) = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => remove(&parent, name, AtFlags::REMOVEDIR)?,
                FileType::RegularFile if stat.st_size == 0 => {
                    remove(&parent, name, AtFlags::empty())?;
                }
                _ => {}
            }
        }
        let mut before: Vec<&Before> = self.before.iter().collect();
        before.sort_by_key(|before| std::cmp::Reverse(before.path.len()));
        for before in before {
            let Ok(now) = open_directory(upper, &before.path) else {
                continue;
            };
            let opaque = format!("{marks}opaque");
            let is_opaque = rustix::fs::fgetxattr(&now, &*opaque, &mut [0_u8; 4][..]).is_ok();
            if is_opaque || Before::of(&before.path, &now, marks)? != *before {
                continue;
            }
            let (parent, name) = split(&before.path);
            remove(&open_directory(upper, parent)?, name, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }
}

impl Before {
    fn of(path: &OsStr, directory: &OwnedFd, marks: &str) -> Result<Self, Errno> {
        let stat = fstat(directory)?;
        let place = fd_path(directory);
        let wanted = |name: &[u8]| marks.is_empty() || !name.starts_with(marks.as_bytes());
        let attributes = attributes_through(Path::new(&place), wanted)?;
        Ok(Self {
            path: path.to_owned(),
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            mtime: times_of(&stat),
            attributes,
        })
    }
}

/// Removes what is empty, and leaves the time of its parent.
fn remove(parent: &OwnedFd, name: &OsStr, flags: AtFlags) -> Result<(), Errno> {
    let stat = fstat(parent)?;
    match unlinkat(parent, name, flags) {
        Ok(()) => put_times_back(parent, &stat),
        // The program has put something in it.
        Err(Errno::NOTEMPTY | Errno::EXIST) => {}
        Err(e) => return Err(e),
    }
    Ok(())
}

fn times_of(stat: &Stat) -> (i64, i64) {
    (
        stat.st_mtime,
        i64::try_from(stat.st_mtime_nsec).unwrap_or(0),
    )
}

fn put_times_back(directory: &OwnedFd, stat: &Stat) {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    // Through its path, because the descriptor may be for looking only.
    let _ = utimensat(CWD, fd_path(directory), &times, AtFlags::empty());
}

/// Where `directory` lies inside `root`, without any link.
fn real_path(root: &OwnedFd, directory: &OwnedFd) -> Result<OsString, Errno> {
    let of = |fd: &OwnedFd| readlinkat(CWD, fd_path(fd), Vec::new()).map(|path| path.into_bytes());
    let (root, path) = (of(root)?, of(directory)?);
    let rest = path.strip_prefix(&root[..]).ok_or(Errno::NOENT)?;
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    Ok(OsStr::from_bytes(rest).to_owned())
}
