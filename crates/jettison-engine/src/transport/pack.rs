//! Layers for the wire: those that are not packed, as docker's archives and
//! engines give them, are packed once and kept in the store. Config and diff
//! ids stay; the same layer becomes the same blob on every machine.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::thread;

use jettison_image::compression::{Compression, Decoder, Encoder, EncoderOptions};
use jettison_image::{BlobSource, Descriptor, Digest, Error, Image, LayerBlob};

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
        self.compressed(image, Compression::Gzip, false)
    }

    /// The image with its plain layers packed as `to`; with `is_forced`, those
    /// that are packed otherwise too. What was done is said in a sentence. One
    /// that needs nothing is returned as it is.
    pub fn compressed(
        &self,
        image: &Image,
        to: Compression,
        is_forced: bool,
    ) -> Result<(Image, Vec<String>), TransportError> {
        let is_stale = |layer: &LayerBlob| {
            layer.compression != to && (is_forced || layer.compression == Compression::None)
        };
        let mut stale: Vec<&LayerBlob> = Vec::new();
        for layer in image.layers.iter().filter(|layer| is_stale(layer)) {
            let digest = layer.descriptor.digest;
            if stale.iter().all(|other| other.descriptor.digest != digest) {
                stale.push(layer);
            }
        }
        if stale.is_empty() {
            return Ok((image.clone(), Vec::new()));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.div_ceil(stale.len());
        parallel::each(&stale, |layer| {
            self.pack(image, layer, to, threads).map(drop)
        })?;
        let mut manifest = image.manifest.clone();
        for (descriptor, layer) in manifest.layers.iter_mut().zip(&image.layers) {
            if !is_stale(layer) {
                continue;
            }
            // Each is in the store by now.
            let (digest, size_bytes) = self.pack(image, layer, to, threads)?;
            descriptor.digest = digest;
            descriptor.size_bytes = size_bytes;
            descriptor.media_type = match manifest.schema {
                jettison_image::Schema::Oci => to.oci_media_type(),
                jettison_image::Schema::Docker => to.docker_media_type(),
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
        let came = match stale
            .iter()
            .all(|layer| layer.compression == Compression::None)
        {
            true => "came unpacked",
            false => "came packed otherwise",
        };
        let said = format!(
            "{} {came} and {} {} there; config and content are the same, the manifest is {}",
            match stale.len() {
                1 => "one layer".to_owned(),
                count => format!("{count} layers"),
            },
            if stale.len() == 1 { "is" } else { "are" },
            match to {
                Compression::Gzip => "gzipped",
                Compression::Zstd => "packed with zstd",
                Compression::None => "unpacked",
            },
            packed.manifest_digest.short()
        );
        Ok((packed, vec![said]))
    }

    /// A layer in another packing, which is in the store afterwards.
    fn pack(
        &self,
        image: &Image,
        layer: &LayerBlob,
        to: Compression,
        threads: usize,
    ) -> Result<(Digest, u64), TransportError> {
        let blob = &layer.descriptor;
        let key = format!("{} {to:?} by {}", blob.digest, env!("CARGO_PKG_VERSION"));
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
        let mut packed = BufReader::with_capacity(PIECE_BYTES, image.open_layer(layer)?);
        let options = EncoderOptions {
            threads,
            ..EncoderOptions::new(to)
        };
        let writer = self.store.blob_writer()?;
        let mut encoder = Encoder::new(writer, &options).map_err(unwritable)?;
        let mut plain;
        let reader: &mut dyn Read = match layer.compression {
            Compression::None => &mut packed,
            packing => {
                let decoder = Decoder::new(&mut packed, packing, &self.limits);
                plain = decoder.map_err(unreadable)?;
                &mut plain
            }
        };
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(error).into()),
            };
            encoder.write_all(&piece[..count]).map_err(unwritable)?;
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
