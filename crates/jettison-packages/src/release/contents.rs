//! What a Release file says once its signature is believed: for which suite,
//! from when to when, and the hashes of its indexes.

use std::collections::BTreeMap;

use jettison_image::Digest;

use super::signature::CLOCK_TOLERANCE_SECONDS;
use super::{Expected, VerifyError};
use crate::deb822::Paragraph;
use crate::time::parse_release_date;

/// A Release file that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// `Suite`, for instance `oldstable`; may be empty.
    pub suite: String,
    /// `Codename`, for instance `bookworm`; may be empty.
    pub codename: String,
    /// `Origin`, for instance `Debian`; may be empty.
    pub origin: String,
    /// `Version`, for instance `12.15`; may be empty.
    pub version: String,
    /// `Date` in seconds since 1970.
    pub date: i64,
    /// `Valid-Until` in seconds since 1970.
    pub valid_until: Option<i64>,
    by_hash: bool,
    files: BTreeMap<String, (Digest, u64)>,
}

/// How an index is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexCompression {
    /// `.xz`
    Xz,
    /// `.gz`
    Gzip,
    /// As it is.
    None,
}

/// An index as a Release file vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFile {
    /// Path below the suite's directory, `main/binary-amd64/Packages.xz`.
    pub path: String,
    /// Path by content, which stays right while a mirror is updated; none
    /// where the archive has no such paths.
    pub by_hash: Option<String>,
    /// Its SHA-256 as it is stored.
    pub digest: Digest,
    /// Its size as it is stored.
    pub size_bytes: u64,
    /// How to unpack it.
    pub compression: IndexCompression,
}

impl Release {
    /// The smallest index of packages for a component and architecture.
    pub fn index(&self, component: &str, architecture: &str) -> Option<IndexFile> {
        let directory = format!("{component}/binary-{architecture}");
        [
            ("Packages.xz", IndexCompression::Xz),
            ("Packages.gz", IndexCompression::Gzip),
            ("Packages", IndexCompression::None),
        ]
        .into_iter()
        .find_map(|(name, compression)| {
            let path = format!("{directory}/{name}");
            let &(digest, size_bytes) = self.files.get(&path)?;
            let by_hash = self
                .by_hash
                .then(|| format!("{directory}/by-hash/SHA256/{}", digest.hex()));
            Some(IndexFile {
                path,
                by_hash,
                digest,
                size_bytes,
                compression,
            })
        })
    }

    /// Reads a text whose signature was verified.
    pub(super) fn parse(text: &str, expected: &Expected<'_>) -> Result<Self, VerifyError> {
        let malformed = |problem: &str| VerifyError::Malformed(crate::error::escape(problem));
        let paragraph = Paragraph::first(text.as_bytes(), text.len())
            .map_err(|error| malformed(&error.to_string()))?;
        // Two readers may take a repeated field differently; nobody signs one.
        for name in [
            "Suite",
            "Codename",
            "Date",
            "Valid-Until",
            "SHA256",
            "Acquire-By-Hash",
        ] {
            if paragraph.repeats(name) {
                return Err(malformed(&format!("{name} is given twice")));
            }
        }
        if paragraph.odd_lines > 0 {
            return Err(malformed("a line that is no field"));
        }
        let field = |name| paragraph.get(name).unwrap_or_default().to_owned();
        let date_field = |name: &str, value: &str| {
            parse_release_date(value)
                .ok_or_else(|| malformed(&format!("{name}: `{value}` is not a date")))
        };
        let release = Self {
            suite: field("Suite"),
            codename: field("Codename"),
            origin: field("Origin"),
            version: field("Version"),
            date: date_field("Date", paragraph.get("Date").unwrap_or_default())?,
            valid_until: match paragraph.get("Valid-Until") {
                Some(value) => Some(date_field("Valid-Until", value)?),
                None => None,
            },
            by_hash: paragraph.get("Acquire-By-Hash") == Some("yes"),
            files: parse_files(paragraph.get("SHA256").unwrap_or_default())
                .map_err(|problem| malformed(&problem))?,
        };

        // Without this an attacker could serve an older release, or another
        // archive of the same signer, in the asked one's place.
        if ![&release.suite, &release.codename]
            .iter()
            .any(|name| *name == expected.suite)
        {
            let names = [release.suite.as_str(), &release.codename];
            let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
            return Err(VerifyError::WrongSuite {
                asked: expected.suite.to_owned(),
                found: crate::error::escape(&names.join(" / ")),
            });
        }
        if release.date > expected.now.saturating_add(CLOCK_TOLERANCE_SECONDS) {
            return Err(VerifyError::Future {
                date: field("Date"),
            });
        }
        if release.valid_until.is_some_and(|end| end < expected.now) {
            return Err(VerifyError::Expired {
                valid_until: field("Valid-Until"),
            });
        }
        Ok(release)
    }
}

fn parse_files(table: &str) -> Result<BTreeMap<String, (Digest, u64)>, String> {
    let mut files = BTreeMap::new();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_ascii_whitespace();
        let (Some(hash), Some(size), Some(path), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("SHA256: `{line}`"));
        };
        let digest = format!("sha256:{hash}")
            .parse()
            .map_err(|error| format!("{path}: {error}"))?;
        let size = size.parse().map_err(|_| format!("{path}: size `{size}`"))?;
        let before = files.insert(path.to_owned(), (digest, size));
        if before.is_some_and(|before| before != (digest, size)) {
            return Err(format!("{path} is listed twice and differently"));
        }
    }
    Ok(files)
}
