//! The layer that makes a small image the original again.
//!
//! It is found by comparing the two trees, not from what was meant to be
//! dropped, so it undoes whatever happened between them: dropped names come
//! back, files with another content or other metadata are replaced, names that
//! the original does not have are hidden.

use std::collections::HashSet;
use std::io::Write;

use super::RawEntries;
use super::write::{can_be_named, list_with_parents, write_node};
use crate::{Entry, EntryKind, Error, LayerWriter, Metadata, Node, Tree};

/// Writes the layer that, put on top of `small`, shows `original`, whose
/// entries `raw` hands out. The trees must have been hashed alike.
///
/// A file of which not all names are there is shipped with its content again:
/// a hard link into a lower layer is refused by Docker's overlay driver.
pub fn complement<W: Write>(
    original: &Tree,
    small: &Tree,
    raw: &dyn RawEntries,
    writer: &mut LayerWriter<W>,
) -> Result<(), Error> {
    let there = counterparts(original, small);
    let again = shipped_again(original, &there);
    let hidden = hidden(original, small);
    let mut listed = vec![false; original.len()];
    for node in original.iter() {
        let is_needed = match node.is_directory() {
            true => !there[node.id()].is_some_and(|other| is_same_directory(node, other)),
            false => again.contains(&node.first_link().id()),
        };
        if is_needed {
            list_with_parents(node, &mut listed);
        }
    }
    for &(parent, _) in &hidden {
        list_with_parents(parent, &mut listed);
    }
    let mut whiteouts = hidden.iter().peekable();
    for node in original.iter().filter(|node| listed[node.id()]) {
        if !can_be_named(node) && !holds_listed(node, &listed) {
            let what = node.path().display().to_string();
            return Err(Error::malformed(what, "no layer can have such a directory"));
        }
        write_node(writer, raw, node, node.first_link(), None)?;
        while let Some((_, name)) = whiteouts.next_if(|(parent, _)| *parent == node) {
            writer.append_empty(&whiteout(node, name)?)?;
        }
    }
    Ok(())
}

/// For each node of `original`, by [`Node::id`]: the node of the same path in
/// `other`.
pub(super) fn counterparts<'t>(original: &Tree, other: &'t Tree) -> Vec<Option<Node<'t>>> {
    let mut found: Vec<Option<Node<'t>>> = Vec::with_capacity(original.len());
    for node in original.iter() {
        // Parents come before what they hold.
        let counterpart = match node.parent() {
            None => Some(other.root()),
            Some(parent) => found[parent.id()].and_then(|parent| parent.child(node.name())),
        };
        found.push(counterpart);
    }
    found
}

fn is_same_directory(node: Node<'_>, other: Node<'_>) -> bool {
    other.is_directory() && node.has_metadata_of(&other)
}

/// The files, by the first node of each, of which a name, the content or the
/// metadata is not as it was.
fn shipped_again(original: &Tree, there: &[Option<Node<'_>>]) -> HashSet<usize> {
    let is_same = |node: Node<'_>| {
        let first = there[node.first_link().id()];
        there[node.id()].is_some_and(|other| {
            node.kind() == other.kind()
                && node.content() == other.content()
                && node.has_metadata_of(&other)
                && node.links() == other.links()
                && first.is_some_and(|first| first.first_link() == other.first_link())
        })
    };
    original
        .iter()
        .filter(|&node| !node.is_directory() && !is_same(node))
        .map(|node| node.first_link().id())
        .collect()
}

/// Names that only `small` has, each with the directory of `original` that
/// they have to be hidden in; in the order of the tree.
fn hidden<'o, 's>(original: &'o Tree, small: &'s Tree) -> Vec<(Node<'o>, &'s [u8])> {
    let there = counterparts(small, original);
    let mut hidden = Vec::new();
    for node in small.iter().filter(|node| there[node.id()].is_none()) {
        let parent = node.parent().and_then(|parent| there[parent.id()]);
        // Below what is replaced or hidden there is nothing left to hide.
        if let Some(parent) = parent.filter(Node::is_directory) {
            hidden.push((parent, node.name()));
        }
    }
    hidden.sort_by_key(|&(parent, name)| (parent.id(), name));
    hidden
}

fn holds_listed(node: Node<'_>, listed: &[bool]) -> bool {
    node.subtree().skip(1).any(|below| listed[below.id()])
}

/// The entry that hides a name in a directory.
fn whiteout(parent: Node<'_>, name: &[u8]) -> Result<Entry, Error> {
    let path = parent.path();
    let malformed = |problem: String| Error::malformed(path.display().to_string(), problem);
    if name.starts_with(b".wh.") {
        return Err(malformed("no layer can hide a whiteout's name".to_owned()));
    }
    Ok(Entry {
        path: path
            .join([b".wh.", name].concat())
            .map_err(|error| malformed(error.to_string()))?,
        kind: EntryKind::File { size_bytes: 0 },
        metadata: Metadata::default(),
    })
}
