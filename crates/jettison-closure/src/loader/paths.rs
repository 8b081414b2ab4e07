//! Paths as loaders put them together: `..` and links stay in them until the
//! kernel walks them, and the origin of an object is the directory of the path
//! under which it was opened, not of the file behind its links.

use std::sync::Arc;

use jettison_image::{Follow, ImagePath, Node};

use super::{Loader, locked};
use crate::world::World;

/// A directory that is searched.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    pub(super) node: Node<'a>,
    /// Directories below it with libraries for certain processors, as paths.
    pub(super) variants: Vec<(Vec<u8>, Node<'a>)>,
}

/// Where glibc before 2.37 looked for libraries of certain processors
/// (`_dl_important_hwcaps`, legacy); `tls` is the oldest of them.
const LEGACY_VARIANTS: &[&[u8]] = &[
    b"tls",
    b"haswell",
    b"xeon_phi",
    b"avx512_1",
    b"x86_64",
    b"i686",
    b"sse2",
    b"neon",
    b"atomics",
    b"power8",
    b"power9",
    b"z13",
    b"z14",
    b"z15",
];

impl<'a> Loader<'a> {
    /// What a directory of a search path is in the tree.
    pub(super) fn directory(&self, path: &[u8]) -> Option<Arc<Directory<'a>>> {
        if let Some(known) = locked(&self.directories).get(path) {
            return known.clone();
        }
        let directory = self.read_directory(path).map(Arc::new);
        locked(&self.directories).insert(path.to_vec(), directory.clone());
        directory
    }

    fn read_directory(&self, path: &[u8]) -> Option<Directory<'a>> {
        let node = self.world.tree.resolve(path, Follow::All).ok()?;
        if !node.is_directory() {
            return None;
        }
        let below = |of: Node<'a>, name: &[u8]| {
            let node = self.world.tree.resolve_from(of, name, Follow::All).ok()?;
            node.is_directory().then_some(node)
        };
        let mut variants = Vec::new();
        if let Some(features) = below(node, b"glibc-hwcaps") {
            for child in features.children() {
                if let Some(variant) = below(features, child.name()) {
                    variants.push((joined(path, &[b"glibc-hwcaps", child.name()]), variant));
                }
            }
        }
        for name in LEGACY_VARIANTS {
            if let Some(variant) = below(node, name) {
                variants.push((joined(path, &[name]), variant));
            }
        }
        Some(Directory { node, variants })
    }
}

/// An absolute path, from the working directory where it is relative.
pub(super) fn absolute(world: &World<'_>, path: &[u8]) -> Vec<u8> {
    if path.first() == Some(&b'/') {
        return path.to_vec();
    }
    let mut whole = vec![b'/'];
    whole.extend_from_slice(world.working_directory.as_bytes());
    joined(&whole, &[path])
}

/// A path with components behind it.
pub(super) fn joined(path: &[u8], below: &[&[u8]]) -> Vec<u8> {
    let mut whole = path.to_vec();
    for name in below {
        if whole.last() != Some(&b'/') {
            whole.push(b'/');
        }
        whole.extend_from_slice(name);
    }
    whole
}

/// The part before the last slash.
pub(super) fn directory_of(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&b| b == b'/') {
        Some(0) | None => b"/",
        Some(at) => &path[..at],
    }
}

/// A path without `..`, as the kernel walks it, and what it walks through
/// before each of them: those have to be there as well.
pub(super) fn walked(world: &World<'_>, path: &[u8]) -> Option<(ImagePath, Vec<ImagePath>)> {
    let Some(last) = path
        .split(|&b| b == b'/')
        .collect::<Vec<_>>()
        .iter()
        .rposition(|name| *name == b"..")
    else {
        return Some((ImagePath::new(path).ok()?, Vec::new()));
    };
    let mut through = Vec::new();
    let mut at: Vec<u8> = Vec::new();
    for (number, name) in path.split(|&b| b == b'/').enumerate() {
        match name {
            b"" | b"." => {}
            b".." => {
                if let Ok(passed) = ImagePath::new(&at)
                    && !passed.is_root()
                {
                    through.push(passed);
                }
                let node = world.tree.resolve(&at, Follow::All).ok()?;
                at = node.parent().unwrap_or(node).path().as_bytes().to_vec();
            }
            name => {
                at.push(b'/');
                at.extend_from_slice(name);
            }
        }
        if number == last {
            through.dedup();
        }
    }
    let path = ImagePath::new(at).ok()?;
    through.retain(|passed| !path.starts_with(passed));
    Some((path, through))
}
