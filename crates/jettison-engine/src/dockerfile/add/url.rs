//! ADD of a URL: one file, mode 0600, of the age that the server tells.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use jettison_image::{
    Budget, ContentHash, Digest, Entry, EntryKind, Error, ImagePath, LayerIndexBuilder, Limits,
    Metadata, Node, Sha256Writer, Timestamp, Tree,
};
use url::Url;

use super::AddError;
use super::archive::Stretch;
use super::known::{Known, KnownFile, strong};
use crate::dockerfile::FileSystem;
use crate::http::{Download, HttpClient};

/// What BuildKit calls what has no name.
const UNNAMED: &[u8] = b"__unnamed__";

/// A file that was fetched, in a file system of its own.
#[derive(Debug)]
pub(super) struct RemoteFile {
    name: Vec<u8>,
    tree: Tree,
    content: File,
    size_bytes: u64,
}

impl RemoteFile {
    /// Fetches the file, unless what the store has of it still holds. What
    /// has the wanted checksum needs nobody's word.
    pub(super) fn fetch(
        http: &HttpClient,
        known: &Known<'_>,
        checksum: Option<&[u8]>,
        scratch: &Path,
        limits: &Limits,
    ) -> Result<Self, AddError> {
        let url = known.url;
        let expected = checksum.map(parse_checksum).transpose()?;
        let earlier = known.recall();
        let file = match earlier {
            Some((file, content)) if expected == Some(file.digest) => (file, content),
            earlier => {
                let tag = earlier.as_ref().and_then(|(file, _)| file.tag.clone());
                let tag = tag.filter(|_| expected.is_none());
                let download = http.get_unless(url.as_str(), limits.unpacked_bytes, tag.as_deref());
                match (download?, earlier) {
                    (None, Some(same)) => same,
                    (None, None) => return Err(unasked(url)),
                    (Some(download), _) => download_into(download, known, scratch)?,
                }
            }
        };
        let (file, content) = file;
        if let Some(expected) = expected.filter(|expected| *expected != file.digest) {
            return Err(AddError::Mismatch {
                what: shown(url),
                found: file.digest.to_string(),
                expected: expected.to_string(),
            });
        }
        let mtime = file.last_modified.as_deref().and_then(seconds);
        let size_bytes = file.size_bytes;
        let name = file_name(url);
        let entry = Entry {
            path: ImagePath::new(&name)
                .map_err(|error| Error::malformed(shown(url), error.to_string()))?,
            kind: EntryKind::File { size_bytes },
            metadata: Metadata {
                mode: 0o600,
                mtime: Timestamp::from_seconds(mtime.unwrap_or(0)),
                ..Metadata::default()
            },
        };
        let mut index = LayerIndexBuilder::new(Arc::new(Budget::new(limits)));
        index.push(
            &entry,
            0,
            Some(ContentHash::Sha256(*file.digest.as_bytes())),
        )?;
        let tree = Tree::merge(vec![Arc::new(index.finish())], limits)?;
        Ok(Self {
            name,
            tree,
            content,
            size_bytes,
        })
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }
}

/// Reads a file into the store, or beside it where there is none.
fn download_into(
    mut download: Download,
    known: &Known<'_>,
    scratch: &Path,
) -> Result<(KnownFile, File), AddError> {
    let written = |source| AddError::Scratch {
        path: scratch.to_owned(),
        source,
    };
    let last_modified = download.last_modified().map(str::to_owned);
    let tag = strong(download.tag());
    let Some(store) = known.store else {
        let content = tempfile::tempfile_in(scratch).map_err(written)?;
        let mut content = Sha256Writer::new(content);
        copy(&mut download, &mut content, known.url, written)?;
        let (content, digest, size_bytes) = content.finish();
        let file = KnownFile {
            digest,
            size_bytes,
            last_modified,
            tag,
        };
        return Ok((file, content));
    };
    let mut blob = store.blob_writer()?;
    copy(&mut download, &mut blob, known.url, written)?;
    let stored = blob.commit()?;
    let file = KnownFile {
        digest: stored.digest,
        size_bytes: stored.size_bytes,
        last_modified,
        tag,
    };
    known.remember(&file)?;
    Ok((file, store.open_blob_file(&stored.digest)?))
}

fn copy(
    download: &mut Download,
    sink: &mut dyn Write,
    url: &Url,
    written: impl Fn(io::Error) -> AddError,
) -> Result<(), AddError> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = match download.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::read(shown(url), error).into()),
        };
        sink.write_all(&buffer[..count]).map_err(&written)?;
    }
}

fn unasked(url: &Url) -> AddError {
    let problem = "the server says that nothing changed, and nobody asked".to_owned();
    Error::malformed(shown(url), problem).into()
}

/// A URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    // These fail for URLs that cannot have credentials, which then have none.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.to_string()
}

impl FileSystem for RemoteFile {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn open(&self, _: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(Stretch::new(&self.content, 0, self.size_bytes)))
    }
}

fn parse_checksum(text: &[u8]) -> Result<Digest, AddError> {
    let digest = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    digest.ok_or_else(|| AddError::BadChecksum(text.to_vec()))
}

/// The last name of the URL's path, percent signs resolved.
fn file_name(url: &Url) -> Vec<u8> {
    let path = decoded(url.path());
    let name = path
        .split(|&byte| byte == b'/')
        .rfind(|name| !name.is_empty());
    match name {
        None | Some(b"." | b"..") => UNNAMED.to_vec(),
        Some(name) => name.to_vec(),
    }
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte.filter(|_| first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &after[2..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The seconds of an IMF-fixdate (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = date.split_once(", ")?.1.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<i64>);
    let mut part = || clock.next()?.ok();
    let (hour, minute, second) = (part()?, part()?, part()?);
    let in_range = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range || words.next() != Some("GMT") {
        return None;
    }
    // Days from the civil calendar, years beginning in March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (date, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Thu, 29 Feb 2024 12:00:00 GMT", Some(1_709_208_000)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nox 1994 08:49:37 GMT", None),
            ("nonsense", None),
        ] {
            assert_eq!(seconds(date), expected, "{date}");
        }
    }

    #[test]
    fn names() {
        for (url, expected) in [
            ("http://h/a/b.tar?x=y", "b.tar"),
            ("http://h/a/b/", "b"),
            ("http://h/", "__unnamed__"),
            ("http://h/a%20b%2fc", "c"),
            ("http://h/100%", "100%"),
        ] {
            let url = Url::parse(url).expect("a URL");
            assert_eq!(file_name(&url), expected.as_bytes(), "{url}");
        }
    }
}
