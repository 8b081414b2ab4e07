//! The layers of a stage, all of them in the store, and the file system that
//! they make.

use std::io::Read;
use std::sync::Arc;

use jettison_image::account::Contents;
use jettison_image::filter::RawEntries;
use jettison_image::{
    Compression, DiffId, Digest, Error, Image, ImageConfig, NewImage, NewLayer, Node, Platform,
    Schema, Tree,
};
use serde::{Deserialize, Serialize};

use super::content::FileSystem;
use crate::Context;
use crate::spool::{Spool, SpoolError};
use crate::store::{Store, StoreError};

/// The file system of some layers; what is written to a stage afterwards does
/// not change it.
pub(crate) fn file_system(layers: &[NewLayer], context: &Context) -> Result<Spool, SpoolError> {
    let config = ImageConfig::new(&Platform::new("linux", "", ""));
    let mut image = NewImage::new(Schema::Oci, config);
    for layer in layers {
        image.push_layer(layer.clone(), Default::default());
    }
    let image = image.finish(Arc::new(context.store_source()))?;
    Spool::open_with(&image, Contents::Sha256, context)
}

/// All layers of an image that is in the store.
pub(crate) fn layers_of(image: &Image) -> Vec<NewLayer> {
    image.layers.iter().map(NewLayer::from).collect()
}

impl FileSystem for Spool {
    fn tree(&self) -> &Tree {
        Spool::tree(self)
    }

    fn open(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        let Some(origin) = file.content_origin() else {
            return Ok(Box::new(std::io::empty()));
        };
        let mut entries = self.entry_at(origin)?;
        entries.next_entry()?;
        // What follows is the content of that entry.
        Ok(Box::new(entries))
    }
}

/// A layer as a step's result is remembered; none where the step wrote nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    layer: Option<(Digest, u64, DiffId)>,
}

/// What a step made earlier, as long as the store has it.
pub(crate) fn recall(store: &Store, key: &Digest) -> Option<Option<NewLayer>> {
    let json = store.cached("build-step", &key.to_string())?;
    let known: Remembered = serde_json::from_slice(&json).ok()?;
    let Some((digest, size_bytes, diff_id)) = known.layer else {
        return Some(None);
    };
    let is_there = store.has_blob(&digest, size_bytes).ok()?;
    is_there.then_some(Some(NewLayer {
        digest,
        size_bytes,
        diff_id,
        compression: Compression::None,
    }))
}

/// Remembers what a step made.
pub(crate) fn remember(
    store: &Store,
    key: &Digest,
    layer: Option<&NewLayer>,
) -> Result<(), StoreError> {
    let known = Remembered {
        layer: layer.map(|layer| (layer.digest, layer.size_bytes, layer.diff_id)),
    };
    let json = serde_json::to_vec(&known).expect("numbers and digests always serialise");
    store.put_cached("build-step", &key.to_string(), &json)
}
