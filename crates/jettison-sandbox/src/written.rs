//! What a container wrote: the upper layer of its overlay as a list.

use std::ffi::OsString;

use crate::wire::{Wire, wire_struct};

/// One path that a container created, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The path inside the root, without a leading slash.
    pub path: OsString,
    /// What happened.
    pub change: Change,
    /// The permission bits; 0 for a removed path.
    pub mode: u32,
    /// The size of a file.
    pub size_bytes: u64,
    /// The SHA-256 of a file's content, or of a link's target.
    pub sha256: Option<Vec<u8>>,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A file was created or changed.
    File,
    /// A directory was created, or its mode or owner was changed.
    Directory,
    /// A symbolic link was created.
    Symlink,
    /// A device, socket or pipe was created.
    Special,
    /// It was removed.
    Removed,
}

wire_struct!(Written {
    path,
    change,
    mode,
    size_bytes,
    sha256
});

impl Wire for Change {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::File => 0,
            Self::Directory => 1,
            Self::Symlink => 2,
            Self::Special => 3,
            Self::Removed => 4,
        });
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        [
            Self::File,
            Self::Directory,
            Self::Symlink,
            Self::Special,
            Self::Removed,
        ]
        .get(usize::from(u8::take(input)?))
        .copied()
    }
}
