//! Documents about an image, kept in the registry beside it (OCI
//! distribution-spec 1.1, "Listing Referrers").
//!
//! Registries that know nothing of it get the list under a tag, to which is
//! added and from which nothing is taken. A tag has no lock: who shares a store
//! takes turns; for the others the list is read again after it was written, and
//! written once more when somebody else was faster. Who is slower still can
//! lose an entry, which the specification knows, and only the registry's own
//! lists mend.

use std::io::{Cursor, Read};

use jettison_image::{
    BlobSource, Descriptor, Digest, Error, ImageIndex, Limits, ManifestOrIndex, Referrer, Schema,
    referrers_tag,
};
use reqwest::{Method, Url};

use super::pull::content_type;
use super::{RegistryError, Repository};
use crate::http::{Request, Response};
use crate::progress::Progress;
use crate::store::Store;

/// How often a list is written anew when others write it at the same time.
const TRIES: usize = 4;
/// Documents of one type about one image that are looked at, the last first.
const MOST_CANDIDATES: usize = 32;
/// A registry lists hundreds of referrers on a page.
const MOST_PAGES: usize = 32;

impl Repository {
    /// What a tag or digest of this repository is there, as others name it.
    pub(crate) fn descriptor(
        &self,
        digest: &Digest,
        limits: &Limits,
    ) -> Result<Descriptor, RegistryError> {
        let what = format!("manifest {digest}");
        let pulled = self.manifest_at(&digest.to_string(), Some(*digest), &what, limits)?;
        let parsed = ManifestOrIndex::parse(&pulled.bytes, &pulled.media_type, limits)?;
        let media_type = match parsed {
            ManifestOrIndex::Manifest(manifest) => manifest.schema.manifest(),
            ManifestOrIndex::Index(index) => index.schema.index(),
        };
        Ok(Descriptor::of(media_type, &pulled.bytes))
    }

    /// Stores documents about one image, and sees to it that they are found
    /// from there.
    pub(crate) fn refer(
        &self,
        subject: &Digest,
        referrers: &[Referrer],
        limits: &Limits,
        store: &Store,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        let mut is_listed = true;
        for referrer in referrers {
            for (blob, bytes) in referrer.blobs() {
                let what = format!("push {}", blob.digest.short());
                let item = progress.begin(&what, Some(blob.size_bytes));
                self.upload(blob, &InMemory(bytes), None, &*item)?;
            }
            let (bytes, media_type) = (&referrer.manifest_bytes, referrer.manifest.schema);
            let listed = self.put_manifest_at(None, bytes, media_type.manifest())?;
            is_listed &= listed.as_ref() == Some(subject);
        }
        match is_listed {
            true => Ok(()),
            false => {
                let tag = referrers_tag(subject);
                let _turn = store.turn(&format!("{}/{}:{tag}", self.endpoint.base, self.path))?;
                self.list_under_tag(&tag, referrers, limits)
            }
        }
    }

    /// The document of this type about an image; of several the one that is
    /// listed last.
    pub(crate) fn find_document(
        &self,
        subject: &Digest,
        artifact_type: &str,
        limits: &Limits,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let listed = self.listed(subject, artifact_type, limits)?;
        if let Some(found) = self.first_of(&listed, subject, artifact_type, limits)? {
            return Ok(Some(found));
        }
        // A list under the tag may be older than the registry's own lists.
        let tagged = self.listed_under_tag(&referrers_tag(subject), limits)?;
        let tagged = tagged.map(|index| index.manifests).unwrap_or_default();
        self.first_of(&tagged, subject, artifact_type, limits)
    }

    fn first_of(
        &self,
        listed: &[Descriptor],
        subject: &Digest,
        artifact_type: &str,
        limits: &Limits,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let of_type = |entry: &&Descriptor| entry.artifact_type() == Some(artifact_type);
        for entry in listed.iter().rev().filter(of_type).take(MOST_CANDIDATES) {
            let digest = entry.digest;
            let what = format!("referrer {digest}");
            let pulled = self.manifest_at(&digest.to_string(), Some(digest), &what, limits);
            let bytes = match pulled {
                Ok(pulled) => pulled.bytes,
                // A list under a tag outlives what it lists.
                Err(RegistryError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            let found = Referrer::find_document(&bytes, artifact_type, subject, limits)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What the registry itself lists; nothing where it keeps no lists.
    fn listed(
        &self,
        subject: &Digest,
        artifact_type: &str,
        limits: &Limits,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut url = self
            .endpoint
            .url(&format!("{}/referrers/{subject}", self.path))?;
        url.query_pairs_mut()
            .append_pair("artifactType", artifact_type);
        let mut listed = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer = self.request(&self.pull_scope(), || {
                Ok(Request::new(Method::GET, url.clone()).header("accept", Schema::Oci.index()))
            })?;
            let is_list = content_type(&answer) == Schema::Oci.index();
            match answer.status() {
                200 if is_list => {}
                // Who does not know the path answers in many ways.
                200 | 400..=428 | 430..=499 => break,
                _ => return Err(self.refused(answer, "pulling from", "list of referrers")),
            }
            let next = next_page(&answer, &url);
            let page = ImageIndex::parse(&answer.bytes(limits.json_bytes)?, limits)?;
            listed.extend(page.manifests);
            match next {
                Some(next) if listed.len() < limits.manifests => url = next,
                _ => break,
            }
        }
        Ok(listed)
    }

    /// The list under the tag, when there is one.
    fn listed_under_tag(
        &self,
        tag: &str,
        limits: &Limits,
    ) -> Result<Option<ImageIndex>, RegistryError> {
        let pulled = match self.manifest_at(tag, None, &format!("tag {tag}"), limits) {
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            pulled => pulled?,
        };
        match ManifestOrIndex::parse(&pulled.bytes, &pulled.media_type, limits)? {
            ManifestOrIndex::Index(index) if index.schema == Schema::Oci => Ok(Some(index)),
            _ => Err(self.endpoint.broken(format!(
                "has something else than a list of referrers under the tag {tag} of {}",
                self.path
            ))),
        }
    }

    fn list_under_tag(
        &self,
        tag: &str,
        referrers: &[Referrer],
        limits: &Limits,
    ) -> Result<(), RegistryError> {
        for _ in 0..TRIES {
            let listed = self.listed_under_tag(tag, limits)?;
            let mut index = listed.unwrap_or_else(|| ImageIndex::new(Schema::Oci, Vec::new()));
            if !index.add_referrers(referrers) {
                return Ok(());
            }
            self.put_manifest_at(Some(tag), &index.to_bytes(), Schema::Oci.index())?;
        }
        let listed = self.listed_under_tag(tag, limits)?;
        match listed.is_some_and(|mut index| !index.add_referrers(referrers)) {
            true => Ok(()),
            false => Err(self.endpoint.broken(format!(
                "does not keep what is listed under the tag {tag} of {}",
                self.path
            ))),
        }
    }
}

/// Where a list goes on (RFC 8288), on the same server only.
fn next_page(answer: &Response, url: &Url) -> Option<Url> {
    answer.headers("link").find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let mut parameters = parameters.split(';').map(str::trim);
        let is_next = parameters.any(|pair| pair == "rel=next" || pair == "rel=\"next\"");
        let next = url.join(target).ok()?;
        (is_next && next.origin() == url.origin()).then_some(next)
    })
}

/// One blob at hand.
struct InMemory<'a>(&'a [u8]);

impl BlobSource for InMemory<'_> {
    fn open(&self, _: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(Cursor::new(self.0.to_vec())))
    }
}
