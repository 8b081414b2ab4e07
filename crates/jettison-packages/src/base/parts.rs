//! What of each package goes into a base, and why the rest does not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use jettison_image::{Entry, EntryKind, ImagePath};
use md5::{Digest as _, Md5};

use super::{Origin, Part, Selection, Tree, known, zones};
use crate::deb::{self, Control};
use crate::{Error, LockedPackage, PackageLimits};

/// A reason to leave files out.
#[derive(Debug, PartialEq, Eq)]
pub struct Drop {
    /// The word for the class of files.
    pub name: &'static str,
    /// Why no program misses them.
    pub reason: &'static str,
}

/// Every reason, in the order in which they are tried.
pub const DROPS: [Drop; 7] = [
    Drop {
        name: "zoneinfo-variants",
        reason: "`right/` counts leap seconds and `posix/` repeats the zones; only a TZ that \
                 names them reads them",
    },
    Drop {
        name: "zoneinfo-unneeded",
        reason: "zones or tables that were not asked for",
    },
    Drop {
        name: "documentation",
        reason: "changelogs, NEWS, READMEs, examples and manual pages are for people with a \
                 shell; copyright files stay",
    },
    Drop {
        name: "package-tooling",
        reason: "lintian overrides, bug scripts and skeletons are read by package tools only",
    },
    Drop {
        name: "maintainer-programs",
        reason: "what update-ca-certificates and its hooks would do is done already",
    },
    Drop {
        name: "licence-texts",
        reason: "common licences that no kept copyright file refers to",
    },
    Drop {
        name: "not-selected",
        reason: "files of parts that were not selected",
    },
];

/// What was left out of a package for one reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped {
    /// The package.
    pub package: String,
    /// [`Drop::name`] of the reason.
    pub reason: &'static str,
    /// How many files and links.
    pub files: usize,
    /// Bytes of the files.
    pub size_bytes: u64,
}

/// A file of a package that may stay.
pub(super) struct Kept {
    pub(super) kind: KeptKind,
    pub(super) package: String,
    pub(super) version: String,
}

pub(super) enum KeptKind {
    File(Vec<u8>),
    Symlink(Vec<u8>),
    HardLink(ImagePath),
}

impl Kept {
    pub(super) fn content(&self) -> &[u8] {
        match &self.kind {
            KeptKind::File(content) => content,
            _ => &[],
        }
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::Package {
            name: self.package.clone(),
            version: self.version.clone(),
        }
    }
}

/// What was read from the packages.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) certificates: BTreeMap<ImagePath, Vec<u8>>,
    pub(super) zones: BTreeMap<ImagePath, Kept>,
    /// The control files, by package.
    pub(super) controls: BTreeMap<String, Control>,
    /// MD5 of the regular files that stay, by package.
    pub(super) sums: BTreeMap<String, BTreeMap<ImagePath, String>>,
    files: BTreeMap<ImagePath, (Part, Kept)>,
    licences: BTreeMap<ImagePath, Kept>,
    dropped: BTreeMap<(String, &'static str), (usize, u64)>,
}

/// Where an entry of a package goes.
enum Place {
    Certificate,
    Zone,
    Licence,
    File(Part),
    Dropped(&'static str),
}

const LICENCES: &str = "usr/share/common-licenses";

impl Gathered {
    pub(super) fn read(
        &mut self,
        bytes: impl Read,
        package: &LockedPackage,
        selection: &Selection,
        limits: &PackageLimits,
    ) -> Result<(), Error> {
        let what = format!("{} {}", package.name, package.version);
        let control = deb::read(bytes, &what, limits, |_, entry, content| {
            self.take(entry, content, package, selection)
        })?;
        if control.name() != package.name || control.version() != package.version {
            let found = format!("it holds {} {}", control.name(), control.version());
            return Err(Error::malformed(what, found));
        }
        self.controls.insert(package.name.clone(), control);
        Ok(())
    }

    fn take(
        &mut self,
        entry: Entry,
        content: &mut dyn Read,
        package: &LockedPackage,
        selection: &Selection,
    ) -> Result<(), Error> {
        let place = place(&package.name, &entry.path, selection);
        let size_bytes = match (&entry.kind, &place) {
            (EntryKind::Directory, _) => return Ok(()),
            (EntryKind::File { size_bytes }, Place::Dropped(_)) => *size_bytes,
            _ => 0,
        };
        if let Place::Dropped(reason) = place {
            self.drop(&package.name, reason, size_bytes);
            return Ok(());
        }
        let kind = match entry.kind {
            EntryKind::File { .. } => {
                let mut bytes = Vec::new();
                content
                    .read_to_end(&mut bytes)
                    .map_err(Error::read(package.name.as_str()))?;
                KeptKind::File(bytes)
            }
            EntryKind::Symlink { target } => KeptKind::Symlink(target),
            EntryKind::HardLink { target } => KeptKind::HardLink(target),
            _ => {
                let what = entry.path.display().to_string();
                return Err(Error::malformed(
                    package.name.as_str(),
                    format!("{what} is a device"),
                ));
            }
        };
        let kept = Kept {
            kind,
            package: package.name.clone(),
            version: package.version.clone(),
        };
        match place {
            Place::Certificate => {
                if let KeptKind::File(bytes) = kept.kind {
                    self.certificates.insert(entry.path, bytes);
                }
            }
            Place::Zone => {
                self.zones.insert(entry.path, kept);
            }
            Place::Licence => {
                self.licences.insert(entry.path, kept);
            }
            Place::File(part) => {
                self.files.insert(entry.path, (part, kept));
            }
            Place::Dropped(_) => {}
        }
        Ok(())
    }

    fn drop(&mut self, package: &str, reason: &'static str, size_bytes: u64) {
        debug_assert!(DROPS.iter().any(|drop| drop.name == reason));
        let counted = self
            .dropped
            .entry((package.to_owned(), reason))
            .or_default();
        counted.0 += 1;
        counted.1 += size_bytes;
    }

    pub(super) fn drop_zone(&mut self, path: &ImagePath, kept: &Kept, is_table: bool) {
        let variant = zones::is_variant(path) && !is_table;
        let reason = if variant {
            "zoneinfo-variants"
        } else {
            "zoneinfo-unneeded"
        };
        self.drop(&kept.package, reason, kept.content().len() as u64);
    }

    /// Notes the checksum of a package's file that stays.
    pub(super) fn record(&mut self, path: &ImagePath, package: &str, content: &[u8]) {
        let sum = md5_hex(content);
        self.sums
            .entry(package.to_owned())
            .or_default()
            .insert(path.clone(), sum);
    }

    /// Everything but zones and certificates, and the licences that the kept
    /// copyright files refer to.
    pub(super) fn place_files(&mut self, tree: &mut Tree) {
        self.choose_licences();
        let mut referred: BTreeSet<ImagePath> = BTreeSet::new();
        for (part, kept) in self.files.values() {
            if *part == Part::Licences {
                referred.extend(licences_named_in(kept.content()));
            }
        }
        for path in referred.clone() {
            if let Some(Kept {
                kind: KeptKind::Symlink(target),
                ..
            }) = self.licences.get(&path)
            {
                referred.extend(known(LICENCES).join(target).ok());
            }
        }
        for (path, kept) in std::mem::take(&mut self.licences) {
            if referred.contains(&path) {
                self.files.insert(path, (Part::Licences, kept));
            } else {
                let size_bytes = kept.content().len() as u64;
                self.drop(&kept.package, "licence-texts", size_bytes);
            }
        }
        for (path, (part, kept)) in std::mem::take(&mut self.files) {
            let origin = kept.origin();
            match kept.kind {
                KeptKind::File(content) => {
                    self.record(&path, &kept.package, &content);
                    tree.put_file(path, content, (part, origin));
                }
                KeptKind::Symlink(target) => {
                    tree.put(path, EntryKind::Symlink { target }, 0o777, (part, origin));
                }
                KeptKind::HardLink(target) => {
                    tree.put(path, EntryKind::HardLink { target }, 0o644, (part, origin));
                }
            }
        }
    }

    /// `GPL` is a link to the newest version, whatever version a copyright file
    /// offers. Where all that refer to it name one version ("either version 2
    /// of the License"), it leads to that one, which often is there already.
    fn choose_licences(&mut self) {
        for link in ["GPL", "LGPL", "GFDL"] {
            let path = known(LICENCES)
                .join(link)
                .unwrap_or_else(|_| ImagePath::root());
            let mut versions = BTreeSet::new();
            for (part, kept) in self.files.values() {
                if *part == Part::Licences && licences_named_in(kept.content()).contains(&path) {
                    versions.insert(oldest_version_in(kept.content()));
                }
            }
            let (Some(Some(version)), 1) = (versions.first(), versions.len()) else {
                continue;
            };
            let text = format!("{link}-{version}");
            let exists = known(LICENCES)
                .join(&text)
                .is_ok_and(|path| self.licences.contains_key(&path));
            if exists && let Some(kept) = self.licences.get_mut(&path) {
                kept.kind = KeptKind::Symlink(text.into_bytes());
            }
        }
    }

    pub(super) fn dropped(&self) -> Vec<Dropped> {
        let counted = |(key, count): (&(String, &'static str), &(usize, u64))| Dropped {
            package: key.0.clone(),
            reason: key.1,
            files: count.0,
            size_bytes: count.1,
        };
        self.dropped.iter().map(counted).collect()
    }
}

pub(crate) fn md5_hex(content: &[u8]) -> String {
    Md5::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn place(package: &str, path: &ImagePath, selection: &Selection) -> Place {
    let text = String::from_utf8_lossy(path.as_bytes());
    let below = |directory: &str| text.starts_with(directory);
    let doc = format!("usr/share/doc/{package}");
    // Licence texts are lent by base-files, whose own copyright is not theirs.
    if package == "base-files"
        && text == "usr/share/doc/base-files/copyright"
        && !selection.os_release
    {
        return Place::Dropped("not-selected");
    }
    // Packages of one source may share one directory through a link.
    if text == format!("{doc}/copyright") || *text == doc {
        return Place::File(Part::Licences);
    }
    match package {
        "ca-certificates" if below("usr/share/ca-certificates/") && text.ends_with(".crt") => {
            Place::Certificate
        }
        "tzdata" | "tzdata-legacy" if below("usr/share/zoneinfo/") => Place::Zone,
        "base-files" if below("usr/share/common-licenses/") => Place::Licence,
        "base-files"
            if ["usr/lib/os-release", "etc/os-release", "etc/debian_version"].contains(&&*text) =>
        {
            if selection.os_release {
                Place::File(Part::OsRelease)
            } else {
                Place::Dropped("not-selected")
            }
        }
        "netbase" if below("etc/") => Place::File(Part::Netbase),
        "media-types" if text == "etc/mime.types" => Place::File(Part::MimeTypes),
        _ if ["usr/share/doc/", "usr/share/man/", "usr/share/info/"]
            .iter()
            .any(|d| below(d)) =>
        {
            Place::Dropped("documentation")
        }
        _ if [
            "usr/share/lintian/",
            "usr/share/bug/",
            "usr/share/base-files/",
        ]
        .iter()
        .any(|d| below(d)) =>
        {
            Place::Dropped("package-tooling")
        }
        "ca-certificates" => Place::Dropped("maintainer-programs"),
        _ => Place::Dropped("not-selected"),
    }
}

/// Paths of common licences that a copyright file mentions.
fn licences_named_in(copyright: &[u8]) -> Vec<ImagePath> {
    let text = String::from_utf8_lossy(copyright);
    let name = |rest: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
        let name: String = rest.chars().take_while(|&c| plain(c)).collect();
        // A sentence's full stop is not part of the name.
        known(LICENCES)
            .join(name.trim_end_matches('.'))
            .ok()
            .filter(|path| *path != known(LICENCES))
    };
    text.split("/usr/share/common-licenses/")
        .skip(1)
        .filter_map(name)
        .collect()
}

/// The version of a licence that a copyright file offers first: the number
/// after `either version`. None where it says something else.
fn oldest_version_in(copyright: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(copyright);
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut versions = words.windows(3).filter_map(|three| match three {
        ["either", "version", number] => Some(number.trim_end_matches([',', '.', ';'])),
        _ => None,
    });
    let first = versions.next()?;
    let number = first
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    (number && versions.all(|other| other == first)).then(|| first.to_owned())
}
