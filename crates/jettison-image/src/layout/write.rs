//! Writing images as files. Same images and names, same bytes: entries have
//! no owner, no time and a fixed order.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use serde_json::{Value, json};

use super::docker::MANIFEST;
use super::oci::{INDEX, blob_name};
use super::{IMAGE_NAME, REF_NAME};
use crate::tar::{END_OF_ARCHIVE, encode_header, padding};
use crate::{
    Compression, Decoder, Descriptor, Entry, EntryKind, Error, Image, ImageIndex, ImagePath,
    LayerBlob, Limits, Metadata, Reference, Schema, VerifyingReader,
};

const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Where the files of a layout go.
pub trait Sink {
    /// True when a blob of this name and size is there already and need not
    /// be written again. Blobs are named by their content.
    fn has_blob(&self, name: &str, size_bytes: u64) -> bool;

    /// Writes a file under a relative name whose directories may not be there
    /// yet. When `content` fails or is not `size_bytes` long, no file of that
    /// name may be left that was not there before.
    fn put(&mut self, name: &str, size_bytes: u64, content: &mut dyn Read) -> Result<(), Error>;
}

/// The names of an image in a layout's index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayoutName {
    /// `org.opencontainers.image.ref.name`: what skopeo calls the tag.
    pub ref_name: Option<String>,
    /// `io.containerd.image.name`: what docker and containerd load it as.
    pub image_name: Option<String>,
}

impl LayoutName {
    /// Both names of a reference.
    pub fn of(reference: &Reference) -> Self {
        Self {
            ref_name: reference.tag_or_latest().map(str::to_owned),
            image_name: Some(reference.clone().with_default_tag().to_string()),
        }
    }
}

/// Writes an image into an OCI layout, its blobs first and the index last.
/// `index` is what the layout has so far; entries of the same names are
/// replaced. Without names the image is listed once, unnamed.
pub fn write_oci_layout(
    sink: &mut dyn Sink,
    image: &Image,
    names: &[LayoutName],
    index: Option<ImageIndex>,
) -> Result<ImageIndex, Error> {
    for layer in &image.layers {
        let name = blob_name(&layer.descriptor.digest);
        let size_bytes = layer.descriptor.size_bytes;
        if !sink.has_blob(&name, size_bytes) {
            sink.put(&name, size_bytes, &mut image.open_layer(layer)?)?;
        }
    }
    let config = blob_name(&image.manifest.config.digest);
    put_bytes(sink, &config, &image.config_bytes)?;
    put_bytes(
        sink,
        &blob_name(&image.manifest_digest),
        &image.manifest_bytes,
    )?;
    let mut index = index.unwrap_or_else(|| ImageIndex::new(Schema::Oci, Vec::new()));
    let unnamed = [LayoutName::default()];
    for name in if names.is_empty() { &unnamed } else { names } {
        let entry = named(image.descriptor(), name);
        index.manifests.retain(|other| !replaces(&entry, other));
        index.manifests.push(entry);
    }
    put_bytes(sink, "oci-layout", OCI_LAYOUT)?;
    put_bytes(sink, INDEX, &index.to_bytes())?;
    Ok(index)
}

/// Writes images as `docker save` of old engines does, which old and new ones
/// load: plain layers named by their diff id, and `manifest.json`.
pub fn write_docker_archive(
    sink: &mut dyn Sink,
    images: &[(&Image, &[Reference])],
    limits: &Limits,
) -> Result<(), Error> {
    let mut list = Vec::new();
    for (image, names) in images {
        let config = format!("{}.json", image.manifest.config.digest.hex());
        let mut layers = Vec::new();
        for layer in &image.layers {
            let name = format!("{}/layer.tar", layer.diff_id.0.hex());
            put_plain(sink, &name, image, layer, limits)?;
            layers.push(Value::from(name));
        }
        put_bytes(sink, &config, &image.config_bytes)?;
        let tags = names
            .iter()
            .map(|name| name.clone().with_default_tag().familiar());
        let tags: Vec<Value> = tags.map(Value::from).collect();
        list.push(json!({ "Config": config, "RepoTags": tags, "Layers": layers }));
    }
    put_bytes(sink, MANIFEST, Value::from(list).to_string().as_bytes())
}

/// A tar archive as a sink. Blobs that come twice are written once.
pub struct ArchiveSink<W> {
    inner: W,
    written: BTreeSet<String>,
}

impl<W: Write> ArchiveSink<W> {
    /// Starts an archive.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            written: BTreeSet::new(),
        }
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<W, Error> {
        let finished = self
            .inner
            .write_all(&END_OF_ARCHIVE)
            .and_then(|()| self.inner.flush());
        finished.map_err(|source| cannot_write("archive", source))?;
        Ok(self.inner)
    }

    fn directories(&mut self, name: &str) -> Result<(), Error> {
        for (at, _) in name.match_indices('/') {
            if self.written.insert(name[..=at].to_owned()) {
                self.header(&name[..at], EntryKind::Directory, 0o755)?;
            }
        }
        Ok(())
    }

    fn header(&mut self, name: &str, kind: EntryKind, mode: u32) -> Result<(), Error> {
        let path =
            ImagePath::new(name).map_err(|cause| Error::malformed(name, cause.to_string()))?;
        let entry = Entry {
            path,
            kind,
            metadata: Metadata {
                mode,
                ..Metadata::default()
            },
        };
        let header = encode_header(&entry)?;
        self.inner
            .write_all(&header)
            .map_err(|source| cannot_write(name, source))
    }
}

impl<W: Write> Sink for ArchiveSink<W> {
    fn has_blob(&self, name: &str, _: u64) -> bool {
        self.written.contains(name)
    }

    fn put(&mut self, name: &str, size_bytes: u64, content: &mut dyn Read) -> Result<(), Error> {
        self.directories(name)?;
        self.header(name, EntryKind::File { size_bytes }, 0o644)?;
        copy_exactly(content, &mut self.inner, name, size_bytes)?;
        self.inner
            .write_all(&END_OF_ARCHIVE[..padding(size_bytes)])
            .map_err(|source| cannot_write(name, source))?;
        self.written.insert(name.to_owned());
        Ok(())
    }
}

/// Copies a file of a known size; one that ends earlier or goes on is an
/// error, and reading past the end is what makes a verifying reader verify.
fn copy_exactly(
    content: &mut dyn Read,
    sink: &mut dyn Write,
    name: &str,
    size_bytes: u64,
) -> Result<(), Error> {
    let mut buffer = vec![0; 128 << 10];
    let mut left = size_bytes;
    loop {
        let count = match content.read(&mut buffer) {
            Ok(count) => count,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::read(name, source)),
        };
        if count == 0 && left == 0 {
            return Ok(());
        }
        left = left
            .checked_sub(count as u64)
            .filter(|_| count > 0)
            .ok_or_else(|| {
                Error::malformed(name, format!("is not {size_bytes} bytes long, as was said"))
            })?;
        sink.write_all(&buffer[..count])
            .map_err(|source| cannot_write(name, source))?;
    }
}

fn put_bytes(sink: &mut dyn Sink, name: &str, mut bytes: &[u8]) -> Result<(), Error> {
    let size_bytes = bytes.len() as u64;
    if name.starts_with("blobs/") && sink.has_blob(name, size_bytes) {
        return Ok(());
    }
    sink.put(name, size_bytes, &mut bytes)
}

/// Writes a layer unpacked. An archive's header needs the size first, so a
/// packed layer is unpacked twice; the first time nothing is kept.
fn put_plain(
    sink: &mut dyn Sink,
    name: &str,
    image: &Image,
    layer: &LayerBlob,
    limits: &Limits,
) -> Result<(), Error> {
    let what = || format!("layer {}", layer.descriptor.digest);
    let unpack = || {
        let packed = image.open_layer(layer)?;
        Decoder::new(packed, layer.compression, limits)
            .map_err(|source| Error::read(what(), source))
    };
    let size_bytes = match layer.compression {
        Compression::None => layer.descriptor.size_bytes,
        _ => io::copy(&mut unpack()?, &mut io::sink())
            .map_err(|source| Error::read(what(), source))?,
    };
    if sink.has_blob(name, size_bytes) {
        return Ok(());
    }
    let mut plain = VerifyingReader::new(unpack()?, layer.diff_id.0, size_bytes);
    sink.put(name, size_bytes, &mut plain)
}

fn named(mut entry: Descriptor, name: &LayoutName) -> Descriptor {
    for (key, value) in [(IMAGE_NAME, &name.image_name), (REF_NAME, &name.ref_name)] {
        if let Some(value) = value {
            entry.annotations.insert(key.to_owned(), value.clone());
        }
    }
    entry
}

/// True when listing `entry` makes `other` unreachable or the same: equal
/// names, where a whole name counts more than a tag.
fn replaces(entry: &Descriptor, other: &Descriptor) -> bool {
    let name = |of: &Descriptor, key| of.annotations.get(key).cloned();
    match (name(entry, IMAGE_NAME), name(other, IMAGE_NAME)) {
        (Some(new), Some(old)) => new == old,
        _ => match (name(entry, REF_NAME), name(other, REF_NAME)) {
            (None, None) => entry.digest == other.digest,
            (new, old) => new == old,
        },
    }
}

fn cannot_write(name: &str, source: io::Error) -> Error {
    Error::Write {
        what: name.to_owned(),
        source,
    }
}
