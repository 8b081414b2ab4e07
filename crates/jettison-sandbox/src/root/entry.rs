//! An entry of a root as it travels to the extractor.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use jettison_image::{Entry, EntryKind, ImagePath, Metadata, Timestamp};

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
    /// The overlay's mark for a path that is removed from the layers below.
    Whiteout,
    /// The directory shows nothing of the layers below.
    Opaque,
}

impl RootEntry {
    /// One of the overlay's marks.
    pub(crate) fn mark(path: &ImagePath, kind: RootKind) -> Self {
        let mut entry = Self::new(path, &EntryKind::Fifo, &Metadata::default());
        entry.kind = kind;
        entry
    }

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

    /// Back to an entry; none for the marks and for what is no path.
    pub(crate) fn into_entry(self, size_bytes: u64) -> Option<Entry> {
        let path = ImagePath::new(self.path.as_bytes()).ok()?;
        let (major, minor) = self.device;
        let kind = match self.kind {
            RootKind::File => EntryKind::File { size_bytes },
            RootKind::HardLink => EntryKind::HardLink {
                target: ImagePath::new(self.target.as_bytes()).ok()?,
            },
            RootKind::Symlink => EntryKind::Symlink {
                target: self.target.into_vec(),
            },
            RootKind::Directory => EntryKind::Directory,
            RootKind::CharDevice => EntryKind::CharDevice { major, minor },
            RootKind::BlockDevice => EntryKind::BlockDevice { major, minor },
            RootKind::Fifo => EntryKind::Fifo,
            RootKind::Whiteout | RootKind::Opaque => return None,
        };
        let metadata = Metadata {
            mode: self.mode,
            uid: self.owner.0,
            gid: self.owner.1,
            mtime: Timestamp {
                seconds: self.mtime.0,
                nanoseconds: self.mtime.1,
            },
            xattrs: self
                .xattrs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Metadata::default()
        };
        Some(Entry {
            path,
            kind,
            metadata,
        })
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
            Self::Whiteout,
            Self::Opaque,
        ]
        .get(usize::from(u8::take(input)?))
        .copied()
    }
}
