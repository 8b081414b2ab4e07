//! Opens and creates paths inside a hostile root: every link is followed
//! inside the root only (`openat2` with RESOLVE_IN_ROOT), magic links never.
//!
//! Where `openat2` is missing (Linux before 5.6, or a filter that does not
//! know it) the path is walked by hand, component by component, with
//! O_NOFOLLOW, which is as safe while nobody else writes to the root.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, statat};
use rustix::io::Errno;

use super::created::Created;

/// Like the kernel's bound on links in one path.
const LINKS: usize = 40;
/// How often the kernel may be unsure.
const TRIES: usize = 32;

/// Opens a path inside `root`, following links inside it.
pub(crate) fn open(root: BorrowedFd<'_>, path: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let relative = relative(path);
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // Whoever renames or mounts anything on the machine while the kernel is
    // at a `..` makes it unsure (EAGAIN, openat2(2)).
    for _ in 0..TRIES {
        match openat2(root, relative, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            Err(Errno::NOSYS | Errno::PERM) => break,
            result => return result,
        }
    }
    walk(root, relative, flags)
}

fn relative(path: &OsStr) -> &OsStr {
    let bytes = path.as_bytes();
    let start = bytes.iter().position(|&b| b != b'/').unwrap_or(bytes.len());
    let rest = OsStr::from_bytes(&bytes[start..]);
    if rest.is_empty() {
        OsStr::new(".")
    } else {
        rest
    }
}

fn walk(root: BorrowedFd<'_>, path: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let directory = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut above: Vec<OwnedFd> = vec![root.try_clone_to_owned().map_err(|_| Errno::MFILE)?];
    let mut todo: Vec<OsString> = components(path);
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            if above.len() > 1 {
                above.pop();
            }
            continue;
        }
        let here = above.last().ok_or(Errno::NOENT)?;
        let stat = statat(here, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
        let last = todo.is_empty();
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink if !(last && flags.contains(OFlags::NOFOLLOW)) => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP);
                }
                let target = rustix::fs::readlinkat(here, &*name, Vec::new())?.into_bytes();
                if target.starts_with(b"/") {
                    above.truncate(1);
                }
                todo.extend(components(&OsString::from_vec(target)));
            }
            _ if last => {
                let flags = flags | OFlags::NOFOLLOW;
                return openat(here, &*name, flags, Mode::empty());
            }
            FileType::Directory => {
                let next = openat(here, &*name, directory, Mode::empty())?;
                above.push(next);
            }
            _ => return Err(Errno::NOTDIR),
        }
    }
    let here = above.last().ok_or(Errno::NOENT)?;
    openat(here, ".", flags, Mode::empty())
}

/// The components, last one first.
fn components(path: &OsStr) -> Vec<OsString> {
    let parts = path
        .as_bytes()
        .split(|&b| b == b'/')
        .filter(|c| !c.is_empty() && *c != b".");
    parts
        .rev()
        .map(|c| OsStr::from_bytes(c).to_owned())
        .collect()
}

/// What [`make`] creates where nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    Directory,
    File,
}

/// Opens (O_PATH) a path inside the root, creating what is missing, parents
/// included; what was created is noted.
pub(crate) fn make(
    root: &OwnedFd,
    path: &OsStr,
    kind: Make,
    created: &mut Created,
) -> Result<OwnedFd, Errno> {
    let whole = root;
    let root = root.as_fd();
    match open(root, path, OFlags::PATH) {
        Err(Errno::NOENT) => {}
        result => return result,
    }
    let mut so_far = OsString::new();
    let mut here = open(root, OsStr::new("."), OFlags::PATH)?;
    let mut parts = components(path);
    while let Some(name) = parts.pop() {
        if name == ".." {
            // Only ever with a link in front of it; there is nothing to create then.
            return Err(Errno::NOENT);
        }
        if !so_far.is_empty() {
            so_far.push("/");
        }
        so_far.push(&name);
        let make = if parts.is_empty() {
            kind
        } else {
            Make::Directory
        };
        match open(root, &so_far, OFlags::PATH) {
            Ok(next) => {
                here = next;
                continue;
            }
            Err(Errno::NOENT) => {}
            Err(e) => return Err(e),
        }
        created.make(whole, &here, &name, || match make {
            Make::Directory => rustix::fs::mkdirat(&here, &*name, Mode::from_raw_mode(0o755)),
            Make::File => {
                let flags = OFlags::WRONLY
                    | OFlags::CREATE
                    | OFlags::EXCL
                    | OFlags::NOFOLLOW
                    | OFlags::CLOEXEC;
                openat(&here, &*name, flags, Mode::from_raw_mode(0o644)).map(|_| ())
            }
        })?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        here = openat(&here, &*name, flags, Mode::empty())?;
    }
    Ok(here)
}

/// Reads a small regular file inside the root; anything else (a pipe, a
/// device, a file over the bound) is as if it were not there.
pub(crate) fn read_small(root: BorrowedFd<'_>, path: &str, most: u64) -> Option<Vec<u8>> {
    use std::io::Read;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = open(root, OsStr::new(path), flags).ok()?;
    let stat = fstat(file.as_fd()).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut content = Vec::new();
    let read: io::Result<usize> = std::fs::File::from(file)
        .take(most + 1)
        .read_to_end(&mut content);
    (read.is_ok() && content.len() as u64 <= most).then_some(content)
}
