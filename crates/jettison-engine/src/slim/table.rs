//! Before and after, in numbers: the whole, and by package.

use std::collections::BTreeMap;

use jettison_image::{Compression, Image, Tree};
use jettison_packages::installed::Installed;
use serde::Serialize;

/// What an image weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Regular files that a container shows, hard links once.
    pub files: u64,
    /// Their bytes.
    pub unpacked_bytes: u64,
    /// Bytes of the layers as they are stored.
    pub wire_bytes: u64,
    /// Whether layers are compressed as they are stored.
    pub is_packed: bool,
    /// Number of layers.
    pub layers: usize,
}

impl Sizes {
    /// Measures an image.
    pub(super) fn of(image: &Image, tree: &Tree) -> Self {
        let files = tree
            .iter()
            .filter(|node| node.is_file() && node.is_first_link());
        Self {
            files: files.count() as u64,
            unpacked_bytes: tree.visible_bytes(),
            wire_bytes: image.layers_bytes(),
            is_packed: image
                .layers
                .iter()
                .any(|layer| layer.compression != Compression::None),
            layers: image.layers.len(),
        }
    }
}

/// What stayed of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageRow {
    /// The package; none: files that no package owns.
    pub package: Option<String>,
    /// Unpacked bytes in the original.
    pub before_bytes: u64,
    /// Unpacked bytes in the small image.
    pub after_bytes: u64,
}

/// The packages of the original, those that shrank most first.
pub(super) fn by_package(tree: &Tree, keep: &[bool], installed: &Installed) -> Vec<PackageRow> {
    let mut rows: BTreeMap<Option<&str>, (u64, u64)> = BTreeMap::new();
    for node in tree
        .iter()
        .filter(|node| node.is_file() && node.is_first_link())
    {
        let owner = installed.owner(&node.path());
        let name = owner.map(|(package, _)| package.name.as_str());
        let (before, after) = rows.entry(name).or_default();
        *before += node.size_bytes();
        *after += if keep[node.id()] {
            node.size_bytes()
        } else {
            0
        };
    }
    let row = |(package, (before_bytes, after_bytes)): (Option<&str>, (u64, u64))| PackageRow {
        package: package.map(str::to_owned),
        before_bytes,
        after_bytes,
    };
    let mut rows: Vec<PackageRow> = rows.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.before_bytes - row.after_bytes));
    rows
}
