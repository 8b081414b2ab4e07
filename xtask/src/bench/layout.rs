//! The sizes of an image that jettison wrote, counted anew from its layout: what jettison itself says of it is not asked.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::tar_walk::{next_header, padded};
use crate::Problem;

/// Sizes of an image with one platform.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    /// Contents of all regular files in all layers.
    pub(crate) unpacked_bytes: u64,
    /// The largest file: the program, in the images of the benches.
    pub(crate) largest_bytes: u64,
    /// Layers as stored, the config and the manifest.
    pub(crate) wire_bytes: u64,
    pub(crate) layers: Vec<String>,
}

/// Counts.
pub(crate) fn sizes(layout: &Path) -> Result<Sizes, Problem> {
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let descriptor = &index["manifests"][0];
    let manifest: Value = serde_json::from_slice(&std::fs::read(blob(layout, descriptor)?)?)?;
    let mut sizes = Sizes {
        wire_bytes: size(descriptor)? + size(&manifest["config"])?,
        ..Sizes::default()
    };
    for layer in manifest["layers"]
        .as_array()
        .ok_or("the first manifest of the layout has no layers")?
    {
        sizes.wire_bytes += size(layer)?;
        sizes
            .layers
            .push(layer["digest"].as_str().unwrap_or_default().to_owned());
        let file = BufReader::new(File::open(blob(layout, layer)?)?);
        match layer["mediaType"].as_str().unwrap_or_default() {
            kind if kind.ends_with("+gzip") || kind.ends_with(".gzip") => {
                count(&mut MultiGzDecoder::new(file), &mut sizes)?
            }
            kind if kind.ends_with(".tar") => count(&mut { file }, &mut sizes)?,
            kind => return Err(format!("a layer of type {kind} is not counted here").into()),
        }
    }
    Ok(sizes)
}

/// What all blobs of a layout take.
pub(crate) fn wire(layout: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(layout.join("blobs/sha256"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn count(layer: &mut impl Read, sizes: &mut Sizes) -> io::Result<()> {
    while let Some(header) = next_header(layer)? {
        if header.is_file() {
            sizes.unpacked_bytes += header.size_bytes;
            sizes.largest_bytes = sizes.largest_bytes.max(header.size_bytes);
        }
        io::copy(&mut layer.take(padded(header.size_bytes)), &mut io::sink())?;
    }
    Ok(())
}

fn blob(layout: &Path, descriptor: &Value) -> Result<std::path::PathBuf, Problem> {
    let digest = descriptor["digest"]
        .as_str()
        .and_then(|digest| digest.strip_prefix("sha256:"));
    Ok(layout
        .join("blobs/sha256")
        .join(digest.ok_or("a descriptor of the layout has no SHA-256 digest")?))
}

fn size(descriptor: &Value) -> Result<u64, Problem> {
    descriptor["size"]
        .as_u64()
        .ok_or_else(|| "a descriptor of the layout has no size".into())
}
