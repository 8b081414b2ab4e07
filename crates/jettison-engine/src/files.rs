//! Host files, opened so that nothing on the way can surprise us.
//!
//! Everything the engine reads or writes in a directory that somebody else can
//! write to goes through a [`Directory`]: names are single components, links
//! are never followed, and a FIFO, device or socket where a regular file is
//! expected is refused without blocking on it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// A directory of the host, held open.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    /// New files are given to this owner; set when root works in somebody's
    /// directory, who could otherwise not remove them any more.
    owner: Option<(u32, u32)>,
}

impl Directory {
    /// Opens a directory; links in `path` itself are the person's own and followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let owner = foreign_owner(&fd)?;
        Ok(Self {
            fd,
            path: path.to_owned(),
            owner,
        })
    }

    /// Opens a directory inside this one, which must not be a link.
    pub(crate) fn open_child(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(&self.fd, component(name)?, flags, Mode::empty())?;
        Ok(Self {
            fd,
            path: self.path.join(name),
            owner: self.owner,
        })
    }

    /// Opens a directory inside this one and makes it when it is not there.
    pub(crate) fn make_child(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.fd, component(name)?, Mode::from_raw_mode(0o755)) {
            Ok(()) => {
                let child = self.open_child(name)?;
                child.give_to_owner(&child.fd)?;
                Ok(child)
            }
            Err(rustix::io::Errno::EXIST) => self.open_child(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps other processes that do the same out until this value is dropped.
    pub(crate) fn lock(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(
            &self.fd,
            rustix::fs::FlockOperation::LockExclusive,
        )?)
    }

    /// Where this directory was found, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file for reading.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        self.open_regular(name, OFlags::RDONLY)
    }

    /// Opens a regular file that is there for reading and writing.
    pub(crate) fn open_file_to_write(&self, name: &str) -> io::Result<File> {
        self.open_regular(name, OFlags::RDWR)
    }

    /// Opens a regular file for reading and writing and makes it when it is not there.
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        loop {
            match self.open_regular(name, OFlags::RDWR) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
            match self.create_new(name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }

    /// Makes a file that must not be there yet.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(
            &self.fd,
            component(name)?,
            flags,
            Mode::from_raw_mode(0o644),
        )?;
        self.give_to_owner(&fd)?;
        Ok(fd.into())
    }

    /// Makes a file under a name that nobody else uses.
    pub(crate) fn create_unique(&self, prefix: &str) -> io::Result<(String, File)> {
        loop {
            let name = unique_name(prefix);
            match self.create_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|file| (name, file)),
            }
        }
    }

    /// Reads a small regular file; one larger than `limit_bytes` is refused.
    pub(crate) fn read(&self, name: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        read_bounded(self.open_file(name)?, limit_bytes)
    }

    /// Moves a file into another directory of the same file system, over
    /// whatever has the name there.
    pub(crate) fn rename(&self, from: &str, to: &Directory, name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(
            &self.fd,
            component(from)?,
            &to.fd,
            component(name)?,
        )?)
    }

    /// Removes a file; one that is gone already is no error.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, component(name)?, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Size and last change of a regular file; none when there is no such file.
    pub(crate) fn facts(&self, name: &str) -> io::Result<Option<FileFacts>> {
        match rustix::fs::statat(&self.fd, component(name)?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some(FileFacts {
                    size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
                    changed_seconds: stat.st_mtime,
                }))
            }
            Ok(_) => Err(not_regular()),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The names in this directory that are UTF-8, `.` and `..` aside.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name != "."
                && name != ".."
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Brings the names themselves to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.fd)?)
    }

    fn open_regular(&self, name: &str, access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = rustix::fs::openat(&self.fd, component(name)?, flags, Mode::empty())
            .map_err(link_or_special)?;
        regular(fd.into())
    }

    fn give_to_owner(&self, fd: impl AsFd) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner {
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(uid),
                rustix::fs::Gid::from_raw(gid),
            );
            rustix::fs::fchown(fd, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}

/// What is known of a file without opening it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileFacts {
    pub(crate) size_bytes: u64,
    pub(crate) changed_seconds: i64,
}

/// Opens a file that a person named. Links are followed, for they are the
/// person's own; what is not a regular file in the end is refused, unopened
/// FIFOs and devices included.
pub(crate) fn open_named(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC).bits();
    let file = File::options()
        .read(true)
        .custom_flags(i32::try_from(flags).expect("flags of open(2) are an int"))
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(code) => link_or_special(rustix::io::Errno::from_raw_os_error(code)),
            None => error,
        })?;
    regular(file)
}

/// Writes a file that a person named: beside it first, then renamed, so that no
/// half of it is ever seen.
pub fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    io::Write::write_all(&mut file, content)?;
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644))?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Reads all of a reader, or fails when it holds more than `limit_bytes`.
pub(crate) fn read_bounded(reader: impl Read, limit_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("longer than {limit_bytes} bytes"),
        ));
    }
    Ok(bytes)
}

/// A name that no other process and no other call of this one makes up.
pub(crate) fn unique_name(prefix: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let pid = std::process::id();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    // Process ids come again, and two containers may share a directory while
    // each has a process 7; the clock only makes a collision rarer, the
    // exclusive creation is what makes it harmless.
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() & 0xffff_ffff);
    format!("{prefix}{pid}-{count}-{nanoseconds:08x}")
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

/// `O_NOFOLLOW` on a link is ELOOP, a socket is ENXIO: both say little to a person.
fn link_or_special(error: rustix::io::Errno) -> io::Error {
    match error {
        rustix::io::Errno::LOOP => {
            io::Error::new(io::ErrorKind::InvalidInput, "a link, not a regular file")
        }
        rustix::io::Errno::NXIO | rustix::io::Errno::NODEV => not_regular(),
        other => other.into(),
    }
}

/// Refuses names that would leave the directory.
fn component(name: &str) -> io::Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is not a single file name"),
        ));
    }
    Ok(name)
}

/// The directory's owner where we are root and it is not ours.
fn foreign_owner(fd: &OwnedFd) -> io::Result<Option<(u32, u32)>> {
    let stat = rustix::fs::fstat(fd)?;
    let foreign = rustix::process::geteuid().is_root() && stat.st_uid != 0;
    Ok(foreign.then_some((stat.st_uid, stat.st_gid)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_not_a_regular_file_is_refused_without_blocking() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path();
        std::fs::write(path.join("file"), b"content").unwrap();
        std::fs::create_dir(path.join("directory")).unwrap();
        symlink("file", path.join("link")).unwrap();
        symlink("/dev/zero", path.join("device")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path.join("fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o644),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();

        let directory = Directory::open(path).unwrap();
        assert_eq!(directory.read("file", 7).unwrap(), b"content");
        assert!(directory.read("file", 6).is_err());
        for name in [
            "directory",
            "link",
            "device",
            "fifo",
            "socket",
            "..",
            "a/b",
            "",
        ] {
            assert!(directory.open_file(name).is_err(), "{name}");
        }
        assert!(open_named(&path.join("link")).is_ok());
        for name in ["directory", "device", "fifo", "socket"] {
            let error = open_named(&path.join(name)).unwrap_err();
            assert!(
                error.to_string().contains("not a regular file"),
                "{name}: {error}"
            );
        }
    }
}
