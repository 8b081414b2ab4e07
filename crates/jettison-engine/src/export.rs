//! The files of an image, on the host: as a directory, or as one archive.
//!
//! A directory belongs to whoever asks for it: owners, extended attributes,
//! setuid and setgid bits stay behind, device nodes are left out. Nothing is
//! written through a link that is there, and no directory is taken away for a
//! file. An archive has everything.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::layer::LayerWriter;
use jettison_image::{Error, Image, ImagePath, Node, NodeKind, Timestamp, escape};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::Context;
use crate::dockerfile::{FileSystem, LayerFiles, layers_of};
use crate::files::unique_name;
use crate::spool::SpoolError;
use crate::transport::FileOutput;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files, directories and links.
    pub entries: usize,
    /// Bytes of regular files, or of the archive.
    pub bytes: u64,
    /// Device nodes that were left out.
    pub left_out: usize,
}

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The image cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A file of the image cannot be read, or the archive not be written.
    #[error(transparent)]
    Image(#[from] Error),
    /// A file of the host cannot be written.
    #[error("{} cannot be written", escape(&path.to_string_lossy()))]
    Host {
        /// Which one.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Writes the files of an image that is in the store as one tar archive.
pub fn tar(image: &Image, sink: impl Write, context: &Context) -> Result<Exported, ExportError> {
    let files = LayerFiles::open(&layers_of(image), None, context)?;
    let options = EncoderOptions::new(Compression::None);
    let mut writer = LayerWriter::new(sink, &options)?;
    let nodes = || files.tree().iter().filter(|node| !node.path().is_root());
    // A second name comes after the first.
    let firsts = nodes().filter(Node::is_first_link);
    let others = nodes().filter(|node| !node.is_first_link());
    for node in firsts.chain(others) {
        match node.is_file() && node.is_first_link() {
            true => writer.append(&node.entry(), &mut files.open(node)?)?,
            false => writer.append_empty(&node.entry())?,
        }
    }
    let (built, _) = writer.finish()?;
    Ok(Exported {
        entries: usize::try_from(built.entries).unwrap_or(usize::MAX),
        bytes: built.size_bytes,
        left_out: 0,
    })
}

/// The same into a file, which appears when it is complete.
pub fn tar_file(image: &Image, path: &Path, context: &Context) -> Result<Exported, ExportError> {
    let failed = |source| ExportError::Host {
        path: path.to_owned(),
        source,
    };
    let mut output = FileOutput::create(path).map_err(failed)?;
    let exported = tar(image, &mut output, context)?;
    output.finish().map_err(failed)?;
    Ok(exported)
}

/// Writes the files of an image that is in the store into a directory, over what is there. What
/// the image does not name stays.
pub fn directory(image: &Image, path: &Path, context: &Context) -> Result<Exported, ExportError> {
    let files = LayerFiles::open(&layers_of(image), None, context)?;
    let failed = |source| ExportError::Host {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(path).map_err(failed)?;
    let root = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let root = Root {
        fd: root.map_err(|error| failed(error.into()))?,
    };
    let mut exported = Exported::default();
    let nodes = || files.tree().iter().filter(|node| !node.path().is_root());
    let firsts = nodes().filter(Node::is_first_link);
    let others = nodes().filter(|node| !node.is_first_link());
    for node in firsts.chain(others) {
        let put = root.put(node, &files);
        let put = put.map_err(|source| ExportError::Host {
            path: path.join(OsStr::from_bytes(node.path().as_bytes())),
            source,
        })?;
        match put {
            true => exported.entries += 1,
            false => exported.left_out += 1,
        }
        if node.is_file() && node.is_first_link() {
            exported.bytes = exported.bytes.saturating_add(node.size_bytes());
        }
    }
    // Modes and times of directories last: a closed one takes no more files,
    // and every file changes the time of its directory.
    let mut directories: Vec<Node<'_>> = nodes().filter(Node::is_directory).collect();
    directories.reverse();
    for node in directories {
        let closed = root.close(node);
        closed.map_err(|source| ExportError::Host {
            path: path.join(OsStr::from_bytes(node.path().as_bytes())),
            source,
        })?;
    }
    Ok(exported)
}

struct Root {
    fd: OwnedFd,
}

impl Root {
    /// A directory of ours below; never through a link.
    fn open(&self, path: &ImagePath) -> io::Result<OwnedFd> {
        let bytes = match path.as_bytes() {
            b"" => b".".as_slice(),
            bytes => bytes,
        };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        Ok(rustix::fs::openat2(
            &self.fd,
            bytes,
            flags,
            Mode::empty(),
            within,
        )?)
    }

    /// False for what a directory of the host does not get.
    fn put(&self, node: Node<'_>, files: &dyn FileSystem) -> io::Result<bool> {
        let parent = node.parent().map_or_else(ImagePath::root, |it| it.path());
        let parent = self.open(&parent)?;
        let name = node.name();
        if !node.is_first_link() {
            let first = node.first_link();
            let above = first.parent().map_or_else(ImagePath::root, |it| it.path());
            let above = self.open(&above)?;
            remove(&parent, name)?;
            rustix::fs::linkat(&above, first.name(), &parent, name, AtFlags::empty())?;
            return Ok(true);
        }
        match node.kind() {
            NodeKind::Directory => make_directory(&parent, name)?,
            NodeKind::File { .. } | NodeKind::HardLink { .. } => {
                put_file(&parent, name, node, files)?;
            }
            NodeKind::Symlink { target } => {
                remove(&parent, name)?;
                rustix::fs::symlinkat(target, &parent, name)?;
                let times = times(node.mtime());
                rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            NodeKind::Fifo => {
                remove(&parent, name)?;
                let mode = mode(node);
                rustix::fs::mknodat(&parent, name, FileType::Fifo, mode, 0)?;
            }
            NodeKind::CharDevice { .. } | NodeKind::BlockDevice { .. } => return Ok(false),
        }
        Ok(true)
    }

    fn close(&self, node: Node<'_>) -> io::Result<()> {
        let directory = self.open(&node.path())?;
        rustix::fs::fchmod(&directory, mode(node))?;
        Ok(rustix::fs::futimens(&directory, &times(node.mtime()))?)
    }
}

fn make_directory(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let is_directory =
        |found: rustix::fs::Stat| FileType::from_raw_mode(found.st_mode) == FileType::Directory;
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if is_directory(found) => {
            // One that an earlier build closed is opened for this one; another
            // user's tells when a file comes.
            if found.st_mode & 0o700 != 0o700 {
                let open = Mode::from_raw_mode(0o700);
                let _ = rustix::fs::chmodat(parent, name, open, AtFlags::empty());
            }
            return Ok(());
        }
        Ok(_) => rustix::fs::unlinkat(parent, name, AtFlags::empty())?,
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::mkdirat(
        parent,
        name,
        Mode::from_raw_mode(0o700),
    )?)
}

/// Beside its place first, then renamed: a half is never seen.
fn put_file(
    parent: &OwnedFd,
    name: &[u8],
    node: Node<'_>,
    files: &dyn FileSystem,
) -> io::Result<()> {
    let temporary = unique_name(".jettison-");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, &*temporary, flags, Mode::from_raw_mode(0o600))?;
    let mut file = File::from(file);
    let written = (|| {
        let mut content = files.open(node).map_err(io::Error::other)?;
        // Past its end, where its hash is compared.
        let most = node.size_bytes().saturating_add(1);
        let copied = io::copy(&mut content.by_ref().take(most), &mut file)?;
        if copied != node.size_bytes() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        rustix::fs::fchmod(file.as_fd(), mode(node))?;
        rustix::fs::futimens(file.as_fd(), &times(node.mtime()))?;
        Ok(rustix::fs::renameat(parent, &*temporary, parent, name)?)
    })();
    if written.is_err() {
        let _ = rustix::fs::unlinkat(parent, &*temporary, AtFlags::empty());
    }
    written
}

/// Makes room for a link; a directory is not taken away for one.
fn remove(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Setuid would be of another user here.
fn mode(node: Node<'_>) -> Mode {
    Mode::from_raw_mode(node.mode() & 0o1777)
}

fn times(mtime: Timestamp) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime.seconds,
        tv_nsec: mtime.nanoseconds.into(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
