//! Layers onto one another, as an engine with an overlay file system shows
//! them.
//!
//! Each layer is first made into a tree of its own, then laid over the tree
//! of the layers below. That is what overlay engines do, and it decides what
//! archives leave open:
//! - whiteouts and opaque markers hide what lower layers have, never what the
//!   same layer brings, wherever they stand in it (OCI image-spec, layer.md);
//! - an entry below a symlink of the same layer goes where the link points,
//!   inside the root; below a symlink of a *lower* layer it replaces the link
//!   by a directory, since the engine unpacks a layer without seeing others;
//! - a character device 0:0 is a whiteout (overlayfs, kernel documentation);
//! - aufs' own files (`.wh..wh.plnk` and the like) are no content.
//!
//! A parent directory that no entry names belongs to root with mode 0755, or
//! stays what a lower layer says it is (as containerd does).

use std::sync::Arc;

use super::graph::{Graph, Inodes, NONE, Name, ROOT};
use super::index::{Effect, LayerIndex, Record, RecordKind, Span};
use crate::{Error, ImagePath, Limits};

/// Links followed for one path; the kernel's MAXSYMLINKS.
pub(crate) const MOST_LINKS: u32 = 40;
const WHITEOUT: &[u8] = b".wh.";

/// Everything that merging needs and keeps.
pub(super) struct Merger<'a> {
    pub(super) layers: &'a [Arc<LayerIndex>],
    pub(super) inodes: Inodes,
    pub(super) merged: Graph,
    /// Entries that never become a name, by layer and record: whiteouts that
    /// carry content, aufs' files.
    pub(super) shadow: Vec<(u32, u32)>,
    limits: &'a Limits,
    /// Directories that no entry names are bounded like entries.
    implied: u64,
    /// Bytes of the paths where all entries came to lie, links followed.
    path_bytes: u64,
    steps: Steps<'a>,
}

/// Bounds the work on paths that run through many links, in components and in
/// bytes of link targets.
struct Steps<'a> {
    left: u64,
    limits: &'a Limits,
}

/// The tree of one layer while its entries are placed.
struct Own {
    graph: Graph,
    layer: u32,
    /// The parent of the previous entry: entries come directory by directory.
    last_parent: Option<(Span, u32)>,
}

impl<'a> Merger<'a> {
    pub(super) fn new(layers: &'a [Arc<LayerIndex>], limits: &'a Limits) -> Self {
        let mut inodes = Inodes::default();
        let merged = Graph::new(0, &mut inodes);
        let steps = Steps {
            left: limits.entries.saturating_mul(64),
            limits,
        };
        Self {
            layers,
            inodes,
            merged,
            shadow: Vec::new(),
            limits,
            implied: 0,
            path_bytes: 0,
            steps,
        }
    }

    /// Lays one layer over what is there.
    pub(super) fn apply(&mut self, layer: u32) -> Result<(), Error> {
        let graph = Graph::new(layer, &mut self.inodes);
        let mut own = Own {
            graph,
            layer,
            last_parent: None,
        };
        let index = Arc::clone(&self.layers[layer as usize]);
        for (number, record) in index.records().iter().enumerate() {
            self.place(&mut own, &index, number as u32, record)?;
        }
        self.take_paths(&own)?;
        self.overlay(&own);
        Ok(())
    }

    /// Bounds the paths of a layer's tree, which may be far longer than what
    /// the entries write: a link leads deep down, or one entry implies hundreds
    /// of directories. Whoever reads the tree may hold them all.
    fn take_paths(&mut self, own: &Own) -> Result<(), Error> {
        let dentries = &own.graph.dentries;
        // A parent comes before its children.
        let mut lengths: Vec<u64> = Vec::with_capacity(dentries.len());
        for (id, dentry) in dentries.iter().enumerate() {
            let above = lengths.get(dentry.parent as usize).copied();
            let length = above.unwrap_or(0) + 1 + u64::from(dentry.name.span.len);
            lengths.push(length);
            self.path_bytes += length;
            if self.path_bytes > self.limits.name_bytes {
                return Err(Error::Limit {
                    what: shown(&own.graph.path(id as u32, self.layers)),
                    limit: self.limits.name_bytes,
                    unit: "bytes of paths, links followed",
                    flag: "name-bytes",
                });
            }
        }
        Ok(())
    }

    fn place(
        &mut self,
        own: &mut Own,
        index: &LayerIndex,
        number: u32,
        record: &Record,
    ) -> Result<(), Error> {
        let path = index.bytes(record.path);
        if path.is_empty() {
            return self.place_root(own, number, record);
        }
        let (parent_span, base_span) = split(record.path, path);
        if record.effect != Effect::Put {
            self.shadow.push((own.layer, number));
        }
        if record.effect == Effect::Ignored {
            return Ok(());
        }
        let parent = match own.last_parent {
            Some((span, id)) if index.bytes(span) == index.bytes(parent_span) => id,
            _ => self.walk(own, index, record, parent_span)?,
        };
        own.last_parent = Some((parent_span, parent));
        match record.effect {
            Effect::Put | Effect::Ignored => {}
            Effect::Opaque => {
                own.graph.dentry_mut(parent).opaque = true;
                return Ok(());
            }
            Effect::Whiteout => {
                let span = hidden_name(base_span);
                self.whiteout(own, parent, span, number);
                return Ok(());
            }
        }
        let name = Name {
            layer: own.layer,
            span: base_span,
        };
        match record.kind {
            RecordKind::CharDevice { major: 0, minor: 0 } => {
                self.replace_own(own, parent, name);
                self.whiteout(own, parent, base_span, number);
            }
            RecordKind::HardLink { target } => {
                let inode = self.link_target(own, index, record, target)?;
                // A link to a symbolic link leaves that as it is.
                if !matches!(
                    self.inodes.kind(inode, self.layers),
                    RecordKind::Symlink { .. }
                ) {
                    self.inodes.0[inode as usize].described = (own.layer, number);
                }
                // Linking a name to itself must not lose the file.
                self.inodes.link(inode);
                self.bind(own, parent, name, number, inode);
                self.inodes.unlink(inode, own.layer);
            }
            _ => {
                let inode = self.inodes.add(own.layer, number);
                self.inodes.link(inode);
                self.bind(own, parent, name, number, inode);
                self.inodes.unlink(inode, own.layer);
            }
        }
        Ok(())
    }

    fn place_root(&mut self, own: &mut Own, number: u32, record: &Record) -> Result<(), Error> {
        if !matches!(record.kind, RecordKind::Directory) {
            return Err(wrong(b"", "is the root of the image and not a directory"));
        }
        let inode = self.inodes.add(own.layer, number);
        self.inodes.link(inode);
        let root = own.graph.dentry_mut(ROOT);
        (root.inode, root.record) = (inode, number);
        Ok(())
    }

    /// Gives a name in the layer's own tree to an inode.
    fn bind(&mut self, own: &mut Own, parent: u32, name: Name, number: u32, inode: u32) {
        let layers = self.layers;
        self.inodes.link(inode);
        let bytes = layers[own.layer as usize].bytes(name.span);
        let Some(id) = own.graph.child(parent, bytes, layers) else {
            own.graph
                .add(parent, name, (own.layer, number), inode, layers);
            return;
        };
        let before = own.graph.dentry(id).inode;
        let both_directories =
            self.inodes.is_directory(before, layers) && self.inodes.is_directory(inode, layers);
        if before != NONE && !both_directories {
            own.graph.clear(id, own.layer, &mut self.inodes, layers);
            own.last_parent = None;
        }
        let dentry = own.graph.dentry_mut(id);
        (dentry.inode, dentry.layer, dentry.record) = (inode, own.layer, number);
        if before != NONE {
            self.inodes.unlink(before, own.layer);
        }
    }

    fn whiteout(&mut self, own: &mut Own, parent: u32, span: Span, number: u32) {
        let layers = self.layers;
        let bytes = layers[own.layer as usize].bytes(span);
        let id = own.graph.child(parent, bytes, layers).unwrap_or_else(|| {
            let name = Name {
                layer: own.layer,
                span,
            };
            own.graph
                .add(parent, name, (own.layer, number), NONE, layers)
        });
        own.graph.dentry_mut(id).whiteout = true;
    }

    /// Removes what the layer itself has under a name.
    fn replace_own(&mut self, own: &mut Own, parent: u32, name: Name) {
        let bytes = self.layers[own.layer as usize].bytes(name.span);
        if let Some(id) = own.graph.child(parent, bytes, self.layers) {
            own.graph
                .remove(id, own.layer, &mut self.inodes, self.layers);
            own.last_parent = None;
        }
    }

    /// The directory of the layer's own tree that a path leads to; made where
    /// it is not there.
    fn walk(
        &mut self,
        own: &mut Own,
        index: &LayerIndex,
        record: &Record,
        path: Span,
    ) -> Result<u32, Error> {
        let layers = self.layers;
        let entry = index.bytes(record.path);
        let mut at = ROOT;
        let mut links = 0;
        let names = |layer: u32, index: &LayerIndex, path: Span| {
            let spans = components(index, path).into_iter();
            spans.map(move |span| Name { layer, span })
        };
        // The components that are still to go, the next one last.
        let mut ahead: Vec<Name> = names(own.layer, index, path).collect();
        while let Some(name) = ahead.pop() {
            self.steps.take(1, entry)?;
            let bytes = layers[name.layer as usize].bytes(name.span);
            if bytes == b".." {
                at = own.graph.dentry(at).parent;
                continue;
            }
            let found = own.graph.child(at, bytes, layers);
            let inode = found.map_or(NONE, |id| own.graph.dentry(id).inode);
            let Some(id) = found.filter(|_| inode != NONE) else {
                at = self.imply(own, at, found, name, entry)?;
                continue;
            };
            match self.inodes.kind(inode, layers) {
                RecordKind::Directory => at = id,
                RecordKind::Symlink { target } => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(wrong(entry, "lies below a loop of symbolic links"));
                    }
                    self.steps.take(target.len, entry)?;
                    // A hard link makes a lower layer's symlink one of this layer's.
                    let owner = self.inodes.0[inode as usize].layer;
                    let index = &layers[owner as usize];
                    if index.bytes(target).first() == Some(&b'/') {
                        at = ROOT;
                    }
                    ahead.extend(names(owner, index, target));
                }
                _ => return Err(wrong(entry, "lies below something that is not a directory")),
            }
        }
        Ok(at)
    }

    fn imply(
        &mut self,
        own: &mut Own,
        parent: u32,
        whiteout: Option<u32>,
        name: Name,
        entry: &[u8],
    ) -> Result<u32, Error> {
        self.implied += 1;
        if self.implied > self.limits.entries {
            return Err(Error::Limit {
                what: shown(entry),
                limit: self.limits.entries,
                unit: "directories that no entry names",
                flag: "entries",
            });
        }
        if own.graph.dentry(parent).depth as usize >= self.limits.path_depth {
            return Err(Error::Limit {
                what: shown(entry),
                limit: self.limits.path_depth as u64,
                unit: "directories deep",
                flag: "path-depth",
            });
        }
        let inode = self.inodes.add(own.layer, NONE);
        self.inodes.link(inode);
        let id = whiteout.unwrap_or_else(|| {
            own.graph
                .add(parent, name, (own.layer, NONE), inode, self.layers)
        });
        let dentry = own.graph.dentry_mut(id);
        (dentry.inode, dentry.record) = (inode, NONE);
        Ok(id)
    }

    /// The inode that a hard link names: one of its own layer, else one of a
    /// lower layer. Links on the way are followed, the last one is not.
    fn link_target(
        &mut self,
        own: &Own,
        index: &LayerIndex,
        record: &Record,
        target: Span,
    ) -> Result<u32, Error> {
        let entry = index.bytes(record.path);
        let (inodes, layers, steps) = (&self.inodes, self.layers, &mut self.steps);
        let wanted = (index, target, entry);
        let mut found = find(&own.graph, inodes, layers, steps, wanted)?;
        if let Found::Nothing = found {
            found = find(&self.merged, inodes, layers, steps, wanted)?;
        }
        let inode = match found {
            Found::Inode(inode) => Some(inode),
            Found::Hidden | Found::Nothing => None,
        };
        let problem = format!("is a hard link to {}, which is", shown(index.bytes(target)));
        match inode {
            None => Err(wrong(entry, &format!("{problem} not there"))),
            Some(inode) if self.inodes.is_directory(inode, self.layers) => {
                Err(wrong(entry, &format!("{problem} a directory")))
            }
            Some(inode) => Ok(inode),
        }
    }

    /// Lays the layer's own tree over the merged one.
    fn overlay(&mut self, own: &Own) {
        let layers = self.layers;
        let mut open = vec![(ROOT, ROOT)];
        while let Some((from, to)) = open.pop() {
            self.overlay_directory(own, from, to);
            for child in own.graph.children(from) {
                let dentry = own.graph.dentry(child);
                let below = self.merged.child(
                    to,
                    layers[dentry.name.layer as usize].bytes(dentry.name.span),
                    layers,
                );
                let is_directory = self.inodes.is_directory(dentry.inode, layers);
                let kept = below.filter(|&id| {
                    is_directory
                        && !dentry.whiteout
                        && self
                            .inodes
                            .is_directory(self.merged.dentry(id).inode, layers)
                });
                if let (Some(id), None) = (below, kept) {
                    self.merged.remove(id, own.layer, &mut self.inodes, layers);
                }
                if dentry.inode == NONE {
                    continue;
                }
                let id = kept.unwrap_or_else(|| {
                    self.inodes.link(dentry.inode);
                    let from = (dentry.layer, dentry.record);
                    self.merged.add(to, dentry.name, from, dentry.inode, layers)
                });
                if is_directory {
                    open.push((child, id));
                }
            }
        }
        // The names of the own tree go; what was laid over stays linked.
        for dentry in own
            .graph
            .dentries
            .iter()
            .filter(|dentry| dentry.alive && dentry.inode != NONE)
        {
            self.inodes.unlink(dentry.inode, own.layer);
        }
    }

    fn overlay_directory(&mut self, own: &Own, from: u32, to: u32) {
        let dentry = own.graph.dentry(from);
        if dentry.opaque {
            self.merged
                .clear(to, own.layer, &mut self.inodes, self.layers);
        }
        let before = self.merged.dentry(to).inode;
        if dentry.record != NONE && before != dentry.inode {
            self.inodes.link(dentry.inode);
            self.inodes.unlink(before, own.layer);
            let merged = self.merged.dentry_mut(to);
            (merged.inode, merged.layer, merged.record) =
                (dentry.inode, dentry.layer, dentry.record);
        }
    }
}

impl Steps<'_> {
    fn take(&mut self, count: u32, entry: &[u8]) -> Result<(), Error> {
        self.left = self
            .left
            .checked_sub(u64::from(count))
            .ok_or_else(|| Error::Limit {
                what: shown(entry),
                limit: self.limits.entries.saturating_mul(64),
                unit: "steps through paths and links",
                flag: "entries",
            })?;
        Ok(())
    }
}

/// What a path leads to in one of the trees.
enum Found {
    Inode(u32),
    /// The layer's own whiteout stands there.
    Hidden,
    Nothing,
}

/// Looks a path up in one of the trees. Links on the way are followed, the
/// last one is not.
fn find(
    graph: &Graph,
    inodes: &Inodes,
    layers: &[Arc<LayerIndex>],
    steps: &mut Steps<'_>,
    (index, path, entry): (&LayerIndex, Span, &[u8]),
) -> Result<Found, Error> {
    let mut at = ROOT;
    let mut links = 0;
    steps.take(path.len, entry)?;
    let mut ahead: Vec<&[u8]> = components(index, path)
        .into_iter()
        .map(|span| index.bytes(span))
        .collect();
    while let Some(name) = ahead.pop() {
        steps.take(1, entry)?;
        if name == b".." {
            at = graph.dentry(at).parent;
            continue;
        }
        let Some(id) = graph.child(at, name, layers) else {
            return Ok(Found::Nothing);
        };
        let inode = graph.dentry(id).inode;
        if inode == NONE {
            return Ok(Found::Hidden);
        }
        if ahead.is_empty() {
            return Ok(Found::Inode(inode));
        }
        match inodes.kind(inode, layers) {
            RecordKind::Directory => at = id,
            RecordKind::Symlink { target } => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(wrong(
                        entry,
                        "is a hard link through a loop of symbolic links",
                    ));
                }
                steps.take(target.len, entry)?;
                let owner = &layers[inodes.0[inode as usize].layer as usize];
                if owner.bytes(target).first() == Some(&b'/') {
                    at = ROOT;
                }
                let spans = components(owner, target);
                ahead.extend(spans.into_iter().map(|span| owner.bytes(span)));
            }
            _ => return Ok(Found::Nothing),
        }
    }
    Ok(Found::Inode(graph.dentry(at).inode))
}

/// Parent and last component of a path that is not the root.
fn split(span: Span, path: &[u8]) -> (Span, Span) {
    let at = path.iter().rposition(|&b| b == b'/');
    let (parent_len, base_at) = at.map_or((0, 0), |at| (at as u32, at as u32 + 1));
    (
        Span {
            start: span.start,
            len: parent_len,
        },
        Span {
            start: span.start + base_at,
            len: span.len - base_at,
        },
    )
}

/// The name that a whiteout hides, which an index has checked to be one.
fn hidden_name(base: Span) -> Span {
    let skip = WHITEOUT.len() as u32;
    Span {
        start: base.start + skip,
        len: base.len - skip,
    }
}

/// The components of a path or link target, last one first; `..` is kept.
fn components(index: &LayerIndex, path: Span) -> Vec<Span> {
    let bytes = index.bytes(path);
    let mut found = Vec::new();
    let mut start = 0;
    for end in (0..=bytes.len()).filter(|&end| bytes.get(end).is_none_or(|&b| b == b'/')) {
        if !matches!(&bytes[start..end], b"" | b".") {
            found.push(Span {
                start: path.start + start as u32,
                len: (end - start) as u32,
            });
        }
        start = end + 1;
    }
    found.reverse();
    found
}

fn shown(path: &[u8]) -> String {
    match ImagePath::new(path) {
        Ok(path) => path.display().to_string(),
        Err(_) => crate::escape(&String::from_utf8_lossy(path)),
    }
}

fn wrong(path: &[u8], problem: &str) -> Error {
    Error::malformed(shown(path), problem)
}
