//! The merged file system of an image.
//!
//! Every node knows the layer and the entry it comes from. The nodes lie in
//! one table, parents first and children in byte order of their names, so a
//! subtree is a range of it. Nothing is followed outside the root.

mod contents;
mod graph;
mod index;
mod merge;
mod node;
mod resolve;

use std::sync::Arc;

use crate::{Error, Limits};
use graph::{Graph, Inode, Inodes, NONE, Name, ROOT, name_bytes};

pub use contents::FileContents;
pub use index::{Budget, ContentHash, IndexEntry, LayerIndex, LayerIndexBuilder, NodeKind};
pub(crate) use merge::MOST_LINKS;
pub use node::{Node, Origin};
pub use resolve::{Follow, ResolveError};

/// The merged tree of an image's layers.
#[derive(Debug)]
pub struct Tree {
    layers: Vec<Arc<LayerIndex>>,
    nodes: Vec<NodeRecord>,
    /// The children of all directories, by name inside each.
    children: Vec<u32>,
    inodes: Vec<InodeRecord>,
    hidden: Vec<Hidden>,
}

/// A regular file that a layer ships and the finished tree does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The layer that ships it.
    pub layer: u32,
    /// Its place in that layer's [`LayerIndex`].
    pub record: u32,
    /// Its size.
    pub size_bytes: u64,
    /// The layer that removed or replaced its last name.
    pub hidden_by: u32,
}

#[derive(Debug)]
struct NodeRecord {
    parent: u32,
    name: Name,
    inode: u32,
    layer: u32,
    record: u32,
    /// The first node after the subtree.
    end: u32,
    first_child: u32,
    child_count: u32,
}

#[derive(Debug)]
struct InodeRecord {
    layer: u32,
    record: u32,
    described: (u32, u32),
    links: u32,
    /// The first node, in the order of the tree, that names it.
    first_node: u32,
}

impl Tree {
    /// Merges layers, lowest first.
    pub fn merge(layers: Vec<Arc<LayerIndex>>, limits: &Limits) -> Result<Self, Error> {
        let mut merger = merge::Merger::new(&layers, limits);
        for layer in 0..layers.len() as u32 {
            merger.apply(layer)?;
        }
        let merge::Merger {
            inodes,
            merged,
            shadow,
            ..
        } = merger;
        let hidden = hidden(&inodes, &shadow, &layers);
        let mut tree = Self {
            layers,
            nodes: Vec::new(),
            children: Vec::new(),
            inodes: Vec::new(),
            hidden,
        };
        tree.fill(&merged, &inodes);
        Ok(tree)
    }

    /// The root directory.
    pub fn root(&self) -> Node<'_> {
        self.node(ROOT)
    }

    /// Number of nodes, the root included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never true: a tree has a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node of exactly this path; no link is followed and `..` leads
    /// nowhere. A leading slash does not matter.
    pub fn get(&self, path: impl AsRef<[u8]>) -> Option<Node<'_>> {
        let mut components = path.as_ref().split(|&b| b == b'/');
        components.try_fold(self.root(), |node, name| match name {
            b"" | b"." => Some(node),
            name => node.child(name),
        })
    }

    /// All nodes, parents before what they hold, siblings in byte order of
    /// their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Node<'_>> + DoubleEndedIterator {
        (0..self.nodes.len() as u32).map(|id| self.node(id))
    }

    /// The node at this place in the order of the tree ([`Node::id`]).
    pub fn at(&self, id: usize) -> Option<Node<'_>> {
        (id < self.nodes.len()).then(|| self.node(id as u32))
    }

    /// The layers this tree was merged from.
    pub fn layers(&self) -> &[Arc<LayerIndex>] {
        &self.layers
    }

    /// The regular files that layers ship and this tree does not show, in no
    /// order that means anything.
    pub fn hidden(&self) -> &[Hidden] {
        &self.hidden
    }

    /// Bytes of the regular files that are visible, hard links counted once.
    pub fn visible_bytes(&self) -> u64 {
        self.iter()
            .filter(|node| node.is_first_link())
            .fold(0, |sum, node| sum.saturating_add(node.size_bytes()))
    }

    pub(crate) fn node(&self, id: u32) -> Node<'_> {
        Node::new(self, id)
    }

    /// Numbers the names of a graph, parents first and siblings by name.
    fn fill(&mut self, graph: &Graph, inodes: &Inodes) {
        let mut numbers = vec![NONE; inodes.0.len()];
        // Children are pushed in reverse, so that the first one is next.
        let mut open = vec![(ROOT, NONE)];
        let mut path: Vec<u32> = Vec::new();
        while let Some((dentry, parent)) = open.pop() {
            let id = self.nodes.len() as u32;
            while path.last().is_some_and(|&last| last != parent) {
                self.close(&mut path, id);
            }
            path.push(id);
            let from = graph.dentry(dentry);
            let inode = self.number(from.inode, inodes, &mut numbers, id);
            let mut names: Vec<u32> = graph.children(dentry).collect();
            names.sort_unstable_by(|&a, &b| {
                let name = |id| name_bytes(graph.dentry(id).name, &self.layers);
                name(b).cmp(name(a))
            });
            self.nodes.push(NodeRecord {
                parent: if parent == NONE { ROOT } else { parent },
                name: from.name,
                inode,
                layer: from.layer,
                record: from.record,
                end: 0,
                first_child: 0,
                child_count: names.len() as u32,
            });
            open.extend(names.into_iter().map(|child| (child, id)));
        }
        let end = self.nodes.len() as u32;
        while !path.is_empty() {
            self.close(&mut path, end);
        }
        self.list_children();
    }

    fn close(&mut self, path: &mut Vec<u32>, end: u32) {
        if let Some(id) = path.pop() {
            self.nodes[id as usize].end = end;
        }
    }

    fn number(&mut self, inode: u32, inodes: &Inodes, numbers: &mut [u32], node: u32) -> u32 {
        let number = &mut numbers[inode as usize];
        if *number == NONE {
            *number = self.inodes.len() as u32;
            let Inode {
                layer,
                record,
                described,
                ..
            } = &inodes.0[inode as usize];
            self.inodes.push(InodeRecord {
                layer: *layer,
                record: *record,
                described: *described,
                links: 0,
                first_node: node,
            });
        }
        self.inodes[*number as usize].links += 1;
        *number
    }

    fn list_children(&mut self) {
        let mut next = 0;
        for node in &mut self.nodes {
            node.first_child = next;
            next += node.child_count;
        }
        self.children = vec![0; next as usize];
        let mut filled = vec![0u32; self.nodes.len()];
        for id in 1..self.nodes.len() {
            let parent = self.nodes[id].parent as usize;
            let at = self.nodes[parent].first_child + filled[parent];
            self.children[at as usize] = id as u32;
            filled[parent] += 1;
        }
    }
}

/// Files whose last name went, and content that never had one.
fn hidden(inodes: &Inodes, shadow: &[(u32, u32)], layers: &[Arc<LayerIndex>]) -> Vec<Hidden> {
    let file = |layer: u32, record: u32, hidden_by: u32| {
        let entry = layers[layer as usize].entry(record);
        match entry.kind() {
            NodeKind::File { size_bytes } => Some(Hidden {
                layer,
                record,
                size_bytes,
                hidden_by,
            }),
            _ => None,
        }
    };
    let gone = inodes
        .0
        .iter()
        .filter(|inode| inode.links == 0 && inode.record != NONE)
        .filter_map(|inode| file(inode.layer, inode.record, inode.hidden_by));
    let never = shadow
        .iter()
        .filter_map(|&(layer, record)| file(layer, record, layer));
    gone.chain(never).collect()
}

#[cfg(test)]
mod tests;
