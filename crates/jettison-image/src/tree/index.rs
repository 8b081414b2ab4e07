//! One layer's entries, held compactly: about 60 bytes an entry beside its
//! path, so that half a million of them fit where an unpacked image would not.
//!
//! An index is made once per layer and shared by every tree and every report
//! that needs it. PAX records are not held: whoever copies an entry reads it
//! from the layer again.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;

use crate::layer::Change;
use crate::{Entry, EntryKind, Error, ImagePath, Limits, Metadata, Timestamp};

/// What is left of the limits that all layers of an image share.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    entries: AtomicU64,
    name_bytes: AtomicU64,
    unpacked_bytes: AtomicU64,
}

/// The entries of one layer in the order of the layer.
#[derive(Debug, Default)]
pub struct LayerIndex {
    arena: Vec<u8>,
    records: Vec<Record>,
    attributes: Vec<Attributes>,
    contents: Vec<ContentHash>,
}

/// Collects a [`LayerIndex`].
#[derive(Debug)]
pub struct LayerIndexBuilder {
    index: LayerIndex,
    /// Places in the index's attributes, found by what stands there.
    interned: HashTable<u32>,
    hasher: RandomState,
    budget: Arc<Budget>,
}

/// One entry of an index.
#[derive(Debug, Clone, Copy)]
pub struct IndexEntry<'a> {
    index: &'a LayerIndex,
    record: &'a Record,
}

/// What an entry or node is; the same as [`EntryKind`] with borrowed targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind<'a> {
    /// A regular file of this apparent size.
    File {
        /// Apparent size.
        size_bytes: u64,
    },
    /// A second name; only entries are that, nodes show what they name.
    HardLink {
        /// The first name, as an [`ImagePath`] has it.
        target: &'a [u8],
    },
    /// A symbolic link.
    Symlink {
        /// The target as written.
        target: &'a [u8],
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

/// A piece of an index's arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) path: Span,
    pub(super) kind: RecordKind,
    pub(super) effect: Effect,
    pub(super) ordinal: u32,
    attributes: u32,
    mtime: Timestamp,
    /// Place in `LayerIndex::contents`, or [`NO_CONTENT`].
    content: u32,
}

const NO_CONTENT: u32 = u32::MAX;

/// A [`Change`] whose path follows from the entry's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Put,
    Whiteout,
    Opaque,
    Ignored,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RecordKind {
    File { size_bytes: u64 },
    HardLink { target: Span },
    Symlink { target: Span },
    Directory,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// A hash of a file's content. Fast hashes tell honest duplicates; they
/// withstand no attacker and identify nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentHash {
    /// SHA-256.
    Sha256([u8; 32]),
    /// XXH3, 128 bits.
    Fast([u8; 16]),
}

/// What many entries have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Attributes {
    mode: u32,
    uid: u64,
    gid: u64,
    uname: Box<[u8]>,
    gname: Box<[u8]>,
    xattrs: BTreeMap<Box<[u8]>, Box<[u8]>>,
}

impl Attributes {
    /// What they take in memory, about.
    fn held_bytes(&self) -> usize {
        /// A node of a map has room for eleven.
        const NODE_BYTES: usize = 400;
        let values = self.xattrs.iter().map(|(k, v)| k.len() + v.len());
        let nodes = self.xattrs.len().div_ceil(11) * NODE_BYTES;
        let names = self.uname.len() + self.gname.len();
        size_of::<Self>() + names + values.sum::<usize>() + nodes
    }
}

impl Budget {
    /// The whole of the limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            entries: AtomicU64::new(0),
            name_bytes: AtomicU64::new(0),
            unpacked_bytes: AtomicU64::new(0),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn take_entry(&self, what: impl Fn() -> String) -> Result<(), Error> {
        if self.entries.fetch_add(1, Ordering::Relaxed) < self.limits.entries {
            return Ok(());
        }
        Err(Error::Limit {
            what: what(),
            limit: self.limits.entries,
            unit: "entries",
            flag: "entries",
        })
    }

    fn take_content(&self, bytes: u64, what: impl Fn() -> String) -> Result<(), Error> {
        // Each layer's reader holds it to the limit, so the sum cannot overflow
        // before this notices.
        let before = self.unpacked_bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= self.limits.unpacked_bytes {
            return Ok(());
        }
        Err(Error::Limit {
            what: what(),
            limit: self.limits.unpacked_bytes,
            unit: "unpacked bytes",
            flag: "unpacked-bytes",
        })
    }

    fn take_names(&self, bytes: usize, what: impl Fn() -> String) -> Result<(), Error> {
        let before = self.name_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if before.saturating_add(bytes as u64) <= self.limits.name_bytes {
            return Ok(());
        }
        Err(Error::Limit {
            what: what(),
            limit: self.limits.name_bytes,
            unit: "bytes of names and attributes",
            flag: "name-bytes",
        })
    }
}

impl LayerIndexBuilder {
    /// Starts an index. Layers of one image share one budget.
    pub fn new(budget: Arc<Budget>) -> Self {
        Self {
            index: LayerIndex::default(),
            interned: HashTable::new(),
            hasher: RandomState::new(),
            budget,
        }
    }

    /// Adds the next entry of the layer. `ordinal` is its place among all
    /// entries of the layer.
    pub fn push(
        &mut self,
        entry: &Entry,
        ordinal: u32,
        content: Option<ContentHash>,
    ) -> Result<(), Error> {
        let what = || entry.path.display().to_string();
        self.budget.take_entry(what)?;
        if let EntryKind::File { size_bytes } = entry.kind {
            self.budget.take_content(size_bytes, what)?;
        }
        let target = match &entry.kind {
            EntryKind::HardLink { target } => target.as_bytes(),
            EntryKind::Symlink { target } => target,
            _ => &[],
        };
        self.budget
            .take_names(entry.path.as_bytes().len() + target.len(), what)?;
        let path = self.keep(entry.path.as_bytes(), &entry.path)?;
        let target = self.keep(target, &entry.path)?;
        let kind = match entry.kind {
            EntryKind::File { size_bytes } => RecordKind::File { size_bytes },
            EntryKind::HardLink { .. } => RecordKind::HardLink { target },
            EntryKind::Symlink { .. } => RecordKind::Symlink { target },
            EntryKind::Directory => RecordKind::Directory,
            EntryKind::CharDevice { major, minor } => RecordKind::CharDevice { major, minor },
            EntryKind::BlockDevice { major, minor } => RecordKind::BlockDevice { major, minor },
            EntryKind::Fifo => RecordKind::Fifo,
        };
        let effect = match Change::of(&entry.path, &entry.kind)? {
            Change::Put => Effect::Put,
            Change::Whiteout(_) => Effect::Whiteout,
            Change::Opaque(_) => Effect::Opaque,
            Change::Ignored => Effect::Ignored,
        };
        let attributes = self.intern(&entry.metadata, what)?;
        let mtime = entry.metadata.mtime;
        let content = content.map_or(NO_CONTENT, |hash| {
            self.index.contents.push(hash);
            // There are no more hashes than entries, whose number is a u32.
            (self.index.contents.len() - 1) as u32
        });
        self.index.records.push(Record {
            path,
            kind,
            effect,
            ordinal,
            attributes,
            mtime,
            content,
        });
        Ok(())
    }

    /// The finished index.
    pub fn finish(mut self) -> LayerIndex {
        self.index.arena.shrink_to_fit();
        self.index.contents.shrink_to_fit();
        self.index.records.shrink_to_fit();
        self.index
    }

    fn keep(&mut self, bytes: &[u8], path: &ImagePath) -> Result<Span, Error> {
        let start = u32::try_from(self.index.arena.len());
        let len = u32::try_from(bytes.len());
        let (Ok(start), Ok(len)) = (start, len) else {
            return Err(Error::malformed(
                path.display().to_string(),
                "names exceed 4 GiB",
            ));
        };
        self.index.arena.extend_from_slice(bytes);
        Ok(Span { start, len })
    }

    fn intern(&mut self, metadata: &Metadata, what: impl Fn() -> String) -> Result<u32, Error> {
        let attributes = Attributes {
            mode: metadata.mode,
            uid: metadata.uid,
            gid: metadata.gid,
            uname: metadata.uname.clone(),
            gname: metadata.gname.clone(),
            xattrs: metadata.xattrs.clone(),
        };
        let (hasher, known) = (&self.hasher, &mut self.index.attributes);
        let hash = hasher.hash_one(&attributes);
        let place = self
            .interned
            .find(hash, |&at| known[at as usize] == attributes);
        if let Some(&place) = place {
            return Ok(place);
        }
        self.budget.take_names(attributes.held_bytes(), what)?;
        let next = known.len() as u32;
        known.push(attributes);
        let hash_of = |&at: &u32| hasher.hash_one(&known[at as usize]);
        self.interned.insert_unique(hash, next, hash_of);
        Ok(next)
    }
}

impl LayerIndex {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entries in the order of the layer.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = IndexEntry<'_>> {
        self.records.iter().map(|record| IndexEntry {
            index: self,
            record,
        })
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        &self.arena[span.start as usize..][..span.len as usize]
    }

    pub(crate) fn entry(&self, record: u32) -> IndexEntry<'_> {
        IndexEntry {
            index: self,
            record: &self.records[record as usize],
        }
    }
}

impl<'a> IndexEntry<'a> {
    /// The path's bytes as an [`ImagePath`] has them.
    pub fn path_bytes(&self) -> &'a [u8] {
        self.index.bytes(self.record.path)
    }

    /// The entry's place among all entries of its layer.
    pub fn ordinal(&self) -> u32 {
        self.record.ordinal
    }

    /// What it is.
    pub fn kind(&self) -> NodeKind<'a> {
        match self.record.kind {
            RecordKind::File { size_bytes } => NodeKind::File { size_bytes },
            RecordKind::HardLink { target } => NodeKind::HardLink {
                target: self.index.bytes(target),
            },
            RecordKind::Symlink { target } => NodeKind::Symlink {
                target: self.index.bytes(target),
            },
            RecordKind::Directory => NodeKind::Directory,
            RecordKind::CharDevice { major, minor } => NodeKind::CharDevice { major, minor },
            RecordKind::BlockDevice { major, minor } => NodeKind::BlockDevice { major, minor },
            RecordKind::Fifo => NodeKind::Fifo,
        }
    }

    /// Permission bits.
    pub fn mode(&self) -> u32 {
        self.attributes().mode
    }

    /// Owner and group.
    pub fn owner(&self) -> (u64, u64) {
        (self.attributes().uid, self.attributes().gid)
    }

    /// Last change of the content.
    pub fn mtime(&self) -> Timestamp {
        self.record.mtime
    }

    /// Extended attributes.
    pub fn xattrs(&self) -> &'a BTreeMap<Box<[u8]>, Box<[u8]>> {
        &self.attributes().xattrs
    }

    /// The content's hash, where hashing was asked for.
    pub fn content(&self) -> Option<ContentHash> {
        self.index
            .contents
            .get(self.record.content as usize)
            .copied()
    }

    /// The metadata as a layer's entry has it, PAX records aside.
    pub fn metadata(&self) -> Metadata {
        let attributes = self.attributes().clone();
        Metadata {
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            mtime: self.record.mtime,
            uname: attributes.uname,
            gname: attributes.gname,
            xattrs: attributes.xattrs,
            pax: BTreeMap::new(),
        }
    }

    pub(super) fn has_metadata_of(&self, other: &IndexEntry<'_>) -> bool {
        self.record.mtime == other.record.mtime && self.attributes() == other.attributes()
    }

    fn attributes(&self) -> &'a Attributes {
        &self.index.attributes[self.record.attributes as usize]
    }
}
