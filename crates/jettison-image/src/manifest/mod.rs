//! Manifests of both schemas: one image, or an index of several.
//!
//! A document that could be read as both (`layers` beside `manifests`) is
//! refused (CVE-2021-41190), and so is Docker's schema 1, whose layers cannot
//! be verified.

mod descriptor;
mod index;
mod referrer;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::json::{Fields, object};
use crate::media_type::{self, ManifestKind, Schema};
use crate::{Error, Limits, escape};

pub use descriptor::Descriptor;
pub use index::{ImageIndex, SelectError};
pub use referrer::{Referrer, referrers_tag};

/// One image: its config and its layers, lowest first (OCI image-spec,
/// manifest.md).
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Which family of media types it is written in.
    pub schema: Schema,
    /// The config blob.
    pub config: Descriptor,
    /// The layer blobs, lowest first.
    pub layers: Vec<Descriptor>,
    /// Annotations; Docker's schema has none.
    pub annotations: BTreeMap<String, String>,
    /// Fields this crate has no word for (`subject`, `artifactType`, …).
    pub other: Map<String, Value>,
}

/// What the bytes behind a reference turned out to be.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once per image and taken apart at once"
)]
pub enum ManifestOrIndex {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(ImageIndex),
}

impl ManifestOrIndex {
    /// Reads either. `media_type` is what the descriptor or the HTTP header
    /// said; empty when nothing did. It must not contradict the content.
    pub fn parse(bytes: &[u8], media_type: &str, limits: &Limits) -> Result<Self, Error> {
        let mut fields = Fields::parse("manifest", bytes, limits)?;
        match kind(&mut fields, media_type)? {
            ManifestKind::Manifest(schema) => {
                Manifest::read(fields, schema, limits).map(Self::Manifest)
            }
            ManifestKind::Index(schema) => {
                ImageIndex::read(fields, schema, limits).map(Self::Index)
            }
        }
    }
}

impl Manifest {
    /// A manifest of an image, nothing else in it.
    pub fn new(schema: Schema, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema,
            config,
            layers,
            annotations: BTreeMap::new(),
            other: Map::new(),
        }
    }

    /// Reads a manifest; an index is an error.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        match ManifestOrIndex::parse(bytes, "", limits)? {
            ManifestOrIndex::Manifest(manifest) => Ok(manifest),
            ManifestOrIndex::Index(_) => Err(Error::malformed(
                "manifest",
                "is an index of several images",
            )),
        }
    }

    /// The manifest as JSON, the same bytes for the same value.
    pub fn to_bytes(&self) -> Vec<u8> {
        let layers: Vec<Value> = self.layers.iter().map(Descriptor::write).collect();
        let known = vec![
            ("schemaVersion", Some(2.into())),
            ("mediaType", Some(self.schema.manifest().into())),
            ("config", Some(self.config.write())),
            ("layers", Some(layers.into())),
            ("annotations", annotations_value(&self.annotations)),
        ];
        object(known, &self.other).to_string().into_bytes()
    }

    fn read(mut fields: Fields, schema: Schema, limits: &Limits) -> Result<Self, Error> {
        let config = fields
            .object("config")?
            .ok_or_else(|| fields.missing("config"))?;
        let config = Descriptor::read(config)?;
        let layers = fields.list("layers")?.unwrap_or_default();
        if layers.len() > limits.layers {
            return Err(Error::Limit {
                what: fields.what().to_owned(),
                limit: limits.layers as u64,
                unit: "layers",
                flag: "layers",
            });
        }
        let layers = layers.into_iter().enumerate().map(|(at, layer)| {
            Descriptor::read(Fields::of(format!("manifest: layers[{at}]"), layer)?)
        });
        Ok(Self {
            schema,
            config,
            layers: layers.collect::<Result<_, _>>()?,
            annotations: fields.text_map("annotations")?.into_iter().collect(),
            other: fields.rest(),
        })
    }
}

/// What a document is, from the media type outside, the one inside and its
/// fields; they must agree.
fn kind(fields: &mut Fields, outside: &str) -> Result<ManifestKind, Error> {
    let inside = fields.text("mediaType")?.unwrap_or_default();
    let schema_version = fields.integer("schemaVersion")?;
    for media_type in [outside, &inside] {
        if media_type::is_schema1(media_type) || schema_version == Some(1) {
            return Err(refuse(
                fields,
                "is Docker schema 1, which cannot be verified; push the image again with a current engine",
            ));
        }
    }
    if schema_version != Some(2) {
        return Err(refuse(fields, "schemaVersion is not 2"));
    }
    if fields.has("manifests") && (fields.has("layers") || fields.has("config")) {
        return Err(refuse(fields, "is an image and an index at once"));
    }
    let known = |media_type: &str| match ManifestKind::of(media_type) {
        None if media_type.is_empty() || media_type == "application/json" => Ok(None),
        None => Err(refuse(
            fields,
            &format!("media type `{}` is not an image", escape(media_type)),
        )),
        some => Ok(some),
    };
    let from_fields = match (
        fields.has("manifests"),
        fields.has("config") || fields.has("layers"),
    ) {
        (true, _) => ManifestKind::Index(Schema::Oci),
        (_, true) => ManifestKind::Manifest(Schema::Oci),
        // An empty index is written by tools that removed the last image.
        _ => known(&inside)?
            .or(known(outside)?)
            .unwrap_or(ManifestKind::Index(Schema::Oci)),
    };
    // The content decides about the schema: Docker's documents always name themselves.
    let said = known(&inside)?.unwrap_or(from_fields);
    let expected = known(outside)?.unwrap_or(said);
    if said != expected || is_index(said) != is_index(from_fields) {
        return Err(refuse(
            fields,
            "content and media type contradict each other",
        ));
    }
    Ok(said)
}

fn is_index(kind: ManifestKind) -> bool {
    matches!(kind, ManifestKind::Index(_))
}

fn refuse(fields: &Fields, problem: &str) -> Error {
    Error::malformed(fields.what(), problem)
}

/// Annotations for writing; none when there are none.
fn annotations_value(annotations: &BTreeMap<String, String>) -> Option<Value> {
    let map: Map<_, _> = annotations
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

#[cfg(test)]
mod tests;
