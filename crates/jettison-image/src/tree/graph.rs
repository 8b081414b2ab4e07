//! A directory tree that can be changed, while layers are merged.
//!
//! Directory entries and inodes are apart, so that hard links share one inode
//! and a link outlives the name it was made from. Children are found by one
//! hash table over (directory, name); a list threads the children of each
//! directory for removal and for the final order.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::index::{LayerIndex, RecordKind, Span};

/// No such thing.
pub(super) const NONE: u32 = u32::MAX;
/// The root of every graph.
pub(super) const ROOT: u32 = 0;

/// A piece of one layer's arena: every name is the part of some path or link
/// target that a layer wrote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) layer: u32,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) struct Dentry {
    pub(super) parent: u32,
    pub(super) name: Name,
    /// [`NONE`] for a whiteout that nothing of its own layer covers.
    pub(super) inode: u32,
    /// The layer and record that placed this name; the record is [`NONE`] for
    /// a directory that no entry names.
    pub(super) layer: u32,
    pub(super) record: u32,
    pub(super) first_child: u32,
    pub(super) next_sibling: u32,
    pub(super) depth: u32,
    pub(super) alive: bool,
    /// Hides what lower layers have under this name.
    pub(super) whiteout: bool,
    /// Hides what lower layers have inside this directory.
    pub(super) opaque: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Inode {
    /// The entry that carries content and metadata; the record is [`NONE`]
    /// for a directory that no entry names.
    pub(super) layer: u32,
    pub(super) record: u32,
    /// The entry whose metadata counts: unpacking a hard link sets owner,
    /// mode and times of the file it names, so the last link decides.
    pub(super) described: (u32, u32),
    pub(super) links: u32,
    /// The layer that removed the last name; [`NONE`] while one is there.
    pub(super) hidden_by: u32,
}

/// The inodes of all layers.
#[derive(Debug, Default)]
pub(super) struct Inodes(pub(super) Vec<Inode>);

pub(super) struct Graph {
    pub(super) dentries: Vec<Dentry>,
    lookup: HashTable<u32>,
    hasher: RandomState,
}

impl Inodes {
    pub(super) fn add(&mut self, layer: u32, record: u32) -> u32 {
        self.0.push(Inode {
            layer,
            record,
            described: (layer, record),
            links: 0,
            hidden_by: NONE,
        });
        (self.0.len() - 1) as u32
    }

    pub(super) fn link(&mut self, inode: u32) {
        self.0[inode as usize].links += 1;
        self.0[inode as usize].hidden_by = NONE;
    }

    pub(super) fn unlink(&mut self, inode: u32, by_layer: u32) {
        let inode = &mut self.0[inode as usize];
        inode.links -= 1;
        if inode.links == 0 {
            inode.hidden_by = by_layer;
        }
    }

    pub(super) fn kind(&self, inode: u32, layers: &[Arc<LayerIndex>]) -> RecordKind {
        let inode = &self.0[inode as usize];
        match inode.record {
            NONE => RecordKind::Directory,
            record => layers[inode.layer as usize].records()[record as usize].kind,
        }
    }

    pub(super) fn is_directory(&self, inode: u32, layers: &[Arc<LayerIndex>]) -> bool {
        inode != NONE && matches!(self.kind(inode, layers), RecordKind::Directory)
    }
}

pub(super) fn name_bytes(name: Name, layers: &[Arc<LayerIndex>]) -> &[u8] {
    match name.span.len {
        0 => &[],
        _ => layers[name.layer as usize].bytes(name.span),
    }
}

impl Graph {
    /// A graph with a root that no entry names.
    pub(super) fn new(layer: u32, inodes: &mut Inodes) -> Self {
        let inode = inodes.add(layer, NONE);
        inodes.link(inode);
        let root = Dentry {
            parent: ROOT,
            name: Name {
                layer: 0,
                span: Span { start: 0, len: 0 },
            },
            inode,
            layer,
            record: NONE,
            first_child: NONE,
            next_sibling: NONE,
            depth: 0,
            alive: true,
            whiteout: false,
            opaque: false,
        };
        Self {
            dentries: vec![root],
            lookup: HashTable::new(),
            hasher: RandomState::new(),
        }
    }

    /// The path of a name, without a leading slash.
    pub(super) fn path(&self, mut id: u32, layers: &[Arc<LayerIndex>]) -> Vec<u8> {
        let mut names = Vec::new();
        while id != ROOT {
            let dentry = self.dentry(id);
            names.push(name_bytes(dentry.name, layers));
            id = dentry.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    pub(super) fn dentry(&self, id: u32) -> &Dentry {
        &self.dentries[id as usize]
    }

    pub(super) fn dentry_mut(&mut self, id: u32) -> &mut Dentry {
        &mut self.dentries[id as usize]
    }

    pub(super) fn child(
        &self,
        parent: u32,
        name: &[u8],
        layers: &[Arc<LayerIndex>],
    ) -> Option<u32> {
        let hash = self.hasher.hash_one((parent, name));
        let found = self.lookup.find(hash, |&id| {
            let dentry = self.dentry(id);
            dentry.parent == parent && name_bytes(dentry.name, layers) == name
        });
        found.copied()
    }

    /// Adds a name that is not there yet. `inode` may be [`NONE`]; a link to
    /// it must have been counted by the caller.
    pub(super) fn add(
        &mut self,
        parent: u32,
        name: Name,
        (layer, record): (u32, u32),
        inode: u32,
        layers: &[Arc<LayerIndex>],
    ) -> u32 {
        let id = self.dentries.len() as u32;
        self.dentries.push(Dentry {
            parent,
            name,
            inode,
            layer,
            record,
            first_child: NONE,
            next_sibling: self.dentry(parent).first_child,
            depth: self.dentry(parent).depth + 1,
            alive: true,
            whiteout: false,
            opaque: false,
        });
        self.dentry_mut(parent).first_child = id;
        let (hasher, dentries) = (&self.hasher, &self.dentries);
        let hash_of = |id: &u32| {
            let dentry = &dentries[*id as usize];
            hasher.hash_one((dentry.parent, name_bytes(dentry.name, layers)))
        };
        self.lookup.insert_unique(hash_of(&id), id, hash_of);
        id
    }

    /// The children that are there, in no order.
    pub(super) fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let first = self.dentry(parent).first_child;
        let next = |&id: &u32| Some(self.dentry(id).next_sibling).filter(|&id| id != NONE);
        std::iter::successors(Some(first).filter(|&id| id != NONE), next)
            .filter(|&id| self.dentry(id).alive)
    }

    /// Removes a name and everything below it.
    pub(super) fn remove(
        &mut self,
        id: u32,
        by_layer: u32,
        inodes: &mut Inodes,
        layers: &[Arc<LayerIndex>],
    ) {
        self.clear(id, by_layer, inodes, layers);
        self.remove_single(id, by_layer, inodes, layers);
    }

    /// Removes everything below a name. Each name is removed once in its
    /// life, so all calls together take time in the number of names.
    pub(super) fn clear(
        &mut self,
        id: u32,
        by_layer: u32,
        inodes: &mut Inodes,
        layers: &[Arc<LayerIndex>],
    ) {
        let mut doomed = Vec::new();
        let mut open = vec![id];
        while let Some(directory) = open.pop() {
            let mut child = std::mem::replace(&mut self.dentry_mut(directory).first_child, NONE);
            while child != NONE {
                if self.dentry(child).alive {
                    doomed.push(child);
                    open.push(child);
                }
                child = self.dentry(child).next_sibling;
            }
        }
        for id in doomed {
            // Its children are listed nowhere any more.
            self.remove_single(id, by_layer, inodes, layers);
        }
    }

    fn remove_single(
        &mut self,
        id: u32,
        by_layer: u32,
        inodes: &mut Inodes,
        layers: &[Arc<LayerIndex>],
    ) {
        let hash = {
            let dentry = self.dentry(id);
            self.hasher
                .hash_one((dentry.parent, name_bytes(dentry.name, layers)))
        };
        if let Ok(found) = self.lookup.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        let dentry = self.dentry_mut(id);
        dentry.alive = false;
        if dentry.inode != NONE {
            inodes.unlink(dentry.inode, by_layer);
        }
    }
}
