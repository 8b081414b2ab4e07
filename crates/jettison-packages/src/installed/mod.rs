//! The packages that an image holds, read from their databases, and which of
//! them a file belongs to.
//!
//! Databases of images are hostile or broken as often as not: what can be read
//! is answered, what cannot becomes a note, and nothing fails. Texts are given
//! as they are in the image; who prints them escapes them.

pub(crate) mod apk;
pub(crate) mod dpkg;
mod needs;
pub(crate) mod node;
mod os_release;
mod owners;
mod purl;
pub(crate) mod python;
mod requirement;
mod rpm;
mod ruby;
mod tree_files;
mod units;

#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;

use jettison_image::ImagePath;

pub use os_release::OsRelease;
pub use owners::{Ownership, compiled_from};
pub use tree_files::TreeFiles;
pub use units::{Unit, UnitKind};

use crate::PackageLimits;
pub(crate) use owners::{parent_bytes, real_path};

use needs::Want;
use owners::{Draft, Owners};

/// The merged file tree of an image, as far as packages need it.
pub trait Files {
    /// The content of the regular file at this path, links followed inside the
    /// image; none when there is no such file or it was not collected. Only
    /// paths for which [`is_database`] holds are asked for.
    fn content(&self, path: &ImagePath) -> Option<Cow<'_, [u8]>>;
    /// Every path of the tree, once each.
    fn for_each_path(&self, visit: &mut dyn FnMut(&ImagePath, bool));
    /// Whether there is a directory at this path, no link followed.
    fn is_directory(&self, path: &ImagePath) -> bool;
    /// A directory with every link in its path followed inside the image; none
    /// where there is no such directory.
    fn real_directory(&self, directory: &ImagePath) -> Option<ImagePath>;
}

/// True for files whose content [`scan`] may ask for, so that one pass over the
/// layers can collect them.
pub fn is_database(path: &[u8]) -> bool {
    dpkg::is_database(path)
        || apk::is_database(path)
        || rpm::is_database(path)
        || python::is_database(path)
        || node::is_database(path)
        || ruby::is_record(path)
        || node::is_lock(path)
        || os_release::PATHS
            .iter()
            .any(|known| known.as_bytes() == path)
}

/// What manages a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageKind {
    /// dpkg, `status` or distroless' `status.d`.
    Deb,
    /// Alpine's apk.
    Apk,
    /// rpm.
    Rpm,
    /// A Python distribution.
    Python,
    /// An npm package.
    Npm,
    /// A Ruby gem.
    Gem,
}

impl PackageKind {
    /// The word for tables and purls' type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Python => "pypi",
            Self::Npm => "npm",
            Self::Gem => "gem",
        }
    }

    /// True for packages of the operating system, whose word on a file counts
    /// before a language's.
    pub fn is_system(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm)
    }
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What manages it.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// rpm's epoch, which outranks the version; Debian's is part of the version.
    pub epoch: Option<u32>,
    /// What it was built from: source package (deb) or origin (apk), with the
    /// source's version where that differs.
    pub source: Option<(String, Option<String>)>,
    /// As its database names it.
    pub architecture: Option<String>,
    /// As its metadata states it, where that is cheap to know.
    pub licence: Option<String>,
    /// What it is for, as Debian's archive sorts it: `devel`, `net`, `httpd`.
    pub section: Option<String>,
    /// How much a system needs it, likewise: `required`, `optional`.
    pub priority: Option<String>,
    /// Whether somebody asked for it by name, rather than for what depends on
    /// it; none where no record says so.
    pub requested: Option<bool>,
    /// The file of the image that says so.
    pub record: ImagePath,
    /// The package of the system that owns the record: this one is a part of
    /// that, and counted or matched a second time it would be noise.
    pub within: Option<usize>,
    files: Vec<u32>,
    directories: Vec<u32>,
    needs: Vec<usize>,
    recommended: Vec<usize>,
    of: PurlContext,
}

/// What a purl needs beyond the package itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct PurlContext {
    distribution: Option<(String, String)>,
}

impl Package {
    /// The package URL (purl-spec) of this package.
    pub fn purl(&self) -> String {
        purl::render(self)
    }
}

/// The packages of one image.
#[derive(Debug, Default)]
pub struct Installed {
    /// All packages, system packages first, in the order of their databases.
    pub packages: Vec<Package>,
    /// The distribution, where the image says.
    pub os: Option<OsRelease>,
    /// What could not be read, one line each, escaped.
    pub notes: Vec<String>,
    owners: Owners,
    units: Vec<Unit>,
}

impl Installed {
    /// The package that a path of the merged tree belongs to, and how that is
    /// known.
    pub fn owner(&self, path: &ImagePath) -> Option<(&Package, Ownership)> {
        let (index, how) = self.owners.find(path)?;
        Some((&self.packages[index], how))
    }

    /// [`owner`](Self::owner), as an index of [`packages`](Self::packages).
    pub fn owner_index(&self, path: &ImagePath) -> Option<usize> {
        Some(self.owners.find(path)?.0)
    }

    /// The files of a package that are in the tree, sorted.
    pub fn files(&self, package: &Package) -> impl Iterator<Item = &ImagePath> {
        package.files.iter().map(|&at| self.owners.path(at))
    }

    /// The directories of the tree that a package lists, sorted: an empty one
    /// may be what a program writes to.
    pub fn directories(&self, package: &Package) -> impl Iterator<Item = &ImagePath> {
        package
            .directories
            .iter()
            .map(|&at| self.owners.directory(at))
    }

    /// The packages that list a directory of the tree, as indexes.
    pub fn directory_owners(&self, path: &ImagePath) -> impl Iterator<Item = usize> {
        self.owners.of_directory(path)
    }

    /// What a package needs to work, as indexes of
    /// [`packages`](Self::packages), sorted; only what this image has.
    pub fn dependencies(&self, index: usize) -> &[usize] {
        &self.packages[index].needs
    }

    /// What a package works better with: Debian's and rpm's recommendations,
    /// and what an extra for developers of a Python distribution asks for.
    pub fn recommended(&self, index: usize) -> &[usize] {
        &self.packages[index].recommended
    }

    /// The unit that a module belongs to, as an index of
    /// [`units`](Self::units); none for what is no module.
    pub fn unit(&self, path: &ImagePath) -> Option<usize> {
        self.owners.unit(path)
    }

    /// All units of the tree.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The files of a unit, sorted.
    pub fn unit_paths(&self, index: usize) -> impl Iterator<Item = &ImagePath> {
        let places = self.units[index].places.iter();
        places.map(|&at| self.owners.path(at))
    }
}

/// Reads every package database of a tree, and finds the units of modules.
pub fn scan(files: &dyn Files, limits: &PackageLimits) -> Installed {
    read(files, limits, true)
}

/// Reads every package database of a tree; units are not looked for.
pub fn scan_packages(files: &dyn Files, limits: &PackageLimits) -> Installed {
    read(files, limits, false)
}

fn read(files: &dyn Files, limits: &PackageLimits, wants_units: bool) -> Installed {
    let mut scan = Scan {
        files,
        limits,
        drafts: Vec::new(),
        notes: Vec::new(),
        scanned_left: limits.scanned_bytes,
        claimed_left: limits.claimed_bytes,
    };
    let os = os_release::read(files);
    let mut records = Records::default();
    files.for_each_path(&mut |path, is_directory| {
        if !is_directory && records.count() < limits.packages {
            records.take(path);
        }
    });
    // The system's packages first: their word on a file counts most.
    dpkg::scan(&mut scan, &records.dpkg);
    apk::scan(&mut scan);
    rpm::scan(&mut scan, &records.unread);
    python::scan(&mut scan, &records.python);
    node::scan(&mut scan, &records.npm);
    ruby::scan(&mut scan, &records.gems, &records.gem_parts);

    let Scan {
        mut drafts,
        mut notes,
        ..
    } = scan;
    if let Some(os) = &os {
        let distribution = (os.id.clone(), os.version_id.clone());
        for draft in drafts
            .iter_mut()
            .filter(|draft| draft.package.kind.is_system())
        {
            draft.package.of.distribution = Some(distribution.clone());
        }
    }
    let (owners, units) = Owners::build(files, &mut drafts, wants_units);
    if !needs::resolve(files, &owners, &mut drafts) {
        notes.push("packages need more of each other than is followed".to_owned());
    }
    Installed {
        packages: drafts.into_iter().map(|draft| draft.package).collect(),
        os,
        notes,
        owners,
        units,
    }
}

/// Files that tell of one package each, found in one walk.
#[derive(Default)]
struct Records {
    dpkg: Vec<ImagePath>,
    unread: Vec<ImagePath>,
    python: Vec<ImagePath>,
    npm: Vec<ImagePath>,
    gems: Vec<ImagePath>,
    gem_parts: Vec<ImagePath>,
}

impl Records {
    fn count(&self) -> usize {
        self.dpkg.len()
            + self.python.len()
            + self.npm.len()
            + self.gems.len()
            + self.gem_parts.len()
    }

    fn take(&mut self, path: &ImagePath) {
        if dpkg::is_record(path.as_bytes()) {
            self.dpkg.push(path.clone());
        } else if rpm::is_unread(path.as_bytes()) {
            self.unread.push(path.clone());
        } else if python::is_record(path.as_bytes()) {
            self.python.push(path.clone());
        } else if node::is_database(path.as_bytes()) {
            self.npm.push(path.clone());
        } else if ruby::is_record(path.as_bytes()) {
            self.gems.push(path.clone());
        } else if ruby::is_part(path.as_bytes()) {
            self.gem_parts.push(path.clone());
        }
    }
}

/// A scan under way.
struct Scan<'a> {
    files: &'a dyn Files,
    limits: &'a PackageLimits,
    drafts: Vec<Draft>,
    notes: Vec<String>,
    scanned_left: u64,
    claimed_left: u64,
}

/// What holding a path costs beside its bytes.
const PATH_BYTES: u64 = 48;

/// Notes that one scan gives at most.
const NOTES: usize = 200;

impl Scan<'_> {
    fn note(&mut self, path: &ImagePath, problem: impl std::fmt::Display) {
        if self.notes.len() < NOTES {
            self.notes.push(format!(
                "{}: {}",
                path.display(),
                crate::error::escape(&problem.to_string())
            ));
        }
    }

    /// A database's content; one that is too large is noted and left out.
    fn content(&mut self, path: &ImagePath) -> Option<Vec<u8>> {
        let content = self.files.content(path)?;
        let Some(left) = self.scanned_left.checked_sub(content.len() as u64) else {
            if self.scanned_left > 0 {
                self.scanned_left = 0;
                self.note(
                    path,
                    "and what follows is not read: the databases are too large",
                );
            }
            return None;
        };
        self.scanned_left = left;
        let content = content.into_owned();
        if content.len() as u64 > self.limits.database_bytes {
            self.note(
                path,
                format_args!("larger than {} bytes", self.limits.database_bytes),
            );
            return None;
        }
        Some(content)
    }

    /// The listed paths that still fit the bound, taken one by one: a few bytes
    /// of a database may stand for a long path.
    fn claim(
        &mut self,
        record: &ImagePath,
        paths: impl Iterator<Item = ImagePath>,
    ) -> Vec<ImagePath> {
        let mut held = Vec::new();
        for path in paths {
            if !self.holds(record, path.as_bytes()) {
                break;
            }
            held.push(path);
        }
        held
    }

    /// Names that still fit the same bound.
    fn names<'n>(
        &mut self,
        record: &ImagePath,
        names: impl Iterator<Item = &'n str>,
    ) -> Vec<String> {
        let held = names.take_while(|name| self.holds(record, name.as_bytes()));
        held.map(str::to_owned).collect()
    }

    /// Wants of one name each.
    fn wants<'n>(&mut self, record: &ImagePath, names: impl Iterator<Item = &'n str>) -> Vec<Want> {
        let names = self.names(record, names);
        names.into_iter().map(|name| vec![name]).collect()
    }

    fn holds(&mut self, record: &ImagePath, text: &[u8]) -> bool {
        let left = self
            .claimed_left
            .checked_sub(text.len() as u64 + PATH_BYTES);
        if left.is_none() && self.claimed_left > 0 {
            self.note(record, "packages list more paths and names than are read");
        }
        self.claimed_left = left.unwrap_or(0);
        left.is_some()
    }

    fn push(&mut self, draft: Draft) {
        match self.drafts.len().cmp(&self.limits.packages) {
            std::cmp::Ordering::Less => self.drafts.push(draft),
            std::cmp::Ordering::Equal => {
                let limit = self.limits.packages;
                self.note(
                    &draft.package.record,
                    format_args!("more than {limit} packages"),
                );
            }
            std::cmp::Ordering::Greater => {}
        }
    }
}

/// A package as a database describes it, without files yet.
fn package(kind: PackageKind, name: &str, version: &str, record: &ImagePath) -> Package {
    Package {
        kind,
        name: name.to_owned(),
        version: version.to_owned(),
        epoch: None,
        source: None,
        architecture: None,
        licence: None,
        section: None,
        priority: None,
        requested: None,
        record: record.clone(),
        within: None,
        files: Vec::new(),
        directories: Vec::new(),
        needs: Vec::new(),
        recommended: Vec::new(),
        of: PurlContext::default(),
    }
}

/// A path that this crate writes down itself.
pub(crate) fn known(path: &str) -> ImagePath {
    ImagePath::new(path).expect("a constant path has neither `..` nor NUL")
}
