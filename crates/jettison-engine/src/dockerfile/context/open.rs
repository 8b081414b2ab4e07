//! Opening files of the context so that no link leads out of it and nothing
//! but a regular file is opened, unblocked, and noticing when a file is no
//! longer the one that was hashed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use jettison_image::{Error, Node};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::Context;
use super::known::Facts;
use crate::dockerfile::verified::Verified;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Opens the context itself; links in its path are the person's own.
pub(super) fn directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, DIRECTORY, Mode::empty())?)
}

/// Opens a directory inside another; a link is refused.
pub(super) fn child(parent: impl AsFd, name: &std::ffi::CStr) -> io::Result<OwnedFd> {
    let flags = DIRECTORY | OFlags::NOFOLLOW;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// Opens a regular file below a directory, no link followed on the way.
pub(super) fn beneath(root: &OwnedFd, path: &[u8]) -> io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let opened = match rustix::fs::openat2(root, path, FILE, Mode::empty(), resolve) {
        // Kernels before 5.6 and seccomp filters that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(root, path),
        other => other,
    };
    let fd = opened.map_err(|error| match error {
        Errno::LOOP => io::Error::new(io::ErrorKind::InvalidInput, "a link, not a regular file"),
        Errno::NXIO | Errno::NODEV => not_regular(),
        other => other.into(),
    })?;
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(not_regular());
    }
    Ok(fd.into())
}

fn step_by_step(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut names = path.split(|&byte| byte == b'/').filter(|n| !n.is_empty());
    let last = names.next_back().ok_or(Errno::INVAL)?;
    let mut at: Option<OwnedFd> = None;
    for name in names {
        let from = at.as_ref().unwrap_or(root);
        at = Some(rustix::fs::openat(
            from,
            name,
            DIRECTORY | OFlags::NOFOLLOW,
            Mode::empty(),
        )?);
    }
    rustix::fs::openat(at.as_ref().unwrap_or(root), last, FILE, Mode::empty())
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

impl Context {
    /// Opens a file that is still the one that was walked, and looks again at its end.
    pub(super) fn open_checked(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        let what = || self.named(file);
        let ordinal = self.ordinal(file);
        let Some((ordinal, facts)) =
            ordinal.and_then(|at| Some((at, self.facts.get(at)?.as_ref()?)))
        else {
            return Err(Error::malformed(what(), "not a regular file"));
        };
        let opened = beneath(&self.directory, file.path().as_bytes())
            .map_err(|error| Error::read(what(), error))?;
        let checked = Checked {
            file: opened,
            facts: *facts,
            what: what(),
        };
        checked
            .check()
            .map_err(|error| Error::read(what(), error))?;
        Ok(match self.hashes.get(ordinal).and_then(|hash| hash.get()) {
            // The ctime would not tell a change of its own tick: the content must.
            Some(hash) if !hash.rested => {
                let named = what();
                Box::new(Verified::new(checked, hash.digest, move || changed(&named)))
            }
            _ => Box::new(checked),
        })
    }

    pub(super) fn named(&self, file: Node<'_>) -> String {
        format!("build context: {}", file.path().display())
    }
}

/// A file that must stay as it was walked while it is read.
pub(super) struct Checked {
    file: File,
    facts: Facts,
    what: String,
}

impl Checked {
    fn check(&self) -> io::Result<()> {
        if Facts::of(&rustix::fs::fstat(&self.file)?) == self.facts {
            return Ok(());
        }
        Err(changed(&self.what))
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.check()?;
        }
        Ok(count)
    }
}

fn changed(what: &str) -> io::Error {
    io::Error::other(Error::malformed(what, "changed while it was built from"))
}
