//! An entry of a root as it travels to the extractor.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use jettison_image::{Entry, EntryKind, ImagePath, Metadata};

use crate::wire::{Wire, wire_struct};

/// Path, kind and metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootEntry {
    pub(crate) path: OsString,
    pub(crate) kind: RootKind,
    /// Target of a link.
    pub(crate) target: OsString,
    /// Device number.
    pub(crate) device: (u32, u32),
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: (i64, u32),
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootKind {
    File,
    HardLink,
    Symlink,
    Directory,
    CharDevice,
    BlockDevice,
    Fifo,
}

impl RootEntry {
    pub(crate) fn from_entry(entry: &Entry) -> Self {
        Self::new(&entry.path, &entry.kind, &entry.metadata)
    }

    pub(crate) fn new(path: &ImagePath, kind: &EntryKind, metadata: &Metadata) -> Self {
        let (kind, target, device) = match kind {
            EntryKind::File { .. } => (RootKind::File, &b""[..], (0, 0)),
            EntryKind::HardLink { target } => (RootKind::HardLink, target.as_bytes(), (0, 0)),
            EntryKind::Symlink { target } => (RootKind::Symlink, &target[..], (0, 0)),
            EntryKind::Directory => (RootKind::Directory, &b""[..], (0, 0)),
            EntryKind::CharDevice { major, minor } => {
                (RootKind::CharDevice, &b""[..], (*major, *minor))
            }
            EntryKind::BlockDevice { major, minor } => {
                (RootKind::BlockDevice, &b""[..], (*major, *minor))
            }
            EntryKind::Fifo => (RootKind::Fifo, &b""[..], (0, 0)),
        };
        Self {
            path: OsString::from_vec(path.as_bytes().to_vec()),
            kind,
            target: OsString::from_vec(target.to_vec()),
            device,
            mode: metadata.mode & 0o7777,
            owner: (metadata.uid, metadata.gid),
            mtime: (metadata.mtime.seconds, metadata.mtime.nanoseconds),
            xattrs: metadata
                .xattrs
                .iter()
                .map(|(name, value)| (name.to_vec(), value.to_vec()))
                .collect(),
        }
    }

    /// The path for an error message, escaped.
    pub(crate) fn shown(&self) -> String {
        match ImagePath::new(self.path.as_bytes()) {
            Ok(path) => path.display().to_string(),
            Err(_) => self.path.to_string_lossy().escape_default().to_string(),
        }
    }
}

wire_struct!(RootEntry {
    path,
    kind,
    target,
    device,
    mode,
    owner,
    mtime,
    xattrs
});

impl Wire for RootKind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        [
            Self::File,
            Self::HardLink,
            Self::Symlink,
            Self::Directory,
            Self::CharDevice,
            Self::BlockDevice,
            Self::Fifo,
        ]
        .get(usize::from(u8::take(input)?))
        .copied()
    }
}
