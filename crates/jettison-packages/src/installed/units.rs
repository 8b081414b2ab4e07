//! The whole that a module of an interpreted language belongs to.
//!
//! A request may import the neighbour of what the last one imported, so a
//! module is kept with its unit: the operating system's package, else the
//! language's distribution, else the interpreter's own library as one. Compiled
//! programs and the data of the system have no unit: what they need is found
//! file by file.
//!
//! Everything here is read off paths and owners; no file is opened.

use std::collections::{HashMap, HashSet};

use jettison_image::ImagePath;

use super::owners::{compiled_from, parent_bytes};
use super::{Package, PackageKind};

/// What kind of whole a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitKind {
    /// A package of the operating system that ships modules.
    SystemPackage,
    /// A Python distribution.
    PythonDistribution,
    /// An npm package, without those nested in it.
    NpmPackage,
    /// A Ruby gem with its specification and extensions.
    Gem,
    /// A Java archive.
    Jar,
    /// What an interpreter that belongs to no package brings along.
    StandardLibrary,
    /// Modules in a place for modules that nothing describes: the top-level
    /// entry of `site-packages`, a Composer package, an R package, a tree of
    /// Perl modules.
    Modules,
    /// The application's own directory: the nearest that holds a project file
    /// (`package.json`, `pyproject.toml`, `Gemfile`, …), without what other
    /// units hold.
    Project,
}

impl UnitKind {
    /// True for modules that know of every tool there is: those of a standard
    /// library, and of the system's own packages.
    pub fn is_general(self) -> bool {
        matches!(self, Self::SystemPackage | Self::StandardLibrary)
    }

    /// True for what a package manager of a language installs.
    pub fn is_packaged(self) -> bool {
        matches!(
            self,
            Self::PythonDistribution | Self::NpmPackage | Self::Gem
        )
    }

    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SystemPackage => "package",
            Self::PythonDistribution => "Python distribution",
            Self::NpmPackage => "npm package",
            Self::Gem => "gem",
            Self::Jar => "jar",
            Self::StandardLibrary => "standard library",
            Self::Modules => "modules",
            Self::Project => "project",
        }
    }
}

/// A whole; [`Installed::unit_paths`](super::Installed::unit_paths) gives what
/// is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// The package's name, the interpreter's, or that of the directory.
    pub name: String,
    /// Empty where nothing says.
    pub version: String,
    /// The package behind it, for what that depends on.
    pub package: Option<usize>,
    /// The directory that all of it lies in, where there is one.
    pub directory: Option<ImagePath>,
    pub(super) places: Vec<u32>,
}

/// The units of a tree, and the one of every path.
///
/// `paths` are sorted; `owners` are theirs.
pub(super) fn assign(
    paths: &[ImagePath],
    owners: &[Option<u32>],
    packages: &[&Package],
) -> (Vec<Unit>, Vec<Option<u32>>) {
    let marks = Marks::find(paths);
    let mut found = Found {
        units: Vec::new(),
        by_package: vec![None; packages.len()],
        by_directory: HashMap::new(),
        packages,
    };
    let in_package = |at: usize| owners[at].map(|owner| owner as usize);
    let mut unit_of = vec![None; paths.len()];

    // First what packages own: a place for modules may turn out to be theirs.
    let mut holders: HashMap<&[u8], Holder> = HashMap::new();
    for (at, path) in paths.iter().enumerate() {
        let path = path.as_bytes();
        let Some(owner) = in_package(at) else {
            continue;
        };
        let is_system = packages[owner].kind.is_system();
        if is_system && !is_module(path) {
            continue;
        }
        unit_of[at] = match marks.runtime(path) {
            Some(runtime) if !is_system && runtime.takes_packages => {
                Some(found.directory(&runtime))
            }
            _ => Some(found.package(owner)),
        };
        if let Some(top) = top_of_site(path) {
            let unit = unit_of[at];
            let holder = holders.entry(top).or_insert(Holder { unit, one: true });
            holder.one &= holder.unit == unit;
        }
    }
    for (at, path) in paths.iter().enumerate() {
        if in_package(at).is_some() {
            continue;
        }
        // A cache file goes with its module.
        let source = compiled_from(path).and_then(|source| paths.binary_search(&source).ok());
        unit_of[at] = match source {
            Some(source) if in_package(source).is_some() => unit_of[source],
            Some(source) => found.unowned(paths[source].as_bytes(), &marks, &holders),
            None => found.unowned(path.as_bytes(), &marks, &holders),
        };
    }
    (found.units, unit_of)
}

/// The unit that holds what is known of a top-level entry of `site-packages`.
struct Holder {
    unit: Option<u32>,
    /// No other unit holds any of it.
    one: bool,
}

struct Found<'a> {
    units: Vec<Unit>,
    by_package: Vec<Option<u32>>,
    by_directory: HashMap<(UnitKind, Vec<u8>), u32>,
    packages: &'a [&'a Package],
}

impl Found<'_> {
    fn push(&mut self, unit: Unit) -> u32 {
        self.units.push(unit);
        // There are no more units than paths, and those are counted in u32.
        (self.units.len() - 1) as u32
    }

    fn package(&mut self, index: usize) -> u32 {
        if let Some(unit) = self.by_package[index] {
            return unit;
        }
        let package = self.packages[index];
        let kind = match package.kind {
            PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => UnitKind::SystemPackage,
            PackageKind::Python => UnitKind::PythonDistribution,
            PackageKind::Npm => UnitKind::NpmPackage,
            PackageKind::Gem => UnitKind::Gem,
        };
        let unit = self.push(Unit {
            kind,
            name: package.name.clone(),
            version: package.version.clone(),
            package: Some(index),
            directory: (kind == UnitKind::NpmPackage)
                .then(|| package.record.parent())
                .flatten(),
            places: Vec::new(),
        });
        self.by_package[index] = Some(unit);
        unit
    }

    fn directory(&mut self, place: &Location<'_>) -> u32 {
        let key = (place.kind, place.directory.to_vec());
        if let Some(&unit) = self.by_directory.get(&key) {
            return unit;
        }
        let unit = self.push(Unit {
            kind: place.kind,
            name: place.name.clone(),
            version: place.version.clone(),
            package: None,
            directory: ImagePath::new(place.directory).ok(),
            places: Vec::new(),
        });
        self.by_directory.insert(key, unit);
        unit
    }

    fn unowned(
        &mut self,
        path: &[u8],
        marks: &Marks<'_>,
        holders: &HashMap<&[u8], Holder>,
    ) -> Option<u32> {
        if let Some(top) = top_of_site(path) {
            return Some(match holders.get(top) {
                // Made after the installation, or by a tool that lists nothing.
                Some(holder) if holder.one && holder.unit.is_some() => holder.unit?,
                _ => self.directory(&Location::new(UnitKind::Modules, top, file_name(top))),
            });
        }
        let place = marks
            .runtime(path)
            .or_else(|| marks.modules(path))
            .or_else(|| jar(path))
            .or_else(|| marks.project(path))?;
        Some(self.directory(&place))
    }
}

/// A unit that is known by its directory.
struct Location<'a> {
    kind: UnitKind,
    directory: &'a [u8],
    name: String,
    version: String,
    /// Packages below it are parts of it (npm's own dependencies).
    takes_packages: bool,
}

impl<'a> Location<'a> {
    fn new(kind: UnitKind, directory: &'a [u8], name: &[u8]) -> Self {
        Self {
            kind,
            directory,
            name: String::from_utf8_lossy(name).into_owned(),
            version: String::new(),
            takes_packages: false,
        }
    }

    fn version(mut self, version: &[u8]) -> Self {
        self.version = String::from_utf8_lossy(version).into_owned();
        self
    }
}

/// Project files of the languages whose modules are found at run time.
const PROJECT_FILES: [&[u8]; 12] = [
    b"package.json",
    b"pyproject.toml",
    b"setup.py",
    b"manage.py",
    b"requirements.txt",
    b"Pipfile",
    b"Gemfile",
    b"config.ru",
    b"composer.json",
    b"cpanfile",
    b"mix.exs",
    b"rebar.config",
];

/// Directories of the system that are no application, whatever lies in them.
const SYSTEM_DIRECTORIES: [&[u8]; 24] = [
    b"",
    b"bin",
    b"boot",
    b"dev",
    b"etc",
    b"home",
    b"lib",
    b"lib64",
    b"media",
    b"mnt",
    b"opt",
    b"proc",
    b"run",
    b"sbin",
    b"srv",
    b"sys",
    b"tmp",
    b"usr",
    b"usr/lib",
    b"usr/local",
    b"usr/share",
    b"usr/src",
    b"var",
    b"var/lib",
];

/// Directories that are known by a file in them.
struct Marks<'a> {
    /// `lib/pythonX.Y` with `os.py`: a standard library, not a venv's.
    python: HashSet<&'a [u8]>,
    /// `vendor` with `composer/installed.json`.
    composer: HashSet<&'a [u8]>,
    projects: HashSet<&'a [u8]>,
}

impl<'a> Marks<'a> {
    fn find(paths: &'a [ImagePath]) -> Self {
        let mut marks = Self {
            python: HashSet::new(),
            composer: HashSet::new(),
            projects: HashSet::new(),
        };
        for path in paths {
            let path = path.as_bytes();
            if let Some(directory) = path.strip_suffix(b"/os.py") {
                marks.python.insert(directory);
            } else if let Some(vendor) = path.strip_suffix(b"/composer/installed.json") {
                marks.composer.insert(vendor);
            } else if PROJECT_FILES.contains(&file_name(path)) {
                let directory = parent_bytes(path);
                if !SYSTEM_DIRECTORIES.contains(&directory) && !has(path, b"node_modules") {
                    marks.projects.insert(directory);
                }
            }
        }
        marks
    }

    /// The library of an interpreter.
    fn runtime<'p>(&self, path: &'p [u8]) -> Option<Location<'p>> {
        let parts = Parts::new(path);
        let library = UnitKind::StandardLibrary;
        for at in 0..parts.count() {
            let below_lib = at > 0 && matches!(parts.get(at - 1), b"lib" | b"lib64");
            if !below_lib {
                // Debian's interpreters look below /usr/local/share as well.
                if at > 1 && parts.get(at - 2) == b"share" && parts.get(at - 1) == b"perl" {
                    let place = Location::new(library, parts.until(at - 1), b"perl");
                    return Some(place.version(parts.get(at)));
                }
                continue;
            }
            let (name, next) = (parts.get(at), parts.get(at + 1));
            if is_python(name) && !is_site(next) && self.python.contains(parts.until(at)) {
                let version = &name[name.iter().take_while(|c| c.is_ascii_alphabetic()).count()..];
                let place = Location::new(library, parts.until(at), b"python");
                return Some(place.version(version));
            }
            match (name, next) {
                (b"ruby", b"gems") => {
                    // Default gems lie in the library, so do their records.
                    let (version, kind) = (parts.get(at + 2), parts.get(at + 3));
                    if kind == b"specifications" && parts.get(at + 4) == b"default" {
                        let place = Location::new(library, parts.until(at), b"ruby");
                        return Some(Location {
                            takes_packages: true,
                            ..place.version(version)
                        });
                    }
                }
                (b"ruby", version) if version.first().is_some_and(u8::is_ascii_digit) => {
                    let place = Location::new(library, parts.until(at), b"ruby");
                    return Some(place.version(version));
                }
                (b"ruby", b"site_ruby" | b"vendor_ruby") => {
                    let kind = UnitKind::Modules;
                    return Some(Location::new(kind, parts.until(at + 1), next));
                }
                (b"node_modules", b"npm" | b"corepack") if parts.count() > at + 2 => {
                    return Some(Location {
                        takes_packages: true,
                        ..Location::new(library, parts.until(at + 1), next)
                    });
                }
                (b"perl5", _) if parts.count() > at + 1 => {
                    return Some(Location::new(library, parts.until(at), b"perl5"));
                }
                (b"php", below) if below != b"extensions" && parts.count() > at + 1 => {
                    return Some(Location::new(library, parts.until(at), b"php"));
                }
                _ => {}
            }
        }
        None
    }

    /// Modules with a directory of their own that no database describes.
    fn modules<'p>(&self, path: &'p [u8]) -> Option<Location<'p>> {
        let parts = Parts::new(path);
        let kind = UnitKind::Modules;
        for at in 0..parts.count() {
            let (name, next) = (parts.get(at), parts.get(at + 1));
            let within = |depth: usize| parts.count() > at + depth;
            if name == b"vendor" && self.composer.contains(parts.until(at)) {
                // `vendor/autoload.php` and `vendor/composer` load the rest.
                let (depth, name) = match next {
                    b"composer" | b"autoload.php" | b"bin" => (0, &b"composer"[..]),
                    _ if within(3) => (2, parts.slice(at + 1, at + 2)),
                    _ => continue,
                };
                return Some(Location::new(kind, parts.until(at + depth), name));
            }
            if matches!(name, b"library" | b"site-library")
                && at > 0
                && parts.get(at - 1) == b"R"
                && within(2)
            {
                return Some(Location::new(kind, parts.until(at + 1), next));
            }
            if at > 1
                && parts.get(at - 1) == b"lua"
                && matches!(parts.get(at - 2), b"lib" | b"share")
                && within(1)
            {
                return Some(Location::new(kind, parts.until(at), b"lua").version(name));
            }
            // Debian's Perl: lib/ARCHITECTURE/perl/VERSION.
            if at > 2 && parts.get(at - 1) == b"perl" && parts.get(at - 3) == b"lib" && within(1) {
                return Some(Location::new(kind, parts.until(at), b"perl").version(name));
            }
        }
        None
    }

    fn project<'p>(&self, path: &'p [u8]) -> Option<Location<'p>> {
        if self.projects.is_empty() || has(path, b"node_modules") {
            return None;
        }
        let mut directory = parent_bytes(path);
        while !directory.is_empty() {
            if self.projects.contains(directory) {
                let kind = UnitKind::Project;
                return Some(Location::new(kind, directory, file_name(directory)));
            }
            directory = parent_bytes(directory);
        }
        None
    }
}

fn jar(path: &[u8]) -> Option<Location<'_>> {
    let name = file_name(path);
    let (stem, ending) = name.split_at(name.iter().rposition(|&byte| byte == b'.')?);
    matches!(ending, b".jar" | b".war" | b".ear").then(|| Location::new(UnitKind::Jar, path, stem))
}

/// A path's components, found without allocating for each.
struct Parts<'p> {
    path: &'p [u8],
    /// Where each component ends.
    ends: Vec<usize>,
}

impl<'p> Parts<'p> {
    fn new(path: &'p [u8]) -> Self {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = slashes
            .map(|(at, _)| at)
            .chain(std::iter::once(path.len()))
            .collect();
        Self { path, ends }
    }

    fn count(&self) -> usize {
        self.ends.len()
    }

    /// A component; empty past the last.
    fn get(&self, at: usize) -> &'p [u8] {
        self.slice(at, at)
    }

    fn slice(&self, first: usize, last: usize) -> &'p [u8] {
        let Some(&end) = self.ends.get(last) else {
            return b"";
        };
        let start = match first.checked_sub(1) {
            Some(before) => self.ends[before] + 1,
            None => 0,
        };
        &self.path[start..end]
    }

    /// The path up to and with a component.
    fn until(&self, at: usize) -> &'p [u8] {
        self.slice(0, at.min(self.count() - 1))
    }
}

pub(super) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

fn has(path: &[u8], component: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .any(|part| part == component)
}

fn is_site(name: &[u8]) -> bool {
    matches!(name, b"site-packages" | b"dist-packages")
}

/// `python3.11`, `pypy3.10`, and Debian's `python3`.
fn is_python(name: &[u8]) -> bool {
    [&b"python"[..], b"pypy"].iter().any(|prefix| {
        name.strip_prefix(*prefix).is_some_and(|version| {
            !version.is_empty() && version.iter().all(|c| c.is_ascii_digit() || *c == b'.')
        })
    })
}

/// The path up to the top-level entry of `site-packages` that it lies in.
fn top_of_site(path: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    let mut parts = path.split(|&byte| byte == b'/');
    while let Some(part) = parts.next() {
        end += part.len() + 1;
        if is_site(part) {
            return path.get(..end + parts.next()?.len());
        }
    }
    None
}

/// Directories that hold nothing but modules and what belongs to them.
const MODULE_DIRECTORIES: [&[u8]; 13] = [
    b"site-packages",
    b"dist-packages",
    b"node_modules",
    b"nodejs",
    b"perl",
    b"perl5",
    b"perl-base",
    b"ruby",
    b"gems",
    b"site-library",
    b"rubygems-integration",
    b"site_perl",
    b"vendor_perl",
];

/// Endings of modules, wherever they lie.
const MODULE_ENDINGS: [&[u8]; 24] = [
    b"py", b"pyc", b"pyo", b"rb", b"pm", b"pl", b"ph", b"js", b"mjs", b"cjs", b"php", b"phar",
    b"lua", b"tcl", b"jar", b"war", b"class", b"beam", b"el", b"elc", b"scm", b"rdb", b"rdx",
    b"jl",
];

/// Whether a file of a package is a module of an interpreted language, or lies
/// where only those and their data lie.
fn is_module(path: &[u8]) -> bool {
    if path.starts_with(b"usr/share/doc/") {
        return false;
    }
    let in_directory = path
        .split(|&byte| byte == b'/')
        .rev()
        .skip(1)
        .any(|part| MODULE_DIRECTORIES.contains(&part) || is_python(part));
    let name = file_name(path);
    let ending = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    in_directory || (ending.len() < name.len() && MODULE_ENDINGS.contains(&ending))
}
