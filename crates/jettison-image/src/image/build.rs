//! A new image from a config and layers that are already written.

use std::sync::Arc;

use super::{BlobSource, Image, LayerBlob};
use crate::compression::Compression;
use crate::media_type::Schema;
use crate::{BuiltLayer, Descriptor, DiffId, Digest, Error, History, ImageConfig, Manifest};

/// The facts about a written layer that manifest and config need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLayer {
    /// Digest of the blob.
    pub digest: Digest,
    /// Size of the blob.
    pub size_bytes: u64,
    /// Digest of the tar stream.
    pub diff_id: DiffId,
    /// How the blob is compressed.
    pub compression: Compression,
}

/// An image in the making: layers and history steps are pushed in order, and
/// [`NewImage::finish`] writes manifest and config.
#[derive(Debug, Clone)]
pub struct NewImage {
    schema: Schema,
    config: ImageConfig,
    layers: Vec<NewLayer>,
}

impl From<&LayerBlob> for NewLayer {
    fn from(layer: &LayerBlob) -> Self {
        Self {
            digest: layer.descriptor.digest,
            size_bytes: layer.descriptor.size_bytes,
            diff_id: layer.diff_id,
            compression: layer.compression,
        }
    }
}

impl From<&BuiltLayer> for NewLayer {
    fn from(layer: &BuiltLayer) -> Self {
        Self {
            digest: layer.digest,
            size_bytes: layer.size_bytes,
            diff_id: layer.diff_id,
            compression: layer.compression,
        }
    }
}

impl NewImage {
    /// Starts with a config; its layers and history are dropped.
    pub fn new(schema: Schema, mut config: ImageConfig) -> Self {
        config.diff_ids.clear();
        config.history.clear();
        Self {
            schema,
            config,
            layers: Vec::new(),
        }
    }

    /// Puts a layer on top, with the step that made it.
    pub fn push_layer(&mut self, layer: NewLayer, step: History) -> &mut Self {
        self.config.diff_ids.push(layer.diff_id);
        self.config.history.push(History {
            empty_layer: false,
            ..step
        });
        self.layers.push(layer);
        self
    }

    /// Notes a step that made no layer.
    pub fn push_step(&mut self, step: History) -> &mut Self {
        self.config.history.push(History {
            empty_layer: true,
            ..step
        });
        self
    }

    /// Writes config and manifest. `source` is where the layer blobs are read
    /// from. Same layers, same config: same bytes.
    pub fn finish(self, source: Arc<dyn BlobSource>) -> Result<Image, Error> {
        let config_bytes = self.config.to_bytes();
        let config = Descriptor::of(self.schema.config(), &config_bytes);
        let descriptor = |layer: &NewLayer| {
            let media_type = match self.schema {
                Schema::Oci => layer.compression.oci_media_type(),
                Schema::Docker => layer.compression.docker_media_type(),
            };
            Descriptor::new(media_type, layer.digest, layer.size_bytes)
        };
        let layers = self.layers.iter().map(descriptor).collect();
        let manifest = Manifest::new(self.schema, config, layers);
        let manifest_bytes = manifest.to_bytes();
        let mut notes = Vec::new();
        let layers = super::layers(&manifest, &self.config, &mut notes)?;
        Ok(Image {
            manifest_digest: Digest::of(&manifest_bytes),
            manifest,
            manifest_bytes,
            config: self.config,
            config_bytes,
            layers,
            notes,
            source,
        })
    }
}
