//! A blob as others name it (OCI image-spec, descriptor.md).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::annotations_value;
use crate::json::{Fields, object};
use crate::{Digest, Error, Platform};

/// Type, digest and size of a blob, with what else was said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Descriptor {
    /// Media type; empty where none was written.
    pub media_type: String,
    /// Digest of the blob's bytes.
    pub digest: Digest,
    /// Size of the blob.
    pub size_bytes: u64,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// The platform, in an index.
    pub platform: Option<Platform>,
    /// Fields this crate has no word for (`urls`, `data`, `artifactType`, …).
    pub other: Map<String, Value>,
}

impl Descriptor {
    /// A descriptor with nothing but the three facts.
    pub fn new(media_type: impl Into<String>, digest: Digest, size_bytes: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size_bytes,
            annotations: BTreeMap::new(),
            platform: None,
            other: Map::new(),
        }
    }

    /// The descriptor of bytes at hand.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    pub(crate) fn read(mut fields: Fields) -> Result<Self, Error> {
        Ok(Self {
            media_type: fields.text("mediaType")?.unwrap_or_default(),
            digest: fields
                .digest("digest")?
                .ok_or_else(|| fields.missing("digest"))?,
            size_bytes: fields.size("size")?.ok_or_else(|| fields.missing("size"))?,
            annotations: fields.text_map("annotations")?.into_iter().collect(),
            platform: fields.object("platform")?.map(Platform::read).transpose()?,
            other: fields.rest(),
        })
    }

    pub(crate) fn write(&self) -> Value {
        let media_type = (!self.media_type.is_empty()).then(|| self.media_type.clone().into());
        let known = vec![
            ("mediaType", media_type),
            ("digest", Some(self.digest.to_string().into())),
            ("size", Some(self.size_bytes.into())),
            ("annotations", annotations_value(&self.annotations)),
            ("platform", self.platform.as_ref().map(Platform::write)),
        ];
        object(known, &self.other)
    }
}
