//! Layers for the wire: those that are not packed, as docker's archives and
//! engines give them, are gzipped once and kept in the store. Config and diff
//! ids stay; the same layer becomes the same blob on every machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use jettison_image::compression::{Compression, Encoder, EncoderOptions};
use jettison_image::{BlobSource, Descriptor, Digest, Error, Image, open_verified};

use super::whole::Whole;
use super::{TransportError, Transports, parallel};
use crate::store::{Store, StoreError};
use crate::store_source::StoreSource;

/// What the packer made of a layer, by the layer; another packer is another key.
const REMEMBERED: &str = "packed-layer";
const PIECE_BYTES: usize = 256 << 10;

impl Transports {
    /// The image with every layer packed, and what was done in a sentence. One
    /// that needs nothing is returned as it is.
    pub(super) fn as_packed(&self, image: &Image) -> Result<(Image, Vec<String>), TransportError> {
        let mut plain: Vec<&Descriptor> = Vec::new();
        for layer in &image.layers {
            let blob = &layer.descriptor;
            let is_new = plain.iter().all(|other| other.digest != blob.digest);
            if layer.compression == Compression::None && is_new {
                plain.push(blob);
            }
        }
        if plain.is_empty() {
            return Ok((image.clone(), Vec::new()));
        }
        parallel::each(&plain, |blob| self.pack(image, blob).map(drop))?;
        let mut manifest = image.manifest.clone();
        for (descriptor, layer) in manifest.layers.iter_mut().zip(&image.layers) {
            if layer.compression != Compression::None {
                continue;
            }
            // Each is in the store by now.
            let (digest, size_bytes) = self.pack(image, &layer.descriptor)?;
            descriptor.digest = digest;
            descriptor.size_bytes = size_bytes;
            descriptor.media_type = match manifest.schema {
                jettison_image::Schema::Oci => Compression::Gzip.oci_media_type(),
                jettison_image::Schema::Docker => Compression::Gzip.docker_media_type(),
            }
            .to_owned();
        }
        let source = Arc::new(Packed {
            store: self.store.clone(),
            rest: Whole::of(image),
        });
        let bytes = manifest.to_bytes();
        let media_type = manifest.schema.manifest();
        let packed = Image::from_manifest(source, bytes, media_type, &self.limits)?;
        let said = format!(
            "{} came unpacked and {} gzipped there; config and content are the same, the manifest is {}",
            match plain.len() {
                1 => "one layer".to_owned(),
                count => format!("{count} layers"),
            },
            if plain.len() == 1 { "is" } else { "are" },
            packed.manifest_digest.short()
        );
        Ok((packed, vec![said]))
    }

    /// The gzipped form of a layer, which is in the store afterwards.
    fn pack(&self, image: &Image, blob: &Descriptor) -> Result<(Digest, u64), TransportError> {
        let key = format!("{} by {}", blob.digest, env!("CARGO_PKG_VERSION"));
        if let Some(known) = remembered(&self.store, &key) {
            return Ok(known);
        }
        let item = self.progress.begin(
            &format!("pack {}", blob.digest.short()),
            Some(blob.size_bytes),
        );
        let unreadable = |source| Error::Read {
            what: format!("blob {}", blob.digest),
            source,
        };
        let unwritable = |source| StoreError::Io {
            deed: "write",
            path: self.store.path().to_owned(),
            source,
        };
        let reader = open_verified(&*image.source, blob)?;
        let mut reader = BufReader::with_capacity(PIECE_BYTES, reader);
        let options = EncoderOptions::new(Compression::Gzip);
        let writer = self.store.blob_writer()?;
        let mut encoder = Encoder::new(writer, &options).map_err(unwritable)?;
        loop {
            let piece = reader.fill_buf().map_err(unreadable)?;
            let count = piece.len();
            if count == 0 {
                break;
            }
            encoder.write_all(piece).map_err(unwritable)?;
            reader.consume(count);
            item.advance(count as u64);
        }
        let stored = encoder.finish().map_err(unwritable)?.commit()?;
        let value = format!("{} {}", stored.digest, stored.size_bytes);
        self.store.put_cached(REMEMBERED, &key, value.as_bytes())?;
        Ok((stored.digest, stored.size_bytes))
    }
}

/// What was packed before and is still there.
fn remembered(store: &Store, key: &str) -> Option<(Digest, u64)> {
    let value = String::from_utf8(store.cached(REMEMBERED, key)?).ok()?;
    let (digest, size_bytes) = value.split_once(' ')?;
    let (digest, size_bytes) = (digest.parse().ok()?, size_bytes.parse().ok()?);
    let is_there = store.has_blob(&digest, size_bytes).unwrap_or(false);
    is_there.then_some((digest, size_bytes))
}

/// Packed layers out of the store, everything else from where it was.
struct Packed {
    store: Store,
    rest: Whole,
}

impl BlobSource for Packed {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        match StoreSource(self.store.clone()).open(blob) {
            Err(Error::MissingBlob { .. }) => self.rest.open(blob),
            other => other,
        }
    }
}
