//! Which package owns which path.
//!
//! Packages list paths as they were unpacked; on a system whose `/bin` is a
//! link to `/usr/bin` they lie elsewhere. Listed paths are therefore brought to
//! their place in the tree first: 82.8 % of a typical image's bytes are
//! attributed without that, 85.2 % with it.

use std::collections::{HashMap, HashSet};

use jettison_image::ImagePath;

use super::needs::Wants;
use super::units::{self, Unit, UnitKind};
use super::{Files, Package};

/// How it is known that a package owns a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The package lists it, or it lies in the package's own directory.
    Listed,
    /// It is a Python cache file of a module that the package lists.
    Compiled,
}

/// A package with the files its database names.
pub(super) struct Draft {
    pub(super) package: Package,
    pub(super) claim: Claim,
    pub(super) wants: Wants,
}

/// What a package says is its own.
#[derive(Debug, Default)]
pub(super) struct Claim {
    /// These paths, as they were unpacked.
    pub(super) paths: Vec<ImagePath>,
    /// Everything below these directories that no package nested in them
    /// claims.
    pub(super) below: Vec<ImagePath>,
}

impl Claim {
    pub(super) fn paths(paths: Vec<ImagePath>) -> Self {
        Self {
            paths,
            below: Vec::new(),
        }
    }
}

/// Stands for no package or no unit.
const NONE: u32 = u32::MAX;

/// A path of the tree with its owner and the unit it belongs to.
#[derive(Debug)]
struct Place {
    path: ImagePath,
    owner: u32,
    unit: u32,
}

/// Paths with their owners, sorted by path.
#[derive(Debug, Default)]
pub(super) struct Owners {
    places: Vec<Place>,
    /// Directories with the packages that list them, sorted.
    directories: Vec<(ImagePath, u32)>,
}

impl Owners {
    /// Distributes the tree's paths among packages, and units where they are
    /// wanted: without them nothing is held of what no package owns.
    pub(super) fn build(
        files: &dyn Files,
        drafts: &mut [Draft],
        wants_units: bool,
    ) -> (Self, Vec<Unit>) {
        let mut listed: HashMap<ImagePath, u32> = HashMap::new();
        let mut below: HashMap<ImagePath, u32> = HashMap::new();
        let mut directories = Vec::new();
        let mut real_directories = HashMap::new();
        for (index, draft) in (0u32..).zip(drafts.iter_mut()) {
            let claim = std::mem::take(&mut draft.claim);
            let parents: HashSet<&[u8]> = claim
                .paths
                .iter()
                .map(|path| parent_bytes(path.as_bytes()))
                .collect();
            for path in &claim.paths {
                // What was unpacked as a directory may be a link today (`/lib`).
                // Listing it is no claim to that link.
                let holds = parents.contains(path.as_bytes());
                let Some(real) = real_path(files, &mut real_directories, path) else {
                    continue;
                };
                if files.is_directory(&real) {
                    directories.push((real, index));
                } else if !holds {
                    // The first to claim wins: the system's packages come
                    // first, a Python distribution inside a deb after it.
                    listed.entry(real).or_insert(index);
                }
            }
            for directory in claim.below {
                below.entry(directory).or_insert(index);
            }
        }
        directories.sort_unstable();
        directories.dedup();
        drop(real_directories);

        let owner = |path: &ImagePath| {
            let claimed = listed.get(path).copied();
            claimed.or_else(|| nearest(&below, path.as_bytes()))
        };
        let mut all = Vec::new();
        files.for_each_path(&mut |path, is_directory| {
            if !is_directory && (wants_units || owner(path).is_some()) {
                all.push(path.clone());
            }
        });
        all.sort_unstable();
        let owners: Vec<Option<u32>> = all.iter().map(owner).collect();
        let packages: Vec<&Package> = drafts.iter().map(|draft| &draft.package).collect();
        let (mut units, unit_of) = match wants_units {
            true => units::assign(&all, &owners, &packages),
            false => (Vec::new(), vec![None; all.len()]),
        };

        let mut places = Vec::new();
        for ((path, owner), unit) in all.into_iter().zip(owners).zip(unit_of) {
            if owner.is_none() && unit.is_none() {
                continue;
            }
            let at = places.len() as u32;
            if let Some(owner) = owner {
                drafts[owner as usize].package.files.push(at);
            }
            if let Some(unit) = unit {
                units[unit as usize].places.push(at);
            }
            places.push(Place {
                path,
                owner: owner.unwrap_or(NONE),
                unit: unit.unwrap_or(NONE),
            });
        }
        // Compiled programs of a package with modules are no modules, but parts
        // of what its modules may call.
        for unit in &mut units {
            if let (UnitKind::SystemPackage, Some(package)) = (unit.kind, unit.package) {
                unit.places.extend(&drafts[package].package.files);
                unit.places.sort_unstable();
                unit.places.dedup();
            }
        }
        for (at, (_, owner)) in (0u32..).zip(&directories) {
            drafts[*owner as usize].package.directories.push(at);
        }
        let owners = Self {
            places,
            directories,
        };
        for at in 0..drafts.len() {
            if drafts[at].package.kind.is_system() {
                continue;
            }
            drafts[at].package.within = owners
                .find(&drafts[at].package.record)
                .map(|(owner, _)| owner)
                .filter(|&owner| drafts[owner].package.kind.is_system());
        }
        (owners, units)
    }

    pub(super) fn path(&self, at: u32) -> &ImagePath {
        &self.places[at as usize].path
    }

    pub(super) fn directory(&self, at: u32) -> &ImagePath {
        &self.directories[at as usize].0
    }

    /// The packages that list a directory.
    pub(super) fn of_directory(&self, path: &ImagePath) -> impl Iterator<Item = usize> + '_ {
        let start = self.directories.partition_point(|(known, _)| known < path);
        let path = path.clone();
        self.directories[start..]
            .iter()
            .take_while(move |(known, _)| *known == path)
            .map(|(_, owner)| *owner as usize)
    }

    pub(super) fn find(&self, path: &ImagePath) -> Option<(usize, Ownership)> {
        if let Some(owner) = self.exact(path).and_then(|place| index(place.owner)) {
            return Some((owner, Ownership::Listed));
        }
        let module = compiled_from(path)?;
        let owner = index(self.exact(&module)?.owner)?;
        Some((owner, Ownership::Compiled))
    }

    pub(super) fn unit(&self, path: &ImagePath) -> Option<usize> {
        index(self.exact(path)?.unit)
    }

    fn exact(&self, path: &ImagePath) -> Option<&Place> {
        let at = self
            .places
            .binary_search_by(|place| place.path.cmp(path))
            .ok()?;
        Some(&self.places[at])
    }
}

fn index(stored: u32) -> Option<usize> {
    (stored != NONE).then_some(stored as usize)
}

/// The bytes of the directory that holds a path; empty for the root.
pub(crate) fn parent_bytes(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    &path[..end]
}

fn nearest(below: &HashMap<ImagePath, u32>, path: &[u8]) -> Option<u32> {
    if below.is_empty() {
        return None;
    }
    let mut directory = parent_bytes(path);
    while !directory.is_empty() {
        if let Some(&index) = below.get(directory) {
            return Some(index);
        }
        directory = parent_bytes(directory);
    }
    None
}

/// `d/__pycache__/m.cpython-311.opt-1.pyc` comes from `d/m.py` (PEP 3147).
pub fn compiled_from(path: &ImagePath) -> Option<ImagePath> {
    let cache = path.parent()?;
    if cache.file_name() != b"__pycache__" || !path.file_name().ends_with(b".pyc") {
        return None;
    }
    let module = path.file_name().split(|&byte| byte == b'.').next()?;
    cache.parent()?.join([module, b".py"].concat()).ok()
}

/// Where a path as it was unpacked lies in the tree.
pub(crate) fn real_path(
    files: &dyn Files,
    directories: &mut HashMap<ImagePath, Option<ImagePath>>,
    path: &ImagePath,
) -> Option<ImagePath> {
    let parent = path.parent()?;
    let real = match directories.get(&parent) {
        Some(known) => known,
        None => {
            let real = files.real_directory(&parent);
            directories.entry(parent.clone()).or_insert(real)
        }
    };
    match real {
        Some(real) if *real == parent => Some(path.clone()),
        Some(real) => real.join(path.file_name()).ok(),
        None => None,
    }
}
