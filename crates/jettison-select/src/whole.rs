//! What comes along with a kept file because it belongs to the same whole.
//!
//! A module of an interpreted language brings its distribution, since the next
//! request may import its neighbour; a compiled program comes file by file.

use std::collections::BTreeSet;

use jettison_image::{ImagePath, Node};
use jettison_packages::installed::Package;
use jettison_plan::{Grain, Reason, ReasonKind};

use crate::follow::Work;
use crate::keeping::file_path;
use crate::spare;

/// Something that is kept with everything that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whole {
    /// A unit of modules, by its place among all of them.
    Unit(usize),
    /// A package of the operating system, likewise.
    Package(usize),
    /// A layer of the original.
    Layer(u32),
    /// The files that no package owns.
    Application,
}

/// Keeps the wholes that kept files belong to.
pub(crate) fn apply(work: &mut Work<'_>) {
    match work.facts.grain {
        Grain::File => {}
        Grain::Auto => units(work),
        Grain::Package => {
            units(work);
            packages(work);
        }
        Grain::Layer => layers(work),
    }
}

/// The language's wholes: distributions, npm packages, gems, standard
/// libraries.
fn units(work: &mut Work<'_>) {
    let installed = work.facts.installed;
    let tree = work.facts.tree;
    let declared = declared(work);
    for node in kept_files(work) {
        let Some(index) = installed.unit(&node.path()) else {
            continue;
        };
        // A module that is there in doubt brings what it imports, and no more,
        // unless who is there for certain says that it depends on all of it.
        let package = installed.units()[index].package;
        let is_declared = package.is_some_and(|package| declared.contains(&package));
        let is_installer = is_installer(&installed.units()[index].name);
        if work.facts.is_told && is_installer && !is_declared {
            continue;
        }
        if !work.keeping.is_firm(node) && !is_declared {
            continue;
        }
        if !work.whole.insert(Whole::Unit(index)) {
            continue;
        }
        let unit = &installed.units()[index];
        let detail = format!("{} {} {}", unit.kind.as_str(), unit.name, unit.version);
        let reason = Reason::because(ReasonKind::Package, file_path(node), detail.trim_end());
        let members: Vec<_> = installed
            .unit_paths(index)
            .filter_map(|path| tree.get(path))
            .collect();
        // A standard library knows of every tool there is; what a person
        // installed beside it knows of what it uses.
        // Where probes show what is used, the rest of it is a neighbour only.
        let is_firm = !(unit.kind.is_general() || work.facts.is_told && unit.kind.is_packaged());
        keep_needed(work, members, &reason, is_firm);
    }
}

/// True for what installs Python's packages: a trace shows parts of it where
/// something asks which distributions there are.
fn is_installer(name: &str) -> bool {
    let name = name.strip_prefix("python3-").unwrap_or(name);
    matches!(name, "pip" | "setuptools" | "wheel" | "uv" | "virtualenv")
}

/// The languages' packages that those of certain modules depend on, and what
/// these depend on in turn.
fn declared(work: &Work<'_>) -> BTreeSet<usize> {
    let installed = work.facts.installed;
    let certain = kept_files(work).into_iter();
    let certain = certain.filter(|&node| work.keeping.is_firm(node));
    let units = certain.filter_map(|node| installed.unit(&node.path()));
    let units: BTreeSet<usize> = units.collect();
    let packages = units.into_iter().map(|unit| &installed.units()[unit]);
    let packages = packages.filter(|unit| unit.kind.is_packaged());
    let mut ahead: Vec<usize> = packages.filter_map(|unit| unit.package).collect();
    let mut declared = BTreeSet::new();
    while let Some(package) = ahead.pop() {
        let depends = installed.dependencies(package).iter().copied();
        ahead.extend(depends.filter(|&depends| declared.insert(depends)));
    }
    declared
}

/// The operating system's packages.
fn packages(work: &mut Work<'_>) {
    for node in kept_files(work) {
        if let Some(index) = work.facts.installed.owner_index(&node.path()) {
            package(work, index, &|package| of_package(package, node));
        }
    }
}

/// Everything else of the layers that kept files came in.
fn layers(work: &mut Work<'_>) {
    for node in kept_files(work) {
        if !work.whole.insert(Whole::Layer(node.layer())) {
            continue;
        }
        let detail = format!("layer {}", node.layer());
        let reason = Reason::because(ReasonKind::Package, file_path(node), detail);
        let members = work
            .facts
            .tree
            .iter()
            .filter(|other| other.layer() == node.layer());
        for member in members {
            work.keeping.keep_loosely(member, reason.clone());
        }
    }
}

/// What says of a package why it is kept.
pub(crate) type Because<'b> = &'b dyn Fn(&Package) -> Reason;

/// It is the package that a file belongs to, or one that this depends on.
pub(crate) fn of_package(package: &Package, file: Node<'_>) -> Reason {
    let detail = format!("{} {}", package.name, package.version);
    Reason::because(ReasonKind::Package, file_path(file), detail)
}

/// Keeps a package of the operating system, its droppable files aside.
pub(crate) fn package(work: &mut Work<'_>, index: usize, because: Because<'_>) {
    let installed = work.facts.installed;
    let package = &installed.packages[index];
    if !work.whole.insert(Whole::Package(index)) {
        return;
    }
    let members: Vec<ImagePath> = installed.files(package).cloned().collect();
    let tree = work.facts.tree;
    let nodes: Vec<_> = members.iter().filter_map(|path| tree.get(path)).collect();
    keep_needed(work, nodes, &because(package), false);
}

/// Keeps what is of no droppable class.
pub(crate) fn keep_needed<'a>(
    work: &mut Work<'a>,
    nodes: impl IntoIterator<Item = Node<'a>>,
    reason: &Reason,
    firmly: bool,
) {
    for node in nodes {
        if !node.is_directory() && spare::class(work, node).is_none() {
            match firmly {
                true => work.keeping.keep(node, reason.clone()),
                false => work.keeping.keep_loosely(node, reason.clone()),
            };
        }
    }
}

/// Kept files, in the order of the tree.
fn kept_files<'a>(work: &Work<'a>) -> Vec<Node<'a>> {
    let kept = work.keeping.kept();
    kept.filter(|(node, _)| !node.is_directory())
        .map(|(node, _)| node)
        .collect()
}
