//! Which files must stay beside what was chosen, so that what is left is
//! attributed: the distribution's name, the packages' records, and the licence
//! texts of what is passed on.

use std::collections::{BTreeMap, HashSet};

use jettison_image::ImagePath;

use super::{dpkg, is_left, python};
use crate::droppable::is_licence;
use crate::installed::dpkg::{DIVERSIONS, STATUS};
use crate::installed::{Files, Installed, Package, PackageKind, known};

/// A file that must stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its path in the tree.
    pub path: ImagePath,
    /// What it is good for.
    pub kind: RecordKind,
    /// The package that it tells of; none where it tells of several.
    pub package: Option<usize>,
}

/// What a record is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// It names the distribution, without which no scanner knows what to
    /// compare versions with.
    Distribution,
    /// It tells of packages.
    Database,
    /// The licence under which what is left may be passed on.
    Licence,
}

/// By which scanners know a distribution.
const DISTRIBUTION: [&str; 15] = [
    "etc/os-release",
    "usr/lib/os-release",
    "etc/debian_version",
    "etc/alpine-release",
    "etc/lsb-release",
    "etc/redhat-release",
    "etc/fedora-release",
    "etc/centos-release",
    "etc/rocky-release",
    "etc/almalinux-release",
    "etc/oracle-release",
    "etc/system-release",
    "etc/SuSE-release",
    "etc/photon-release",
    "etc/mariner-release",
];
const COMMON_LICENCES: &str = "usr/share/common-licenses/";

/// The files that must stay beside what is kept, sorted by path; those that are
/// kept already are among them.
pub fn records(
    files: &dyn Files,
    installed: &Installed,
    kept: &dyn Fn(&ImagePath) -> bool,
) -> Vec<Record> {
    let mut shared = HashSet::new();
    let mut common = Vec::new();
    files.for_each_path(&mut |path, is_directory| {
        if is_directory {
            return;
        }
        if is_shared(path.as_bytes()) {
            shared.insert(path.clone());
        } else if path.as_bytes().starts_with(COMMON_LICENCES.as_bytes()) {
            common.push(path.clone());
        }
    });
    let mut search = Search {
        files,
        installed,
        shared,
        common,
        left: vec![false; installed.packages.len()],
        ahead: Vec::new(),
        found: BTreeMap::new(),
    };
    for path in DISTRIBUTION {
        search.add_shared(&known(path), RecordKind::Distribution);
    }
    for (at, package) in installed.packages.iter().enumerate() {
        if is_left(installed, package, kept) {
            search.is_left(at);
        }
    }
    // What stays as a record may be another package's.
    while let Some(at) = search.ahead.pop() {
        search.package(at);
    }
    let found = search.found.into_iter();
    found
        .map(|(path, (kind, package))| Record {
            path,
            kind,
            package,
        })
        .collect()
}

/// Files that tell of the system or of several packages.
fn is_shared(path: &[u8]) -> bool {
    let known = [STATUS, DIVERSIONS, dpkg::OVERRIDES];
    DISTRIBUTION
        .iter()
        .chain(&dpkg::OWN)
        .chain(&known)
        .any(|known| known.as_bytes() == path)
        || (path.starts_with(b"usr/share/doc/") && path.ends_with(b"/copyright"))
        || path.ends_with(b".md5sums")
        || python::is_list(path)
}

struct Search<'a> {
    files: &'a dyn Files,
    installed: &'a Installed,
    /// Those that the tree has.
    shared: HashSet<ImagePath>,
    common: Vec<ImagePath>,
    left: Vec<bool>,
    ahead: Vec<usize>,
    found: BTreeMap<ImagePath, (RecordKind, Option<usize>)>,
}

impl Search<'_> {
    fn is_left(&mut self, at: usize) {
        if !std::mem::replace(&mut self.left[at], true) {
            self.ahead.push(at);
        }
    }

    fn add(&mut self, path: &ImagePath, kind: RecordKind, of: Option<usize>) {
        if self.found.contains_key(path) {
            return;
        }
        self.found.insert(path.clone(), (kind, of));
        if let Some(owner) = self.installed.owner_index(path)
            && !dpkg::is_of_interest(path.as_bytes())
        {
            self.is_left(owner);
        }
    }

    fn add_shared(&mut self, path: &ImagePath, kind: RecordKind) {
        if self.shared.contains(path) {
            self.add(path, kind, None);
        }
    }

    fn package(&mut self, at: usize) {
        let installed = self.installed;
        let package = &installed.packages[at];
        self.add(&package.record, RecordKind::Database, Some(at));
        match package.kind {
            PackageKind::Deb => self.deb(at, package),
            PackageKind::Python => self.python(at, package),
            _ => {}
        }
        for path in installed.files(package) {
            if let Some(kind) = kind_of(package, path) {
                self.add(path, kind, Some(at));
            }
        }
        if !package.kind.is_system() {
            return;
        }
        // A library's own metadata inside a package of the system: what scanners
        // compare with the advisories of its language.
        for (other, inner) in installed.packages.iter().enumerate() {
            if inner.within == Some(at) {
                self.add(&inner.record, RecordKind::Database, Some(other));
            }
        }
    }

    /// The list of its files, which need not list itself.
    fn python(&mut self, at: usize, package: &Package) {
        let Some(directory) = package.record.parent() else {
            return;
        };
        for name in ["RECORD", "installed-files.txt"] {
            let list = directory.join(name).ok();
            if let Some(list) = list.filter(|list| self.shared.contains(list)) {
                self.add(&list, RecordKind::Database, Some(at));
            }
        }
    }

    fn deb(&mut self, at: usize, package: &Package) {
        if package.record == known(STATUS) {
            for path in dpkg::OWN.iter().chain(&[DIVERSIONS, dpkg::OVERRIDES]) {
                self.add_shared(&known(path), RecordKind::Database);
            }
        } else if let Ok(sums) = ImagePath::new([package.record.as_bytes(), b".md5sums"].concat())
            && self.shared.contains(&sums)
        {
            self.add(&sums, RecordKind::Database, Some(at));
        }
        // The directory may be a link to that of another package of the source.
        let real = ImagePath::new(format!("usr/share/doc/{}", package.name))
            .ok()
            .and_then(|directory| self.files.real_directory(&directory))
            .and_then(|directory| directory.join("copyright").ok());
        if let Some(copyright) = real.filter(|path| self.shared.contains(path)) {
            self.add(&copyright, RecordKind::Licence, Some(at));
        }
        // Which copyright files refer to.
        for path in std::mem::take(&mut self.common) {
            self.add(&path, RecordKind::Licence, None);
        }
    }
}

/// What a package's own file is good for, when it must stay with it.
fn kind_of(package: &Package, path: &ImagePath) -> Option<RecordKind> {
    let bytes = path.as_bytes();
    let beside_record = || path.parent() == package.record.parent();
    let is_text = match package.kind {
        PackageKind::Deb => {
            if dpkg::is_of_interest(bytes) {
                let is_list = bytes.ends_with(b".list") || bytes.ends_with(b".md5sums");
                return is_list.then_some(RecordKind::Database);
            }
            // The link of a directory, where it is one.
            let of_documents = bytes.strip_prefix(b"usr/share/doc/");
            of_documents.is_some_and(|rest| {
                rest == package.name.as_bytes()
                    || (rest.ends_with(b"/copyright") && rest.starts_with(package.name.as_bytes()))
            })
        }
        PackageKind::Apk | PackageKind::Rpm => bytes.starts_with(b"usr/share/licenses/"),
        PackageKind::Python => {
            let info = package.record.parent()?;
            path.starts_with(&info)
                && package.record.as_bytes().ends_with(b"/METADATA")
                && (is_licence(path.file_name())
                    || path.components().any(|part| part == b"licenses"))
        }
        PackageKind::Npm => beside_record() && is_licence(path.file_name()),
        PackageKind::Gem => {
            let root = bytes.windows(6).rposition(|window| window == b"/gems/");
            let below = root.and_then(|at| bytes.get(at + 6..)).unwrap_or_default();
            below.iter().filter(|&&byte| byte == b'/').count() == 1 && is_licence(path.file_name())
        }
    };
    is_text.then_some(RecordKind::Licence)
}
