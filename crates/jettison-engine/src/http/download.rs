//! Downloads that survive broken connections.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use reqwest::{Method, Url};

use super::error::plain_url;
use super::retry::{rest, until_answered};
use super::{HttpClient, HttpError, Request, Response, Retry};
use crate::files::open_named;

/// What a URL holds, read as it arrives.
pub struct Download {
    source: Source,
    size_bytes: Option<u64>,
    last_modified: Option<String>,
    tag: Option<String>,
    url: String,
    left_bytes: u64,
    limit_bytes: u64,
}

enum Source {
    File(File),
    Network(Box<dyn Read + Send>),
}

impl Download {
    /// The length, where the server says it.
    pub fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    /// When it was last changed, as the server writes it.
    pub(crate) fn last_modified(&self) -> Option<&str> {
        self.last_modified.as_deref()
    }

    /// What the server promises to change with the content (RFC 9110, 8.8.3).
    pub(crate) fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Reads all of it.
    pub fn bytes(mut self) -> Result<Vec<u8>, HttpError> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(HttpError::File {
                url: self.url,
                source,
            }),
        }
    }
}

impl HttpClient {
    /// Fetches an `http:`, `https:` or `file:` URL. A connection that breaks
    /// is taken up again where it broke, as long as the server still has the
    /// same content. Reading more than `limit_bytes` fails.
    pub fn get(&self, url: &str, limit_bytes: u64) -> Result<Download, HttpError> {
        match self.get_unless(url, limit_bytes, None)? {
            Some(download) => Ok(download),
            None => Err(HttpError::Url {
                url: url.to_owned(),
                problem: "has not changed, which nobody asked".to_owned(),
            }),
        }
    }

    /// The same; none where the content still is the one that bears `tag`.
    pub(crate) fn get_unless(
        &self,
        url: &str,
        limit_bytes: u64,
        tag: Option<&str>,
    ) -> Result<Option<Download>, HttpError> {
        let parsed = Url::parse(url).map_err(|error| HttpError::Url {
            url: url.to_owned(),
            problem: error.to_string(),
        })?;
        if parsed.scheme() == "file" {
            return local(&parsed, limit_bytes).map(Some);
        }
        let first = self.get_from(&parsed, 0, None, tag)?;
        if first.status() == 304 {
            return Ok(None);
        }
        let size_bytes = first.content_length();
        let too_long = || HttpError::TooLong {
            url: plain_url(&parsed),
            limit_bytes,
        };
        if size_bytes.is_some_and(|size| size > limit_bytes) {
            return Err(too_long());
        }
        // Only a strong validator can promise that the rest belongs to the
        // beginning (RFC 9110, 13.1.5).
        let same = first
            .header("etag")
            .filter(|tag| !tag.starts_with("W/"))
            .or_else(|| first.header("last-modified"))
            .map(str::to_owned);
        let last_modified = first.header("last-modified").map(str::to_owned);
        let tag = first.header("etag").map(str::to_owned);
        let (client, again) = (self.clone(), parsed.clone());
        let reopen = move |offset| client.get_from(&again, offset, Some(same.as_deref()), None);
        let source = Resuming::starting_at(self.options().retry.clone(), first, 0, reopen);
        Ok(Some(Download {
            source: Source::Network(Box::new(source)),
            size_bytes,
            last_modified,
            tag,
            url: plain_url(&parsed),
            left_bytes: limit_bytes,
            limit_bytes,
        }))
    }

    /// Asks for what follows `offset`; `same` is the validator of the first
    /// answer once there was one, `unless` that of what is here already.
    fn get_from(
        &self,
        url: &Url,
        offset: u64,
        same: Option<Option<&str>>,
        unless: Option<&str>,
    ) -> Result<Response, HttpError> {
        let response = until_answered(&self.options().retry, || {
            let mut request = Request::new(Method::GET, url.clone());
            if let Some(tag) = unless {
                request = request.header("if-none-match", tag);
            }
            if offset > 0 {
                request = request.header("range", format!("bytes={offset}-"));
                if let Some(Some(same)) = same {
                    request = request.header("if-range", same);
                }
            }
            self.send(request)
        })?;
        match response.status() {
            // With a validator, a whole answer means that the content changed.
            200 if offset > 0 && same != Some(None) => Err(HttpError::Url {
                url: plain_url(url),
                problem: "changed while it was fetched".to_owned(),
            }),
            200 | 206 => Ok(response),
            304 if unless.is_some() => Ok(response),
            _ => Err(response.into_error()),
        }
    }
}

impl Read for Download {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.source {
            Source::File(file) => file.read(buf)?,
            Source::Network(reader) => reader.read(buf)?,
        };
        self.left_bytes = self.left_bytes.checked_sub(count as u64).ok_or_else(|| {
            let (url, limit_bytes) = (self.url.clone(), self.limit_bytes);
            io::Error::new(
                io::ErrorKind::InvalidData,
                HttpError::TooLong { url, limit_bytes },
            )
        })?;
        Ok(count)
    }
}

fn local(url: &Url, limit_bytes: u64) -> Result<Download, HttpError> {
    let path: PathBuf = url.to_file_path().map_err(|()| HttpError::Url {
        url: url.to_string(),
        problem: "a file URL has no host and an absolute path".to_owned(),
    })?;
    let shown = path.display().to_string();
    let fail = |source| HttpError::File {
        url: shown.clone(),
        source,
    };
    let file = open_named(&path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    if size > limit_bytes {
        return Err(HttpError::TooLong {
            url: shown,
            limit_bytes,
        });
    }
    Ok(Download {
        source: Source::File(file),
        size_bytes: Some(size),
        last_modified: None,
        tag: None,
        url: shown,
        left_bytes: limit_bytes,
        limit_bytes,
    })
}

/// A body that is asked for again from where it broke.
pub(crate) struct Resuming<F> {
    retry: Retry,
    current: Response,
    reopen: F,
    offset: u64,
    failures: u32,
}

impl<F: FnMut(u64) -> Result<Response, HttpError>> Resuming<F> {
    /// `first` begins at `offset`; `reopen` answers with 206 from the offset it
    /// is given, or with 200 from the beginning.
    pub(crate) fn starting_at(retry: Retry, first: Response, offset: u64, reopen: F) -> Self {
        Self {
            retry,
            current: first,
            reopen,
            offset,
            failures: 0,
        }
    }

    fn resume(&mut self, error: io::Error) -> io::Result<()> {
        self.failures += 1;
        let broken = HttpError::Connection {
            url: plain_url(self.current.url()),
            problem: format!("broke after {} bytes: {error}", self.offset),
        };
        rest(&self.retry, self.failures, broken, None).map_err(io::Error::other)?;
        self.current = (self.reopen)(self.offset).map_err(io::Error::other)?;
        if self.offset > 0 && self.current.status() == 206 {
            let starts = format!("bytes {}-", self.offset);
            if !self
                .current
                .header("content-range")
                .is_some_and(|range| range.starts_with(&starts))
            {
                return Err(io::Error::other(
                    "the server resumed at another place than asked",
                ));
            }
        } else if self.offset > 0 {
            let skipped = io::copy(&mut (&mut self.current).take(self.offset), &mut io::sink())?;
            if skipped != self.offset {
                return Err(io::Error::other(
                    "the second answer is shorter than the first",
                ));
            }
        }
        Ok(())
    }
}

impl<F: FnMut(u64) -> Result<Response, HttpError>> Read for Resuming<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.read(buf) {
                Ok(count) => {
                    if count > 0 {
                        // Patience is for failures in a row, not for all of a long download.
                        self.failures = 0;
                    }
                    self.offset += count as u64;
                    return Ok(count);
                }
                Err(error) => self.resume(error)?,
            }
        }
    }
}
