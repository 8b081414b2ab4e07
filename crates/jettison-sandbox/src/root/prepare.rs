//! From an image and its merged tree to a root: each layer is read once, and
//! only what is visible in the tree is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use jettison_image::{Decoder, Image, Limits, Node, Tree, tar};

use super::{Root, RootEntry, RootWriter};
use crate::error::Error;
use crate::sandbox::Sandbox;

/// What an inode and its name take in a file system in memory.
const ENTRY_BYTES: u64 = 1024;

impl Sandbox {
    /// Writes an image's merged tree into a new root: into memory where it
    /// fits, else into the scratch directory. Layers are verified against
    /// their digests while they are read.
    pub fn prepare(&self, image: &Image, tree: &Tree, limits: &Limits) -> Result<Root, Error> {
        let needed = needed_bytes(tree);
        let on_disk = needed > self.link().memory_bytes;
        if on_disk && !self.link().has_scratch() {
            let source = std::io::Error::from_raw_os_error(libc::ENOSPC);
            let step = format!("preparing a root of {} MB in memory", needed / 1_000_000);
            return Err(Error::step(step, source));
        }
        let mut writer = RootWriter::new(Arc::clone(self.link()), on_disk)?;
        let mut wanted: BTreeMap<u32, BTreeMap<u32, Node<'_>>> = BTreeMap::new();
        for node in tree.iter().filter(Node::is_first_link) {
            match node.content_origin() {
                Some(origin) if node.is_file() => {
                    wanted
                        .entry(origin.layer)
                        .or_default()
                        .insert(origin.entry, node);
                }
                _ => writer.record(&record(&node), &mut std::io::empty())?,
            }
        }
        for (layer, nodes) in wanted {
            copy_layer(image, layer, nodes, limits, &mut writer)?;
        }
        for node in tree.iter().filter(|node| !node.is_first_link()) {
            writer.record(&record(&node), &mut std::io::empty())?;
        }
        writer.finish()
    }
}

fn copy_layer(
    image: &Image,
    number: u32,
    mut nodes: BTreeMap<u32, Node<'_>>,
    limits: &Limits,
    writer: &mut RootWriter,
) -> Result<(), Error> {
    let layer = usize::try_from(number)
        .ok()
        .and_then(|number| image.layers.get(number));
    let layer = layer.ok_or_else(|| {
        jettison_image::Error::malformed(format!("layer {number}"), "not in the manifest")
    })?;
    let digest = layer.descriptor.digest;
    let blob = image.open_layer(layer)?;
    let archive = Decoder::pipelined(blob, layer.compression, limits).map_err(|source| {
        jettison_image::Error::Read {
            what: format!("layer {digest}"),
            source,
        }
    })?;
    let mut archive = tar::Reader::new(archive, limits);
    while let Some(mut entry) = archive.next_entry()? {
        if let Some(node) = nodes.remove(&entry.ordinal()) {
            writer.record(&record(&node), &mut entry)?;
        }
    }
    // To the last byte: only then the digest is known to be right.
    archive.finish()?;
    match nodes.first_key_value() {
        None => Ok(()),
        Some((_, node)) => Err(jettison_image::Error::malformed(
            node.path().display().to_string(),
            format!("not in layer {digest}, where the tree has it from"),
        )
        .into()),
    }
}

fn record(node: &Node<'_>) -> RootEntry {
    RootEntry::from_entry(&node.entry())
}

/// What the tree takes in memory, whole pages of content.
fn needed_bytes(tree: &Tree) -> u64 {
    tree.iter()
        .filter(Node::is_first_link)
        .map(|node| node.size_bytes().div_ceil(4096).saturating_mul(4096))
        .fold(0, |sum: u64, bytes| {
            sum.saturating_add(bytes).saturating_add(ENTRY_BYTES)
        })
}
