//! The `static` base: what a program without libraries may still need, composed
//! from distribution packages, as a value.
//!
//! [`compose`] reads pinned packages and answers with entries and contents in
//! layer order. Every file says which package or rule it comes from, every
//! package that gave a file keeps its record and its copyright file, and what
//! was left out is counted by its reason.

mod accounts;
mod certificates;
mod parts;
mod records;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jettison_image::{Entry, EntryKind, ImagePath, Metadata, Timestamp};

pub use certificates::{Bundle, parse_bundle};
pub(crate) use parts::md5_hex;
pub use parts::{DROPS, Drop, Dropped};
pub use zones::Zones;

use crate::Error;
use parts::Gathered;

/// Which parts a base has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The CA bundle of ca-certificates.
    pub ca_certificates: bool,
    /// Further CA certificates, appended to the bundle or a bundle by
    /// themselves.
    pub extra_cas: Vec<Bundle>,
    /// Time zones.
    pub zones: Zones,
    /// `/etc/mime.types`.
    pub mime_types: bool,
    /// `/etc/protocols`, `services`, `rpc`, `ethertypes`.
    pub netbase: bool,
    /// `/usr/lib/os-release`, its link in `/etc`, and `/etc/debian_version`.
    pub os_release: bool,
    /// `/etc/passwd`, `group`, `nsswitch.conf`, home directories, `/tmp`.
    pub accounts: bool,
    /// The links `/bin`, `/sbin`, `/lib`, `/lib64` into `/usr`.
    pub merged_usr: bool,
}

/// What a part of a base is, for tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The CA bundle.
    CaCertificates,
    /// Zoneinfo.
    TimeZones,
    /// mime.types.
    MimeTypes,
    /// protocols, services, rpc.
    Netbase,
    /// os-release.
    OsRelease,
    /// passwd, group, nsswitch.conf, home directories, tmp.
    Accounts,
    /// Copyright files and the licences they refer to.
    Licences,
    /// `/var/lib/dpkg/status.d`.
    PackageRecords,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CaCertificates,
        Self::TimeZones,
        Self::MimeTypes,
        Self::Netbase,
        Self::OsRelease,
        Self::Accounts,
        Self::Licences,
        Self::PackageRecords,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CaCertificates => "CA bundle",
            Self::TimeZones => "time zones",
            Self::MimeTypes => "mime.types",
            Self::Netbase => "protocols and services",
            Self::OsRelease => "os-release",
            Self::Accounts => "users, /tmp",
            Self::Licences => "licences",
            Self::PackageRecords => "package records",
        }
    }
}

/// Where a file of a base comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A package, as it is in the package.
    Package {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// Made by a rule of this crate, perhaps from a package's files.
    Rule(&'static str),
}

/// One entry of a base with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFile {
    /// The entry as a layer gets it.
    pub entry: Entry,
    /// The content of a file; empty for everything else.
    pub content: Vec<u8>,
    /// Which part it belongs to.
    pub part: Part,
    /// Where it comes from.
    pub origin: Origin,
}

/// A composed base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Entries in the order of their paths, so parents come first.
    pub files: Vec<BaseFile>,
    /// What the packages hold and the base does not, by reason.
    pub dropped: Vec<Dropped>,
}

impl Base {
    /// Files and their bytes by part.
    pub fn sizes(&self) -> BTreeMap<Part, (usize, u64)> {
        let mut sizes = BTreeMap::new();
        for file in &self.files {
            if let EntryKind::File { size_bytes } = file.entry.kind {
                let (files, bytes) = sizes.entry(file.part).or_insert((0, 0));
                *files += 1;
                *bytes += size_bytes;
            }
        }
        sizes
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.sizes().values().map(|(_, bytes)| bytes).sum()
    }
}

impl Selection {
    /// Everything that the distroless project's `static` image has.
    pub fn everything() -> Self {
        Self {
            ca_certificates: true,
            extra_cas: Vec::new(),
            zones: Zones::AllWithTables { legacy: true },
            mime_types: true,
            netbase: true,
            os_release: true,
            accounts: true,
            merged_usr: false,
        }
    }

    /// The packages it takes; none means that no network is needed.
    pub fn packages(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut need = |wanted: bool, name| {
            if wanted {
                names.push(name);
            }
        };
        need(self.ca_certificates, "ca-certificates");
        need(self.mime_types, "media-types");
        need(self.netbase, "netbase");
        need(self.zones != Zones::None, "tzdata");
        // The licences that copyright files refer to are base-files' too.
        if self.os_release || !names.is_empty() {
            names.insert(0, "base-files");
        }
        names
    }

    /// Packages that are taken where the release has them: Debian 13 moved the
    /// old names of zones to a package of their own.
    pub fn optional_packages(&self) -> Vec<&'static str> {
        if self.zones.wants_legacy() {
            vec!["tzdata-legacy"]
        } else {
            Vec::new()
        }
    }

    fn takes(&self, package: &str) -> bool {
        self.packages().contains(&package) || self.optional_packages().contains(&package)
    }
}

/// Composes a base from pinned packages. `open` gives the bytes of a package,
/// verifying them as they are read; `time` is every entry's time.
pub fn compose<R: std::io::Read>(
    selection: &Selection,
    locked: Option<&crate::LockedBase>,
    time: Timestamp,
    limits: &crate::PackageLimits,
    mut open: impl FnMut(&crate::LockedPackage) -> Result<R, Error>,
) -> Result<Base, Error> {
    let mut gathered = Gathered::default();
    for name in selection.packages() {
        if locked.and_then(|base| base.package(name)).is_none() {
            return Err(Error::NoPackage {
                name: name.to_owned(),
                suite: locked.map(|base| base.suite.clone()).unwrap_or_default(),
                architecture: locked
                    .map(|base| base.architecture.clone())
                    .unwrap_or_default(),
            });
        }
    }
    for package in locked
        .map(|base| base.packages.as_slice())
        .unwrap_or_default()
    {
        if selection.takes(&package.name) {
            gathered.read(open(package)?, package, selection, limits)?;
        }
    }

    let mut tree = Tree {
        files: BTreeMap::new(),
        time,
    };
    gathered.place_zones(&selection.zones, &mut tree)?;
    certificates::place(selection, &mut gathered, &mut tree)?;
    gathered.place_files(&mut tree);
    if selection.accounts {
        accounts::place(&mut tree);
    }
    if selection.merged_usr {
        accounts::place_merged_usr(&mut tree);
    }
    records::place(&gathered, &mut tree);
    Ok(Base {
        files: tree.finish(),
        dropped: gathered.dropped(),
    })
}

/// The base under construction.
struct Tree {
    files: BTreeMap<ImagePath, BaseFile>,
    time: Timestamp,
}

impl Tree {
    fn put(&mut self, path: ImagePath, kind: EntryKind, mode: u32, from: (Part, Origin)) {
        let metadata = Metadata {
            mode,
            mtime: self.time,
            ..Metadata::default()
        };
        let entry = Entry {
            path: path.clone(),
            kind,
            metadata,
        };
        let file = BaseFile {
            entry,
            content: Vec::new(),
            part: from.0,
            origin: from.1,
        };
        self.files.insert(path, file);
    }

    fn put_file(&mut self, path: ImagePath, content: Vec<u8>, from: (Part, Origin)) {
        let kind = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        self.put(path.clone(), kind, 0o644, from);
        if let Some(file) = self.files.get_mut(&path) {
            file.content = content;
        }
    }

    fn put_directory(&mut self, path: &str, mode: u32, owner: u64, rule: &'static str) {
        let path = known(path);
        self.put(
            path.clone(),
            EntryKind::Directory,
            mode,
            (Part::Accounts, Origin::Rule(rule)),
        );
        if let Some(file) = self.files.get_mut(&path) {
            (file.entry.metadata.uid, file.entry.metadata.gid) = (owner, owner);
        }
    }

    /// Adds the directories above every entry.
    fn finish(mut self) -> Vec<BaseFile> {
        let mut missing: BTreeSet<(ImagePath, Part)> = BTreeSet::new();
        for (path, file) in &self.files {
            let mut parent = path.parent();
            while let Some(directory) = parent.filter(|directory| !directory.is_root()) {
                parent = directory.parent();
                if !self.files.contains_key(&directory) {
                    missing.insert((directory, file.part));
                }
            }
        }
        for (directory, part) in missing {
            if !self.files.contains_key(&directory) {
                let origin = Origin::Rule("a directory above a file");
                self.put(directory, EntryKind::Directory, 0o755, (part, origin));
            }
        }
        self.files.into_values().collect()
    }
}

/// A path that this crate writes down itself.
fn known(path: &str) -> ImagePath {
    ImagePath::new(path).expect("a constant path has neither `..` nor NUL")
}
