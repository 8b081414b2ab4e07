//! Writes layers: chosen nodes in the order of the tree, each as the
//! original's layer has it.
//!
//! Parents come first and with their final metadata, since an engine that
//! unpacks a layer by itself gives a directory that no entry names to root.
//! All names of a file are in one layer, the first of them with the content:
//! Docker's overlay driver refuses a hard link into a lower layer.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use super::{RawEntries, Selection};
use crate::{Entry, EntryKind, Error, LayerWriter, Node, Tree};

const WHITEOUT: &[u8] = b".wh.";

/// The layers of a small image, ready to be written one by one.
pub struct Filter<'a> {
    tree: &'a Tree,
    raw: &'a dyn RawEntries,
    selection: &'a Selection,
    /// By the first node of each file with several names: the first kept one.
    carriers: HashMap<usize, Node<'a>>,
    /// By the first node of each file: its new content.
    rewritten: HashMap<usize, &'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Prepares the layers of a selection from `tree`, whose entries `raw`
    /// hands out. Refuses a new content for what is not a regular file.
    pub fn new(
        tree: &'a Tree,
        raw: &'a dyn RawEntries,
        selection: &'a Selection,
    ) -> Result<Self, Error> {
        let mut carriers = HashMap::new();
        let mut rewritten = HashMap::new();
        for node in tree.iter().filter(|&node| selection.keeps(node)) {
            if node.links() > 1 {
                carriers.entry(node.first_link().id()).or_insert(node);
            }
            if let Some(content) = selection.rewritten().get(&node.id()) {
                if !node.is_file() {
                    let what = node.path().display().to_string();
                    return Err(Error::malformed(what, "is no regular file to rewrite"));
                }
                rewritten
                    .entry(node.first_link().id())
                    .or_insert(&content[..]);
            }
        }
        Ok(Self {
            tree,
            raw,
            selection,
            carriers,
            rewritten,
        })
    }

    /// The groups that have something to bring, lowest first.
    pub fn groups(&self) -> Vec<u8> {
        let mut groups: BTreeSet<u8> = self.brought().map(|(_, group)| group).collect();
        if groups.is_empty() && self.tree.root().origin().is_some() {
            groups.insert(0);
        }
        groups.into_iter().collect()
    }

    /// Writes the entries of one group.
    pub fn write<W: Write>(&self, group: u8, writer: &mut LayerWriter<W>) -> Result<(), Error> {
        let mut listed = vec![false; self.tree.len()];
        listed[self.tree.root().id()] = true;
        for (node, _) in self.brought().filter(|&(_, of)| of == group) {
            list_with_parents(node, &mut listed);
        }
        for node in self.tree.iter().filter(|node| listed[node.id()]) {
            let carrier = *self.carriers.get(&node.first_link().id()).unwrap_or(&node);
            let content = self.rewritten.get(&node.first_link().id()).copied();
            write_node(writer, self.raw, node, carrier, content)?;
        }
        Ok(())
    }

    /// What layers are made for, with the group of each: everything kept but
    /// the directories that come with what they hold.
    fn brought(&self) -> impl Iterator<Item = (Node<'a>, u8)> + '_ {
        // By node: something below it is kept.
        let mut holds = vec![false; self.tree.len()];
        for node in self.tree.iter().filter(|&node| self.selection.keeps(node)) {
            let mut above = node.parent();
            while let Some(parent) = above.filter(|parent| !holds[parent.id()]) {
                holds[parent.id()] = true;
                above = parent.parent();
            }
        }
        let kept = self.tree.iter().filter(move |&node| {
            let is_parent = node.is_directory() && holds[node.id()];
            self.selection.keeps(node) && !is_parent && node.parent().is_some()
        });
        kept.map(|node| {
            let carrier = *self.carriers.get(&node.first_link().id()).unwrap_or(&node);
            (node, self.selection.group(carrier))
        })
    }
}

/// Marks a node and what holds it.
pub(super) fn list_with_parents(node: Node<'_>, listed: &mut [bool]) {
    let mut next = Some(node);
    while let Some(node) = next.filter(|node| !listed[node.id()]) {
        listed[node.id()] = true;
        next = node.parent();
    }
}

/// Whether a layer can have an entry of this name. A directory whose name
/// reads as a whiteout is there because something in it is.
pub(super) fn can_be_named(node: Node<'_>) -> bool {
    !node.name().starts_with(WHITEOUT)
}

/// Writes one node. `carrier` is the name under which the layer has the
/// file's content, `rewritten` what takes the place of that content.
pub(super) fn write_node<W: Write>(
    writer: &mut LayerWriter<W>,
    raw: &dyn RawEntries,
    node: Node<'_>,
    carrier: Node<'_>,
    rewritten: Option<&[u8]>,
) -> Result<(), Error> {
    if !can_be_named(node) {
        return Ok(());
    }
    let is_link = carrier != node;
    let mut entry = node.entry_beside(carrier);
    let origin = match is_link {
        true => node.origin(),
        false => node.content_origin(),
    };
    let Some(origin) = origin else {
        // No entry names it; the root is there without one.
        return match node.parent() {
            Some(_) => writer.append_empty(&entry),
            None => Ok(()),
        };
    };
    let mut reader = raw.entry_at(origin)?;
    let mut original = reader.next_entry()?.ok_or_else(|| {
        Error::malformed(node.path().display().to_string(), "has no entry any more")
    })?;
    let pax = &original.entry().metadata.pax;
    if is_link {
        return match is_alike(original.entry(), &entry) {
            true => writer.append_raw(&mut original),
            false => writer.append_empty(&entry),
        };
    }
    if let Some(mut content) = rewritten {
        entry.metadata.pax.clone_from(pax);
        entry.kind = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        return writer.append(&entry, &mut content);
    }
    if is_alike(original.entry(), &entry) {
        return writer.append_raw(&mut original);
    }
    entry.metadata.pax.clone_from(pax);
    writer.append_content_of(&entry, &mut original)
}

/// Whether an entry of a layer says what the tree shows. Trees know no
/// extended records.
fn is_alike(entry: &Entry, shown: &Entry) -> bool {
    let (own, other) = (&entry.metadata, &shown.metadata);
    (&entry.path, &entry.kind) == (&shown.path, &shown.kind)
        && (own.mode, own.uid, own.gid, own.mtime)
            == (other.mode, other.uid, other.gid, other.mtime)
        && (&own.uname, &own.gname, &own.xattrs) == (&other.uname, &other.gname, &other.xattrs)
}
