//! Reading a docker-archive: what `docker save` writes, of old engines
//! (`<id>/layer.tar`) and new ones (an OCI layout with a `manifest.json`).
//!
//! An archive of an old engine has no manifest, so one is made up: the plain
//! layers, whose digests the config promises as diff ids. Layers that some
//! tool packed with gzip have no promised digest; they are hashed once when
//! the image is loaded.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::oci::{INDEX, LayoutBlobs, OciLayout};
use super::{Files, FindError, read_json};
use crate::compression::Compression;
use crate::json::Fields;
use crate::media_type::Schema;
use crate::{
    BlobSource, Descriptor, Digest, Error, Image, ImageConfig, Limits, Manifest, ManifestOrIndex,
    Reference, Sha256Writer, escape,
};

pub(super) const MANIFEST: &str = "manifest.json";

/// A docker-archive.
pub struct DockerArchive {
    files: Arc<dyn Files>,
    images: Vec<ArchivedImage>,
}

/// One image of a docker-archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedImage {
    /// File name of the config.
    pub config: String,
    /// Names as docker's output shows them; empty for an image without.
    pub names: Vec<String>,
    /// File names of the layers, lowest first.
    pub layers: Vec<String>,
}

/// The blobs of one image, by what the made-up manifest calls them.
struct NamedBlobs {
    files: Arc<dyn Files>,
    names: HashMap<Digest, String>,
}

impl BlobSource for NamedBlobs {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        let missing = || Error::MissingBlob {
            digest: blob.digest,
        };
        let name = self.names.get(&blob.digest).ok_or_else(missing)?;
        Ok(self.files.open(name)?.ok_or_else(missing)?.content)
    }
}

impl DockerArchive {
    /// Reads the list of images.
    pub fn open(files: Arc<dyn Files>, limits: &Limits) -> Result<Self, Error> {
        let bytes = read_json(&*files, MANIFEST, limits)?
            .ok_or_else(|| Error::malformed(MANIFEST, "is missing"))?;
        let list: Vec<serde_json::Value> = serde_json::from_slice(&bytes)
            .map_err(|cause| Error::malformed(MANIFEST, format!("is not a JSON list: {cause}")))?;
        if list.len() > limits.manifests {
            return Err(Error::Limit {
                what: MANIFEST.to_owned(),
                limit: limits.manifests as u64,
                unit: "manifests",
                flag: "manifests",
            });
        }
        let images = list.into_iter().enumerate().map(|(at, value)| {
            ArchivedImage::read(Fields::of(format!("{MANIFEST}[{at}]"), value)?, limits)
        });
        Ok(Self {
            images: images.collect::<Result<_, _>>()?,
            files,
        })
    }

    /// The images in it.
    pub fn images(&self) -> &[ArchivedImage] {
        &self.images
    }

    /// Finds an image by name (`app` is `app:latest`) or by place (`@0`).
    pub fn find(&self, name: Option<&str>) -> Result<&ArchivedImage, FindError> {
        let Some(name) = name else {
            return match &self.images[..] {
                [] => Err(FindError::Empty),
                [only] => Ok(only),
                _ => Err(FindError::Several {
                    names: self.names(),
                }),
            };
        };
        if let Some(at) = name
            .strip_prefix('@')
            .and_then(|at| at.parse::<usize>().ok())
            && let Some(image) = self.images.get(at)
        {
            return Ok(image);
        }
        let normalised = |text: &str| Reference::parse(text).ok().map(Reference::with_default_tag);
        let wanted = normalised(name);
        let is_it =
            |found: &String| found == name || (wanted.is_some() && normalised(found) == wanted);
        self.images
            .iter()
            .find(|image| image.names.iter().any(is_it))
            .ok_or_else(|| FindError::NoSuchName {
                wanted: escape(name),
                names: self.names(),
            })
    }

    /// Loads the image of a name, or the only one there is.
    pub fn load(&self, name: Option<&str>, limits: &Limits) -> Result<Image, FindError> {
        let archived = self.find(name)?;
        if let Some(image) = self.load_oci(archived, limits)? {
            return Ok(image);
        }
        Ok(self.load_named(archived, limits)?)
    }

    /// New engines keep the image's own manifest beside the list; with it the
    /// digests stay what a registry would show.
    fn load_oci(&self, archived: &ArchivedImage, limits: &Limits) -> Result<Option<Image>, Error> {
        let Some(config) = archived.config.strip_prefix("blobs/sha256/") else {
            return Ok(None);
        };
        if self.files.open(INDEX)?.is_none() {
            return Ok(None);
        }
        let layout = OciLayout::open(Arc::clone(&self.files), limits)?;
        let blobs = LayoutBlobs(Arc::clone(&self.files));
        // Engines with the containerd store keep the index of platforms, one level
        // further down.
        let mut waiting: Vec<(Descriptor, bool)> = layout
            .index()
            .images()
            .map(|entry| (entry.clone(), true))
            .collect();
        waiting.reverse();
        let mut left = limits.manifests;
        while let Some((entry, may_nest)) = waiting.pop()
            && left > 0
        {
            left -= 1;
            // An index of platforms may list manifests that were not saved.
            let Ok(bytes) = crate::read_blob(&blobs, &entry, limits) else {
                continue;
            };
            match ManifestOrIndex::parse(&bytes, &entry.media_type, limits) {
                Ok(ManifestOrIndex::Manifest(manifest))
                    if manifest.config.digest.hex() == config =>
                {
                    let source = layout.source();
                    return Image::from_manifest(source, bytes, &entry.media_type, limits)
                        .map(Some);
                }
                Ok(ManifestOrIndex::Index(index)) if may_nest => {
                    let inner = index.images().map(|entry| (entry.clone(), false));
                    waiting.extend(inner.collect::<Vec<_>>().into_iter().rev());
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn load_named(&self, archived: &ArchivedImage, limits: &Limits) -> Result<Image, Error> {
        let name = &archived.config;
        let config_bytes = read_json(&*self.files, name, limits)?
            .ok_or_else(|| Error::malformed(escape(name), "is missing"))?;
        let config = Descriptor::of(Schema::Docker.config(), &config_bytes);
        let parsed = ImageConfig::parse(&config_bytes, limits)?;
        verify_named(name, &config.digest)?;
        if parsed.diff_ids.len() != archived.layers.len() {
            let problem = format!(
                "lists {} layers, the config {}",
                archived.layers.len(),
                parsed.diff_ids.len()
            );
            return Err(Error::malformed(MANIFEST, problem));
        }
        let mut names = HashMap::from([(config.digest, name.clone())]);
        let mut layers = Vec::with_capacity(archived.layers.len());
        for (name, diff_id) in archived.layers.iter().zip(&parsed.diff_ids) {
            let layer = self.layer(name, diff_id.0)?;
            names.insert(layer.digest, name.clone());
            layers.push(layer);
        }
        let manifest = Manifest::new(Schema::Docker, config, layers);
        let source = Arc::new(NamedBlobs {
            files: Arc::clone(&self.files),
            names,
        });
        Image::from_manifest(
            source,
            manifest.to_bytes(),
            Schema::Docker.manifest(),
            limits,
        )
    }

    fn layer(&self, name: &str, diff_id: Digest) -> Result<Descriptor, Error> {
        let what = escape(name);
        let unreadable = |source| Error::Read {
            what: what.clone(),
            source,
        };
        let missing = || Error::malformed(&what, "is listed as a layer and not there");
        let mut file = self.files.open(name)?.ok_or_else(missing)?;
        let mut first = Vec::with_capacity(Compression::MAGIC_BYTES);
        file.content
            .by_ref()
            .take(Compression::MAGIC_BYTES as u64)
            .read_to_end(&mut first)
            .map_err(unreadable)?;
        let compression = Compression::detect(&first)
            .map_err(|cause| Error::malformed(&what, cause.to_string()))?;
        let media_type = compression.docker_media_type();
        if compression == Compression::None {
            return Ok(Descriptor::new(media_type, diff_id, file.size_bytes));
        }
        let mut hasher = Sha256Writer::new(io::sink());
        io::copy(&mut first.chain(file.content), &mut hasher).map_err(unreadable)?;
        let (_, digest, size_bytes) = hasher.finish();
        Ok(Descriptor::new(media_type, digest, size_bytes))
    }

    fn names(&self) -> String {
        const MOST: usize = 20;
        let name = |(at, image): (usize, &ArchivedImage)| match image.names.first() {
            Some(name) => escape(name),
            None => format!("@{at}"),
        };
        let mut shown: Vec<String> = self
            .images
            .iter()
            .enumerate()
            .take(MOST)
            .map(name)
            .collect();
        if self.images.len() > MOST {
            shown.push(format!("and {} more", self.images.len() - MOST));
        }
        shown.join(", ")
    }
}

impl ArchivedImage {
    fn read(mut fields: Fields, limits: &Limits) -> Result<Self, Error> {
        let layers = fields.texts("Layers")?.unwrap_or_default();
        if layers.len() > limits.layers {
            return Err(Error::Limit {
                what: fields.what().to_owned(),
                limit: limits.layers as u64,
                unit: "layers",
                flag: "layers",
            });
        }
        Ok(Self {
            config: fields
                .text("Config")?
                .ok_or_else(|| fields.missing("Config"))?,
            names: fields.texts("RepoTags")?.unwrap_or_default(),
            layers,
        })
    }
}

/// Engines name the config by its digest; where the name is one, it must be
/// the right one.
fn verify_named(name: &str, digest: &Digest) -> Result<(), Error> {
    let stem = name.rsplit('/').next().unwrap_or(name);
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    match format!("sha256:{stem}").parse::<Digest>() {
        Ok(promised) if promised != *digest => Err(Error::malformed(
            escape(name),
            format!("has the content of {digest}"),
        )),
        _ => Ok(()),
    }
}
