//! Lays what was selected into the stage's tree, step by step as BuildKit's
//! copier (fsutil) does, so that what is there already meets the same fate.

use std::collections::HashMap;

use jettison_image::{EntryKind, Metadata, Node, NodeKind, Timestamp};

use super::draft::{Draft, Reached, Spot, What, other};
use super::mode::Mode;
use super::pick::{Part, Root, absolute};
use super::write::{Content, Contents, CopyPlan, From};
use super::{CopyError, CopyRequest, Selection};
use crate::dockerfile::FileSystem;
use crate::dockerfile::add::Archive;

impl<'a> Selection<'a> {
    /// Lays what was selected into a stage, or into an empty root where there
    /// is none or `--link` asks for it.
    pub fn plan<'s>(
        &'s self,
        stage: Option<&'s dyn FileSystem>,
    ) -> Result<CopyPlan<'s>, CopyError> {
        let stage = stage.filter(|_| !self.is_independent());
        let owner = self.owner.as_ref().map(|owner| owner.ids(stage));
        let mut placer = Placer {
            request: self.request,
            mode: self.mode.as_ref(),
            owner: owner.transpose()?,
            draft: Draft::new(stage.map(FileSystem::tree)),
            contents: Vec::new(),
            archives: Vec::new(),
        };
        let destination = destination(self.request);
        for (number, part) in self.parts.iter().enumerate() {
            for root in &part.roots {
                placer.root(number, part, root, &destination)?;
            }
        }
        let Placer {
            draft,
            contents,
            archives,
            ..
        } = placer;
        let contents = Contents {
            parts: &self.parts,
            archives,
            stage,
            list: contents,
        };
        CopyPlan::new(&draft, contents)
    }
}

/// The destination as an absolute path; a slash at its end stays.
fn destination(request: &CopyRequest) -> Vec<u8> {
    let written = &request.destination;
    let mut path = if written.first() == Some(&b'/') {
        absolute(written)
    } else {
        absolute(&[&request.working_dir, b"/".as_slice(), written].concat())
    };
    let is_directory = written.is_empty()
        || written == b"."
        || written.ends_with(b"/")
        || written.ends_with(b"/.");
    if is_directory && path != b"/" {
        path.push(b'/');
    }
    path
}

pub(super) struct Placer<'s> {
    pub(super) request: &'s CopyRequest,
    mode: Option<&'s Mode>,
    pub(super) owner: Option<(u64, u64)>,
    pub(super) draft: Draft<'s>,
    pub(super) contents: Vec<Content>,
    pub(super) archives: Vec<Archive>,
}

/// A part while one of its roots is copied.
struct Source<'p> {
    number: usize,
    part: &'p Part<'p>,
    /// The copies of files with several names, by their first name.
    linked: HashMap<usize, usize>,
}

impl Placer<'_> {
    fn root(
        &mut self,
        number: usize,
        part: &Part<'_>,
        root: &Root,
        destination: &[u8],
    ) -> Result<(), CopyError> {
        let tree = part.files.as_dyn().tree();
        let Some(node) = tree.at(root.node) else {
            return Ok(());
        };
        if part.unpacks
            && node.is_file()
            && let Some(archive) = Archive::read(
                part.files.as_dyn().open(node)?,
                self.request.scratch.as_deref(),
                &self.request.limits,
            )?
        {
            return self.unpack(archive, destination);
        }
        // The directory that the destination names or lies in comes first.
        let parent_end = destination.iter().rposition(|&byte| byte == b'/');
        let parent = &destination[..parent_end.map_or(0, |at| at + 1)];
        let reached = self.draft.reach(parent)?;
        self.make(reached)?;
        let mut source = Source {
            number,
            part,
            linked: HashMap::new(),
        };
        let mut reached = self.draft.reach(destination)?;
        if node.is_directory() {
            let is_there = reached.missing.is_empty();
            let spot = if is_there {
                reached.spot
            } else {
                self.make(reached)?
            };
            return self.contents_of(&mut source, node, root, spot);
        }
        if reached.missing.is_empty() && self.draft.is_directory(reached.spot) {
            reached.missing.push(root.name.clone());
        }
        let (parent, name) = self.last(reached)?;
        self.leaf(&mut source, node, parent, &name)
    }

    /// Splits the last name off a path and makes what is before it.
    fn last(&mut self, mut reached: Reached) -> Result<(Spot, Vec<u8>), CopyError> {
        match reached.missing.pop() {
            Some(name) => Ok((self.make(reached)?, name)),
            None => {
                let place = self.draft.place(reached.spot);
                Ok((place.parent, place.name.clone()))
            }
        }
    }

    /// Makes the directories that a path lacks, for the owner of the copy.
    pub(super) fn make(&mut self, reached: Reached) -> Result<Spot, CopyError> {
        let (uid, gid) = self.owner.unwrap_or_default();
        let metadata = Metadata {
            mode: Mode::of_made_directory(self.mode),
            uid,
            gid,
            mtime: self.request.time,
            ..Metadata::default()
        };
        self.draft.make(reached, &metadata)
    }

    /// Copies what was picked below a directory onto a directory, whose mode
    /// and owner stay what they are.
    fn contents_of(
        &mut self,
        source: &mut Source<'_>,
        directory: Node<'_>,
        root: &Root,
        target: Spot,
    ) -> Result<(), CopyError> {
        if !self.draft.is_directory(target) {
            return Err(CopyError::DirectoryOntoFile(self.draft.path(target)));
        }
        let tree = source.part.files.as_dyn().tree();
        let mut spots: HashMap<usize, Spot> = HashMap::from([(directory.id(), target)]);
        // Directories get their owner, mode and times when all in them is done.
        let mut done: Vec<(Node<'_>, Spot)> = Vec::new();
        for picked in &root.below {
            let Some(node) = tree.at(picked.node) else {
                continue;
            };
            let parent = node.parent().map_or(directory.id(), |parent| parent.id());
            let Some(&parent) = spots.get(&parent) else {
                continue;
            };
            if !node.is_directory() {
                self.leaf(source, node, parent, node.name())?;
                continue;
            }
            let spot = match self.draft.child(parent, node.name()) {
                Some(spot) if !self.draft.is_directory(spot) => {
                    return Err(CopyError::DirectoryOntoFile(self.draft.path(spot)));
                }
                Some(spot) => {
                    if !picked.whole {
                        // There only for what is in it: it takes the mode alone.
                        let mut metadata = self.draft.metadata(spot);
                        metadata.mode = node.mode();
                        self.draft.place_mut(spot).metadata = Some(metadata);
                    }
                    spot
                }
                None => {
                    check_name(node.name(), &self.draft.path(parent))?;
                    let metadata = self.metadata(source, node);
                    self.draft.put(
                        parent,
                        node.name(),
                        What::Directory,
                        metadata,
                        self.request.time,
                    )
                }
            };
            spots.insert(node.id(), spot);
            if picked.whole {
                done.push((node, spot));
            }
        }
        for (node, spot) in done {
            let mut metadata = self.metadata(source, node);
            let before = self.draft.metadata(spot).xattrs;
            for (name, value) in before {
                metadata.xattrs.entry(name).or_insert(value);
            }
            let place = self.draft.place_mut(spot);
            place.metadata = Some(metadata);
            place.touched = None;
        }
        // The target itself takes the time of its source and nothing else.
        let time = self.time_of(source, directory);
        self.draft.place_mut(target).touched = Some(time);
        Ok(())
    }

    /// Copies a file, link or device under a name.
    fn leaf(
        &mut self,
        source: &mut Source<'_>,
        node: Node<'_>,
        parent: Spot,
        name: &[u8],
    ) -> Result<(), CopyError> {
        check_name(name, &self.draft.path(parent))?;
        if let Some(spot) = self.draft.child(parent, name)
            && self.draft.is_directory(spot)
        {
            return Err(CopyError::FileOntoDirectory(self.draft.path(spot)));
        }
        let what = match (node.kind(), other(node.kind())) {
            (_, Some(kind)) => What::Other(kind),
            (NodeKind::File { size_bytes }, None) => {
                What::File(self.content(source, node, size_bytes))
            }
            // Directories are no leaves and nodes no hard links.
            _ => return Ok(()),
        };
        let mut metadata = self.metadata(source, node);
        if matches!(what, What::Other(EntryKind::Symlink { .. })) {
            metadata.mode = 0o777;
        }
        self.draft
            .put(parent, name, what, metadata, self.request.time);
        Ok(())
    }

    fn content(&mut self, source: &mut Source<'_>, node: Node<'_>, size_bytes: u64) -> usize {
        let first = node.first_link().id();
        if node.links() > 1
            && let Some(&known) = source.linked.get(&first)
        {
            return known;
        }
        let content = self.contents.len();
        self.contents.push(Content {
            from: From::Part {
                part: source.number,
                node: node.id(),
            },
            size_bytes,
        });
        source.linked.insert(first, content);
        content
    }

    /// What a copy of a node has: its own, changed by `--chown` and `--chmod`.
    fn metadata(&self, source: &Source<'_>, node: Node<'_>) -> Metadata {
        let mut metadata = Metadata {
            uname: Box::default(),
            gname: Box::default(),
            mtime: self.time_of(source, node),
            ..node.metadata()
        };
        if source.part.is_checkout {
            // git knows one bit of a mode; the rest is the umask's.
            let may_run = node.is_directory() || metadata.mode & 0o100 != 0;
            metadata.mode = if may_run { 0o755 } else { 0o644 };
        }
        if let Some((uid, gid)) = self.owner {
            (metadata.uid, metadata.gid) = (uid, gid);
        }
        if let Some(mode) = self.mode {
            metadata.mode = mode.apply(metadata.mode, node.is_directory());
        }
        metadata
    }

    /// A directory that no entry names has no time of its own.
    fn time_of(&self, source: &Source<'_>, node: Node<'_>) -> Timestamp {
        match node.content_origin() {
            Some(_) if !source.part.is_checkout => node.mtime(),
            _ => self.request.time,
        }
    }
}

/// Refuses names that a layer would read as whiteouts.
pub(super) fn check_name(name: &[u8], parent: &[u8]) -> Result<(), CopyError> {
    if name.starts_with(b".wh.") {
        let path = [parent, b"/", name].concat();
        return Err(CopyError::Reserved(path));
    }
    Ok(())
}
