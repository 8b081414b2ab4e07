//! The layers of a stage, all of them in the store, and what is remembered of
//! the steps that made them.

use jettison_image::{Compression, DiffId, Digest, Image, NewLayer};
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

/// All layers of an image that is in the store.
pub(crate) fn layers_of(image: &Image) -> Vec<NewLayer> {
    image.layers.iter().map(NewLayer::from).collect()
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
