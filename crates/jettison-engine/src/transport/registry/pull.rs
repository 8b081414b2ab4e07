//! Out of a registry: manifests whole, blobs into the store.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jettison_image::{BlobSource, Descriptor, Digest, Limits, Reference, media_type};
use reqwest::Method;

use super::{RegistryError, Repository};
use crate::http::{Body, Request, Response, Resuming, until_answered};
use crate::progress::Progress;
use crate::store::{Store, StoreError};
use crate::transport::counted::Counted;

const PIECE_BYTES: usize = 256 << 10;

/// What a reference led to.
pub(crate) struct PulledManifest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: String,
}

impl Repository {
    /// A request with what the registry wants to know about us: sent with the
    /// rights known so far, and once more when it asks for others.
    pub(super) fn request(
        &self,
        scope: &str,
        build: impl Fn() -> Result<Request<'static>, RegistryError>,
    ) -> Result<Response, RegistryError> {
        let endpoint = &self.endpoint;
        let mut failure = None;
        let send = |authorization: Option<&str>, request: Request<'static>| {
            // A storage server that the registry points at is none of its own.
            let own = request.url.origin() == endpoint.base.origin();
            let Request {
                method,
                url,
                headers,
                body,
                ..
            } = request;
            let authorization = authorization.filter(|_| own);
            endpoint.http.send(Request {
                method,
                url,
                headers,
                authorization,
                body,
            })
        };
        let known = endpoint.authorizer.known(scope);
        let first = until_answered(&endpoint.http.options().retry, || match build() {
            Ok(request) => send(known.as_deref(), request),
            Err(error) => {
                failure = Some(error);
                Err(crate::http::HttpError::Setup(String::new()))
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let first = first?;
        if first.status() != 401 {
            return Ok(first);
        }
        let Some(header) = endpoint.authorizer.answer(&first, &self.path, scope)? else {
            return Ok(first);
        };
        let request = build()?;
        Ok(send(Some(&header), request)?)
    }

    pub(super) fn pull_scope(&self) -> String {
        format!("repository:{}:pull", self.path)
    }

    /// The error for an answer that is not the wanted one.
    pub(super) fn refused(
        &self,
        answer: Response,
        deed: &'static str,
        what: &str,
    ) -> RegistryError {
        let registry = self.endpoint.registry.clone();
        match answer.status() {
            401 | 403 => RegistryError::Denied {
                registry,
                repository: self.path.clone(),
                deed,
                known: self.endpoint.authorizer.has_credentials(),
            },
            404 => RegistryError::NotFound {
                registry,
                what: what.to_owned(),
            },
            _ => answer.into_error().into(),
        }
    }

    /// Fetches what a tag or digest names: a manifest or an index.
    pub(crate) fn manifest(
        &self,
        reference: &Reference,
        limits: &Limits,
    ) -> Result<PulledManifest, RegistryError> {
        let wanted = match reference.digest() {
            Some(digest) => digest.to_string(),
            None => reference.tag().unwrap_or("latest").to_owned(),
        };
        let expected = reference.digest().copied();
        self.manifest_at(&wanted, expected, &format!("image {reference}"), limits)
    }

    /// Fetches the manifest or index of a tag or digest of this repository.
    pub(super) fn manifest_at(
        &self,
        wanted: &str,
        expected: Option<Digest>,
        what: &str,
        limits: &Limits,
    ) -> Result<PulledManifest, RegistryError> {
        let url = self
            .endpoint
            .url(&format!("{}/manifests/{wanted}", self.path))?;
        let accept = [
            media_type::OCI_INDEX,
            media_type::OCI_MANIFEST,
            media_type::DOCKER_LIST,
            media_type::DOCKER_MANIFEST,
        ];
        let answer = self.request(&self.pull_scope(), || {
            Ok(Request::new(Method::GET, url.clone()).header("accept", accept.join(", ")))
        })?;
        if answer.status() != 200 {
            return Err(self.refused(answer, "pulling from", what));
        }
        let said: Option<Digest> = answer
            .header("docker-content-digest")
            .and_then(|digest| digest.parse().ok());
        let media_type = content_type(&answer);
        let bytes = answer.bytes(limits.json_bytes)?;
        let digest = Digest::of(&bytes);
        if let Some(expected) = expected.or(said)
            && expected != digest
        {
            return Err(self.endpoint.broken(format!(
                "sent a manifest of {digest} where {expected} was asked for or announced"
            )));
        }
        Ok(PulledManifest { bytes, media_type })
    }

    /// True when the repository has a blob of this digest and size.
    pub(crate) fn has_blob(&self, blob: &Descriptor, scope: &str) -> Result<bool, RegistryError> {
        let url = self
            .endpoint
            .url(&format!("{}/blobs/{}", self.path, blob.digest))?;
        let answer = self.request(scope, || Ok(Request::new(Method::HEAD, url.clone())))?;
        match answer.status() {
            200 => Ok(answer
                .content_length()
                .is_none_or(|size| size == blob.size_bytes)),
            404 => Ok(false),
            _ => Err(self.refused(answer, "access to", &format!("blob {}", blob.digest))),
        }
    }

    fn blob_from(&self, blob: &Descriptor, offset: u64) -> Result<Response, RegistryError> {
        let url = self
            .endpoint
            .url(&format!("{}/blobs/{}", self.path, blob.digest))?;
        let answer = self.request(&self.pull_scope(), || {
            let request = Request::new(Method::GET, url.clone()).body(Body::Empty);
            Ok(match offset {
                0 => request,
                _ => request.header("range", format!("bytes={offset}-")),
            })
        })?;
        match answer.status() {
            200 | 206 => Ok(answer),
            _ => Err(self.refused(answer, "pulling from", &format!("blob {}", blob.digest))),
        }
    }

    /// Brings a blob into the store, unless it is there. What an earlier,
    /// broken download left is taken up.
    pub(crate) fn download(
        &self,
        blob: &Descriptor,
        store: &Store,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        if store.has_blob(&blob.digest, blob.size_bytes)? {
            return Ok(());
        }
        let Some(mut sink) = store.download(&blob.digest, blob.size_bytes)? else {
            return Ok(());
        };
        let item = progress.begin(
            &format!("pull {}", blob.digest.short()),
            Some(blob.size_bytes),
        );
        let start = sink.position();
        item.advance(start);
        if start < blob.size_bytes {
            let reported = AtomicU64::new(start);
            let first = self.blob_from(blob, start)?;
            // A server without ranges begins at the beginning.
            if start > 0 && first.status() == 200 {
                sink.restart()?;
            }
            let start = sink.position();
            let again = |offset: u64| {
                self.blob_from(blob, offset).map_err(|error| match error {
                    RegistryError::Http(error) => error,
                    other => crate::http::HttpError::Setup(other.to_string()),
                })
            };
            let retry = self.endpoint.http.options().retry.clone();
            let resuming = Resuming::starting_at(retry, first, start, again);
            let mut reader = Counted {
                inner: resuming,
                position: start,
                reported: &reported,
                item: &*item,
            };
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let count =
                    reader
                        .read(&mut piece)
                        .map_err(|source| jettison_image::Error::Read {
                            what: format!("blob {}", blob.digest),
                            source,
                        })?;
                if count == 0 {
                    break;
                }
                if sink.position() + count as u64 > blob.size_bytes {
                    sink.discard()?;
                    return Err(self.endpoint.broken(format!(
                        "sends more than the {} bytes that blob {} has",
                        blob.size_bytes, blob.digest
                    )));
                }
                sink.write_all(&piece[..count])
                    .map_err(|source| StoreError::Io {
                        deed: "write",
                        path: store.path().to_owned(),
                        source,
                    })?;
            }
        }
        if sink.position() < blob.size_bytes {
            return Err(self.endpoint.broken(format!(
                "ends blob {} after {} of {} bytes",
                blob.digest,
                sink.position(),
                blob.size_bytes
            )));
        }
        sink.commit()?;
        Ok(())
    }
}

/// The media type of an answer, without parameters.
pub(super) fn content_type(answer: &Response) -> String {
    let said = answer.header("content-type").unwrap_or_default();
    said.split(';').next().unwrap_or_default().trim().to_owned()
}

/// Blobs of a repository, by way of the store: each is fetched once, when it
/// is first opened.
pub(crate) struct RegistrySource {
    pub(crate) repository: Repository,
    pub(crate) store: Store,
    pub(crate) progress: Arc<dyn Progress>,
}

impl BlobSource for RegistrySource {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, jettison_image::Error> {
        let fail = |error: &dyn std::error::Error| jettison_image::Error::Read {
            what: format!("blob {}", blob.digest),
            source: std::io::Error::other(error.to_string()),
        };
        self.repository
            .download(blob, &self.store, &*self.progress)
            .map_err(|error| fail(&error))?;
        let file = self
            .store
            .open_blob_file(&blob.digest)
            .map_err(|error| fail(&error))?;
        Ok(Box::new(file))
    }
}
