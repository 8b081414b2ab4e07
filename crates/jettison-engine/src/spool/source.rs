//! A spooled image as an image of its own, whose layers are not packed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::Arc;

use jettison_image::{
    BlobSource, Compression, Descriptor, Digest, Error, Image, LayerBlob, Schema,
};

use super::archive::Stretch;

/// The blobs of the unpacked image.
struct Plain {
    archives: HashMap<Digest, (Arc<File>, u64)>,
    config: Vec<u8>,
    config_digest: Digest,
}

/// The image with its layers as they lie in `archives`: file and length of
/// each.
pub(super) fn plain_image(image: &Image, archives: Vec<(Arc<File>, u64)>) -> Image {
    let layers: Vec<LayerBlob> = image
        .layers
        .iter()
        .zip(&archives)
        .map(|(layer, &(_, length))| LayerBlob {
            descriptor: Descriptor::new(media_type(image.manifest.schema), layer.diff_id.0, length),
            compression: Compression::None,
            ..layer.clone()
        })
        .collect();
    let mut manifest = image.manifest.clone();
    manifest.layers = layers
        .iter()
        .map(|layer| layer.descriptor.clone())
        .collect();
    let manifest_bytes = manifest.to_bytes();
    let by_digest = layers.iter().map(|layer| layer.descriptor.digest);
    let source = Plain {
        archives: by_digest.zip(archives).collect(),
        config: image.config_bytes.clone(),
        config_digest: image.manifest.config.digest,
    };
    Image {
        manifest_digest: Digest::of(&manifest_bytes),
        manifest,
        manifest_bytes,
        layers,
        source: Arc::new(source),
        ..image.clone()
    }
}

fn media_type(schema: Schema) -> &'static str {
    match schema {
        Schema::Oci => Compression::None.oci_media_type(),
        Schema::Docker => Compression::None.docker_media_type(),
    }
}

impl BlobSource for Plain {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        if let Some((file, length)) = self.archives.get(&blob.digest) {
            let stretch = Stretch::new(Arc::clone(file), 0..*length, *length);
            return Ok(Box::new(stretch));
        }
        if blob.digest == self.config_digest {
            return Ok(Box::new(Cursor::new(self.config.clone())));
        }
        Err(Error::MissingBlob {
            digest: blob.digest,
        })
    }
}
