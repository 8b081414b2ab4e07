//! The worker that reads a snapshot: inside the user namespace, because
//! outside it nobody may open the files.
//!
//! Walks without following a link and without opening anything but files and
//! directories. Refuses names that a layer would read as a removed path.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::fs::{fstat, major, minor, openat, readlinkat, statat};
use rustix::io::Errno;

use super::attributes::{attributes_at, attributes_of};
use crate::root::{BROKEN, PIECE, RootEntry, RootKind, open_directory};
use crate::tier::Tier;
use crate::wire::{Failure, encode};

/// What names and links that wait for their turn may take in memory: a
/// directory is read as a whole to be put in order.
const NAMES_BYTES: usize = 512 << 20;
/// What the OCI layer specification begins the names of removed paths with.
const WHITEOUT: &[u8] = b".wh.";

/// No entry.
const NOTHING: Option<(RootEntry, u64)> = None;

/// Sends a snapshot, entry by entry.
pub(super) struct Walk<'a, W: Write> {
    files: OwnedFd,
    lower: Option<OwnedFd>,
    tier: Tier,
    to: &'a mut W,
    /// Names of the directories on the way that are still to come, last first.
    levels: Vec<(OsString, Vec<OsString>)>,
    /// First paths of files with several names.
    links: HashMap<(u64, u64), OsString>,
    names_bytes: usize,
    piece: Vec<u8>,
}

impl<'a, W: Write> Walk<'a, W> {
    pub(super) fn new(files: OwnedFd, lower: Option<OwnedFd>, tier: Tier, to: &'a mut W) -> Self {
        Self {
            files,
            lower,
            tier,
            to,
            levels: Vec::new(),
            links: HashMap::new(),
            names_bytes: 0,
            piece: vec![0; PIECE],
        }
    }

    pub(super) fn all(mut self) -> Result<(), Failure> {
        let failed = |path: &OsStr| {
            let step = format!("reading /{}", path.to_string_lossy().escape_default());
            move |e: io::Error| Failure::step(step, e)
        };
        let root = OsString::new();
        let mut here =
            Some(open_directory(&self.files, &root).map_err(|e| failed(&root)(e.into()))?);
        if let Some(here) = &here {
            self.enter(root, here)?;
        }
        while let Some((path, names)) = self.levels.last_mut() {
            let Some(name) = names.pop() else {
                self.levels.pop();
                here = None;
                continue;
            };
            let parent = path.clone();
            self.names_bytes -= cost(&name);
            let directory = match here.take() {
                Some(directory) => directory,
                None => {
                    open_directory(&self.files, &parent).map_err(|e| failed(&parent)(e.into()))?
                }
            };
            let mut path = parent;
            if !path.is_empty() {
                path.push("/");
            }
            path.push(&name);
            here = match self.entry(&directory, &name, &path)? {
                Some(below) => {
                    self.enter(path, &below)?;
                    Some(below)
                }
                None => Some(directory),
            };
        }
        Ok(())
    }

    /// Reads the names of a directory.
    fn enter(&mut self, path: OsString, directory: &OwnedFd) -> Result<(), Failure> {
        let failed = |e| Failure::step(format!("listing /{}", path.to_string_lossy()), e);
        let mut names = Vec::new();
        for entry in Dir::read_from(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let name = OsStr::from_bytes(name).to_owned();
            self.take_room(cost(&name)).map_err(failed)?;
            names.push(name);
        }
        names.sort_unstable_by(|one, other| other.cmp(one));
        self.levels.push((path, names));
        Ok(())
    }

    fn take_room(&mut self, bytes: usize) -> Result<(), Errno> {
        self.names_bytes = self.names_bytes.saturating_add(bytes);
        if self.names_bytes > NAMES_BYTES {
            return Err(Errno::FBIG);
        }
        Ok(())
    }

    /// Sends an entry. A directory comes back opened.
    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        path: &OsStr,
    ) -> Result<Option<OwnedFd>, Failure> {
        let shown = || path.to_string_lossy().escape_default().to_string();
        let failed = |e: Errno| Failure::step(format!("reading /{}", shown()), e);
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
            let path = with_name(path, WHITEOUT, name);
            self.send_mark(path)?;
            return Ok(None);
        }
        if name.as_bytes().starts_with(WHITEOUT) {
            return Err(Failure::root(
                format!("/{}", shown()),
                "a name that in a layer stands for a removed path",
            ));
        }
        let mut entry = RootEntry {
            path: path.to_owned(),
            kind: RootKind::File,
            target: OsString::new(),
            device: (0, 0),
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid.into(), stat.st_gid.into()),
            mtime: (
                stat.st_mtime,
                u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            ),
            xattrs: Vec::new(),
        };
        if kind != FileType::Directory && stat.st_nlink > 1 {
            let file = (stat.st_dev, stat.st_ino);
            if let Some(first) = self.links.get(&file) {
                entry.kind = RootKind::HardLink;
                entry.target.clone_from(first);
                // Who unpacks a link gives the file its owner once more, which
                // takes away capabilities that this entry does not name.
                let place = fd_path(directory).join(name);
                let xattrs = attributes_at(&place, |name| self.is_the_images(name));
                entry.xattrs = xattrs.map_err(failed)?;
                self.send(&entry, 0)?;
                return Ok(None);
            }
            if kind != FileType::Socket {
                self.take_room(cost(path)).map_err(failed)?;
                self.links.insert(file, path.to_owned());
            }
        }
        match kind {
            FileType::Directory => return self.directory(directory, name, entry).map(Some),
            FileType::RegularFile => return self.file(directory, name, entry).map(|()| None),
            FileType::Socket | FileType::Unknown => return Ok(None),
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new()).map_err(failed)?;
                entry.target = OsString::from_vec(target.into_bytes());
                entry.kind = RootKind::Symlink;
            }
            FileType::Fifo => entry.kind = RootKind::Fifo,
            FileType::CharacterDevice | FileType::BlockDevice => {
                entry.kind = match kind {
                    FileType::CharacterDevice => RootKind::CharDevice,
                    _ => RootKind::BlockDevice,
                };
                entry.device = (major(stat.st_rdev), minor(stat.st_rdev));
            }
        }
        // Not to be opened, and no descriptor for looking knows it.
        let place = fd_path(directory).join(name);
        let xattrs = attributes_at(&place, |name| self.is_the_images(name));
        entry.xattrs = xattrs.map_err(failed)?;
        self.send(&entry, 0)?;
        Ok(None)
    }

    fn directory(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        mut entry: RootEntry,
    ) -> Result<OwnedFd, Failure> {
        let failed = |e: Errno| Failure::step(format!("reading {}", entry.shown()), e);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(parent, name, flags, Mode::empty()).map_err(failed)?;
        let mark_name = format!("{}opaque", self.tier.overlay_attributes());
        let mut value = [0_u8; 4];
        let marked = rustix::fs::fgetxattr(&directory, &*mark_name, &mut value[..]);
        // Every new directory is marked; it matters where it hides something.
        let hides = marked == Ok(1)
            && value[0] == b'y'
            && self
                .lower
                .as_ref()
                .is_some_and(|lower| open_directory(lower, &entry.path).is_ok());
        entry.xattrs =
            attributes_of(&directory, |name| self.is_the_images(name)).map_err(failed)?;
        entry.kind = RootKind::Directory;
        self.send(&entry, 0)?;
        if hides {
            let mut path = entry.path;
            path.push("/.wh..wh..opq");
            self.send_mark(path)?;
        }
        Ok(directory)
    }

    fn file(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        mut entry: RootEntry,
    ) -> Result<(), Failure> {
        let shown = entry.shown();
        let failed = |e: io::Error| Failure::step(format!("reading {shown}"), e);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(parent, name, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
        let stat: Stat = fstat(&file).map_err(|e| failed(e.into()))?;
        entry.xattrs =
            attributes_of(&file, |name| self.is_the_images(name)).map_err(|e| failed(e.into()))?;
        let size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
        self.send(&entry, size_bytes)?;
        let mut file = std::fs::File::from(file).take(size_bytes);
        let mut left = size_bytes;
        let sending = |e| Failure::step("sending a file", e);
        while left > 0 {
            let count = match file.read(&mut self.piece) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                result => result,
            };
            let count = match count {
                Ok(count) => count,
                Err(e) => {
                    let failure = failed(e);
                    let said = self.to.write_all(&BROKEN.to_le_bytes());
                    let _ = said.and_then(|()| self.to.write_all(&encode(&failure)));
                    return Err(failure);
                }
            };
            let length = u32::try_from(count).unwrap_or(BROKEN).to_le_bytes();
            self.to.write_all(&length).map_err(sending)?;
            self.to.write_all(&self.piece[..count]).map_err(sending)?;
            left -= count as u64;
        }
        self.to.write_all(&0_u32.to_le_bytes()).map_err(sending)
    }

    /// Not the overlay's own attributes, and not those that security modules
    /// of this machine set.
    fn is_the_images(&self, name: &[u8]) -> bool {
        !name.starts_with(self.tier.overlay_attributes().as_bytes())
            && (name == b"security.capability"
                || name.starts_with(b"user.")
                || name.starts_with(b"trusted.")
                || name.starts_with(b"system.posix_acl_"))
    }

    /// Sends an empty file that is nobody's.
    fn send_mark(&mut self, path: OsString) -> Result<(), Failure> {
        let mark = RootEntry {
            path,
            kind: RootKind::File,
            target: OsString::new(),
            device: (0, 0),
            mode: 0,
            owner: (0, 0),
            mtime: (0, 0),
            xattrs: Vec::new(),
        };
        self.send(&mark, 0)?;
        self.to
            .write_all(&0_u32.to_le_bytes())
            .map_err(|e| Failure::step("sending an entry", e))
    }

    fn send(&mut self, entry: &RootEntry, size_bytes: u64) -> Result<(), Failure> {
        let nothing: Option<Failure> = None;
        let record = encode(&(Some((entry.clone(), size_bytes)), nothing));
        put(self.to, &record).map_err(|e| Failure::step("sending an entry", e))
    }
}

/// Ends the entries, or tells why there are no more.
pub(super) fn end(to: &mut impl Write, result: Result<(), Failure>) -> io::Result<()> {
    match result {
        Ok(()) => to.write_all(&0_u32.to_le_bytes()),
        Err(failure) => put(to, &encode(&(NOTHING, Some(failure)))),
    }
}

fn put(to: &mut impl Write, record: &[u8]) -> io::Result<()> {
    let length = u32::try_from(record.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(record)
}

/// The path with another name in its last component.
fn with_name(path: &OsStr, prefix: &[u8], name: &OsStr) -> OsString {
    let parent = path.len() - name.len();
    let mut bytes = path.as_bytes()[..parent].to_vec();
    bytes.extend_from_slice(prefix);
    bytes.extend_from_slice(name.as_bytes());
    OsString::from_vec(bytes)
}

fn cost(name: &OsStr) -> usize {
    name.len() + size_of::<OsString>()
}

fn fd_path(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}
