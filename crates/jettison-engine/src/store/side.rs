//! What is kept beside the blobs: documents about an image (plan, evidence),
//! and values that can be computed again (layer indexes, built layers).

use std::io;
use std::time::SystemTime;

use jettison_image::{DiffId, Digest};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::files::{Directory, read_bounded};

/// No plan or evidence of an image within the limits comes near.
pub(crate) const NOTE_BYTES: u64 = 256 << 20;
/// A layer index of 600 000 entries takes about 100 MiB.
const CACHED_BYTES: u64 = 256 << 20;

/// What was learned about a layer blob when it was written or first read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The digest of the uncompressed layer.
    pub diff_id: DiffId,
    /// The length of the uncompressed layer.
    pub unpacked_bytes: u64,
}

impl Store {
    /// Attaches a document to an image's manifest, over an earlier one of the
    /// same kind. It goes when the manifest goes.
    pub fn put_note(&self, image: &Digest, kind: &str, json: &[u8]) -> Result<(), StoreError> {
        let _lock = self.inner.lease.hold([*image])?;
        self.replace(&self.inner.notes, &note_name(image, kind), json)
    }

    /// A document attached to an image's manifest.
    pub fn note(&self, image: &Digest, kind: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let name = note_name(image, kind);
        match self.inner.notes.read(&name, NOTE_BYTES) {
            Ok(json) => Ok(Some(json)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", self.inner.notes.path().join(name))(
                error,
            )),
        }
    }

    /// Keeps a value that can be computed again. `kind` is a word like
    /// `layer-index`, `key` anything that names the inputs completely.
    pub fn put_cached(&self, kind: &str, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut content = Digest::of(value).as_bytes().to_vec();
        content.extend_from_slice(value);
        self.replace(&self.inner.cache, &cache_name(kind, key), &content)
    }

    /// A value kept earlier; one that is damaged counts as absent.
    pub fn cached(&self, kind: &str, key: &str) -> Option<Vec<u8>> {
        let name = cache_name(kind, key);
        let file = self.inner.cache.open_file(&name).ok()?;
        // Its last use, for pruning by age; a store that is read-only for us keeps the old date.
        let _ = file.set_modified(SystemTime::now());
        let mut content = read_bounded(file, CACHED_BYTES).ok()?;
        if content.len() < 32 {
            return None;
        }
        let value = content.split_off(32);
        (Digest::of(&value).as_bytes()[..] == content).then_some(value)
    }

    /// Remembers what was learned about a layer blob.
    pub fn put_layer_facts(&self, layer: &Digest, facts: LayerFacts) -> Result<(), StoreError> {
        let json = serde_json::to_vec(&facts).expect("strings and numbers always serialise");
        self.put_cached("layer-facts", &layer.to_string(), &json)
    }

    /// What was learned about a layer blob.
    pub fn layer_facts(&self, layer: &Digest) -> Option<LayerFacts> {
        serde_json::from_slice(&self.cached("layer-facts", &layer.to_string())?).ok()
    }

    /// Removes notes of manifests that are gone, and cached values unused
    /// since `cached_before`; returns the bytes.
    pub(super) fn prune_side(
        &self,
        cached_before: Option<i64>,
        dry_run: bool,
    ) -> Result<u64, StoreError> {
        let (notes, cache, blobs) = (&self.inner.notes, &self.inner.cache, &self.inner.blobs);
        let mut freed_bytes = 0;
        for name in notes
            .names()
            .map_err(StoreError::io("list", notes.path()))?
        {
            let image = name.split('.').next().unwrap_or_default();
            if !matches!(blobs.facts(image), Ok(Some(_))) {
                freed_bytes += remove(notes, &name, dry_run)?;
            }
        }
        let Some(limit) = cached_before else {
            return Ok(freed_bytes);
        };
        for name in cache
            .names()
            .map_err(StoreError::io("list", cache.path()))?
        {
            if matches!(cache.facts(&name), Ok(Some(facts)) if facts.changed_seconds < limit) {
                freed_bytes += remove(cache, &name, dry_run)?;
            }
        }
        Ok(freed_bytes)
    }
}

/// Removes a file and says how long it was.
pub(super) fn remove(directory: &Directory, name: &str, dry_run: bool) -> Result<u64, StoreError> {
    let size = match directory.facts(name) {
        Ok(Some(facts)) => facts.size_bytes,
        _ => 0,
    };
    if !dry_run {
        directory
            .remove(name)
            .map_err(StoreError::io("remove", directory.path().join(name)))?;
    }
    Ok(size)
}

fn note_name(image: &Digest, kind: &str) -> String {
    format!("{}.{}.json", image.hex(), plain(kind))
}

fn cache_name(kind: &str, key: &str) -> String {
    format!("{}-{}", plain(kind), Digest::of(key.as_bytes()).hex())
}

/// Kinds are words of our own code; anything else in one becomes a dash.
fn plain(kind: &str) -> String {
    kind.chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
