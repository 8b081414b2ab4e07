//! What a COPY reads, and the key of it.

use std::io::{self, Write};

use jettison_dockerfile::ignore::Ignore;
use jettison_image::{Digest, Follow, Node, NodeKind, Sha256Writer};

use super::files::InlineFile;
use super::mode::Mode;
use super::owner::Owner;
use super::pick::{Filter, Root, absolute, is_glob};
use super::{CopyError, CopyRequest, Files, Part};
use crate::dockerfile::FileSystem;
use crate::dockerfile::add::is_remote;

/// The layout of keys; another layout gets another word.
const KEY: &[u8] = b"jettison copy 1";

/// What a COPY reads, found without looking at the stage it goes to.
pub struct Selection<'a> {
    pub(super) parts: Vec<Part<'a>>,
    pub(super) request: &'a CopyRequest,
    pub(super) mode: Option<Mode>,
    pub(super) owner: Option<Owner>,
    key: Digest,
}

/// Finds what a request's sources name in a file system.
pub fn select<'a>(
    request: &'a CopyRequest,
    source: &'a dyn FileSystem,
) -> Result<Selection<'a>, CopyError> {
    let filter = filter(request)?;
    let mut parts = Vec::new();
    for word in &request.sources {
        if is_remote(word) {
            return Err(CopyError::Remote(word.clone()));
        }
        let mut part = local(request, word, source, &filter)?;
        part.unpacks = request.unpack;
        parts.push(part);
    }
    with_parts(request, parts)
}

/// What one word names in the source.
pub(crate) fn local<'a>(
    request: &CopyRequest,
    word: &[u8],
    source: &'a dyn FileSystem,
    filter: &FilterOf,
) -> Result<Part<'a>, CopyError> {
    let files = Files::Borrowed(source);
    if !request.parents {
        return Part::named(files, word, &filter.0);
    }
    // `a/./b/c`: what is before the pivot does not show in the destination.
    let pivot = word.windows(3).position(|bytes| bytes == b"/./");
    let (from, pattern) =
        pivot.map_or((b"/".as_slice(), word), |at| (&word[..at], &word[at + 3..]));
    let pattern = absolute(pattern);
    let include =
        Ignore::new(&[&pattern[1..]]).map_err(|_| CopyError::BadPattern(pattern[1..].to_vec()))?;
    let part = Part::named(
        files,
        from,
        &Filter {
            include: Some(include),
            exclude: filter.0.exclude.clone(),
        },
    )?;
    let is_link = |path: &[u8]| {
        let node = source.tree().resolve(path, Follow::AllButLast);
        node.is_ok_and(|node| node.link_target().is_some())
    };
    if !is_glob(from) && !is_glob(&pattern) && (!part.has_picked() || is_link(&absolute(from))) {
        return Err(CopyError::NotFound(absolute(
            &[from, b"/", &pattern].concat(),
        )));
    }
    Ok(part)
}

/// All of a file system that was fetched, or its only file.
pub(crate) fn fetched<'a>(
    files: &'a dyn FileSystem,
    path: &[u8],
    filter: &FilterOf,
) -> Result<Part<'a>, CopyError> {
    Part::literal(Files::Borrowed(files), path, &filter.0)
}

/// The filter that all words of a request share.
pub(crate) struct FilterOf(Filter);

pub(crate) fn filter(request: &CopyRequest) -> Result<FilterOf, CopyError> {
    let exclude = Ignore::new(&request.exclude)
        .map_err(|_| CopyError::BadPattern(request.exclude.join(&b' ')))?;
    Ok(FilterOf(Filter {
        include: None,
        exclude,
    }))
}

/// Completes parts by the inline files and makes the key.
pub(crate) fn with_parts<'a>(
    request: &'a CopyRequest,
    mut parts: Vec<Part<'a>>,
) -> Result<Selection<'a>, CopyError> {
    let everything = Filter::default();
    for (name, content) in &request.inline {
        let file = InlineFile::new(name, content.clone(), request.time)?;
        parts.push(Part::named(
            Files::Owned(Box::new(file)),
            name,
            &everything,
        )?);
    }
    let mode = request.chmod.as_deref().map(Mode::parse).transpose()?;
    let owner = request.chown.as_deref().map(Owner::parse);
    let key = key(request, &parts)?;
    let selection = Selection {
        parts,
        request,
        mode,
        owner,
        key,
    };
    if selection.is_independent() && selection.owner.as_ref().is_some_and(Owner::has_names) {
        let written = request.chown.clone().unwrap_or_default();
        return Err(CopyError::OwnerOfNoStage(written));
    }
    Ok(selection)
}

impl Selection<'_> {
    /// The digest of all that the copy reads and is asked for: destination and
    /// flags, the paths as they will lie, kinds, modes, owners, link targets
    /// and contents; no times. With the key of the stage below it decides the
    /// layer; with `--link` alone.
    pub fn key(&self) -> Digest {
        self.key
    }

    /// What was asked for.
    pub fn request(&self) -> &CopyRequest {
        self.request
    }

    /// Whether nothing is copied: every word is a glob that matches nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.roots.is_empty())
    }

    /// Whether the layer does not depend on what is below it.
    pub fn is_independent(&self) -> bool {
        self.request.is_independent()
    }
}

fn key(request: &CopyRequest, parts: &[Part<'_>]) -> Result<Digest, CopyError> {
    let mut key = KeyWriter(Sha256Writer::new(io::sink()));
    key.field(KEY);
    key.field(&request.working_dir);
    key.field(&request.destination);
    key.optional(request.chown.as_deref());
    key.optional(request.chmod.as_deref());
    key.number(u64::from(request.link));
    key.number(parts.len() as u64);
    for part in parts {
        key.number(u64::from(part.unpacks));
        key.number(u64::from(part.is_checkout));
        key.number(part.roots.len() as u64);
        for root in &part.roots {
            key.root(part, root)?;
        }
    }
    Ok(key.0.finish().1)
}

/// Fields with their lengths in front, so that no two lists have one text.
struct KeyWriter(Sha256Writer<io::Sink>);

impl KeyWriter {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("a sink takes everything");
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        self.number(u64::from(bytes.is_some()));
        self.field(bytes.unwrap_or_default());
    }

    fn root(&mut self, part: &Part<'_>, root: &Root) -> Result<(), CopyError> {
        let files = part.files.as_dyn();
        let tree = files.tree();
        let ids = std::iter::once(root.node).chain(root.below.iter().map(|picked| picked.node));
        let nodes: Vec<Node<'_>> = ids.filter_map(|id| tree.at(id)).collect();
        let contents: Vec<Node<'_>> = nodes.iter().copied().filter(Node::is_file).collect();
        let mut digests = files.digests(&contents)?.into_iter();
        let Some((top, below)) = nodes.split_first() else {
            return Ok(());
        };
        // The contents of a directory are copied, not the directory.
        self.field(if top.is_directory() { b"" } else { &root.name });
        self.node(*top, &mut digests);
        self.number(below.len() as u64);
        let start = top.path().as_bytes().len();
        for (node, picked) in below.iter().zip(&root.below) {
            self.field(&node.path().as_bytes()[start..]);
            self.number(u64::from(picked.whole));
            self.node(*node, &mut digests);
            // Names of one file stay names of one file.
            let first = node.first_link();
            if first != *node {
                self.field(first.path().as_bytes());
            }
        }
        Ok(())
    }

    fn node(&mut self, node: Node<'_>, digests: &mut impl Iterator<Item = Digest>) {
        self.number(u64::from(node.mode()));
        let (uid, gid) = node.owner();
        self.number(uid);
        self.number(gid);
        match node.kind() {
            NodeKind::File { .. } => {
                self.bytes(b"f");
                let digest = digests.next().expect("one digest for every file");
                self.bytes(digest.as_bytes());
            }
            NodeKind::Symlink { target } => {
                self.bytes(b"l");
                self.field(target);
            }
            NodeKind::Directory | NodeKind::HardLink { .. } => self.bytes(b"d"),
            NodeKind::CharDevice { major, minor } => self.device(b"c", major, minor),
            NodeKind::BlockDevice { major, minor } => self.device(b"b", major, minor),
            NodeKind::Fifo => self.bytes(b"p"),
        }
        let xattrs = node.xattrs();
        self.number(xattrs.len() as u64);
        for (name, value) in xattrs {
            self.field(name);
            self.field(value);
        }
    }

    fn device(&mut self, kind: &[u8], major: u32, minor: u32) {
        self.bytes(kind);
        self.number(u64::from(major));
        self.number(u64::from(minor));
    }
}
