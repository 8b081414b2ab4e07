//! What is in the store, for a person to read.

use jettison_image::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Store, StoreError, StoredRef};

/// No manifest or config that a registry takes is longer.
const JSON_BYTES: u64 = 4 << 20;

/// One name in the store. What cannot be told, because a blob is gone or the
/// layers were never unpacked, is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Name and manifest.
    pub stored: StoredRef,
    /// `os/architecture`, with `/variant` where there is one.
    pub platform: Option<String>,
    /// When the image says it was created (RFC 3339).
    pub created: Option<String>,
    /// What a pull moves: manifest, config and layers.
    pub wire_bytes: Option<u64>,
    /// The layers, uncompressed.
    pub unpacked_bytes: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ManifestBlobs {
    config: Option<Blob>,
    layers: Vec<Blob>,
    manifests: Vec<Blob>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    digest: Digest,
    size: u64,
    #[serde(default)]
    media_type: String,
}

#[derive(Deserialize)]
struct ConfigFacts {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    created: Option<String>,
}

impl Store {
    /// Every name with what is known about its image, sorted by name.
    pub fn list(&self) -> Result<Vec<StoredImage>, StoreError> {
        Ok(self
            .refs()?
            .into_iter()
            .map(|stored| self.describe(stored))
            .collect())
    }

    fn describe(&self, stored: StoredRef) -> StoredImage {
        let mut image = StoredImage {
            stored,
            platform: None,
            created: None,
            wire_bytes: None,
            unpacked_bytes: None,
        };
        let Some(manifest) = self.manifest_blobs(&image.stored.digest) else {
            return image;
        };
        let Some(config) = manifest.config else {
            return image;
        };
        image.wire_bytes = manifest
            .layers
            .iter()
            .try_fold(image.stored.size.checked_add(config.size), |sum, layer| {
                Some(sum?.checked_add(layer.size))
            })
            .flatten();
        image.unpacked_bytes = manifest.layers.iter().try_fold(0u64, |sum, layer| {
            sum.checked_add(if layer.is_plain() {
                layer.size
            } else {
                self.layer_facts(&layer.digest)?.unpacked_bytes
            })
        });
        if let Some(facts) = self.read_json::<ConfigFacts>(&config.digest) {
            image.platform = facts.platform();
            image.created = facts.created;
        }
        image
    }

    /// The blobs that a manifest or index names; none when it is not there or
    /// cannot be read as one.
    pub(super) fn manifest_blobs(&self, manifest: &Digest) -> Option<ManifestBlobs> {
        self.read_json(manifest)
    }

    /// Reads without taking a lease: listing must not keep anything alive, and
    /// pruning holds the lock that a lease would wait for.
    fn read_json<T: DeserializeOwned>(&self, digest: &Digest) -> Option<T> {
        let json = self.inner.blobs.read(&digest.hex(), JSON_BYTES).ok()?;
        if Digest::of(&json) != *digest {
            return None;
        }
        serde_json::from_slice(&json).ok()
    }
}

impl ManifestBlobs {
    /// The digests of config and layers, and those of further manifests.
    pub(super) fn digests(&self) -> (impl Iterator<Item = Digest>, impl Iterator<Item = Digest>) {
        let blobs = self
            .config
            .iter()
            .chain(&self.layers)
            .map(|blob| blob.digest);
        (blobs, self.manifests.iter().map(|blob| blob.digest))
    }
}

impl Blob {
    fn is_plain(&self) -> bool {
        self.media_type.ends_with(".tar")
    }
}

impl ConfigFacts {
    fn platform(&self) -> Option<String> {
        let mut platform = format!("{}/{}", self.os.as_ref()?, self.architecture.as_ref()?);
        if let Some(variant) = self.variant.as_ref().filter(|variant| !variant.is_empty()) {
            platform.push('/');
            platform.push_str(variant);
        }
        Some(platform)
    }
}
