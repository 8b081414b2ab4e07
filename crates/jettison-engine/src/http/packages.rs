//! Files of package archives, for `jettison-packages`: over the network or
//! from disk, kept in the store's cache where their content is known before.

use std::io::{self, Cursor, Read};

use jettison_packages::{Fetch, FetchError, Location, Request};

use super::{HttpClient, HttpError};
use crate::files::{open_named, read_bounded};
use crate::store::Store;

/// Package indexes of the largest archives have about 60 MB, packed.
const MOST_BYTES: u64 = 512 << 20;
/// Larger files are not kept in the cache: a cached value is read whole.
const MOST_CACHED_BYTES: u64 = 64 << 20;

/// Fetches files of package archives.
pub struct PackageFetcher {
    http: HttpClient,
    store: Store,
}

impl PackageFetcher {
    /// Larger files are fetched each time they are read.
    pub(crate) const MOST_CACHED_BYTES: u64 = MOST_CACHED_BYTES;

    /// Fetches through a client, with the store's cache before it.
    pub fn new(http: HttpClient, store: Store) -> Self {
        Self { http, store }
    }

    fn open(&self, location: &Location, limit: u64) -> Result<Box<dyn Read + Send>, FetchError> {
        match location {
            Location::Url(url) => match self.http.get(url, limit) {
                Ok(download) => Ok(Box::new(download)),
                Err(HttpError::Status {
                    status: 404 | 410, ..
                }) => Err(FetchError::NotFound),
                Err(error) => Err(FetchError::Failed(Box::new(error))),
            },
            Location::File(path) => match open_named(path) {
                Ok(file) => Ok(Box::new(file.take(limit))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(FetchError::NotFound),
                Err(error) => Err(FetchError::Failed(Box::new(error))),
            },
        }
    }
}

impl Fetch for PackageFetcher {
    fn fetch(&self, wanted: &Request) -> Result<Box<dyn Read + Send>, FetchError> {
        // One byte more than promised is enough for the caller to see the lie.
        let limit = wanted
            .size_bytes
            .map_or(MOST_BYTES, |size| size.saturating_add(1))
            .min(MOST_BYTES);
        let Some(digest) = wanted.digest.filter(|_| limit <= MOST_CACHED_BYTES) else {
            return self.open(&wanted.location, limit);
        };
        let key = digest.to_string();
        if let Some(kept) = self.store.cached("package-file", &key) {
            return Ok(Box::new(Cursor::new(kept)));
        }
        let content = read_bounded(self.open(&wanted.location, limit)?, limit)
            .map_err(|error| FetchError::Failed(Box::new(error)))?;
        // Only what it should be is worth keeping; the caller verifies again.
        if jettison_image::Digest::of(&content) == digest {
            // A store that is full or read-only must not stop the build.
            let _ = self.store.put_cached("package-file", &key, &content);
        }
        Ok(Box::new(Cursor::new(content)))
    }
}

#[cfg(test)]
mod tests {
    use jettison_image::Digest;

    use super::*;
    use crate::http::HttpOptions;

    #[test]
    fn a_file_of_known_content_is_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let fetcher = PackageFetcher::new(HttpClient::new(HttpOptions::default()).unwrap(), store);
        let path = scratch.path().join("x.deb");
        std::fs::write(&path, b"package").unwrap();
        let location = Location::File(path.clone());
        let known = Request {
            digest: Some(Digest::of(b"package")),
            size_bytes: Some(7),
            ..Request::any(location.clone())
        };
        let read = |request: &Request| {
            let mut content = Vec::new();
            fetcher.fetch(request)?.read_to_end(&mut content).unwrap();
            Ok::<_, FetchError>(content)
        };
        assert_eq!(read(&Request::any(location.clone())).unwrap(), b"package");
        assert_eq!(read(&known).unwrap(), b"package");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&known).unwrap(), b"package");
        assert!(matches!(
            read(&Request::any(location)),
            Err(FetchError::NotFound)
        ));
    }
}
