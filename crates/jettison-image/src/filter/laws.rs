//! What holds for every result, whatever was chosen: it is part of the
//! original, and nothing in it may do more than it could.
//!
//! Read off two trees, without a look at how the second one was made.

use std::collections::HashMap;
use std::fmt;

use super::complement::counterparts;
use crate::{ImagePath, Node, NodeKind, Tree};

/// The attribute that holds a program's capabilities.
const CAPABILITY: &[u8] = b"security.capability";

/// One path for which a law does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path.
    pub path: ImagePath,
    /// The law.
    pub breach: Breach,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// The original does not have it.
    Added,
    /// The original has it, and it is gone; for [`differences`] alone.
    Missing,
    /// It is something else, or points elsewhere.
    Kind,
    /// A file's content is not the original's.
    Content,
    /// Owner, mode, time or an extended attribute is not the original's.
    Metadata,
    /// A directory that more users than before may write to.
    MoreWritable,
    /// It runs with more rights than its caller's, and did not before.
    Privileged,
    /// Names that were one file are several, or the other way round.
    Links,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.breach {
            Breach::Added => "is not in the original",
            Breach::Missing => "is gone",
            Breach::Kind => "is something else than in the original",
            Breach::Content => "has another content",
            Breach::Metadata => "has other metadata",
            Breach::MoreWritable => "can be written to by more users",
            Breach::Privileged => "runs with rights that it did not have",
            Breach::Links => "shares its file with other names than in the original",
        };
        write!(f, "{} {problem}", self.path.display())
    }
}

/// Every path of `small` for which a law does not hold, in the order of the
/// tree; none is what a result must have. Contents are compared by their
/// hashes, so both trees must have been hashed alike; a file for which
/// `rewritten` says true, asked for files whose content differs, may have
/// another.
///
/// What neither tree has a hash of (files that are stored with holes) is
/// compared by its size.
pub fn check(
    original: &Tree,
    small: &Tree,
    rewritten: &dyn Fn(&ImagePath) -> bool,
) -> Vec<Violation> {
    let there = counterparts(small, original);
    let mut found = Vec::new();
    let mut breach = |node: Node<'_>, breach| {
        found.push(Violation {
            path: node.path(),
            breach,
        });
    };
    // By the first node of each of the original's files: its names here.
    let mut names: HashMap<usize, Node<'_>> = HashMap::new();
    for node in small.iter() {
        let Some(other) = there[node.id()] else {
            breach(node, Breach::Added);
            if is_privileged(node) {
                breach(node, Breach::Privileged);
            }
            continue;
        };
        if !is_same_kind(node, other) {
            breach(node, Breach::Kind);
        } else if !has_same_content(node, other) && !rewritten(&node.path()) {
            breach(node, Breach::Content);
        }
        if !node.has_metadata_of(&other) {
            breach(node, Breach::Metadata);
            if node.is_directory() && node.mode() & !other.mode() & 0o222 != 0 {
                breach(node, Breach::MoreWritable);
            }
            if is_privileged(node) && !is_privileged(other) {
                breach(node, Breach::Privileged);
            }
        }
        let is_linked = !node.is_directory() && (node.links() > 1 || other.links() > 1);
        if is_linked {
            let known = *names.entry(other.first_link().id()).or_insert(node);
            let first = there[node.first_link().id()];
            let is_one = known.first_link() == node.first_link()
                && first.is_some_and(|first| first.first_link() == other.first_link());
            if !is_one {
                breach(node, Breach::Links);
            }
        }
    }
    found
}

/// Everything in which two trees differ: what [`check`] finds, and what only
/// the original has.
pub fn differences(original: &Tree, other: &Tree) -> Vec<Violation> {
    let mut found = check(original, other, &|_| false);
    let there = counterparts(original, other);
    let gone = original.iter().filter(|node| there[node.id()].is_none());
    found.extend(gone.map(|node| Violation {
        path: node.path(),
        breach: Breach::Missing,
    }));
    found
}

/// Sizes of files aside, which go with their content.
fn is_same_kind(node: Node<'_>, other: Node<'_>) -> bool {
    match (node.kind(), other.kind()) {
        (NodeKind::File { .. }, NodeKind::File { .. }) => true,
        (own, other) => own == other,
    }
}

fn has_same_content(node: Node<'_>, other: Node<'_>) -> bool {
    node.size_bytes() == other.size_bytes() && node.content() == other.content()
}

/// Directories hand their group down with that bit; nothing runs.
fn is_privileged(node: Node<'_>) -> bool {
    !node.is_directory() && (node.mode() & 0o6000 != 0 || node.xattrs().contains_key(CAPABILITY))
}
