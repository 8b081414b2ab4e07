//! Which names of a tree stay.

use std::collections::BTreeMap;

use crate::tree::MOST_LINKS;
use crate::{ImageConfig, Node, Tree};

/// Directories that engines mount something on, or that programs expect to be
/// there empty.
const MOUNT_POINTS: [&str; 8] = [
    "dev", "proc", "sys", "tmp", "run", "var/tmp", "var/run", "dev/shm",
];

/// A choice among the nodes of one tree, each with the layer that it goes to
/// and, for some, a content that takes the place of the original's.
///
/// What holds a chosen node is part of the result whether it was chosen or
/// not. Nodes belong to the tree that the selection was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    keep: Vec<u64>,
    group: Vec<u8>,
    rewritten: BTreeMap<usize, Vec<u8>>,
}

impl Selection {
    /// The root alone.
    pub fn new(tree: &Tree) -> Self {
        let mut selection = Self {
            keep: vec![0; tree.len().div_ceil(64)],
            group: vec![0; tree.len()],
            rewritten: BTreeMap::new(),
        };
        selection.keep(tree.root());
        selection
    }

    /// Everything.
    pub fn all(tree: &Tree) -> Self {
        let mut selection = Self::new(tree);
        tree.iter().for_each(|node| selection.keep(node));
        selection
    }

    /// Keeps a node, but nothing below it.
    pub fn keep(&mut self, node: Node<'_>) {
        if let Some(word) = self.keep.get_mut(node.id() / 64) {
            *word |= 1 << (node.id() % 64);
        }
    }

    /// No longer keeps a node.
    pub fn drop(&mut self, node: Node<'_>) {
        if let Some(word) = self.keep.get_mut(node.id() / 64) {
            *word &= !(1 << (node.id() % 64));
        }
    }

    /// Whether a node was chosen.
    pub fn keeps(&self, node: Node<'_>) -> bool {
        let word = self.keep.get(node.id() / 64);
        word.is_some_and(|word| word >> (node.id() % 64) & 1 == 1)
    }

    /// Keeps a regular file with another content. All its kept names show it;
    /// metadata stay as they are.
    pub fn rewrite(&mut self, node: Node<'_>, content: Vec<u8>) {
        self.keep(node);
        self.rewritten.insert(node.id(), content);
    }

    /// The files with another content, by [`Node::id`].
    pub fn rewritten(&self) -> &BTreeMap<usize, Vec<u8>> {
        &self.rewritten
    }

    /// Says which layer a node goes to; 0 unless said, the lowest. All kept
    /// names of one file go where the first of them goes, and every layer has
    /// the directories that hold what it brings.
    pub fn set_group(&mut self, node: Node<'_>, group: u8) {
        if let Some(slot) = self.group.get_mut(node.id()) {
            *slot = group;
        }
    }

    /// Which layer a node goes to.
    pub fn group(&self, node: Node<'_>) -> u8 {
        self.group.get(node.id()).copied().unwrap_or(0)
    }

    /// Keeps the directories that something is mounted on when the image runs
    /// (volumes, `/proc`, …) and the working directory, where the tree has
    /// them; what they hold is another question. Links on the way to them are
    /// kept too.
    pub fn keep_mount_points(&mut self, tree: &Tree, config: &ImageConfig) {
        let volumes = config.run.volumes.iter().map(String::as_str);
        let working_dir = [config.run.working_dir.as_str()];
        for path in MOUNT_POINTS.into_iter().chain(volumes).chain(working_dir) {
            self.keep_path(tree, path.as_bytes());
        }
    }

    /// Keeps what a path leads to and every name on the way, links included.
    pub fn keep_path(&mut self, tree: &Tree, path: &[u8]) {
        let mut at = tree.root();
        let mut links = 0;
        let mut ahead: Vec<&[u8]> = path.rsplit(|&byte| byte == b'/').collect();
        while let Some(name) = ahead.pop() {
            at = match name {
                b"" | b"." => continue,
                b".." => at.parent().unwrap_or(at),
                name => match at.child(name) {
                    Some(child) => child,
                    None => return,
                },
            };
            self.keep(at);
            if let Some(target) = at.link_target() {
                links += 1;
                if links > MOST_LINKS {
                    return;
                }
                ahead.extend(target.rsplit(|&byte| byte == b'/'));
                at = match target.first() {
                    Some(b'/') => tree.root(),
                    _ => at.parent().unwrap_or(at),
                };
            }
        }
    }
}
