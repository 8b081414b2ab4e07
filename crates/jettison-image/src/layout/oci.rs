//! Reading an OCI image layout (OCI image-spec, image-layout.md).

use std::io::Read;
use std::sync::Arc;

use super::{Files, FindError, IMAGE_NAME, REF_NAME, read_json};
use crate::media_type::{ManifestKind, OCI_MANIFEST};
use crate::{
    BlobSource, Descriptor, Digest, Error, Image, ImageIndex, Limits, ManifestOrIndex, Platform,
    Reference, Referrer, escape, read_blob,
};

pub(super) const INDEX: &str = "index.json";
/// Indexes inside indexes; nothing honest nests deeper than two.
const DEEPEST: usize = 4;

/// An OCI image layout.
pub struct OciLayout {
    source: Arc<LayoutBlobs>,
    index: ImageIndex,
}

/// The blobs of a layout.
pub(super) struct LayoutBlobs(pub(super) Arc<dyn Files>);

impl BlobSource for LayoutBlobs {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        let name = blob_name(&blob.digest);
        match self.0.open(&name)? {
            None => Err(Error::MissingBlob {
                digest: blob.digest,
            }),
            Some(file) if file.size_bytes != blob.size_bytes => {
                let problem = format!(
                    "has {} bytes, its descriptor says {}",
                    file.size_bytes, blob.size_bytes
                );
                Err(Error::malformed(name, problem))
            }
            Some(file) => Ok(file.content),
        }
    }
}

/// Where a layout keeps a blob.
pub(super) fn blob_name(digest: &crate::Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl OciLayout {
    /// Reads the index of a layout. A missing `oci-layout` file is no reason
    /// to refuse one: tools that unpack archives lose it.
    pub fn open(files: Arc<dyn Files>, limits: &Limits) -> Result<Self, Error> {
        let bytes = read_json(&*files, INDEX, limits)?
            .ok_or_else(|| Error::malformed(INDEX, "is missing"))?;
        let index = ImageIndex::parse(&bytes, limits)?;
        Ok(Self {
            source: Arc::new(LayoutBlobs(files)),
            index,
        })
    }

    /// The index as it is.
    pub fn index(&self) -> &ImageIndex {
        &self.index
    }

    /// Where the blobs are read from.
    pub fn source(&self) -> Arc<dyn BlobSource> {
        Arc::clone(&self.source) as Arc<dyn BlobSource>
    }

    /// The entries of a name: of its tag as `org.opencontainers.image.ref.name`,
    /// of the whole name as `io.containerd.image.name`, or of its digest;
    /// without a name, all.
    pub fn find(&self, name: Option<&str>) -> Result<&Descriptor, FindError> {
        let images: Vec<_> = self.index.images().collect();
        let Some(name) = name else {
            return match images[..] {
                [] => Err(FindError::Empty),
                [only] => Ok(only),
                // The same image under several names is one image.
                [first, ..] if images.iter().all(|image| image.digest == first.digest) => Ok(first),
                _ => Err(FindError::Several {
                    names: names(&images),
                }),
            };
        };
        // The last one counts: writers append.
        images
            .iter()
            .rev()
            .copied()
            .find(|image| has_name(image, name))
            .ok_or_else(|| {
                if images.is_empty() {
                    return FindError::Empty;
                }
                FindError::NoSuchName {
                    wanted: escape(name),
                    names: names(&images),
                }
            })
    }

    /// The document of this type that an artifact in the index holds about an
    /// image; of several the one that was listed last.
    pub fn find_document(
        &self,
        artifact_type: &str,
        subject: &Digest,
        limits: &Limits,
    ) -> Result<Option<Descriptor>, Error> {
        for entry in self.index.manifests.iter().rev() {
            // Not every tool repeats in the index what kind of artifact it is.
            let said = entry.artifact_type();
            let is_meant = match said {
                Some(said) => said == artifact_type,
                None => entry.platform.is_none(),
            };
            if !is_meant || entry.media_type != OCI_MANIFEST {
                continue;
            }
            let found = read_blob(&*self.source, entry, limits)
                .and_then(|json| Referrer::find_document(&json, artifact_type, subject, limits));
            match found {
                Ok(Some(document)) => return Ok(Some(document)),
                Ok(None) => {}
                // What cannot be read and never said to be one is no concern of ours.
                Err(_) if said.is_none() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Loads the image of a name, or the only one there is, for a platform.
    pub fn load(
        &self,
        name: Option<&str>,
        platform: &Platform,
        limits: &Limits,
    ) -> Result<Image, FindError> {
        let found = match self.find(name) {
            // Several images without names: one for each platform.
            Err(FindError::Several { .. }) if self.index.images().all(is_unnamed) => {
                self.index.select(platform)?
            }
            found => found?,
        };
        let mut at = found.clone();
        for _ in 0..DEEPEST {
            let bytes = read_blob(&*self.source, &at, limits)?;
            match ManifestOrIndex::parse(&bytes, &at.media_type, limits)? {
                ManifestOrIndex::Manifest(_) => {
                    let image = Image::from_manifest(self.source(), bytes, &at.media_type, limits)?;
                    return Ok(image);
                }
                ManifestOrIndex::Index(index) => at = index.select(platform)?.clone(),
            }
        }
        Err(Error::malformed(INDEX, "nests indexes too deep").into())
    }
}

fn is_unnamed(image: &Descriptor) -> bool {
    !image.annotations.contains_key(REF_NAME) && !image.annotations.contains_key(IMAGE_NAME)
}

fn has_name(image: &Descriptor, name: &str) -> bool {
    if image.digest.to_string() == name {
        return true;
    }
    let [short, whole] = [REF_NAME, IMAGE_NAME].map(|key| image.annotations.get(key));
    if [short, whole]
        .into_iter()
        .flatten()
        .any(|found| found == name)
    {
        return true;
    }
    let normalised = |text: &str| Reference::parse(text).ok().map(Reference::with_default_tag);
    let Some(wanted) = normalised(name) else {
        return false;
    };
    // `ref.name` may be a whole name too (podman), and then its tag counts.
    [short, whole]
        .into_iter()
        .flatten()
        .any(|found| found.contains(['/', ':']) && normalised(found).as_ref() == Some(&wanted))
}

fn names(images: &[&Descriptor]) -> String {
    const MOST: usize = 20;
    let name = |image: &&Descriptor| {
        let annotations = &image.annotations;
        match annotations
            .get(IMAGE_NAME)
            .or_else(|| annotations.get(REF_NAME))
        {
            Some(name) => escape(name),
            None if matches!(
                ManifestKind::of(&image.media_type),
                Some(ManifestKind::Index(_))
            ) =>
            {
                format!("an index {}", image.digest.short())
            }
            None => image.digest.short(),
        }
    };
    let mut shown: Vec<String> = images.iter().take(MOST).map(name).collect();
    if images.len() > MOST {
        shown.push(format!("and {} more", images.len() - MOST));
    }
    shown.join(", ")
}
