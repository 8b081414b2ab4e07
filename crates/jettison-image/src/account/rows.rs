//! The lines of a report.

use std::collections::HashMap;

use super::Survey;
use crate::tree::{ContentHash, Node};
use crate::{ImagePath, NodeKind};

/// Visible files that belong together: a directory, a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow<K> {
    /// What they belong to.
    pub key: K,
    /// Files, hard links once.
    pub files: u64,
    /// Their bytes.
    pub unpacked_bytes: u64,
    /// What they cost on the wire.
    pub wire_bytes: u64,
}

/// A visible file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its first name.
    pub path: ImagePath,
    /// The layer its content is in.
    pub layer: u32,
    /// Its size.
    pub unpacked_bytes: u64,
    /// What it costs on the wire.
    pub wire_bytes: u64,
}

/// A file that is shipped and not visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenRow {
    /// Its name in the layer that ships it.
    pub path: ImagePath,
    /// The layer that ships it.
    pub layer: u32,
    /// The layer that hid it.
    pub hidden_by: u32,
    /// Its size.
    pub unpacked_bytes: u64,
    /// What it costs on the wire.
    pub wire_bytes: u64,
}

/// Visible files with the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateRow {
    /// The first of their names, in the order of the tree.
    pub paths: Vec<ImagePath>,
    /// How many there are.
    pub copies: u64,
    /// Bytes of one of them.
    pub unpacked_bytes: u64,
    /// Bytes that one copy would save.
    pub saved_bytes: u64,
}

/// A program that runs with more rights than whoever starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivilegedRow {
    /// Its name.
    pub path: ImagePath,
    /// Its permission bits.
    pub mode: u32,
    /// Owner and group.
    pub owner: (u64, u64),
    /// True when it has file capabilities.
    pub capabilities: bool,
}

impl Survey {
    /// Visible files by whatever `key` says they belong to; biggest first.
    /// The rows add up to the visible bytes.
    pub fn groups<'s, K: Eq + std::hash::Hash + Ord>(
        &'s self,
        mut key: impl FnMut(Node<'s>) -> K,
    ) -> Vec<GroupRow<K>> {
        let mut places: HashMap<K, (u64, u64, u64)> = HashMap::new();
        for node in self.files() {
            let sums = places.entry(key(node)).or_default();
            sums.0 += 1;
            sums.1 += node.size_bytes();
            sums.2 += self.wire_bytes(node);
        }
        let row = |(key, (files, unpacked_bytes, wire_bytes))| GroupRow {
            key,
            files,
            unpacked_bytes,
            wire_bytes,
        };
        let mut rows: Vec<_> = places.into_iter().map(row).collect();
        rows.sort_by(|a, b| {
            b.unpacked_bytes
                .cmp(&a.unpacked_bytes)
                .then_with(|| a.key.cmp(&b.key))
        });
        rows
    }

    /// Visible files by the directory they lie in, not deeper than `depth`
    /// components; biggest first. The rows add up to the visible bytes.
    pub fn directories(&self, depth: usize) -> Vec<GroupRow<ImagePath>> {
        // Nodes come directory by directory; the key is found by their ids.
        let rows = self.groups(|node| {
            let mut above: Vec<_> = std::iter::successors(node.parent(), Node::parent).collect();
            // The root is above everything and no component.
            let at = above.len().saturating_sub(depth + 1);
            above.drain(..at);
            above.first().map_or(0, Node::id)
        });
        let path = |id: usize| self.tree.node(id as u32).path();
        rows.into_iter()
            .map(|row| GroupRow {
                key: path(row.key),
                files: row.files,
                unpacked_bytes: row.unpacked_bytes,
                wire_bytes: row.wire_bytes,
            })
            .collect()
    }

    /// The largest visible files.
    pub fn largest(&self, most: usize) -> Vec<FileRow> {
        let files = biggest(self.files(), most, Node::size_bytes);
        let row = |node: Node<'_>| FileRow {
            path: node.path(),
            layer: node.content_record().map_or(0, |(layer, _)| layer),
            unpacked_bytes: node.size_bytes(),
            wire_bytes: self.wire_bytes(node),
        };
        files.into_iter().map(row).collect()
    }

    /// The largest files that are shipped and not visible.
    pub fn hidden(&self, most: usize) -> Vec<HiddenRow> {
        let rows = biggest(self.tree.hidden().iter(), most, |hidden| hidden.size_bytes);
        rows.into_iter()
            .map(|hidden| self.hidden_row(hidden))
            .collect()
    }

    /// Visible files that have the same content, those that cost most first.
    /// None where contents were not hashed. Empty files are no duplicates.
    pub fn duplicates(&self, most: usize) -> Vec<DuplicateRow> {
        let (sets, _) = self.duplicate_sets();
        let saved = |set: &Vec<Node<'_>>| set[0].size_bytes().saturating_mul(set.len() as u64 - 1);
        let row = |set: Vec<Node<'_>>| DuplicateRow {
            saved_bytes: saved(&set),
            unpacked_bytes: set[0].size_bytes(),
            paths: set.iter().take(NAMES).map(Node::path).collect(),
            copies: set.len() as u64,
        };
        biggest(sets.into_iter(), most, saved)
            .into_iter()
            .map(row)
            .collect()
    }

    /// Bytes that one copy of every visible content would save.
    pub fn duplicate_bytes(&self) -> u64 {
        self.duplicate_sets().1
    }

    /// Visible programs that run with more rights than whoever starts them.
    pub fn privileged(&self) -> Vec<PrivilegedRow> {
        let row = |node: Node<'_>| PrivilegedRow {
            path: node.path(),
            mode: node.mode(),
            owner: node.owner(),
            capabilities: has_capabilities(node),
        };
        // Without the right to execute, the set-group bit means locking.
        let is_privileged = |node: &Node<'_>| {
            let mode = node.mode();
            mode & 0o4000 != 0 || mode & 0o2010 == 0o2010 || has_capabilities(*node)
        };
        self.files().filter(is_privileged).map(row).collect()
    }

    /// What a visible file's content costs on the wire.
    pub fn wire_bytes(&self, node: Node<'_>) -> u64 {
        match (node.kind(), node.content_record()) {
            (NodeKind::File { .. }, Some((layer, record))) => self.wire_of(layer, record),
            _ => 0,
        }
    }

    pub(super) fn hidden_files(&self) -> impl Iterator<Item = HiddenRow> + '_ {
        self.tree
            .hidden()
            .iter()
            .map(|hidden| self.hidden_row(hidden))
    }

    fn files(&self) -> impl Iterator<Item = Node<'_>> {
        self.tree
            .iter()
            .filter(|node| node.is_file() && node.is_first_link())
    }

    fn hidden_row(&self, hidden: &crate::Hidden) -> HiddenRow {
        let entry = self.tree.layers()[hidden.layer as usize].entry(hidden.record);
        HiddenRow {
            path: ImagePath::from_components(&[entry.path_bytes()]),
            layer: hidden.layer,
            hidden_by: hidden.hidden_by,
            unpacked_bytes: hidden.size_bytes,
            wire_bytes: self.wire_of(hidden.layer, hidden.record),
        }
    }

    fn duplicate_sets(&self) -> (Vec<Vec<Node<'_>>>, u64) {
        let mut sets: HashMap<(u64, ContentHash), Vec<Node<'_>>> = HashMap::new();
        for node in self.files().filter(|node| node.size_bytes() > 0) {
            if let Some(content) = node.content() {
                sets.entry((node.size_bytes(), content))
                    .or_default()
                    .push(node);
            }
        }
        sets.retain(|_, set| set.len() > 1);
        let saved = sets.iter().fold(0u64, |sum, ((size, _), set)| {
            sum.saturating_add(size.saturating_mul(set.len() as u64 - 1))
        });
        let mut sets: Vec<_> = sets.into_values().collect();
        sets.sort_by_key(|set| set[0].id());
        (sets, saved)
    }
}

/// Names shown of files with the same content; there may be as many as files.
const NAMES: usize = 8;

/// The biggest, biggest first; of equals, the first ones.
fn biggest<T>(items: impl Iterator<Item = T>, most: usize, size: impl Fn(&T) -> u64) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by_key(|item| std::cmp::Reverse(size(item)));
    items.truncate(most);
    items
}

fn has_capabilities(node: Node<'_>) -> bool {
    node.xattrs().contains_key(&b"security.capability"[..])
}
