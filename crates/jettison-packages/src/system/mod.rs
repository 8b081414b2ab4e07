//! A whole system of Debian packages: a file system in which `dpkg` and `apt`
//! go on, made without running a line of it.
//!
//! First the packages' files are handed on as they are read, one layer. Then
//! rules do what maintainer scripts would have done, above it: the scripts are
//! read, not run, and what cannot be told that way is listed as unproven.

mod accounts;
mod alternatives;
mod certificates;
mod database;
mod diversions;
mod model;
mod script;
mod unpack;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use jettison_image::{Entry, ImagePath, Timestamp};

pub use model::{Found, Permissions, World};
pub use unpack::Put;

use crate::index::parse_relations;
use crate::{Error, LockedBase, LockedPackage, PackageLimits};
use model::Model;
use script::Ground;
use unpack::{Unpacked, Unpacker};

/// Packages whose files are there, and nothing more yet.
pub struct System {
    packages: Vec<Unpacked>,
    architecture: String,
    newest: Timestamp,
    clashes: Vec<String>,
}

/// What the rules made of it.
pub struct Completed {
    /// A layer above the packages' files, in the order of the paths.
    pub entries: Vec<(Entry, Vec<u8>)>,
    /// What was done that scripts would have done, one line each, escaped.
    pub done: Vec<String>,
    /// What could not be told without running scripts, one line each, escaped.
    pub unproven: Vec<String>,
}

/// Unpacks pinned packages. `open` gives the bytes of one, verifying them as
/// they are read; `put` takes the entries of the layer.
pub fn unpack<R: Read>(
    base: &LockedBase,
    limits: &PackageLimits,
    mut open: impl FnMut(&LockedPackage) -> Result<R, Error>,
    put: &mut Put<'_>,
) -> Result<System, Error> {
    let mut unpacker = Unpacker::default();
    unpacker.begin(&base.architecture, put)?;
    // The directories of the system have the modes that base-files gives them.
    let mut packages: Vec<&LockedPackage> = base.packages.iter().collect();
    packages.sort_by_key(|package| (package.name != "base-files", &package.name));
    for package in packages {
        unpacker.read(open(package)?, package, limits, put)?;
    }
    Ok(System {
        packages: unpacker.packages,
        architecture: base.architecture.clone(),
        newest: unpacker.newest,
        clashes: unpacker.clashes,
    })
}

impl System {
    /// Does what the scripts of the packages would have done. `sources` is the
    /// text of apt's list of sources, where the system is to have one.
    pub fn complete(self, world: &dyn World, sources: Option<&str>) -> Completed {
        let mut model = Model::new(world);
        let mut done = Vec::new();
        let mut unproven = self.clashes.clone();
        let order = self.order();
        // Every preinst before every postinst: dpkg unpacks first where it can.
        for (script, arguments) in [
            ("preinst", &["install"][..]),
            ("postinst", &["configure", ""]),
        ] {
            for &index in &order {
                let package = &self.packages[index];
                let Some((_, text)) = package.control.members.get(script) else {
                    continue;
                };
                let ground = Ground {
                    model: &mut model,
                    package: package.control.name(),
                    architecture: &self.architecture,
                    done: &mut done,
                    unproven: &mut unproven,
                };
                script::follow(ground, script, text, arguments);
            }
        }
        if self.has("tzdata") && !model.exists(b"/etc/localtime") {
            // What tzdata's questions are answered with when nobody is asked.
            model.link(b"/etc/localtime", b"/usr/share/zoneinfo/Etc/UTC");
            model.write(b"/etc/timezone", b"Etc/UTC\n".to_vec(), 0o644);
            unproven.retain(|line| !line.starts_with("tzdata: "));
            done.push("tzdata: the time zone is Etc/UTC".to_owned());
        }
        if let Some(package) = self.package("ca-certificates")
            && let Some(line) = certificates::update(&mut model, &package.list)
        {
            unproven.retain(|line| !line.starts_with("ca-certificates: "));
            done.push(line);
        }
        if let Some(text) = sources {
            model.write(b"/etc/apt/sources.list", text.as_bytes().to_vec(), 0o644);
        }
        database::write(&mut model, &self.packages);
        Completed {
            entries: model.entries(self.newest),
            done,
            unproven,
        }
    }

    /// The latest time of any file of the packages.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// Whether a package is there.
    pub fn has(&self, name: &str) -> bool {
        self.package(name).is_some()
    }

    fn package(&self, name: &str) -> Option<&Unpacked> {
        let mut all = self.packages.iter();
        all.find(|package| package.control.name() == name)
    }

    /// Packages in the order in which they are configured: what one needs
    /// before it, by name where nothing else decides.
    fn order(&self) -> Vec<usize> {
        let mut known: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let relations = |package: &Unpacked, field: &str| {
            parse_relations(package.control.field(field).unwrap_or_default())
        };
        let provides: Vec<Vec<String>> = self
            .packages
            .iter()
            .map(|package| {
                let names = relations(package, "Provides").into_iter().flatten();
                names.map(|relation| relation.name).collect()
            })
            .collect();
        for (index, package) in self.packages.iter().enumerate() {
            known.entry(package.control.name()).or_default().push(index);
        }
        for (index, names) in provides.iter().enumerate() {
            for name in names {
                known.entry(name).or_default().push(index);
            }
        }
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        // A stack of its own: chains of packages may be long.
        let mut first: Vec<usize> = (0..self.packages.len()).collect();
        // The users that others are given are base-passwd's.
        first.sort_by_key(|&index| {
            let name = self.packages[index].control.name();
            let rank = ["base-passwd", "base-files"]
                .iter()
                .position(|one| *one == name);
            (rank.unwrap_or(usize::MAX), name)
        });
        for start in first {
            let mut stack = vec![(start, false)];
            while let Some((index, is_ready)) = stack.pop() {
                if is_ready {
                    order.push(index);
                    continue;
                }
                if !seen.insert(index) {
                    continue;
                }
                stack.push((index, true));
                let mut needed: Vec<usize> = ["Pre-Depends", "Depends"]
                    .iter()
                    .flat_map(|field| relations(&self.packages[index], field))
                    .flatten()
                    .filter_map(|relation| known.get(relation.name.as_str()))
                    .flatten()
                    .copied()
                    .collect();
                needed.reverse();
                let open = needed.into_iter().filter(|one| !seen.contains(one));
                stack.extend(open.map(|one| (one, false)).collect::<Vec<_>>());
            }
        }
        order
    }
}

/// A path that this crate writes down itself.
fn known(path: &str) -> ImagePath {
    ImagePath::new(path).expect("a constant path has neither `..` nor NUL")
}
