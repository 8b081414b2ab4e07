//! What is found while texts are read: edges, once each and bounded, and the
//! surroundings in which a text means something.

use std::borrow::Cow;
use std::collections::HashSet;

use jettison_image::{Follow, ImagePath, Node};

use super::pattern;
use crate::{Edge, How, World};

/// What a word of a script says, as far as it can be told without running it.
pub(crate) type Text = Vec<u8>;

/// Stands in a [`Text`] for what only running would tell. No word of a shell
/// and no path holds this byte.
pub(crate) const UNKNOWN: u8 = 0;

/// Edges that one file may have.
const MOST_EDGES: usize = 20_000;
/// Texts inside of texts: `sh -c "eval '…'"`.
const MOST_NESTED: usize = 12;
/// Bytes of text that are read for one file, all nested texts together.
const MOST_BYTES: u64 = 16 << 20;
/// Look-ups of names for one file.
const MOST_LOOKUPS: usize = 400_000;

/// Directories that hold a system, not something that belongs together: a
/// script that lists one of them does not need all of it.
const SYSTEM: &[&str] = &[
    "",
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib64",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/include",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/bin",
    "usr/local/etc",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/local/share",
    "usr/sbin",
    "usr/share",
    "usr/src",
    "var",
    "var/cache",
    "var/lib",
    "var/log",
    "var/run",
    "var/spool",
    "var/tmp",
];

/// Collects what a file leads to.
pub(crate) struct Reader<'w> {
    pub(crate) world: World<'w>,
    /// Directories that a script adds to `PATH`.
    pub(crate) paths: Vec<ImagePath>,
    /// Directories from which relative paths may be meant.
    pub(crate) bases: Vec<ImagePath>,
    /// The file that is read: it does not lead to itself.
    own: Option<ImagePath>,
    edges: Vec<Edge>,
    seen: HashSet<(ImagePath, How)>,
    nested: usize,
    bytes: u64,
    lookups: usize,
}

impl<'w> Reader<'w> {
    pub(crate) fn new(world: &World<'w>) -> Self {
        Self {
            world: *world,
            paths: Vec::new(),
            bases: vec![world.working_directory.clone()],
            own: None,
            edges: Vec::new(),
            seen: HashSet::new(),
            nested: 0,
            bytes: MOST_BYTES,
            lookups: MOST_LOOKUPS,
        }
    }

    /// For reading this file.
    pub(crate) fn of(world: &World<'w>, node: Node) -> Self {
        Self {
            own: Some(node.path()),
            ..Self::new(world)
        }
    }

    pub(crate) fn into_edges(self) -> Vec<Edge> {
        self.edges
    }

    pub(crate) fn add(&mut self, to: ImagePath, how: How, detail: impl Into<String>) {
        let is_own = self.own.as_ref() == Some(&to);
        if !is_own && self.edges.len() < MOST_EDGES && self.seen.insert((to.clone(), how)) {
            let detail = detail.into();
            self.edges.push(Edge { to, how, detail });
        }
    }

    /// Reads a text inside the text, unless that is one level too many.
    pub(crate) fn nested(&mut self, read: impl FnOnce(&mut Self)) {
        if self.nested < MOST_NESTED {
            self.nested += 1;
            read(self);
            self.nested -= 1;
        }
    }

    /// A file's content, cut off at what may still be read.
    pub(crate) fn content(&mut self, file: Node<'w>) -> Cow<'w, [u8]> {
        let data = self.world.contents.read(file, self.bytes);
        let data = data.unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(data.len() as u64);
        data
    }

    /// Whether one more name may be looked up.
    fn may_look(&mut self) -> bool {
        self.lookups = self.lookups.saturating_sub(1);
        self.lookups > 0
    }

    /// The program of a name. What a shell cannot tell in front of a slash is
    /// taken for a directory of `PATH`.
    pub(crate) fn program(&mut self, name: &[u8]) -> Option<ImagePath> {
        if name.is_empty() || !self.may_look() {
            return None;
        }
        let name = match name.iter().rposition(|&byte| byte == UNKNOWN) {
            None => name,
            Some(at) if name.get(at + 1) == Some(&b'/') => {
                name.rsplit(|&byte| byte == b'/').next()?
            }
            Some(_) => return None,
        };
        if let Some(found) = self.world.command(name) {
            return Some(found);
        }
        let directories = if name.contains(&b'/') {
            &self.bases
        } else {
            &self.paths
        };
        directories.iter().find_map(|directory| {
            let path = directory.join(name).ok()?;
            let node = self.world.file(&path)?;
            (node.mode() & 0o111 != 0).then_some(path)
        })
    }

    /// Adds the program of a name.
    pub(crate) fn run(&mut self, name: &[u8]) -> Option<ImagePath> {
        let path = self.program(name)?;
        self.add(path.clone(), How::Runs, format!("runs {}", last(&path)));
        Some(path)
    }

    /// The path as the tree has it: absolute, or below one of the bases.
    pub(crate) fn existing(&mut self, path: &[u8]) -> Option<ImagePath> {
        if path.is_empty() || path.len() > 4096 || path.contains(&0) || !self.may_look() {
            return None;
        }
        if path[0] == b'/' {
            return existing(&self.world, &ImagePath::root(), path);
        }
        let bases = &self.bases;
        bases
            .iter()
            .find_map(|base| existing(&self.world, base, path))
    }

    /// Adds a path that stands in the text, if the tree has it.
    pub(crate) fn name(&mut self, path: &[u8]) -> Option<ImagePath> {
        let path = self.existing(path)?;
        if !path.is_root() {
            self.add(path.clone(), How::Names, "names the path");
        }
        Some(path)
    }

    /// Adds a directory whose files are chosen among. A directory of the
    /// system itself is only named.
    pub(crate) fn family(&mut self, directory: &ImagePath, detail: impl Into<String>) {
        if directory.is_root() {
            return;
        }
        // `/lib` is a link to `usr/lib` where the two are one.
        let end = self.world.tree.resolve(directory, Follow::All);
        if is_system(directory) || end.is_ok_and(|node| is_system(&node.path())) {
            self.add(directory.clone(), How::Names, "names the directory");
        } else {
            self.add(directory.clone(), How::Family, detail);
        }
    }

    /// Adds what a path with unknown parts, `*`, `?` or `[…]` may mean: the
    /// deepest directory that is told, as a family.
    pub(crate) fn matching(&mut self, path: &[u8]) {
        let known = pattern::known_prefix(path);
        let Some(slash) = known.iter().rposition(|&byte| byte == b'/') else {
            return;
        };
        // What begins with something unknown says nothing.
        let directory = &known[..slash.max(1)];
        let Some(found) = self.existing(directory) else {
            return;
        };
        let Ok(node) = self.world.tree.resolve(&found, Follow::All) else {
            return;
        };
        if !node.is_directory() || found.is_root() {
            return;
        }
        let rest = &path[slash + 1..];
        // A packaged script that names any file where it is started (`./$file`)
        // means its caller's.
        let is_packaged = self.own.as_ref().is_some_and(is_of_packages);
        if is_packaged && pattern::is_bare(rest) && found == *self.world.working_directory {
            return;
        }
        if !is_system(&found) {
            self.family(&found, "chooses among the files");
            return;
        }
        // Of a system's directory only what fits.
        let (first, deeper) = match rest.iter().position(|&byte| byte == b'/') {
            Some(at) => (&rest[..at], true),
            None => (rest, false),
        };
        if pattern::is_bare(first) {
            return;
        }
        let fitting: Vec<ImagePath> = node
            .children()
            .filter(|child| pattern::fits(first, child.name()))
            .take(64)
            .filter_map(|child| found.join(child.name()).ok())
            .collect();
        for path in fitting {
            if deeper {
                self.family(&path, "chooses among the files");
            } else {
                self.add(path, How::Names, "names files by a pattern");
            }
        }
    }
}

/// A path below a directory as the tree has it: links are not followed, but
/// behind `..` there is only where the kernel would arrive.
pub(crate) fn existing(world: &World, base: &ImagePath, path: &[u8]) -> Option<ImagePath> {
    if path.contains(&0) {
        return None;
    }
    let base_node = match path.first() {
        Some(b'/') => world.tree.root(),
        _ => world.directory(base.as_bytes())?,
    };
    // Most of what is looked for is nowhere.
    let first = path
        .split(|&byte| byte == b'/')
        .find(|part| !part.is_empty());
    if first.is_some_and(|name| name[0] != b'.' && base_node.child(name).is_none()) {
        return None;
    }
    let node = world
        .tree
        .resolve_from(base_node, path, Follow::AllButLast)
        .ok()?;
    let written = match path.first() {
        Some(b'/') => ImagePath::new(path),
        _ => base.join(path),
    };
    Some(written.unwrap_or_else(|_| node.path()))
}

/// True below the directories that only packages fill (FHS 3.0, 4.1).
fn is_of_packages(path: &ImagePath) -> bool {
    let path = path.as_bytes();
    let mut places = [&b"usr/"[..], b"bin/", b"sbin/", b"lib/"].into_iter();
    places.any(|place| path.starts_with(place)) && !path.starts_with(b"usr/local/")
}

/// Whether a directory is one of the system's.
pub(crate) fn is_system(directory: &ImagePath) -> bool {
    let path = directory.as_bytes();
    SYSTEM.binary_search_by(|known| known.as_bytes().cmp(path)).is_ok()
        // usr/lib/x86_64-linux-gnu
        || (path.starts_with(b"usr/lib/") && path.ends_with(b"-linux-gnu"))
}

/// The last component, for a person.
pub(crate) fn last(path: &ImagePath) -> String {
    jettison_image::escape(&String::from_utf8_lossy(path.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_directories_are_in_order() {
        assert!(SYSTEM.is_sorted());
    }
}
