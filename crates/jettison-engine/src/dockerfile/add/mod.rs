//! What ADD has beyond COPY: archives that are unpacked, files behind URLs,
//! and git repositories.

mod archive;
mod error;
mod git;
mod known;
mod source;
mod url;

use std::path::PathBuf;

use super::FileSystem;
use super::copy::{self, CopyRequest, Selection};
use crate::http::HttpClient;
use crate::store::Store;

pub use error::AddError;

pub(crate) use archive::Archive;
pub(crate) use source::is_remote;

use git::Checkout;
use known::Known;
use source::Source;
use url::RemoteFile;

/// An ADD with all words resolved.
#[derive(Debug, Clone, Default)]
pub struct AddRequest {
    /// What it has in common with COPY. Its `unpack` does not count.
    pub copy: CopyRequest,
    /// `--keep-git-dir`.
    pub keep_git_dir: Option<bool>,
    /// The SSH agent that git asks, in place of the person's own.
    pub agent: Option<PathBuf>,
    /// `--checksum`.
    pub checksum: Option<Vec<u8>>,
    /// `--unpack`: by default archives of the context are unpacked, those
    /// behind URLs are not.
    pub unpack: Option<bool>,
}

/// What an ADD's sources hold that are not in the context.
#[derive(Debug, Default)]
pub struct Fetched {
    /// By the place of the source.
    sources: Vec<Option<Remote>>,
}

#[derive(Debug)]
enum Remote {
    File(RemoteFile),
    Repository(Checkout),
}

/// Fetches what is behind URLs and in git repositories.
/// What a store has of them already is asked about and not fetched again.
pub fn fetch(
    request: &AddRequest,
    http: &HttpClient,
    store: Option<&Store>,
) -> Result<Fetched, AddError> {
    let checksum = request.checksum.as_deref();
    if checksum.is_some() {
        let [only] = request.copy.sources.as_slice() else {
            return Err(AddError::Checksum(
                "checksum can't be specified for multiple sources",
            ));
        };
        if !is_remote(only) {
            return Err(AddError::Checksum(
                "checksum requires HTTP(S) or Git sources",
            ));
        }
    }
    let scratch = request
        .copy
        .scratch
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let one = |word: &Vec<u8>| -> Result<Option<Remote>, AddError> {
        Ok(Some(match Source::of(word)? {
            Source::Local => return Ok(None),
            Source::Url(url) => {
                let limits = &request.copy.limits;
                let known = Known { store, url: &url };
                Remote::File(RemoteFile::fetch(http, &known, checksum, &scratch, limits)?)
            }
            Source::Repository(repository) => {
                Remote::Repository(repository.check_out(request, &scratch)?)
            }
        }))
    };
    let sources = request.copy.sources.iter().map(one);
    Ok(Fetched {
        sources: sources.collect::<Result<_, _>>()?,
    })
}

/// Finds what an ADD's sources name, fetched or in the context.
pub fn select<'a>(
    request: &'a AddRequest,
    fetched: &'a Fetched,
    context: &'a dyn FileSystem,
) -> Result<Selection<'a>, AddError> {
    let filter = copy::filter(&request.copy)?;
    let mut parts = Vec::new();
    for (at, word) in request.copy.sources.iter().enumerate() {
        parts.push(match fetched.sources.get(at).and_then(Option::as_ref) {
            None => {
                let mut part = copy::local(&request.copy, word, context, &filter)?;
                part.unpacks = request.unpack.unwrap_or(true);
                part
            }
            Some(Remote::File(file)) => {
                let mut part = copy::fetched(file, file.name(), &filter)?;
                part.unpacks = request.unpack.unwrap_or(false);
                part
            }
            Some(Remote::Repository(checkout)) => {
                let mut part = copy::fetched(checkout, b"", &filter)?;
                part.is_checkout = true;
                part
            }
        });
    }
    Ok(copy::with_parts(&request.copy, parts)?)
}

/// Whether an ADD has to fetch anything.
pub fn has_remote(request: &AddRequest) -> bool {
    request.copy.sources.iter().any(|word| is_remote(word))
}

/// A directory below `scratch` that is gone when the value is dropped.
fn scratch_directory(scratch: &std::path::Path) -> Result<tempfile::TempDir, AddError> {
    tempfile::Builder::new()
        .prefix("add-")
        .tempdir_in(scratch)
        .map_err(|source| AddError::Scratch {
            path: PathBuf::from(scratch),
            source,
        })
}

#[cfg(test)]
mod tests;
