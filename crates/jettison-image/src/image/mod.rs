//! One image: manifest, config and layers, with the place its blobs are read
//! from.
//!
//! An image is a value: nothing here changes one in place. A layer list and a
//! config that do not fit each other are refused; a history that does not fit
//! the layers only leaves them without a name, and a note says so.

mod build;

use std::io::Read;
use std::sync::Arc;

use crate::compression::Compression;
use crate::manifest::ManifestOrIndex;
use crate::media_type::{ManifestKind, is_image_config};
use crate::{
    Descriptor, DiffId, Digest, Error, ImageConfig, Limits, Manifest, VerifyingReader, escape,
};

pub use build::{NewImage, NewLayer};

/// Where blobs come from. Implementations hand out the bytes; whoever reads
/// them verifies the digest ([`open_verified`], [`read_blob`]).
pub trait BlobSource: Send + Sync {
    /// Opens a blob at its first byte.
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error>;
}

/// An image that can be read.
#[derive(Clone)]
pub struct Image {
    /// Digest of the manifest.
    pub manifest_digest: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's bytes as they were read.
    pub manifest_bytes: Vec<u8>,
    /// The config.
    pub config: ImageConfig,
    /// The config's bytes as they were read.
    pub config_bytes: Vec<u8>,
    /// The layers, lowest first.
    pub layers: Vec<LayerBlob>,
    /// What is odd about the image without making it unreadable.
    pub notes: Vec<String>,
    /// Where the blobs are read from.
    pub source: Arc<dyn BlobSource>,
}

/// One layer as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerBlob {
    /// The stored blob.
    pub descriptor: Descriptor,
    /// The digest of its uncompressed tar stream.
    pub diff_id: DiffId,
    /// How it is compressed.
    pub compression: Compression,
    /// The command that made it, where the history fits the layers.
    pub created_by: Option<String>,
}

impl Image {
    /// Reads the image whose manifest `manifest` names.
    pub fn load(
        source: Arc<dyn BlobSource>,
        manifest: &Descriptor,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let bytes = read_blob(&*source, manifest, limits)?;
        Self::from_manifest(source, bytes, &manifest.media_type, limits)
    }

    /// Reads the image of a manifest at hand.
    pub fn from_manifest(
        source: Arc<dyn BlobSource>,
        manifest_bytes: Vec<u8>,
        media_type: &str,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let manifest = match ManifestOrIndex::parse(&manifest_bytes, media_type, limits)? {
            ManifestOrIndex::Manifest(manifest) => manifest,
            ManifestOrIndex::Index(_) => {
                return Err(Error::malformed(
                    "manifest",
                    "is an index of several images",
                ));
            }
        };
        let config_type = &manifest.config.media_type;
        if !config_type.is_empty() && !is_image_config(config_type) {
            let problem = format!("describes `{}`, not an image", escape(config_type));
            return Err(Error::malformed("manifest", problem));
        }
        let config_bytes = read_blob(&*source, &manifest.config, limits)?;
        let config = ImageConfig::parse(&config_bytes, limits)?;
        let mut notes = Vec::new();
        let layers = layers(&manifest, &config, &mut notes)?;
        Ok(Self {
            manifest_digest: Digest::of(&manifest_bytes),
            manifest,
            manifest_bytes,
            config,
            config_bytes,
            layers,
            notes,
            source,
        })
    }

    /// The descriptor under which an index lists this image.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::of(self.manifest.schema.manifest(), &self.manifest_bytes);
        descriptor.platform = Some(self.config.platform());
        descriptor
    }

    /// Opens a layer's stored bytes, verified while they are read.
    pub fn open_layer(
        &self,
        layer: &LayerBlob,
    ) -> Result<VerifyingReader<Box<dyn Read + Send>>, Error> {
        open_verified(&*self.source, &layer.descriptor)
    }

    /// Bytes of all layers as they are stored.
    pub fn layers_bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| {
            sum.saturating_add(layer.descriptor.size_bytes)
        })
    }
}

/// Opens a blob; its size and digest are verified by the time the reader
/// reports the end.
pub fn open_verified(
    source: &dyn BlobSource,
    blob: &Descriptor,
) -> Result<VerifyingReader<Box<dyn Read + Send>>, Error> {
    Ok(VerifyingReader::new(
        source.open(blob)?,
        blob.digest,
        blob.size_bytes,
    ))
}

/// Reads a manifest, index or config whole and verifies it.
pub fn read_blob(
    source: &dyn BlobSource,
    blob: &Descriptor,
    limits: &Limits,
) -> Result<Vec<u8>, Error> {
    let what = format!("blob {}", blob.digest);
    if blob.size_bytes > limits.json_bytes {
        return Err(crate::json::too_long(&what, limits));
    }
    let mut bytes = Vec::new();
    // The reader stops with an error one read after the promised size.
    open_verified(source, blob)?
        .read_to_end(&mut bytes)
        .map_err(|cause| Error::Read {
            what,
            source: cause,
        })?;
    Ok(bytes)
}

fn layers(
    manifest: &Manifest,
    config: &ImageConfig,
    notes: &mut Vec<String>,
) -> Result<Vec<LayerBlob>, Error> {
    if manifest.layers.len() != config.diff_ids.len() {
        let problem = format!(
            "lists {} layers, its config {}",
            manifest.layers.len(),
            config.diff_ids.len()
        );
        return Err(Error::malformed("manifest", problem));
    }
    let history = config.layer_history();
    if history.is_none() && !config.history.is_empty() {
        let steps = config
            .history
            .iter()
            .filter(|step| !step.empty_layer)
            .count();
        notes.push(format!(
            "the history names {steps} steps that made a layer, there are {} layers",
            manifest.layers.len()
        ));
    }
    let blob = |(at, descriptor): (usize, &Descriptor)| {
        let created_by = history
            .as_ref()
            .and_then(|steps| steps[at].created_by.clone());
        Ok(LayerBlob {
            descriptor: descriptor.clone(),
            diff_id: config.diff_ids[at],
            compression: layer_compression(descriptor, at)?,
            created_by,
        })
    };
    manifest.layers.iter().enumerate().map(blob).collect()
}

fn layer_compression(descriptor: &Descriptor, at: usize) -> Result<Compression, Error> {
    let media_type = &descriptor.media_type;
    if ManifestKind::of(media_type).is_some() || is_image_config(media_type) {
        let problem = format!("is a `{}`, not a layer", escape(media_type));
        return Err(Error::malformed(format!("manifest: layers[{at}]"), problem));
    }
    Compression::of_media_type(media_type).ok_or_else(|| {
        let problem = format!("media type `{}` is not a layer", escape(media_type));
        Error::malformed(format!("manifest: layers[{at}]"), problem)
    })
}
