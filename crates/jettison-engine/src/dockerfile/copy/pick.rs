//! What a source word names: the roots to copy, and below each what includes
//! and excludes leave of it.

use jettison_dockerfile::ignore::{Ignore, ParentMatches, clean, glob};
use jettison_image::{Follow, Node, ResolveError, Tree};

use super::{CopyError, Files};

/// Files of one source word, in the order in which they are copied.
pub(crate) struct Part<'a> {
    pub(crate) files: Files<'a>,
    pub(super) roots: Vec<Root>,
    /// Archives are unpacked.
    pub(crate) unpacks: bool,
    /// Modes and times are those of a checkout, not of files that somebody keeps.
    pub(crate) is_checkout: bool,
}

/// Something that a word or a glob names.
#[derive(Debug)]
pub(super) struct Root {
    /// The last component as named; a link's own name, not its target's.
    pub(super) name: Vec<u8>,
    /// Where it leads in the source's tree.
    pub(super) node: usize,
    /// What is copied below it, parents first.
    pub(super) below: Vec<Picked>,
}

/// Something below a root.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked {
    pub(super) node: usize,
    /// False for a directory that is there only for what is in it.
    pub(super) whole: bool,
}

/// What is taken of what is below a root, by paths relative to it.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// `--parents`: only what matches.
    pub(super) include: Option<Ignore>,
    /// `--exclude`.
    pub(super) exclude: Ignore,
}

impl<'a> Part<'a> {
    /// What a word of a COPY names in a file system.
    pub(super) fn named(files: Files<'a>, word: &[u8], filter: &Filter) -> Result<Self, CopyError> {
        let tree = files.as_dyn().tree();
        let path = absolute(word);
        let mut roots = Vec::new();
        for (name, node) in resolve(tree, &path)? {
            roots.push(Root::new(name, node, filter)?);
        }
        Ok(Self::new(files, roots))
    }

    /// What has exactly this path, which is no pattern.
    pub(super) fn literal(
        files: Files<'a>,
        path: &[u8],
        filter: &Filter,
    ) -> Result<Self, CopyError> {
        let node = files.as_dyn().tree().get(path);
        let node = node.ok_or_else(|| CopyError::NotFound(path.to_vec()))?;
        let root = Root::new(last_name(path), node, filter)?;
        Ok(Self::new(files, vec![root]))
    }

    fn new(files: Files<'a>, roots: Vec<Root>) -> Self {
        Self {
            files,
            roots,
            unpacks: false,
            is_checkout: false,
        }
    }

    /// Whether something below a root was picked for its own sake.
    pub(super) fn has_picked(&self) -> bool {
        self.roots
            .iter()
            .any(|root| root.below.iter().any(|picked| picked.whole))
    }
}

impl Root {
    fn new(name: Vec<u8>, node: Node<'_>, filter: &Filter) -> Result<Self, CopyError> {
        let mut below = Vec::new();
        if node.is_directory() {
            pick(node, filter, &mut below)?;
        }
        Ok(Self {
            name,
            node: node.id(),
            below,
        })
    }
}

fn last_name(path: &[u8]) -> Vec<u8> {
    let start = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |at| at + 1);
    path[start..].to_vec()
}

/// The path as BuildKit reads it: rooted, `..` resolved by its letters.
pub(super) fn absolute(word: &[u8]) -> Vec<u8> {
    clean(&[b"/", word].concat())
}

/// Whether Go would take a path for a glob.
pub(super) fn is_glob(path: &[u8]) -> bool {
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

fn resolve<'t>(tree: &'t Tree, path: &[u8]) -> Result<Vec<(Vec<u8>, Node<'t>)>, CopyError> {
    let (fixed, pattern) = split(path);
    let base = follow(tree, tree.root(), fixed)?;
    if pattern.is_empty() {
        return Ok(vec![(last_name(path), base)]);
    }
    if !base.is_directory() {
        return Err(CopyError::NotFound(path.to_vec()));
    }
    let mut found = Vec::new();
    // A class may match a slash, so only without one the depth is known.
    let depth = if pattern.contains(&b'[') {
        usize::MAX
    } else {
        pattern.split(|&byte| byte == b'/').count()
    };
    let mut relative = Vec::new();
    matches(base, pattern, depth, &mut relative, &mut found)?;
    let mut out = Vec::new();
    for (node, relative) in found {
        // What is named is followed when it is a link, from where it lies.
        let parent = node.parent().unwrap_or(base);
        let end = follow(tree, parent, node.name()).map_err(|error| match error {
            CopyError::NotFound(_) => CopyError::NotFound(node.path().as_bytes().to_vec()),
            other => other,
        })?;
        out.push((last_name(&relative), end));
    }
    Ok(out)
}

/// The components before the first with a wildcard, and the rest.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for component in path.split(|&byte| byte == b'/') {
        if is_glob(component) {
            return path.split_at(at);
        }
        at += component.len() + 1;
    }
    (path, &[])
}

fn matches<'t>(
    directory: Node<'t>,
    pattern: &[u8],
    depth: usize,
    relative: &mut Vec<u8>,
    found: &mut Vec<(Node<'t>, Vec<u8>)>,
) -> Result<(), CopyError> {
    for child in directory.children() {
        let length = relative.len();
        if length > 0 {
            relative.push(b'/');
        }
        relative.extend_from_slice(child.name());
        match glob(pattern, relative) {
            None => return Err(CopyError::BadPattern(pattern.to_vec())),
            Some(true) => found.push((child, relative.clone())),
            Some(false) if depth > 1 => {
                matches(child, pattern, depth - 1, relative, found)?;
            }
            Some(false) => {}
        }
        relative.truncate(length);
    }
    Ok(())
}

fn follow<'t>(tree: &'t Tree, from: Node<'t>, path: &[u8]) -> Result<Node<'t>, CopyError> {
    let resolved = tree.resolve_from(from, path, Follow::All);
    resolved.map_err(|error| match error {
        ResolveError::NotFound(_) | ResolveError::NotADirectory(_) => {
            CopyError::NotFound(path.to_vec())
        }
        ResolveError::TooManyLinks(_) => CopyError::TooManyLinks(path.to_vec()),
    })
}

fn pick(root: Node<'_>, filter: &Filter, below: &mut Vec<Picked>) -> Result<(), CopyError> {
    let mut picker = Picker {
        filter,
        path: Vec::new(),
        waiting: Vec::new(),
        below,
    };
    picker.children(root, &ParentMatches::default(), &ParentMatches::default())
}

struct Picker<'p> {
    filter: &'p Filter,
    path: Vec<u8>,
    /// Directories on the way that are not picked yet.
    waiting: Vec<usize>,
    below: &'p mut Vec<Picked>,
}

impl Picker<'_> {
    fn children(
        &mut self,
        directory: Node<'_>,
        included: &ParentMatches,
        excluded: &ParentMatches,
    ) -> Result<(), CopyError> {
        let filter = self.filter;
        let bad = |_| CopyError::BadPattern(b"--exclude".to_vec());
        for child in directory.children() {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(child.name());
            let (mut whole, mut include) = (true, ParentMatches::default());
            if let Some(patterns) = &filter.include {
                (whole, include) = patterns.walk(&self.path, included).map_err(bad)?;
            }
            let mut exclude = ParentMatches::default();
            let mut is_excluded = false;
            if !filter.exclude.is_empty() {
                (is_excluded, exclude) = filter.exclude.walk(&self.path, excluded).map_err(bad)?;
            }
            whole &= !is_excluded;
            if whole {
                self.below.extend(
                    self.waiting
                        .drain(..)
                        .map(|node| Picked { node, whole: false }),
                );
                self.below.push(Picked {
                    node: child.id(),
                    whole: true,
                });
            }
            let may_be_below = !is_excluded || filter.exclude.has_exclusions();
            if child.is_directory() && may_be_below {
                let waits = !whole;
                if waits {
                    self.waiting.push(child.id());
                }
                self.children(child, &include, &exclude)?;
                if waits {
                    // Gone already when something in it was picked.
                    self.waiting.pop();
                }
            }
            self.path.truncate(length);
        }
        Ok(())
    }
}
