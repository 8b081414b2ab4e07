//! Copies files and directory trees with owner, mode, times and attributes.
//! Never follows a link, never opens a device or a pipe.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chmodat, chownat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

/// `PATH_MAX` allows no deeper tree to be used.
const DEPTH: usize = 2048;

/// Copies `from` (a file, or a directory with everything below) to `to`,
/// which is created, or filled where it is there. A link as `from` itself is
/// followed: the person named it.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let source = rustix::fs::open(from, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&source)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            make_directory(CWD, to.as_os_str())?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let target = rustix::fs::open(to, flags, Mode::empty())?;
            let source = openat(&source, ".", flags, Mode::empty())?;
            copy_directory(&source, &target, 0)?;
            dress(&source, &target, &stat)
        }
        FileType::RegularFile => {
            let source = rustix::fs::open(from, READ, Mode::empty())?;
            copy_file(source, rustix::fs::open(to, WRITE, CLOSED)?, &stat)
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "neither a regular file nor a directory",
        )),
    }
}

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);
const WRITE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::TRUNC)
    .union(OFlags::CLOEXEC);
/// Until the owner is right.
const CLOSED: Mode = Mode::from_raw_mode(0o600);

fn copy_directory(source: &OwnedFd, target: &OwnedFd, depth: usize) -> io::Result<()> {
    if depth > DEPTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    for entry in Dir::read_from(source)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let stat = statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                make_directory(target.as_fd(), name)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let from = openat(source, name, flags, Mode::empty())?;
                let to = openat(target, name, flags, Mode::empty())?;
                copy_directory(&from, &to, depth + 1)?;
                dress(&from, &to, &stat)?;
            }
            FileType::RegularFile => {
                let from = openat(source, name, READ | OFlags::NOFOLLOW, Mode::empty())?;
                let to = openat(target, name, WRITE | OFlags::NOFOLLOW, CLOSED)?;
                copy_file(from, to, &stat)?;
            }
            FileType::Symlink => {
                let link = readlinkat(source, name, Vec::new())?;
                symlinkat(&link, target, name)?;
                let _ = chownat(
                    target,
                    name,
                    Some(Uid::from_raw(stat.st_uid)),
                    Some(Gid::from_raw(stat.st_gid)),
                    AtFlags::SYMLINK_NOFOLLOW,
                );
                utimensat(target, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            FileType::Fifo => {
                mknodat(target, name, FileType::Fifo, CLOSED, 0)?;
                let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
                let _ = chownat(
                    target,
                    name,
                    Some(uid),
                    Some(gid),
                    AtFlags::SYMLINK_NOFOLLOW,
                );
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                chmodat(target, name, mode, AtFlags::empty())?;
            }
            // A socket means nothing without its server, and a device cannot
            // be opened in a container.
            _ => {}
        }
    }
    Ok(())
}

fn make_directory(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match mkdirat(at, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn copy_file(source: OwnedFd, target: OwnedFd, stat: &Stat) -> io::Result<()> {
    let mut source = std::fs::File::from(source);
    let mut target = std::fs::File::from(target);
    // The standard library uses copy_file_range, which shares blocks where
    // the file system can.
    io::copy(&mut source, &mut target)?;
    dress(&source.into(), &target.into(), stat)
}

/// Owner, mode, attributes, times, in this order: writing and chown clear
/// setuid and security.capability. An owner that is not an id of ours stays ours.
fn dress(source: &OwnedFd, target: &OwnedFd, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let _ = rustix::fs::fchown(target, Some(uid), Some(gid));
    rustix::fs::fchmod(target, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let mut list = vec![0; 64 << 10];
    let count = rustix::fs::flistxattr(source, &mut list[..]).unwrap_or(0);
    for name in list[..count]
        .split(|&b| b == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; 64 << 10];
        // Best effort: an attribute may not be ours to read or to set.
        if let Ok(count) = rustix::fs::fgetxattr(source, name, &mut value[..]) {
            let _ = rustix::fs::fsetxattr(target, name, &value[..count], XattrFlags::empty());
        }
    }
    rustix::fs::futimens(target, &times(stat))?;
    Ok(())
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
