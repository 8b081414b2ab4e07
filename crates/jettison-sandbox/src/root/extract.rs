//! Writes records into a directory: the only code that turns an image's
//! entries into files. Runs in a fork of the supervisor.
//!
//! Never follows a link on the way to an entry: a parent that is not a plain
//! directory is an error. Owner before mode (chown clears setuid), attributes
//! after both (chown clears security.capability), times last.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
    chmodat, chownat, linkat, makedev, mkdirat, mknodat, openat, openat2, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::{BROKEN, PIECE, RootEntry, RootKind, RootReport, take_record};
use crate::tier::Tier;
use crate::wire::Failure;

/// Room for a path, a link and the attributes of one entry; the image crate's
/// limits are far below.
const HEADER: usize = 16 << 20;
/// Zeros of at least this length become a hole.
const HOLE: usize = 4096;

/// Fills `directory`, which is empty.
pub(super) fn extract(
    directory: &Path,
    records: &mut (impl Read + Write),
    tier: Tier,
) -> Result<RootReport, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|e| Failure::step("opening the root", e))?;
    rustix::process::umask(Mode::empty());
    let _ = chmodat(&root, ".", Mode::from_raw_mode(0o755), AtFlags::empty());
    let mut extractor = Extractor {
        root,
        parent: None,
        directories: Vec::new(),
        report: RootReport::default(),
        keep_owners: tier != Tier::SingleUser,
        marks: tier.overlay_attributes(),
        piece: vec![0; PIECE],
    };
    let mut records = BufReader::with_capacity(PIECE, records);
    loop {
        match take_record::<RootEntry>(&mut records, HEADER) {
            Ok(Some(entry)) => extractor
                .write(&entry, &mut records)
                .map_err(|e| Failure::step(format!("writing {}", entry.shown()), e))?,
            Ok(None) => break,
            Err(e) => return Err(Failure::step("receiving the root", e)),
        }
    }
    extractor.finish()
}

struct Extractor {
    root: OwnedFd,
    /// The directory of the last entry: its neighbours mostly follow.
    parent: Option<(OsString, OwnedFd)>,
    /// Their times change while they are filled, so these are set at the end.
    directories: Vec<RootEntry>,
    report: RootReport,
    keep_owners: bool,
    /// What the overlay's own attributes begin with. No image sets them: they
    /// would show, hide and redirect what the image does not say.
    marks: &'static str,
    piece: Vec<u8>,
}

impl Extractor {
    fn write(&mut self, entry: &RootEntry, records: &mut impl Read) -> io::Result<()> {
        self.report.entries += 1;
        if entry.kind == RootKind::Opaque {
            self.enter(&entry.path)?;
            let here = match &self.parent {
                Some((_, fd)) => fd,
                None => &self.root,
            };
            let mark = format!("{}opaque", self.marks);
            rustix::fs::fsetxattr(here, &*mark, b"y", XattrFlags::empty())?;
            return Ok(());
        }
        let (parent, name) = split(&entry.path);
        if name.is_empty() {
            if entry.kind == RootKind::Directory {
                self.directories.push(entry.clone());
            }
            return Ok(());
        }
        self.enter(parent)?;
        let here = match &self.parent {
            Some((_, fd)) => fd.try_clone()?,
            None => self.root.try_clone()?,
        };
        let mode = Mode::from_raw_mode(entry.mode);
        match entry.kind {
            RootKind::Directory => {
                match mkdirat(&here, name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(e) => return Err(e.into()),
                }
                self.directories.push(entry.clone());
                return Ok(());
            }
            RootKind::HardLink => {
                let (target_parent, target) = split(&entry.target);
                let from = open_directory(&self.root, target_parent)?;
                linkat(&from, target, &here, name, AtFlags::empty())?;
                return Ok(());
            }
            RootKind::File => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                let file = openat(&here, name, flags, Mode::from_raw_mode(0o600))?;
                let mut file = std::fs::File::from(file);
                self.fill(&mut file, records)?;
                let file = OwnedFd::from(file);
                self.own(&here, name, entry)?;
                rustix::fs::fchmod(&file, mode)?;
                self.attributes(entry, |key, value| {
                    rustix::fs::fsetxattr(&file, key, value, XattrFlags::empty())
                });
                rustix::fs::futimens(&file, &times(entry))?;
                return Ok(());
            }
            // Linux 5.8 lets everybody make this one device.
            RootKind::Whiteout => {
                mknodat(&here, name, FileType::CharacterDevice, Mode::empty(), 0)?;
                return Ok(());
            }
            RootKind::Opaque => return Ok(()),
            RootKind::Symlink => symlinkat(&*entry.target, &here, name)?,
            RootKind::Fifo => mknodat(&here, name, FileType::Fifo, mode, 0)?,
            RootKind::CharDevice | RootKind::BlockDevice => {
                let kind = match entry.kind {
                    RootKind::CharDevice => FileType::CharacterDevice,
                    _ => FileType::BlockDevice,
                };
                // 0:0 would be a whiteout to the overlay, and hide the path.
                let device = entry.device;
                let made = match device {
                    (0, 0) => Err(Errno::PERM),
                    (major, minor) => mknodat(&here, name, kind, mode, makedev(major, minor)),
                };
                if made.is_err() {
                    self.report.devices_left_out += 1;
                    return Ok(());
                }
            }
        }
        self.own(&here, name, entry)?;
        if entry.kind != RootKind::Symlink {
            chmodat(&here, name, mode, AtFlags::empty())?;
        }
        self.attributes(entry, |key, value| {
            // There is no lsetxattrat before Linux 6.13; the descriptor's
            // directory and the plain name lead to the entry itself.
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&here));
            let path = Path::new(&path).join(name);
            rustix::fs::lsetxattr(&path, key, value, XattrFlags::empty())
        });
        utimensat(&here, name, &times(entry), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// Copies the content; long runs of zeros are left as holes.
    fn fill(&mut self, file: &mut std::fs::File, records: &mut impl Read) -> io::Result<()> {
        let mut size_bytes = 0_u64;
        let mut ends_in_hole = false;
        loop {
            let mut length = [0; 4];
            records.read_exact(&mut length)?;
            let length = u32::from_le_bytes(length);
            if length == BROKEN || length as usize > self.piece.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if length == 0 {
                break;
            }
            let piece = &mut self.piece[..length as usize];
            records.read_exact(piece)?;
            for block in blocks(piece) {
                ends_in_hole = block.len() >= HOLE && block.iter().all(|&b| b == 0);
                if ends_in_hole {
                    let ahead = i64::try_from(block.len()).map_err(io::Error::other)?;
                    file.seek(SeekFrom::Current(ahead))?;
                } else {
                    file.write_all(block)?;
                }
            }
            size_bytes += u64::from(length);
        }
        if ends_in_hole {
            file.set_len(size_bytes)?;
        }
        self.report.content_bytes += size_bytes;
        Ok(())
    }

    fn own(&mut self, here: &OwnedFd, name: &OsStr, entry: &RootEntry) -> io::Result<()> {
        if !self.keep_owners {
            self.report.owners_lost += u64::from(entry.owner != (0, 0));
            return Ok(());
        }
        let ids = (u32::try_from(entry.owner.0), u32::try_from(entry.owner.1));
        let result = match ids {
            (Ok(uid), Ok(gid)) if uid != u32::MAX && gid != u32::MAX => {
                let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
                chownat(here, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            }
            _ => Err(Errno::INVAL),
        };
        match result {
            Ok(()) => Ok(()),
            // Not an id of our user namespace.
            Err(Errno::INVAL | Errno::PERM) => {
                self.report.owners_lost += 1;
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    fn attributes(&mut self, entry: &RootEntry, set: impl Fn(&[u8], &[u8]) -> Result<(), Errno>) {
        for (key, value) in &entry.xattrs {
            let lost = key.starts_with(self.marks.as_bytes()) || set(key, value).is_err();
            self.report.attributes_lost += u64::from(lost);
        }
    }

    /// Makes `path` the current directory, creating what is missing.
    fn enter(&mut self, path: &OsStr) -> io::Result<()> {
        if path.is_empty() {
            self.parent = None;
            return Ok(());
        }
        if self
            .parent
            .as_ref()
            .is_some_and(|(current, _)| current == path)
        {
            return Ok(());
        }
        let fd = match open_directory(&self.root, path) {
            Err(Errno::NOENT) => {
                let mut so_far = OsString::new();
                for name in path.as_bytes().split(|&b| b == b'/') {
                    let here = open_directory(&self.root, &so_far)?;
                    match mkdirat(&here, OsStr::from_bytes(name), Mode::from_raw_mode(0o755)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(e) => return Err(e.into()),
                    }
                    if !so_far.is_empty() {
                        so_far.push("/");
                    }
                    so_far.push(OsStr::from_bytes(name));
                }
                open_directory(&self.root, path)?
            }
            result => result?,
        };
        self.parent = Some((path.to_owned(), fd));
        Ok(())
    }

    fn finish(mut self) -> Result<RootReport, Failure> {
        let directories = std::mem::take(&mut self.directories);
        for entry in directories.iter().rev() {
            self.dress_directory(entry)
                .map_err(|e| Failure::step(format!("finishing {}", entry.shown()), e))?;
        }
        Ok(self.report)
    }

    fn dress_directory(&mut self, entry: &RootEntry) -> io::Result<()> {
        let fd = open_directory(&self.root, &entry.path)?;
        self.own(&fd, OsStr::new("."), entry)?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(entry.mode))?;
        self.attributes(entry, |key, value| {
            rustix::fs::fsetxattr(&fd, key, value, XattrFlags::empty())
        });
        rustix::fs::futimens(&fd, &times(entry))?;
        Ok(())
    }
}

/// Opens a directory below the root without following any link.
pub(crate) fn open_directory(root: &OwnedFd, path: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if path.is_empty() {
        return openat(root, ".", flags, Mode::empty());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(root, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM) => {
            let mut here = openat(root, ".", flags, Mode::empty())?;
            for name in path.as_bytes().split(|&b| b == b'/') {
                if name == b".." {
                    return Err(Errno::XDEV);
                }
                here = openat(here.as_fd(), OsStr::from_bytes(name), flags, Mode::empty())?;
            }
            Ok(here)
        }
        result => result,
    }
}

/// The directory of a path, and the name in it.
pub(crate) fn split(path: &OsStr) -> (&OsStr, &OsStr) {
    let bytes = path.as_bytes();
    let (parent, name) = match bytes.iter().rposition(|&b| b == b'/') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&b""[..], bytes),
    };
    (OsStr::from_bytes(parent), OsStr::from_bytes(name))
}

/// Runs of zero blocks and runs of others, in turn.
fn blocks(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_zero = |block: &[u8]| block.len() == HOLE && block.iter().all(|&b| b == 0);
    let mut rest = piece;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let zero = is_zero(&rest[..rest.len().min(HOLE)]);
        let end = rest
            .chunks(HOLE)
            .position(|block| is_zero(block) != zero)
            .map_or(rest.len(), |count| count * HOLE);
        let (run, tail) = rest.split_at(end);
        rest = tail;
        Some(run)
    })
}

fn times(entry: &RootEntry) -> Timestamps {
    let time = Timespec {
        tv_sec: entry.mtime.0,
        tv_nsec: entry.mtime.1.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
