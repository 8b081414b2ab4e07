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
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let source = rustix::fs::open(from, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&source)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            make_directory(CWD, to.as_os_str())?;
            let target = rustix::fs::open(
                to,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            let source = openat(
                &source,
                ".",
                OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            copy_directory(source, target.as_fd(), 0)?;
            dress(CWD, to.as_os_str(), &stat)
        }
        FileType::RegularFile => {
            copy_file(CWD, from.as_os_str(), CWD, to.as_os_str(), OFlags::empty())?;
            dress(CWD, to.as_os_str(), &stat)
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "neither a regular file nor a directory",
        )),
    }
}

fn copy_directory(source: OwnedFd, target: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
    if depth > DEPTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let entries = Dir::read_from(&source)?;
    for entry in entries {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let stat = statat(&source, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                make_directory(target, name)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = openat(target, name, flags, Mode::empty())?;
                copy_directory(
                    openat(&source, name, flags, Mode::empty())?,
                    below.as_fd(),
                    depth + 1,
                )?;
                copy_attributes(&source, &below, name);
            }
            FileType::RegularFile => {
                copy_file(source.as_fd(), name, target, name, OFlags::NOFOLLOW)?;
            }
            FileType::Symlink => {
                let link = readlinkat(&source, name, Vec::new())?;
                symlinkat(&link, target, name)?;
            }
            kind @ (FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice) => {
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                match mknodat(target, name, kind, mode, stat.st_rdev) {
                    // Devices cannot be made in a user namespace.
                    Ok(()) => {}
                    Err(Errno::PERM) => continue,
                    Err(e) => return Err(e.into()),
                }
            }
            // A socket means nothing without its server.
            _ => continue,
        }
        dress(target, name, &stat)?;
    }
    Ok(())
}

fn make_directory(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match mkdirat(at, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn copy_file(
    from: BorrowedFd<'_>,
    source: &OsStr,
    to: BorrowedFd<'_>,
    target: &OsStr,
    follow: OFlags,
) -> io::Result<()> {
    let read = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | follow;
    let source = openat(from, source, read, Mode::empty())?;
    let write =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(to, target, write, Mode::from_raw_mode(0o600))?;
    for name in attributes(&source) {
        copy_attribute(&source, &target, &name);
    }
    let mut source = std::fs::File::from(source);
    // The standard library uses copy_file_range, which shares blocks where
    // the file system can.
    io::copy(&mut source, &mut std::fs::File::from(target))?;
    Ok(())
}

fn copy_attributes(source: &OwnedFd, target: &OwnedFd, name: &OsStr) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(source) = openat(source, name, flags, Mode::empty()) {
        for name in attributes(&source) {
            copy_attribute(&source, target, &name);
        }
    }
}

fn attributes(file: &OwnedFd) -> Vec<Vec<u8>> {
    let mut list = vec![0; 64 << 10];
    let count = rustix::fs::flistxattr(file, &mut list[..]).unwrap_or(0);
    list.truncate(count);
    list.split(|&b| b == 0)
        .filter(|name| !name.is_empty())
        .map(<[u8]>::to_vec)
        .collect()
}

/// Best effort: an attribute may not be ours to read or to set.
fn copy_attribute(source: &OwnedFd, target: &OwnedFd, name: &[u8]) {
    let mut value = vec![0; 64 << 10];
    if let Ok(count) = rustix::fs::fgetxattr(source, name, &mut value[..]) {
        let _ = rustix::fs::fsetxattr(target, name, &value[..count], XattrFlags::empty());
    }
}

/// Owner, mode and times. An owner that is not an id of ours stays ours.
fn dress(at: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    let _ = chownat(
        at,
        name,
        Some(owner.0),
        Some(owner.1),
        AtFlags::SYMLINK_NOFOLLOW,
    );
    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
        chmodat(
            at,
            name,
            Mode::from_raw_mode(stat.st_mode & 0o7777),
            AtFlags::empty(),
        )?;
    }
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as i64),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as i64),
    };
    utimensat(at, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

fn time(seconds: i64, nanoseconds: i64) -> Timespec {
    Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds as _,
    }
}
