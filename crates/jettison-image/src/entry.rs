//! One entry of a layer: a path with its kind and metadata.

use std::collections::BTreeMap;

use crate::ImagePath;

/// One entry of a layer, content aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies.
    pub path: ImagePath,
    /// What it is.
    pub kind: EntryKind,
    /// Everything else that a layer says about it.
    pub metadata: Metadata,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file; `size_bytes` is the size a reader of the file sees,
    /// holes of a sparse file included.
    File {
        /// Apparent size.
        size_bytes: u64,
    },
    /// A second name for a file of the same or a lower layer.
    HardLink {
        /// The first name.
        target: ImagePath,
    },
    /// A symbolic link; the target's bytes are kept exactly.
    Symlink {
        /// The target as written.
        target: Vec<u8>,
    },
    /// A directory.
    Directory,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// Owner, mode, times and extended attributes of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Permission bits with setuid, setgid and sticky, at most 0o7777.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Last change of the content.
    pub mtime: Timestamp,
    /// Owner's name as the archive writes it; often empty.
    pub uname: Box<[u8]>,
    /// Group's name as the archive writes it; often empty.
    pub gname: Box<[u8]>,
    /// Extended attributes (`SCHILY.xattr.*`), `security.capability` among them.
    pub xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
    /// Other PAX records (`atime`, `ctime`, vendor keys), kept as they are.
    pub pax: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

/// Seconds since 1970 with nanoseconds; negative seconds are before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Timestamp {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 to 999 999 999, added to the seconds.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// A time in whole seconds.
    pub fn from_seconds(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }
}
