//! The same image in the other family of media types: blobs and config stay
//! what they are, only the manifest is written anew.

use std::sync::Arc;

use jettison_image::{Descriptor, Error, Image, Limits, Manifest, Schema};

use super::whole::Whole;

/// Rewrites the manifest for a destination that takes one family only. An
/// image that is in it already is returned as it is.
pub(super) fn to_schema(image: &Image, schema: Schema, limits: &Limits) -> Result<Image, Error> {
    if image.manifest.schema == schema {
        return Ok(image.clone());
    }
    let config = Descriptor::of(schema.config(), &image.config_bytes);
    let layers = image.layers.iter().map(|layer| {
        let media_type = match schema {
            Schema::Oci => layer.compression.oci_media_type(),
            Schema::Docker => layer.compression.docker_media_type(),
        };
        Descriptor::new(
            media_type,
            layer.descriptor.digest,
            layer.descriptor.size_bytes,
        )
    });
    let manifest = Manifest::new(schema, config, layers.collect());
    Image::from_manifest(
        Arc::new(Whole::of(image)),
        manifest.to_bytes(),
        schema.manifest(),
        limits,
    )
}
