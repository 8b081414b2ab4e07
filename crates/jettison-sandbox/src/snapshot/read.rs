//! The supervisor's side of snapshots, and the worker that reads one: inside
//! the user namespace, because outside it nobody may open the files.
//!
//! Walks without following a link and without opening anything but files and
//! directories. Refuses names that a layer would read as a removed path.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::fs::{fstat, lgetxattr, llistxattr, major, minor, openat, readlinkat, statat};
use rustix::io::Errno;

use super::FILES;
use crate::init::Overlay;
use crate::remove::remove_tree;
use crate::root::{BROKEN, PIECE, RootEntry, RootKind, open_directory};
use crate::supervisor::Supervisor;
use crate::supervisor::enter::below;
use crate::tier::Tier;
use crate::wire::{Failure, encode};

/// What names and links that wait for their turn may take in memory: a
/// directory is read as a whole to be put in order.
const NAMES_BYTES: usize = 512 << 20;
/// `XATTR_LIST_MAX` and `XATTR_SIZE_MAX`.
const ATTRIBUTE_BYTES: usize = 64 << 10;
/// What the OCI layer specification begins the names of removed paths with.
const WHITEOUT: &[u8] = b".wh.";

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
            let ended = match result {
                Ok(()) => to.write_all(&0_u32.to_le_bytes()),
                Err(failure) => put(&mut to, &encode(&(NOTHING, Some(failure)))),
            };
            let _ = ended.and_then(|()| to.flush());
        })
    }
}

/// Names of extended attributes, each with its value.
pub(crate) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// No entry.
const NOTHING: Option<(RootEntry, u64)> = None;

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

struct Walk<'a, W: Write> {
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
    fn new(files: OwnedFd, lower: Option<OwnedFd>, tier: Tier, to: &'a mut W) -> Self {
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

    fn all(mut self) -> Result<(), Failure> {
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
        let xattrs = read_attributes(
            |buffer| llistxattr(&place, buffer),
            |name, buffer| lgetxattr(&place, name, buffer),
            |name| self.is_the_images(name),
        );
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
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// The attributes of an open file that are wanted.
fn attributes_of(file: &OwnedFd, wanted: impl Fn(&[u8]) -> bool) -> Result<Attributes, Errno> {
    read_attributes(
        |buffer| rustix::fs::flistxattr(file, buffer),
        |name, buffer| rustix::fs::fgetxattr(file, name, buffer),
        wanted,
    )
}

/// The attributes of what a descriptor that is for looking only leads to.
pub(crate) fn attributes_through(
    place: &Path,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    read_attributes(
        |buffer| rustix::fs::listxattr(place, buffer),
        |name, buffer| rustix::fs::getxattr(place, name, buffer),
        wanted,
    )
}

/// Those that can be read, in the order of their names.
fn read_attributes(
    list: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    get: impl Fn(&[u8], &mut [u8]) -> Result<usize, Errno>,
    wanted: impl Fn(&[u8]) -> bool,
) -> Result<Attributes, Errno> {
    let mut small = [0; 512];
    let mut large = Vec::new();
    let names = match list(&mut small) {
        Ok(count) => &small[..count],
        Err(Errno::RANGE) => {
            large.resize(ATTRIBUTE_BYTES, 0);
            let count = list(&mut large)?;
            &large[..count]
        }
        // The file system has none.
        Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for name in names.split(|&byte| byte == 0) {
        if name.is_empty() || !wanted(name) {
            continue;
        }
        let mut value = vec![0; ATTRIBUTE_BYTES];
        if let Ok(count) = get(name, &mut value) {
            found.push((name.to_vec(), value[..count].to_vec()));
        }
    }
    found.sort();
    Ok(found)
}
