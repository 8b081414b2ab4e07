//! Documents about an image beside the image, wherever it went: referrers in a
//! registry, files in an OCI layout's directory and beside an archive.
//!
//! A layout's index is left alone: containers/image (skopeo, podman) opens a
//! layout without a tag only when it lists a single entry, and an artifact is
//! one. Engines keep no documents.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::layout::OciLayout;
use jettison_image::{
    BlobSource, Descriptor, Digest, Error, Referrer, escape, open_verified, referrers_tag,
};
use serde::Serialize;

use super::host_files::HostDirectory;
use super::registry::RegistrySource;
use super::{Location, Opened, Origin, TransportError, Transports};
use crate::files::{read_bounded, write_file};
use crate::store::NOTE_BYTES;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentKind {
    /// What it is called, in file names too.
    pub name: &'static str,
    /// Its media type, which is the type of the artifact that holds it as well.
    pub media_type: &'static str,
}

/// A document about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its kind.
    pub kind: DocumentKind,
    /// Its content.
    pub json: Vec<u8>,
}

/// A document that was put beside an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// The name of its kind.
    pub kind: &'static str,
    /// Where it is: a path, or the name of the artifact in the registry.
    pub place: String,
}

impl Transports {
    /// Puts documents beside an image that was delivered, `manifest` being its
    /// manifest there. Where nothing can lie beside an image, nothing is done.
    pub fn attach(
        &self,
        destination: &Location,
        manifest: Option<Digest>,
        documents: &[Document],
    ) -> Result<Vec<Attached>, TransportError> {
        match (destination, manifest) {
            (Location::Registry(reference), Some(manifest)) => {
                let repository = self.registries.repository(reference)?;
                let subject = repository.descriptor(&manifest, &self.limits)?;
                let pack = |document: &Document| {
                    let DocumentKind { name, media_type } = document.kind;
                    let title = format!("jettison.{name}.json");
                    Referrer::new(media_type, &title, document.json.clone(), &subject)
                };
                let referrers: Vec<Referrer> = documents.iter().map(pack).collect();
                let (limits, progress) = (&self.limits, &*self.progress);
                repository.refer(&manifest, &referrers, limits, &self.store, progress)?;
                let place = |referrer: &Referrer| {
                    let artifact = reference.with_digest(referrer.descriptor().digest);
                    format!("docker://{}", artifact.familiar())
                };
                Ok(named(documents, referrers.iter().map(place)))
            }
            (Location::OciDirectory { path, .. }, Some(manifest)) => {
                let host = |source| TransportError::Host {
                    location: destination.to_string(),
                    source,
                };
                let directory = HostDirectory::create(path).map_err(host)?;
                let mut places = Vec::new();
                for document in documents {
                    let name = name_in_layout(&manifest, document.kind);
                    directory.put_document(&name, &document.json)?;
                    places.push(shown(&path.join(name)));
                }
                Ok(named(documents, places))
            }
            (Location::OciArchive { path, .. } | Location::DockerArchive { path, .. }, _) => {
                let mut places = Vec::new();
                for document in documents {
                    let beside = beside(path, document.kind);
                    let written = write_file(&beside, &document.json);
                    written.map_err(|source| Error::Write {
                        what: shown(&beside),
                        source,
                    })?;
                    places.push(shown(&beside));
                }
                Ok(named(documents, places))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A document that lies beside an image in its registry or OCI layout.
    /// What lies beside an archive names no image, and is not trusted to speak
    /// of this one.
    pub fn attached(
        &self,
        opened: &Opened,
        kind: DocumentKind,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let digest = &opened.image.manifest_digest;
        let media_type = kind.media_type;
        let (source, found): (Arc<dyn BlobSource>, _) = match (&opened.repository, &opened.origin) {
            (Some(repository), _) => {
                let source = RegistrySource {
                    repository: repository.clone(),
                    store: self.store.clone(),
                    progress: self.progress.clone(),
                };
                let found = repository.find_document(digest, media_type, &self.limits)?;
                (Arc::new(source), found)
            }
            (None, Origin::File(location))
                if !matches!(location, Location::DockerArchive { .. }) =>
            {
                let files = self.files(location)?;
                let name = name_in_layout(digest, kind);
                if let Some(file) = files.open(&name)? {
                    let json = read_bounded(file.content, NOTE_BYTES);
                    return Ok(Some(
                        json.map_err(|source| Error::Read { what: name, source })?,
                    ));
                }
                let layout = OciLayout::open(files, &self.limits)?;
                let found = layout.find_document(media_type, digest, &self.limits)?;
                (layout.source(), found)
            }
            _ => return Ok(None),
        };
        found
            .map(|blob| self.document(&*source, &blob, kind, digest))
            .transpose()
    }

    fn document(
        &self,
        source: &dyn BlobSource,
        blob: &Descriptor,
        kind: DocumentKind,
        about: &Digest,
    ) -> Result<Vec<u8>, TransportError> {
        if blob.size_bytes > NOTE_BYTES {
            return Err(TransportError::Document {
                kind: kind.name,
                digest: *about,
                size_bytes: blob.size_bytes,
                limit_bytes: NOTE_BYTES,
            });
        }
        let mut json = Vec::new();
        let mut reader = open_verified(source, blob)?;
        reader
            .read_to_end(&mut json)
            .map_err(|source| Error::Read {
                what: format!("blob {}", blob.digest),
                source,
            })?;
        Ok(json)
    }
}

/// Where a layout's directory keeps a document about an image in it.
fn name_in_layout(manifest: &Digest, kind: DocumentKind) -> String {
    format!("jettison/{}.{}.json", referrers_tag(manifest), kind.name)
}

/// `small.tar.plan.json` for `small.tar`.
fn beside(path: &Path, kind: DocumentKind) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{}.json", kind.name));
    name.into()
}

fn shown(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

fn named(documents: &[Document], places: impl IntoIterator<Item = String>) -> Vec<Attached> {
    let kinds = documents.iter().map(|document| document.kind.name);
    kinds
        .zip(places)
        .map(|(kind, place)| Attached { kind, place })
        .collect()
}
