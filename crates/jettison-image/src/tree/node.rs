//! One place in a tree.

use std::collections::BTreeMap;
use std::fmt;

use super::graph::{NONE, ROOT, name_bytes};
use super::{ContentHash, IndexEntry, InodeRecord, NodeKind, NodeRecord, Tree};
use crate::{Digest, Entry, EntryKind, ImagePath, Metadata, Timestamp};

/// A node of a [`Tree`]; a cheap handle.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    id: u32,
}

/// Where in the layers something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The layer, 0 the lowest.
    pub layer: u32,
    /// The entry's ordinal in that layer.
    pub entry: u32,
}

impl<'t> Node<'t> {
    pub(super) fn new(tree: &'t Tree, id: u32) -> Self {
        Self { tree, id }
    }

    /// The node's place in the order of the tree.
    pub fn id(&self) -> usize {
        self.id as usize
    }

    /// The last component of its path; empty for the root.
    pub fn name(&self) -> &'t [u8] {
        name_bytes(self.record().name, &self.tree.layers)
    }

    /// Its path.
    pub fn path(&self) -> ImagePath {
        let mut names: Vec<_> = self.ancestors().map(|node| node.name()).collect();
        names.reverse();
        ImagePath::from_components(&names)
    }

    /// What it is; never a hard link, which shows the file it names.
    pub fn kind(&self) -> NodeKind<'t> {
        self.content_entry()
            .map_or(NodeKind::Directory, |entry| entry.kind())
    }

    /// True for directories.
    pub fn is_directory(&self) -> bool {
        self.kind() == NodeKind::Directory
    }

    /// True for regular files.
    pub fn is_file(&self) -> bool {
        matches!(self.kind(), NodeKind::File { .. })
    }

    /// Apparent size of a regular file; 0 for everything else.
    pub fn size_bytes(&self) -> u64 {
        match self.kind() {
            NodeKind::File { size_bytes } => size_bytes,
            _ => 0,
        }
    }

    /// The target of a symbolic link, as written.
    pub fn link_target(&self) -> Option<&'t [u8]> {
        match self.kind() {
            NodeKind::Symlink { target } => Some(target),
            _ => None,
        }
    }

    /// The layer that put this name here, 0 the lowest.
    pub fn layer(&self) -> u32 {
        self.record().layer
    }

    /// The entry that put this name here; none for a directory that no entry
    /// names. For a hard link it is the link's own entry.
    pub fn origin(&self) -> Option<Origin> {
        self.origin_of(self.record().layer, self.record().record)
    }

    /// The entry that carries content and metadata: for a hard link, the one
    /// of its first name, in the same or a lower layer.
    pub fn content_origin(&self) -> Option<Origin> {
        self.origin_of(self.inode().layer, self.inode().record)
    }

    /// Layer and record of the entry that carries the content.
    pub(crate) fn content_record(&self) -> Option<(u32, u32)> {
        let inode = self.inode();
        (inode.record != NONE).then_some((inode.layer, inode.record))
    }

    /// Permission bits.
    pub fn mode(&self) -> u32 {
        self.described_entry().map_or(0o755, |entry| entry.mode())
    }

    /// Owner and group.
    pub fn owner(&self) -> (u64, u64) {
        self.described_entry().map_or((0, 0), |entry| entry.owner())
    }

    /// Last change of the content.
    pub fn mtime(&self) -> Timestamp {
        self.described_entry()
            .map_or(Timestamp::default(), |entry| entry.mtime())
    }

    /// Extended attributes.
    pub fn xattrs(&self) -> &'t BTreeMap<Box<[u8]>, Box<[u8]>> {
        static NO_XATTRS: BTreeMap<Box<[u8]>, Box<[u8]>> = BTreeMap::new();
        self.described_entry()
            .map_or(&NO_XATTRS, |entry| entry.xattrs())
    }

    /// All metadata, PAX records aside; root's, 0755, for a directory that no
    /// entry names.
    pub fn metadata(&self) -> Metadata {
        match self.described_entry() {
            Some(entry) => entry.metadata(),
            None => Metadata {
                mode: 0o755,
                ..Metadata::default()
            },
        }
    }

    /// Whether all metadata are the same as another node's, PAX records aside.
    pub fn has_metadata_of(&self, other: &Node<'_>) -> bool {
        match (self.described_entry(), other.described_entry()) {
            (Some(own), Some(other)) => own.has_metadata_of(&other),
            _ => self.metadata() == other.metadata(),
        }
    }

    /// The content's hash, where hashing was asked for.
    pub fn content(&self) -> Option<ContentHash> {
        self.content_entry()?.content()
    }

    /// The content's SHA-256, where it was asked for.
    pub fn sha256(&self) -> Option<Digest> {
        match self.content()? {
            ContentHash::Sha256(hash) => Some(Digest::from_sha256(hash)),
            ContentHash::Fast(_) => None,
        }
    }

    /// Names that this node's file has in the tree.
    pub fn links(&self) -> u32 {
        self.inode().links
    }

    /// True for the first name of a file, and for everything that has only
    /// one: counting these counts every file once.
    pub fn is_first_link(&self) -> bool {
        self.inode().first_node == self.id
    }

    /// The first name of the same file.
    pub fn first_link(&self) -> Node<'t> {
        self.tree.node(self.inode().first_node)
    }

    /// The entry that would write this node into a layer of its own: a hard
    /// link for every name of a file but the first.
    pub fn entry(&self) -> Entry {
        self.entry_beside(self.first_link())
    }

    /// The entry that would write this node into a layer that has the file
    /// under the name of `carrier`, which may be this one.
    pub fn entry_beside(&self, carrier: Node<'_>) -> Entry {
        let kind = match self.kind() {
            _ if *self != carrier => EntryKind::HardLink {
                target: carrier.path(),
            },
            NodeKind::File { size_bytes } => EntryKind::File { size_bytes },
            NodeKind::Symlink { target } => EntryKind::Symlink {
                target: target.to_vec(),
            },
            // Nodes show what a hard link names.
            NodeKind::Directory | NodeKind::HardLink { .. } => EntryKind::Directory,
            NodeKind::CharDevice { major, minor } => EntryKind::CharDevice { major, minor },
            NodeKind::BlockDevice { major, minor } => EntryKind::BlockDevice { major, minor },
            NodeKind::Fifo => EntryKind::Fifo,
        };
        Entry {
            path: self.path(),
            kind,
            metadata: self.metadata(),
        }
    }

    /// The directory that holds it; none for the root.
    pub fn parent(&self) -> Option<Node<'t>> {
        (self.id != ROOT).then(|| self.tree.node(self.record().parent))
    }

    /// What a directory holds, in byte order of the names.
    pub fn children(
        &self,
    ) -> impl ExactSizeIterator<Item = Node<'t>> + DoubleEndedIterator + use<'t> {
        let tree = self.tree;
        self.child_ids().iter().map(move |&id| tree.node(id))
    }

    /// The child of this name.
    pub fn child(&self, name: &[u8]) -> Option<Node<'t>> {
        let ids = self.child_ids();
        let at = ids
            .binary_search_by(|&id| self.tree.node(id).name().cmp(name))
            .ok()?;
        Some(self.tree.node(ids[at]))
    }

    /// This node and everything below it, in the order of the tree.
    pub fn subtree(&self) -> impl ExactSizeIterator<Item = Node<'t>> + use<'t> {
        let tree = self.tree;
        (self.id..self.record().end).map(move |id| tree.node(id))
    }

    /// This node and what holds it, up to the root, which is left out.
    fn ancestors(self) -> impl Iterator<Item = Node<'t>> {
        std::iter::successors(Some(self), Node::parent).filter(|node| node.id != ROOT)
    }

    fn child_ids(&self) -> &'t [u32] {
        let record = self.record();
        &self.tree.children[record.first_child as usize..][..record.child_count as usize]
    }

    fn content_entry(&self) -> Option<IndexEntry<'t>> {
        self.entry_of(self.inode().layer, self.inode().record)
    }

    fn described_entry(&self) -> Option<IndexEntry<'t>> {
        let (layer, record) = self.inode().described;
        self.entry_of(layer, record)
    }

    fn entry_of(&self, layer: u32, record: u32) -> Option<IndexEntry<'t>> {
        let index = self.tree.layers.get(layer as usize)?;
        (record != NONE).then(|| index.entry(record))
    }

    fn origin_of(&self, layer: u32, record: u32) -> Option<Origin> {
        let entry = self.entry_of(layer, record)?.ordinal();
        Some(Origin { layer, entry })
    }

    fn record(&self) -> &'t NodeRecord {
        &self.tree.nodes[self.id as usize]
    }

    fn inode(&self) -> &'t InodeRecord {
        &self.tree.inodes[self.record().inode as usize]
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

impl Eq for Node<'_> {}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.path(), self.kind())
    }
}
