//! An image's files, written into the sandbox once: every name of the merged
//! tree, and the contents that are visible, in one pass over each layer.

use std::collections::HashMap;
use std::io;

use jettison_image::account::{Contents, Survey, SurveyOptions};
use jettison_image::layer::LayerReader;
use jettison_image::{Decoder, EntryKind, Image, Limits, Node, Tree};
use jettison_sandbox::{Root, Sandbox};

use super::ProveError;

/// Fills a root with the image's tree.
pub(crate) fn prepare_root(
    sandbox: &Sandbox,
    image: &Image,
    limits: &Limits,
) -> Result<Root, ProveError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = SurveyOptions {
        contents: Contents::Unhashed,
        threads,
    };
    let survey = Survey::read(image, &options, limits)?;
    let tree = survey.tree();
    let mut writer = sandbox.new_root()?;
    // Directories first, so that whatever comes later has a place.
    for node in tree.iter().filter(Node::is_directory) {
        writer.put(&node.entry(), &mut io::empty())?;
    }
    let wanted = contents(tree);
    for (at, layer) in image.layers.iter().enumerate() {
        let wanted = &wanted[at];
        if wanted.is_empty() {
            continue;
        }
        let name = || format!("layer {}", layer.descriptor.digest);
        let blob = std::io::BufReader::with_capacity(1 << 20, image.open_layer(layer)?);
        let decoder = Decoder::pipelined(blob, layer.compression, limits).map_err(|source| {
            jettison_image::Error::Read {
                what: name(),
                source,
            }
        })?;
        let mut reader = LayerReader::new(decoder, limits);
        while let Some(mut entry) = reader.next_entry()? {
            if let Some(node) = wanted.get(&entry.ordinal()) {
                writer.put(&node.entry(), entry.as_tar())?;
            }
        }
        reader.finish()?;
    }
    for node in tree.iter().filter(|node| !node.is_directory()) {
        let has_content = node.is_file() && node.is_first_link();
        if !has_content {
            writer.put(&node.entry(), &mut io::empty())?;
        }
    }
    Ok(writer.finish()?)
}

/// For each layer, which entries carry the content of which file's first name.
fn contents(tree: &Tree) -> Vec<HashMap<u32, Node<'_>>> {
    let mut wanted = vec![HashMap::new(); tree.layers().len()];
    for node in tree
        .iter()
        .filter(|node| node.is_file() && node.is_first_link())
    {
        debug_assert!(matches!(node.entry().kind, EntryKind::File { .. }));
        if let Some(origin) = node.content_origin() {
            wanted[origin.layer as usize].insert(origin.entry, node);
        }
    }
    wanted
}
