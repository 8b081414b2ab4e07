//! The layer of a COPY or ADD: what changed, in the order of the tree, each
//! with the directories it lies in, as BuildKit's exporter writes them.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use jettison_image::{
    Digest, Entry, EntryKind, Error, ImagePath, LayerWriter, Metadata, Node, NodeKind,
    Sha256Writer, Timestamp,
};

use super::draft::{Draft, ROOT, Spot, What, other};
use super::{CopyError, Part};
use crate::dockerfile::FileSystem;
use crate::dockerfile::add::Archive;

/// The only extended attribute that layers carry (containerd, `archive`).
const CAPABILITY: &[u8] = b"security.capability";

/// A file's content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) from: From,
    pub(super) size_bytes: u64,
}

/// Where a file's content comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    /// A node of what a part copies.
    Part { part: usize, node: usize },
    /// A member of an archive.
    Archive { archive: usize, member: usize },
    /// A node of the stage: an archive's hard link to what is there.
    Stage { node: usize },
}

/// Everything that contents are read from.
pub(super) struct Contents<'a> {
    pub(super) parts: &'a [Part<'a>],
    pub(super) archives: Vec<Archive>,
    pub(super) stage: Option<&'a dyn FileSystem>,
    pub(super) list: Vec<Content>,
}

impl<'a> Contents<'a> {
    /// The file system and node of a content that no archive holds.
    fn node(&self, from: From) -> Option<(&'a dyn FileSystem, Node<'a>)> {
        let (files, node) = match from {
            From::Part { part, node } => (self.parts.get(part)?.files.as_dyn(), node),
            From::Stage { node } => (self.stage?, node),
            From::Archive { .. } => return None,
        };
        Some((files, files.tree().at(node)?))
    }

    fn open(&self, from: From) -> Result<Box<dyn Read + '_>, Error> {
        if let From::Archive { archive, member } = from {
            let archive = &self.archives[archive];
            return Ok(archive.open(&archive.members()[member]));
        }
        let (files, node) = self
            .node(from)
            .expect("contents name nodes of their own trees");
        files.open(node)
    }
}

/// A copy, laid into a stage and ready to be written as a layer.
pub struct CopyPlan<'a> {
    contents: Contents<'a>,
    rows: Vec<Row>,
}

struct Row {
    entry: Entry,
    content: Option<Content>,
}

impl<'a> CopyPlan<'a> {
    pub(super) fn new(draft: &Draft<'a>, contents: Contents<'a>) -> Result<Self, CopyError> {
        let mut rows = Rows {
            draft,
            contents: &contents.list,
            first_names: HashMap::new(),
            rows: Vec::new(),
            pending: Vec::new(),
            unchanged: unchanged(draft, &contents)?,
        };
        rows.children(ROOT, &ImagePath::root())?;
        let rows = rows.rows;
        Ok(Self { contents, rows })
    }

    /// The layer's entries, in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.rows.iter().map(|row| &row.entry)
    }

    /// Appends the entries to a layer; contents are streamed.
    pub fn write<W: Write>(&self, layer: &mut LayerWriter<W>) -> Result<(), Error> {
        for row in &self.rows {
            let Some(content) = row.content else {
                layer.append_empty(&row.entry)?;
                continue;
            };
            layer.append(&row.entry, &mut self.contents.open(content.from)?)?;
        }
        Ok(())
    }
}

struct Rows<'d, 't> {
    draft: &'d Draft<'t>,
    contents: &'d [Content],
    /// The name under which a content was written.
    first_names: HashMap<usize, ImagePath>,
    rows: Vec<Row>,
    /// Directories on the way that are not written yet.
    pending: Vec<(Spot, ImagePath)>,
    unchanged: Vec<Spot>,
}

impl Rows<'_, '_> {
    fn children(&mut self, directory: Spot, path: &ImagePath) -> Result<(), CopyError> {
        for (name, spot) in &self.draft.place(directory).children {
            let child = path
                .join(name)
                .map_err(|error| Error::malformed(path.display().to_string(), error.to_string()))?;
            match spot {
                Some(spot) => self.spot(*spot, child)?,
                None => {
                    if self.draft.hidden(directory, name).is_some() {
                        self.whiteout(path, name)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn spot(&mut self, spot: Spot, path: ImagePath) -> Result<(), CopyError> {
        let place = self.draft.place(spot);
        if self.unchanged.binary_search(&spot).is_ok() {
            return Ok(());
        }
        let kind = match &place.what {
            What::Below if !self.draft.is_directory(spot) => return Ok(()),
            What::Below | What::Directory => {
                self.pending.push((spot, path.clone()));
                if self.is_new(spot) {
                    self.flush();
                    if self.replaces_a_directory(spot) {
                        self.whiteout(&path, b".wh..opq")?;
                    }
                }
                self.children(spot, &path)?;
                if self.pending.last().is_some_and(|(last, _)| *last == spot) {
                    self.pending.pop();
                }
                return Ok(());
            }
            What::Other(kind) => kind.clone(),
            What::File(number) => {
                let content = self.contents[*number];
                if let Some(target) = self.first_names.get(number) {
                    EntryKind::HardLink {
                        target: target.clone(),
                    }
                } else {
                    self.first_names.insert(*number, path.clone());
                    self.flush();
                    let kind = EntryKind::File {
                        size_bytes: content.size_bytes,
                    };
                    self.push(path, kind, self.metadata(spot), Some(content));
                    return Ok(());
                }
            }
        };
        self.flush();
        self.push(path, kind, self.metadata(spot), None);
        Ok(())
    }

    /// Whether a directory differs in more than its time from what is below.
    fn is_new(&self, spot: Spot) -> bool {
        let place = self.draft.place(spot);
        let Some(metadata) = &place.metadata else {
            return place.what != What::Below;
        };
        self.draft.below(spot).is_none_or(|node| {
            let (uid, gid) = node.owner();
            (metadata.mode, metadata.uid, metadata.gid) != (node.mode(), uid, gid)
                || metadata.xattrs.get(CAPABILITY) != node.xattrs().get(CAPABILITY)
        })
    }

    /// Whether the tree below has a directory here that must not show through.
    fn replaces_a_directory(&self, spot: Spot) -> bool {
        let place = self.draft.place(spot);
        place.what == What::Directory
            && self
                .draft
                .hidden(place.parent, &place.name)
                .is_some_and(|node| node.is_directory())
    }

    fn whiteout(&mut self, parent: &ImagePath, name: &[u8]) -> Result<(), CopyError> {
        let path = parent.join([b".wh.", name].concat());
        let path = path.map_err(|error| Error::malformed("a whiteout", error.to_string()))?;
        self.flush();
        self.push(
            path,
            EntryKind::File { size_bytes: 0 },
            Metadata::default(),
            None,
        );
        Ok(())
    }

    /// Writes the directories on the way to what comes next.
    fn flush(&mut self) {
        for (spot, path) in std::mem::take(&mut self.pending) {
            let metadata = self.metadata(spot);
            self.push(path, EntryKind::Directory, metadata, None);
        }
    }

    fn metadata(&self, spot: Spot) -> Metadata {
        let mut metadata = self.draft.metadata(spot);
        if let Some(time) = self.draft.place(spot).touched {
            metadata.mtime = time;
        }
        // Layers hold whole seconds, ids without names, and one attribute.
        metadata.mtime = Timestamp::from_seconds(metadata.mtime.seconds);
        metadata.xattrs.retain(|name, _| **name == *CAPABILITY);
        metadata.pax.clear();
        metadata.uname = Box::default();
        metadata.gname = Box::default();
        metadata
    }

    fn push(
        &mut self,
        path: ImagePath,
        kind: EntryKind,
        metadata: Metadata,
        content: Option<Content>,
    ) {
        self.rows.push(Row {
            entry: Entry {
                path,
                kind,
                metadata,
            },
            content,
        });
    }
}

/// Things that replace exactly what is below, which BuildKit's differ leaves
/// out; sorted.
fn unchanged(draft: &Draft<'_>, contents: &Contents<'_>) -> Result<Vec<Spot>, CopyError> {
    let Some(stage) = contents.stage else {
        return Ok(Vec::new());
    };
    let mut spots = Vec::new();
    for spot in draft.spots() {
        let place = draft.place(spot);
        let (Some(below), Some(metadata)) =
            (draft.hidden(place.parent, &place.name), &place.metadata)
        else {
            continue;
        };
        let is_alike = below.mode() == metadata.mode
            && below.owner() == (metadata.uid, metadata.gid)
            && below.mtime().seconds == metadata.mtime.seconds
            && below.xattrs().get(CAPABILITY) == metadata.xattrs.get(CAPABILITY);
        let is_same = is_alike
            && match &place.what {
                What::File(number) => has_content(stage, below, contents, contents.list[*number])?,
                What::Other(kind) => other(below.kind()).as_ref() == Some(kind),
                What::Below | What::Directory => false,
            };
        if is_same {
            spots.push(spot);
        }
    }
    spots.sort_unstable();
    Ok(spots)
}

fn has_content(
    stage: &dyn FileSystem,
    below: Node<'_>,
    contents: &Contents<'_>,
    content: Content,
) -> Result<bool, Error> {
    let size_bytes = content.size_bytes;
    if below.kind() != (NodeKind::File { size_bytes }) {
        return Ok(false);
    }
    let theirs = stage.digests(&[below])?;
    let ours = match contents.node(content.from) {
        Some((files, node)) => files.digests(&[node])?,
        None => vec![digest(&mut contents.open(content.from)?)?],
    };
    Ok(theirs == ours)
}

fn digest(content: &mut dyn Read) -> Result<Digest, Error> {
    let mut hasher = Sha256Writer::new(io::sink());
    io::copy(content, &mut hasher).map_err(|error| Error::read("an archive's member", error))?;
    Ok(hasher.finish().1)
}
