//! Into a registry: blobs by upload sessions that survive broken connections,
//! manifests last.

use std::io::{self, Read};
use std::sync::atomic::AtomicU64;

use jettison_image::{BlobSource, Descriptor, Digest, Reference, open_verified};
use reqwest::{Method, Url};

use super::{RegistryError, Repository};
use crate::http::{Body, HttpError, Request, Response, Verdict, channel, judge, rest};
use crate::progress::ProgressItem;
use crate::transport::counted::Counted;

/// The first try after a registry found a request too large.
const SMALLER_CHUNK_BYTES: u64 = 16 << 20;
/// A registry that takes no more than this at once takes nothing.
const SMALLEST_CHUNK_BYTES: u64 = 64 << 10;

/// How a blob came to be in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uploaded {
    /// It was sent.
    Sent,
    /// It was there already.
    AlreadyThere,
    /// The registry took it from another of its repositories.
    Mounted,
}

/// An upload under way.
struct Session {
    location: Url,
    offset: u64,
}

enum Begun {
    Session(Session),
    Mounted,
}

impl Repository {
    fn push_scope(&self, mount_from: Option<&str>) -> String {
        let mut scope = format!("repository:{}:pull,push", self.path);
        if let Some(from) = mount_from {
            scope.push_str(&format!(" repository:{from}:pull"));
        }
        scope
    }

    /// The repository's path when `other` lies in the same registry and not
    /// in the same place: then blobs can be mounted from there.
    pub(crate) fn mountable<'a>(&self, other: &'a Repository) -> Option<&'a str> {
        (self.endpoint.base == other.endpoint.base && self.path != other.path)
            .then_some(other.path.as_str())
    }

    /// Brings a blob into the repository, by mounting or sending it, unless it
    /// is there.
    pub(crate) fn upload(
        &self,
        blob: &Descriptor,
        source: &dyn BlobSource,
        mount_from: Option<&str>,
        item: &dyn ProgressItem,
    ) -> Result<Uploaded, RegistryError> {
        let scope = self.push_scope(mount_from);
        if self.has_blob(blob, &scope)? {
            return Ok(Uploaded::AlreadyThere);
        }
        let mut session = match self.begin(blob, mount_from, &scope)? {
            Begun::Mounted => return Ok(Uploaded::Mounted),
            Begun::Session(session) => session,
        };
        let retry = self.endpoint.http.options().retry.clone();
        let reported = AtomicU64::new(0);
        let mut chunk_bytes = self.chunk_bytes.unwrap_or(u64::MAX).max(1);
        let mut failures = 0;
        let mut denied = false;
        loop {
            let left = blob.size_bytes.saturating_sub(session.offset);
            let outcome = if left > 0 {
                let chunk = Chunk {
                    offset: session.offset,
                    size_bytes: left.min(chunk_bytes),
                };
                self.send_chunk(&session, chunk, blob, source, &scope, (&reported, item))?
            } else {
                self.close(&session, &blob.digest, &scope)?
            };
            let (error, after) = match judge(outcome) {
                Verdict::Final(outcome) => {
                    let answer = outcome?;
                    match answer.status() {
                        201 | 204 if left == 0 => return self.confirmed(blob, &answer),
                        202 | 204 if left > 0 => {
                            let sent = session.offset + left.min(chunk_bytes);
                            let moved = self.moved(&answer, &session.location, sent)?;
                            if moved.offset > session.offset {
                                (failures, denied) = (0, false);
                            }
                            session = moved;
                            continue;
                        }
                        413 if left.min(chunk_bytes) > SMALLEST_CHUNK_BYTES => {
                            chunk_bytes = SMALLER_CHUNK_BYTES.min(left.min(chunk_bytes) / 2);
                            (answer.into_error(), None)
                        }
                        // Tokens live for minutes, uploads may take longer.
                        401 if !denied
                            && self
                                .endpoint
                                .authorizer
                                .answer(&answer, &self.path, &scope)?
                                .is_some() =>
                        {
                            denied = true;
                            (answer.into_error(), None)
                        }
                        // The session is gone or out of step; both can be mended.
                        404 | 416 => (answer.into_error(), None),
                        _ => return Err(self.refused(answer, "pushing to", "upload session")),
                    }
                }
                Verdict::Again(error, after) => (error, after),
            };
            failures += 1;
            rest(&retry, failures, error, after)?;
            if left == 0 && self.has_blob(blob, &scope).unwrap_or(false) {
                return Ok(Uploaded::Sent);
            }
            session = match self.status(&session, &scope)? {
                Some(session) => session,
                None => match self.begin(blob, None, &scope)? {
                    Begun::Session(session) => session,
                    Begun::Mounted => return Ok(Uploaded::Mounted),
                },
            };
        }
    }

    /// Puts a manifest under a tag, or under its digest alone.
    pub(crate) fn put_manifest(
        &self,
        reference: &Reference,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<(), RegistryError> {
        self.put_manifest_at(reference.tag(), bytes, media_type)
            .map(drop)
    }

    /// Puts a manifest under a tag of this repository, or under its digest
    /// alone; returns the subject for which the registry lists it now, where
    /// it keeps such lists.
    pub(super) fn put_manifest_at(
        &self,
        tag: Option<&str>,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<Option<Digest>, RegistryError> {
        let digest = Digest::of(bytes);
        let name = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let url = self
            .endpoint
            .url(&format!("{}/manifests/{name}", self.path))?;
        let answer = self.request(&self.push_scope(None), || {
            Ok(Request::new(Method::PUT, url.clone())
                .header("content-type", media_type)
                .body(Body::Bytes(bytes.to_vec())))
        })?;
        if !matches!(answer.status(), 200..=202) {
            return Err(self.refused(answer, "pushing to", &format!("repository {}", self.path)));
        }
        match answer
            .header("docker-content-digest")
            .map(str::parse::<Digest>)
        {
            Some(Ok(kept)) if kept != digest => Err(self
                .endpoint
                .broken(format!("kept the manifest {digest} as {kept}"))),
            _ => Ok(answer
                .header("oci-subject")
                .and_then(|subject| subject.parse().ok())),
        }
    }

    fn begin(
        &self,
        blob: &Descriptor,
        mount_from: Option<&str>,
        scope: &str,
    ) -> Result<Begun, RegistryError> {
        let mut url = self
            .endpoint
            .url(&format!("{}/blobs/uploads/", self.path))?;
        if let Some(from) = mount_from {
            let digest = blob.digest.to_string();
            url.query_pairs_mut()
                .append_pair("mount", &digest)
                .append_pair("from", from);
        }
        let answer = self.request(scope, || Ok(Request::new(Method::POST, url.clone())))?;
        match answer.status() {
            201 if mount_from.is_some() => Ok(Begun::Mounted),
            202 => self.moved(&answer, &url, 0).map(Begun::Session),
            _ => Err(self.refused(answer, "pushing to", &format!("repository {}", self.path))),
        }
    }

    fn send_chunk(
        &self,
        session: &Session,
        chunk: Chunk,
        blob: &Descriptor,
        source: &dyn BlobSource,
        scope: &str,
        (reported, item): (&AtomicU64, &dyn ProgressItem),
    ) -> Result<Result<Response, HttpError>, RegistryError> {
        let mut reader = open_verified(source, blob)?;
        let skipped = io::copy(&mut (&mut reader).take(chunk.offset), &mut io::sink());
        let wrong = |source| jettison_image::Error::Read {
            what: format!("blob {}", blob.digest),
            source,
        };
        if skipped.map_err(wrong)? != chunk.offset {
            return Err(wrong(io::ErrorKind::UnexpectedEof.into()).into());
        }
        let whole = chunk.offset == 0 && chunk.size_bytes == blob.size_bytes;
        let reader = ToTheEnd {
            inner: reader,
            left_bytes: blob.size_bytes - chunk.offset,
        };
        let (sender, body) = channel(chunk.size_bytes);
        let mut request = Request::new(Method::PATCH, session.location.clone())
            .header("content-type", "application/octet-stream")
            .body(body);
        if !whole {
            let last = chunk.offset + chunk.size_bytes - 1;
            request = request.header("content-range", format!("{}-{last}", chunk.offset));
        }
        let authorization = self.endpoint.authorizer.known(scope);
        let own = request.url.origin() == self.endpoint.base.origin();
        let request = request.authorization(authorization.as_deref().filter(|_| own));
        let counted = Counted {
            inner: reader.take(chunk.size_bytes),
            position: chunk.offset,
            reported,
            item,
        };
        // The body is read on a thread of its own: it may itself come from a
        // network, and the client's threads must not wait for it.
        let (outcome, read) = std::thread::scope(|scope| {
            let feeding = scope.spawn(move || sender.feed(counted));
            let outcome = self.endpoint.http.send(request);
            (outcome, feeding.join().unwrap_or(Ok(())))
        });
        read.map_err(wrong)?;
        Ok(outcome)
    }

    fn close(
        &self,
        session: &Session,
        digest: &Digest,
        scope: &str,
    ) -> Result<Result<Response, HttpError>, RegistryError> {
        let mut url = session.location.clone();
        url.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let authorization = self.endpoint.authorizer.known(scope);
        let own = url.origin() == self.endpoint.base.origin();
        let request = Request::new(Method::PUT, url)
            .header("content-type", "application/octet-stream")
            .authorization(authorization.as_deref().filter(|_| own));
        Ok(self.endpoint.http.send(request))
    }

    /// How far the registry says the upload is; none when it forgot it.
    fn status(&self, session: &Session, scope: &str) -> Result<Option<Session>, RegistryError> {
        let url = session.location.clone();
        let answer = self.request(scope, || Ok(Request::new(Method::GET, url.clone())))?;
        match answer.status() {
            200 | 202 | 204 => self.moved(&answer, &url, 0).map(Some),
            400..=499 => Ok(None),
            _ => Err(answer.into_error().into()),
        }
    }

    /// Reads where the upload goes on, and from which byte.
    fn moved(
        &self,
        answer: &Response,
        before: &Url,
        otherwise: u64,
    ) -> Result<Session, RegistryError> {
        let location = match answer.header("location") {
            None => before.clone(),
            Some(text) => before
                .join(text)
                .map_err(|_| self.endpoint.broken("sends a Location that is not a URL"))?,
        };
        let location = self.secured(location)?;
        // `0-0` is both "nothing yet" and "one byte"; registries mean the former.
        let offset = match answer
            .header("range")
            .and_then(|range| range.rsplit_once('-'))
        {
            Some((_, last)) => match last.trim().parse::<u64>() {
                Ok(0) | Err(_) => 0,
                Ok(last) => last.saturating_add(1),
            },
            None => otherwise,
        };
        Ok(Session { location, offset })
    }

    /// Registries behind a TLS proxy may name themselves without the S.
    fn secured(&self, mut location: Url) -> Result<Url, RegistryError> {
        let base = &self.endpoint.base;
        if base.scheme() == "https" && location.scheme() == "http" {
            let same_host = location.host_str() == base.host_str();
            if !same_host || location.set_scheme("https").is_err() {
                return Err(self.endpoint.broken("wants the upload sent without HTTPS"));
            }
        }
        Ok(location)
    }

    fn confirmed(&self, blob: &Descriptor, answer: &Response) -> Result<Uploaded, RegistryError> {
        match answer
            .header("docker-content-digest")
            .map(str::parse::<Digest>)
        {
            Some(Ok(kept)) if kept != blob.digest => Err(self
                .endpoint
                .broken(format!("kept blob {} as {kept}", blob.digest))),
            _ => Ok(Uploaded::Sent),
        }
    }
}

#[derive(Clone, Copy)]
struct Chunk {
    offset: u64,
    size_bytes: u64,
}

/// Asks a verifying reader for its verdict together with the last byte: a
/// request of known length never reads past it.
struct ToTheEnd<R> {
    inner: R,
    left_bytes: u64,
}

impl<R: Read> Read for ToTheEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.left_bytes = self.left_bytes.saturating_sub(count as u64);
        if self.left_bytes == 0 && count > 0 && self.inner.read(&mut [0])? != 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "longer than its descriptor says",
            ));
        }
        Ok(count)
    }
}
