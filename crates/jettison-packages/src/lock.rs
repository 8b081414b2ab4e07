//! `jettison.lock`: which packages a base was made of.
//!
//! It names files by their place below an archive's root, so any mirror serves
//! it, and by their SHA-256, so no signature is needed to use it again: what
//! was verified once is pinned. It knows no host and no time.

use std::collections::BTreeSet;

use jettison_image::Digest;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::apt::Role;
use crate::index::Version;

/// The version of the file's format.
const FORMAT: u32 = 1;
/// Bytes of a lock; one package takes about 250.
const LOCK_BYTES: usize = 16 << 20;
const HEAD: &str = "# Packages that the base was composed of. Written by jettison; commit it.\n";

/// The contents of a lock file: one base for each suite and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The pinned bases, ordered by suite and architecture.
    #[serde(default, rename = "base")]
    pub bases: Vec<LockedBase>,
}

/// The packages of one base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBase {
    /// The suite that was asked for.
    pub suite: String,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// Packages that were looked for and that the release does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// The packages, ordered by name.
    #[serde(default, rename = "package")]
    pub packages: Vec<LockedPackage>,
}

/// One pinned package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its own architecture, `all` for many.
    pub architecture: String,
    /// Which archive had it.
    pub archive: Role,
    /// Its path below that archive's root.
    pub path: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Bytes of the file.
    pub size_bytes: u64,
}

impl LockedPackage {
    /// The version as a value that can be ordered.
    pub fn version(&self) -> Version {
        Version::new(self.version.as_str())
    }
}

impl LockedBase {
    /// Which of the named packages are neither pinned nor known to be absent.
    pub fn lacks<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let pinned = self.packages.iter().map(|package| &*package.name);
        let has: BTreeSet<&str> = pinned
            .chain(self.absent.iter().map(|name| &**name))
            .collect();
        names
            .iter()
            .copied()
            .filter(|name| !has.contains(name))
            .collect()
    }

    /// A pinned package by name.
    pub fn package(&self, name: &str) -> Option<&LockedPackage> {
        self.packages.iter().find(|package| package.name == name)
    }
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: FORMAT,
            bases: Vec::new(),
        }
    }
}

impl Lock {
    /// Reads a lock file; `name` is what errors call it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let wrong = |problem: String| Error::malformed(name, problem);
        if text.len() > LOCK_BYTES {
            return Err(Error::TooLarge {
                what: crate::error::escape(name),
                limit: LOCK_BYTES as u64,
            });
        }
        let lock: Self = toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        if lock.version != FORMAT {
            return Err(wrong(format!(
                "version {} is not {FORMAT}; delete it to pin anew",
                lock.version
            )));
        }
        for package in lock.bases.iter().flat_map(|base| &base.packages) {
            // The path is joined to a mirror's root, the name becomes a file's.
            if !is_package_name(&package.name) {
                return Err(wrong(format!("`{}` is not a package's name", package.name)));
            }
        }
        Ok(lock)
    }

    /// The file's text; the same bases give the same text.
    pub fn to_text(&self) -> Result<String, Error> {
        let text = toml::to_string(self)
            .map_err(|error| Error::malformed("jettison.lock", error.to_string()))?;
        Ok(format!("{HEAD}{text}"))
    }

    /// The base that is pinned for a suite and architecture.
    pub fn base(&self, suite: &str, architecture: &str) -> Option<&LockedBase> {
        self.bases
            .iter()
            .find(|base| base.suite == suite && base.architecture == architecture)
    }

    /// Puts a base in, in the place of an earlier one for the same suite and
    /// architecture.
    pub fn set(&mut self, base: LockedBase) {
        let key = |base: &LockedBase| (base.suite.clone(), base.architecture.clone());
        self.bases.retain(|other| key(other) != key(&base));
        self.bases.push(base);
        self.bases.sort_by_key(key);
    }
}

/// Policy §5.6.1: at least two of `a-z 0-9 + - .`, beginning with an alphanumeric.
pub(crate) fn is_package_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (2..=200).contains(&name.len())
        && plain(name.as_bytes()[0])
        && name.bytes().all(|b| plain(b) || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(suite: &str, architecture: &str, version: &str) -> LockedBase {
        LockedBase {
            suite: suite.into(),
            architecture: architecture.into(),
            absent: Vec::new(),
            packages: vec![LockedPackage {
                name: "tzdata".into(),
                version: version.into(),
                architecture: "all".into(),
                archive: Role::Security,
                path: "pool/main/t/tzdata/tzdata_1_all.deb".into(),
                digest: Digest::of(b"x"),
                size_bytes: 1,
            }],
        }
    }

    #[test]
    fn a_lock_survives_its_file() {
        let mut lock = Lock::default();
        lock.set(base("trixie", "arm64", "1"));
        lock.set(base("trixie", "amd64", "1"));
        lock.set(base("trixie", "arm64", "2"));
        let text = lock.to_text().unwrap();
        assert_eq!(Lock::parse("x.lock", &text).unwrap(), lock);
        assert_eq!(lock.bases.len(), 2);
        assert_eq!(
            lock.base("trixie", "arm64").unwrap().packages[0].version,
            "2"
        );
        assert_eq!(lock.bases[0].lacks(&["tzdata", "netbase"]), ["netbase"]);
        assert!(text.contains("archive = \"security\""), "{text}");
        assert!(!text.contains("://"), "{text}");
    }

    #[test]
    fn locks_that_are_refused() {
        let text = Lock {
            bases: vec![base("trixie", "amd64", "1")],
            ..Lock::default()
        };
        let text = text.to_text().unwrap();
        for (part, other) in [
            ("version = 1", "version = 2"),
            ("name = \"tzdata\"", "name = \"../x\""),
            ("sha256:", "md5:"),
            ("size_bytes = 1", "size_bytes = -1"),
            ("suite = ", "colour = 1\nsuite = "),
            ("[[base]]", "[base]"),
        ] {
            let error = Lock::parse("x.lock", &text.replace(part, other)).expect_err(other);
            assert!(error.to_string().starts_with("x.lock: "), "{error}");
        }
    }
}
