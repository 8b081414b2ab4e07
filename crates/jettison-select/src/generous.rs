//! What is kept because nothing shows that it may go.
//!
//! No analysis bounds a program that makes up the names of what it opens or
//! runs. Such a program keeps its package whole, and what that package says it
//! depends on. The files that a person put into the image beside the packages
//! are the application, and stay.

use jettison_image::Node;
use jettison_packages::installed::PackageKind;
use jettison_plan::{Grain, Reason, ReasonKind};

use crate::follow::{BY_DROP, Doubt, Work, is_library};
use crate::spare;
use crate::whole::{self, Because, Whole};

/// What tools that install packages need of each other: no program that serves
/// anybody runs them, though many packages name them as dependencies.
const MACHINERY: [&str; 22] = [
    "adduser",
    "apt",
    "base-files",
    "base-passwd",
    "ca-certificates-java",
    "debconf",
    "debconf-2.0",
    "debianutils",
    "dpkg",
    "dpkg-dev",
    "gnupg",
    "init-system-helpers",
    "install-info",
    "lsb-base",
    "mount",
    "passwd",
    "sensible-utils",
    "systemd",
    "sysvinit-utils",
    "ucf",
    "udev",
    "util-linux",
];

/// Directories of the system: what lies there without a package was made by
/// package scripts, and is kept only where something leads to it.
const SYSTEM: [&str; 15] = [
    "bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "media", "proc", "run", "sbin",
    "sys", "tmp", "var",
];

/// Keeps what nothing bounds.
pub(crate) fn apply(work: &mut Work<'_>) {
    if work.facts.grain == Grain::File {
        return;
    }
    programs(work);
    application(work);
}

/// The packages of programs that choose at run time what they open.
fn programs(work: &mut Work<'_>) {
    // A package is there because of the first program that asks for it.
    let mut programs: Vec<_> = work.programs().collect();
    programs.sort_by_key(|node| {
        let id = node.id();
        (!work.started.contains(&id), !work.executed.contains(&id))
    });
    for node in programs {
        if is_library(node) || !work.keeping.has(node) {
            continue;
        }
        let is_started = work.started.contains(&node.id());
        // What nobody ran although somebody said what is asked may be run for
        // another reason, and needs no more than itself for it.
        if work.facts.is_told && !is_started && !work.executed.contains(&node.id()) {
            continue;
        }
        if !is_started && !work.is_open_ended(node) {
            continue;
        }
        let Some(index) = work.facts.installed.owner_index(&node.path()) else {
            continue;
        };
        packages(work, index, &|package| whole::of_package(package, node));
    }
}

/// Keeps a package and what it depends on.
pub(crate) fn packages(work: &mut Work<'_>, index: usize, because: Because<'_>) {
    let installed = work.facts.installed;
    let mut ahead = vec![index];
    let mut known = std::collections::BTreeSet::from([index]);
    while let Some(index) = ahead.pop() {
        let package = &installed.packages[index];
        if package.kind == PackageKind::Deb && MACHINERY.contains(&package.name.as_str()) {
            continue;
        }
        whole::package(work, index, because);
        let depends = installed.dependencies(index).iter().copied();
        if !work.facts.is_told {
            ahead.extend(depends.filter(|depends| known.insert(*depends)));
        }
    }
}

/// Files that no package owns, outside the system's directories.
fn application(work: &mut Work<'_>) {
    if !work.whole.insert(Whole::Application) {
        return;
    }
    let tree = work.facts.tree;
    let mut members = Vec::new();
    let mut id = 0;
    while let Some(node) = tree.at(id) {
        id += 1;
        if node.is_directory() {
            if is_system(node) || is_runtime(node) {
                id += node.subtree().len() - 1;
            } else {
                // An empty one is there because somebody writes to it.
                members.push(node);
            }
            continue;
        }
        let path = node.path();
        let is_owned = work.facts.installed.owner(&path).is_some();
        if !is_owned && spare::class(work, node).is_none() {
            members.push(node);
        }
    }
    let reason = Reason::first(
        ReasonKind::Package,
        "a file of the application: no package owns it",
    );
    let modules: Vec<_> = members
        .iter()
        .copied()
        .filter(|&node| is_module(node))
        .collect();
    work.keep_in_doubt(
        members,
        &reason,
        Doubt {
            what: "files of the application",
            because: "no package owns them, so a person put them there",
            saved_by: BY_DROP,
        },
    );
    // A module may be loaded by a computed name, and then does what it says;
    // scripts that nothing leads to are those of whoever wrote the application.
    for node in modules {
        work.keeping.keep(node, reason.clone());
    }
}

fn is_module(file: Node<'_>) -> bool {
    const MODULES: [&str; 9] = ["py", "js", "mjs", "cjs", "ts", "rb", "php", "pl", "pm"];
    let extension = file.name().rsplit(|&byte| byte == b'.').next();
    MODULES
        .iter()
        .any(|known| extension == Some(known.as_bytes()))
}

fn is_system(directory: Node<'_>) -> bool {
    let path = directory.path();
    let text = path.as_bytes();
    let is_usr = text
        .strip_prefix(b"usr/")
        .is_some_and(|name| name != b"local" && !name.contains(&b'/'));
    is_usr || SYSTEM.iter().any(|system| system.as_bytes() == text)
}

/// True for directories of compilers and interpreters that no package owns:
/// they are kept where something leads to them, as units.
fn is_runtime(directory: Node<'_>) -> bool {
    let path = directory.path();
    let has = |name: &str| directory.child(name.as_bytes()).is_some();
    let has_program = |name: &str| {
        let bin = directory.child(b"bin");
        bin.is_some_and(|bin| bin.child(name.as_bytes()).is_some())
    };
    let is_go = has("src") && has("pkg") && has_program("go");
    let is_jdk = has("lib") && has("jmods") | has("conf") && has_program("java");
    let is_rust = has("toolchains") || has_program("rustc");
    let is_shared = ["usr/local/lib", "usr/local/include", "usr/local/share"]
        .iter()
        .any(|shared| shared.as_bytes() == path.as_bytes());
    is_go || is_jdk || is_rust || is_shared
}
