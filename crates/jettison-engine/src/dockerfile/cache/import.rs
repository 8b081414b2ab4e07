//! Reads steps out of caches, as they are asked for. What is no cache, cannot
//! be had or is not what it says is warned about and counts for nothing.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::sync::{Mutex, PoisonError};

use jettison_image::{
    Compression, Decoder, Digest, Error, Image, LayerBlob, NewLayer, Platform, escape,
};

use super::{LABEL, SCHEMA, Steps};
use crate::Context;
use crate::dockerfile::error::StepError;
use crate::one_line;
use crate::store::{LayerFacts, StoreError};
use crate::transport::{Location, TransportError};

const PIECE_BYTES: usize = 128 << 10;

/// The caches of a build.
#[derive(Default)]
pub(crate) struct Imported {
    caches: Vec<Cache>,
    warnings: Mutex<Vec<String>>,
}

struct Cache {
    place: String,
    image: Image,
    steps: BTreeMap<String, Option<usize>>,
}

impl Imported {
    /// Opens them; layers are fetched when a step is found.
    pub(crate) fn open(places: &[Location], platform: &Platform, context: &Context) -> Self {
        let mut imported = Self::default();
        for place in places {
            match open(place, platform, context) {
                Ok(cache) => imported.caches.push(cache),
                Err(problem) => imported.warn(format!("--cache-from {place}: {problem}")),
            }
        }
        imported
    }

    /// What a step made, where a cache knows it and has it.
    pub(crate) fn find(&self, key: &Digest, context: &Context) -> Option<Option<NewLayer>> {
        let key = key.to_string();
        for cache in &self.caches {
            let Some(at) = cache.steps.get(&key) else {
                continue;
            };
            let Some(at) = at else { return Some(None) };
            let Some(layer) = cache.image.layers.get(*at) else {
                continue;
            };
            match bring(&cache.image, layer, context) {
                Ok(layer) => return Some(Some(layer)),
                Err(error) => self.warn(format!(
                    "--cache-from {}: a layer is not taken, the step is done anew: {}",
                    cache.place,
                    one_line(&error)
                )),
            }
        }
        None
    }

    /// What a person should hear.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        let held = self.warnings.lock();
        std::mem::take(&mut *held.unwrap_or_else(PoisonError::into_inner))
    }

    fn warn(&self, warning: String) {
        let held = self.warnings.lock();
        held.unwrap_or_else(PoisonError::into_inner).push(warning);
    }
}

fn open(place: &Location, platform: &Platform, context: &Context) -> Result<Cache, String> {
    let foreign = || "it is no cache of jettison's, and nothing of it is used".to_owned();
    let opened = context.transports.open(place, Some(platform));
    let image = opened
        .map_err(|error| match error {
            // Caches of other builders have other configs.
            TransportError::Image(_) => format!("{} ({error})", foreign()),
            other => format!("it cannot be had: {}", one_line(&other)),
        })?
        .image;
    let label = image.config.run.labels.get(LABEL).ok_or_else(foreign)?;
    let steps: Steps = serde_json::from_str(label).map_err(|_| foreign())?;
    if steps.schema != SCHEMA {
        let schema = escape(&steps.schema);
        return Err(format!(
            "its schema is {schema}; this version reads {SCHEMA}"
        ));
    }
    Ok(Cache {
        place: place.to_string(),
        steps: steps.steps,
        image,
    })
}

/// A layer unpacked into the store, where it lies under the digest of its
/// content, as the layers of steps do.
fn bring(image: &Image, layer: &LayerBlob, context: &Context) -> Result<NewLayer, StepError> {
    let store = context.store();
    let digest = layer.diff_id.0;
    let made = |size_bytes| NewLayer {
        digest,
        size_bytes,
        diff_id: layer.diff_id,
        compression: Compression::None,
    };
    // That this blob unpacks to that content is believed of what was unpacked here.
    let packed = layer.descriptor.digest;
    let is_known = |facts: &LayerFacts| facts.diff_id == layer.diff_id;
    if let Some(size_bytes) = store.blob_size(&digest)?
        && store.layer_facts(&packed).as_ref().is_some_and(is_known)
    {
        return Ok(made(size_bytes));
    }
    let what = || format!("layer {}", layer.descriptor.digest.short());
    let limits = context.limits();
    let blob = BufReader::with_capacity(PIECE_BYTES, image.open_layer(layer)?);
    let mut plain = Decoder::new(blob, layer.compression, limits)
        .map_err(|source| Error::read(what(), source))?;
    let mut writer = store.blob_writer()?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut unpacked_bytes = 0_u64;
    loop {
        let count = match plain.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::read(what(), error).into()),
        };
        unpacked_bytes = unpacked_bytes.saturating_add(count as u64);
        if unpacked_bytes > limits.unpacked_bytes {
            return Err(Error::malformed(what(), "is larger than --limit unpacked-bytes").into());
        }
        writer
            .write_all(&piece[..count])
            .map_err(|source| StoreError::Io {
                deed: "write",
                path: store.path().to_owned(),
                source,
            })?;
    }
    let stored = writer.commit_as(digest)?;
    let facts = LayerFacts {
        diff_id: layer.diff_id,
        unpacked_bytes,
    };
    store.put_layer_facts(&digest, facts)?;
    store.put_layer_facts(&packed, facts)?;
    Ok(made(stored.size_bytes))
}
