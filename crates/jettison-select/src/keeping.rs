//! The set of kept paths, each with its reason, while it grows.
//!
//! A path is kept together with everything that leads to it: the directories
//! that hold it and the links that its name runs through. Nothing is ever
//! taken out of the set; what a person wants dropped is barred beforehand.

use std::collections::VecDeque;

use jettison_image::{Follow, Node, Tree};
use jettison_plan::{FilePath, Reason, ReasonKind};

/// Kept paths of one tree.
pub(crate) struct Keeping<'a> {
    pub(crate) tree: &'a Tree,
    reasons: Vec<Option<Reason>>,
    firm: Vec<bool>,
    barred: Vec<bool>,
    /// Kept and not yet looked at by whoever follows what files lead to.
    fresh: VecDeque<usize>,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Self {
        let mut keeping = Self {
            tree,
            reasons: vec![None; tree.len()],
            firm: vec![false; tree.len()],
            barred: vec![false; tree.len()],
            fresh: VecDeque::new(),
        };
        let root = Reason::first(ReasonKind::OnTheWay, "the root");
        keeping.reasons[tree.root().id()] = Some(root);
        keeping
    }

    /// Never keeps this node, whatever leads to it.
    pub(crate) fn bar(&mut self, node: Node<'a>) {
        self.barred[node.id()] = true;
    }

    pub(crate) fn is_barred(&self, node: Node<'a>) -> bool {
        self.barred[node.id()]
    }

    pub(crate) fn has(&self, node: Node<'a>) -> bool {
        self.reasons[node.id()].is_some()
    }

    /// Keeps one node and the directories that hold it; true when it is new.
    /// Reasons that begin a chain replace those that only go on from others.
    pub(crate) fn keep(&mut self, node: Node<'a>, reason: Reason) -> bool {
        self.keep_as(node, reason, true)
    }

    /// Keeps one node in doubt.
    pub(crate) fn keep_loosely(&mut self, node: Node<'a>, reason: Reason) -> bool {
        self.keep_as(node, reason, false)
    }

    /// True for what is certain to be used.
    pub(crate) fn is_firm(&self, node: Node<'a>) -> bool {
        self.firm[node.id()]
    }

    fn keep_as(&mut self, node: Node<'a>, reason: Reason, firmly: bool) -> bool {
        if self.barred[node.id()] {
            return false;
        }
        let is_firmer = firmly && !self.firm[node.id()];
        self.firm[node.id()] |= firmly;
        let known = &mut self.reasons[node.id()];
        match known {
            Some(old) => {
                if reason.by.is_none() && reason.kind < old.kind {
                    *old = reason;
                }
                if is_firmer {
                    self.fresh.push_back(node.id());
                }
                return false;
            }
            None => *known = Some(reason),
        }
        self.fresh.push_back(node.id());
        let by = FilePath::new(node.path());
        let mut holder = node.parent();
        while let Some(directory) = holder {
            let known = &mut self.reasons[directory.id()];
            if known.is_some() {
                break;
            }
            let reason = Reason::because(ReasonKind::OnTheWay, by.clone(), "holds it");
            *known = Some(reason);
            holder = directory.parent();
        }
        true
    }

    /// Keeps where a path leads, and every link it runs through. Where it
    /// leads nowhere, what exists of the way is kept all the same: the program
    /// that looks there finds the same nothing.
    pub(crate) fn keep_path(
        &mut self,
        path: impl AsRef<[u8]>,
        follow: Follow,
        reason: &Reason,
    ) -> Option<Node<'a>> {
        self.keep_path_as(path, follow, reason, true)
    }

    /// Likewise, firmly or in doubt.
    pub(crate) fn keep_path_as(
        &mut self,
        path: impl AsRef<[u8]>,
        follow: Follow,
        reason: &Reason,
        firmly: bool,
    ) -> Option<Node<'a>> {
        let mut passed: Vec<Node<'a>> = Vec::new();
        let tree = self.tree;
        let mut visit = |node| passed.push(node);
        let end = tree.walk(tree.root(), path.as_ref(), follow, &mut visit);
        let end = end.ok();
        if let Some(node) = end {
            self.keep_as(node, reason.clone(), firmly);
        }
        let by = end.map_or_else(|| FilePath::new(path), |node| FilePath::new(node.path()));
        for node in passed {
            if !self.has(node) {
                let way = Reason::because(ReasonKind::OnTheWay, by.clone(), "leads to it");
                self.keep_as(node, way, firmly);
            }
        }
        end
    }

    /// True when every kept node was looked at.
    pub(crate) fn is_settled(&self) -> bool {
        self.fresh.is_empty()
    }

    /// The next kept node that nobody has looked at.
    pub(crate) fn next_fresh(&mut self) -> Option<Node<'a>> {
        let id = self.fresh.pop_front()?;
        self.tree.at(id)
    }

    /// Kept nodes with their reasons, in the order of the tree.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (Node<'a>, &Reason)> {
        let nodes = self.tree.iter().zip(&self.reasons);
        nodes.filter_map(|(node, reason)| Some((node, reason.as_ref()?)))
    }
}

/// The path of a node as documents write it.
pub(crate) fn file_path(node: Node<'_>) -> FilePath {
    FilePath::new(node.path())
}
