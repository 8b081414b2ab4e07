//! What was behind a URL the last time, kept in the store. It is believed in
//! as long as the server answers that the content still bears the same strong
//! ETag (RFC 9110, 8.8.3); a date has too coarse a grain for that.

use std::fs::File;

use jettison_image::Digest;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::store::{Store, StoreError};

const KIND: &str = "fetched-file";

/// A URL, and where its content may be.
pub(super) struct Known<'a> {
    pub(super) store: Option<&'a Store>,
    pub(super) url: &'a Url,
}

/// A file that was fetched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KnownFile {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
    /// As the server writes it.
    pub(super) last_modified: Option<String>,
    /// None where the server gave none that promises the same bytes.
    pub(super) tag: Option<String>,
}

impl Known<'_> {
    /// What was there, as long as the store has it.
    pub(super) fn recall(&self) -> Option<(KnownFile, File)> {
        let store = self.store?;
        let json = store.cached(KIND, self.url.as_str())?;
        let known: KnownFile = serde_json::from_slice(&json).ok()?;
        let is_there = store.has_blob(&known.digest, known.size_bytes);
        let content = store.open_blob_file(&known.digest);
        is_there.ok().filter(|is_there| *is_there)?;
        Some((known, content.ok()?))
    }

    /// Keeps what is there now.
    pub(super) fn remember(&self, known: &KnownFile) -> Result<(), StoreError> {
        let Some(store) = self.store else {
            return Ok(());
        };
        let json = serde_json::to_vec(known).expect("strings and numbers always serialise");
        store.put_cached(KIND, self.url.as_str(), &json)
    }
}

/// A validator that no other content may bear.
pub(super) fn strong(tag: Option<&str>) -> Option<String> {
    let tag = tag.filter(|tag| tag.starts_with('"') && tag.len() > 2);
    tag.map(str::to_owned)
}
