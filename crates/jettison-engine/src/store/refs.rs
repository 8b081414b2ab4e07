//! Names: each points at one manifest and is replaced as a whole.

use std::io;
use std::time::{Duration, SystemTime};

use jettison_image::Digest;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// A reference with the longest registry, repository and tag stays well below.
const REF_BYTES: u64 = 64 << 10;

/// A name and the manifest it points at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredRef {
    /// The full reference, default registry and tag written out.
    pub name: String,
    /// The media type of the manifest.
    pub media_type: String,
    /// The manifest.
    pub digest: Digest,
    /// The manifest's own length.
    pub size: u64,
}

impl Store {
    /// Lets a name point at a manifest, whatever it pointed at before. The
    /// manifest must be in the store.
    pub fn put_ref(&self, stored: &StoredRef) -> Result<(), StoreError> {
        let _lock = self.inner.lease.hold([stored.digest])?;
        let there = self.inner.blobs.facts(&stored.digest.hex());
        if !matches!(there, Ok(Some(_))) {
            return Err(StoreError::MissingBlob {
                digest: stored.digest,
            });
        }
        let json = serde_json::to_vec(stored).expect("strings and numbers always serialise");
        self.replace(&self.inner.refs, &file_name(&stored.name), &json)?;
        let synced = self
            .inner
            .refs
            .sync()
            .and_then(|()| self.inner.blobs.sync());
        synced.map_err(StoreError::io("write", self.inner.refs.path()))
    }

    /// What a name points at; asking counts as a use for pruning by age.
    pub fn find_ref(&self, name: &str) -> Result<Option<StoredRef>, StoreError> {
        let file = file_name(name);
        let Some(stored) = self.read_ref(&file)? else {
            return Ok(None);
        };
        drop(self.inner.lease.hold([stored.digest])?);
        // Somebody else's store may be read-only for us; it is only a date.
        if let Ok(used) = self.inner.refs.open_file(&file) {
            let _ = used.set_modified(SystemTime::now());
        }
        Ok((stored.name == name).then_some(stored))
    }

    /// Takes a name away; its blobs stay until the next prune. False when
    /// there is no such name.
    pub fn remove_ref(&self, name: &str) -> Result<bool, StoreError> {
        let file = file_name(name);
        let there = self.read_ref(&file)?.is_some();
        let removed = self.inner.refs.remove(&file);
        removed.map_err(StoreError::io("remove", self.inner.refs.path().join(&file)))?;
        Ok(there)
    }

    /// All names, sorted.
    pub fn refs(&self) -> Result<Vec<StoredRef>, StoreError> {
        Ok(self
            .dated_refs()?
            .into_iter()
            .map(|(stored, _)| stored)
            .collect())
    }

    /// All names with the time of their last use, sorted by name.
    pub(super) fn dated_refs(&self) -> Result<Vec<(StoredRef, SystemTime)>, StoreError> {
        let directory = &self.inner.refs;
        let mut found = Vec::new();
        for name in directory
            .names()
            .map_err(StoreError::io("list", directory.path()))?
        {
            let facts = directory.facts(&name).unwrap_or(None);
            let seconds = facts.map_or(0, |facts| facts.changed_seconds.max(0).unsigned_abs());
            if let Some(stored) = self.read_ref(&name)? {
                found.push((
                    stored,
                    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                ));
            }
        }
        found.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        Ok(found)
    }

    fn read_ref(&self, file: &str) -> Result<Option<StoredRef>, StoreError> {
        let path = self.inner.refs.path().join(file);
        let json = match self.inner.refs.read(file, REF_BYTES) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", path)(error)),
        };
        match serde_json::from_slice(&json) {
            Ok(stored) => Ok(Some(stored)),
            Err(error) => Err(StoreError::Damaged {
                path,
                problem: error.to_string(),
            }),
        }
    }
}

/// References may be longer than a file name may be, and hold slashes.
fn file_name(name: &str) -> String {
    Digest::of(name.as_bytes()).hex()
}
