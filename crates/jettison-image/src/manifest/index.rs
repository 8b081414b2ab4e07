//! An index of images and the choice of one by platform.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Descriptor, annotations_value};
use crate::json::{Fields, object};
use crate::media_type::{ManifestKind, Schema, is_image_config};
use crate::{Error, Limits, Platform};

/// Images of several platforms under one name (OCI image-spec,
/// image-index.md; Docker's manifest list).
#[derive(Debug, Clone, PartialEq)]
pub struct ImageIndex {
    /// Which family of media types it is written in.
    pub schema: Schema,
    /// What it lists, in its order.
    pub manifests: Vec<Descriptor>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Fields this crate has no word for.
    pub other: Map<String, Value>,
}

/// Why no image could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The index lists no image at all.
    #[error("the index lists no image")]
    Empty,
    /// It lists images, of other platforms.
    #[error("no image for {wanted}; there are: {offered}")]
    NoSuchPlatform {
        /// What was asked for.
        wanted: String,
        /// What there is, joined by commas.
        offered: String,
    },
}

impl ImageIndex {
    /// An index with the given entries.
    pub fn new(schema: Schema, manifests: Vec<Descriptor>) -> Self {
        Self {
            schema,
            manifests,
            annotations: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// Reads an index; a single image is an error.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        match super::ManifestOrIndex::parse(bytes, "", limits)? {
            super::ManifestOrIndex::Index(index) => Ok(index),
            super::ManifestOrIndex::Manifest(_) => {
                Err(Error::malformed("index", "is a single image"))
            }
        }
    }

    /// The entries that are images: no attestations (`unknown/unknown`), no
    /// artifacts, be it by their media type or by what the index calls them.
    pub fn images(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().filter(|entry| {
            let image =
                entry.media_type.is_empty() || ManifestKind::of(&entry.media_type).is_some();
            let attestation = entry.annotations.contains_key("vnd.docker.reference.type");
            let known = entry
                .platform
                .as_ref()
                .is_none_or(|platform| !platform.is_unknown());
            let artifact = entry
                .artifact_type()
                .is_some_and(|artifact_type| !is_image_config(artifact_type));
            image && known && !attestation && !artifact
        })
    }

    /// The image that runs best on `wanted`. An entry without a platform is
    /// taken only when it is the single image: nothing else can be meant.
    pub fn select(&self, wanted: &Platform) -> Result<&Descriptor, SelectError> {
        let distance = |entry: &&Descriptor| {
            entry
                .platform
                .as_ref()
                .and_then(|offered| wanted.distance(offered))
        };
        let best = self
            .images()
            .filter_map(|entry| distance(&entry).map(|distance| (distance, entry)))
            .min_by_key(|(distance, _)| *distance);
        if let Some((_, entry)) = best {
            return Ok(entry);
        }
        let images: Vec<_> = self.images().collect();
        match images[..] {
            [] => Err(SelectError::Empty),
            [only] if only.platform.is_none() => Ok(only),
            _ => Err(SelectError::NoSuchPlatform {
                wanted: wanted.to_string(),
                offered: offered(&images),
            }),
        }
    }

    /// The index as JSON, the same bytes for the same value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let manifests: Vec<Value> = self.manifests.iter().map(Descriptor::write).collect();
        let known = vec![
            ("schemaVersion", Some(2.into())),
            ("mediaType", Some(self.schema.index().into())),
            ("manifests", Some(manifests.into())),
            ("annotations", annotations_value(&self.annotations)),
        ];
        object(known, &self.other).to_string().into_bytes()
    }

    pub(super) fn read(mut fields: Fields, schema: Schema, limits: &Limits) -> Result<Self, Error> {
        let manifests = fields.list("manifests")?.unwrap_or_default();
        if manifests.len() > limits.manifests {
            return Err(Error::Limit {
                what: fields.what().to_owned(),
                limit: limits.manifests as u64,
                unit: "manifests",
                flag: "manifests",
            });
        }
        let manifests = manifests.into_iter().enumerate().map(|(at, entry)| {
            Descriptor::read(Fields::of(format!("index: manifests[{at}]"), entry)?)
        });
        Ok(Self {
            schema,
            manifests: manifests.collect::<Result<_, _>>()?,
            annotations: fields.text_map("annotations")?.into_iter().collect(),
            other: fields.rest(),
        })
    }
}

fn offered(images: &[&Descriptor]) -> String {
    let names = images.iter().map(|image| match &image.platform {
        Some(platform) => platform.to_string(),
        None => "one without a platform".to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}
