//! What is kept because nothing shows that it may go.
//!
//! No analysis bounds a program that makes up the names of what it opens or
//! runs. Such a program keeps its package whole, and what that package says it
//! depends on. The files that a person put into the image beside the packages
//! are the application, and stay.

use jettison_image::Node;
use jettison_packages::installed::PackageKind;
use jettison_plan::Grain;

use crate::application;
use crate::follow::{Work, is_library};
use crate::whole::{self, Because};

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

/// What a command line that a program makes up is made of.
const TOOLS: [&str; 10] = [
    "coreutils",
    "coreutils-single",
    "debianutils",
    "findutils",
    "gawk",
    "grep",
    "gzip",
    "hostname",
    "mawk",
    "sed",
];

/// Keeps what nothing bounds.
pub(crate) fn apply(work: &mut Work<'_>) {
    if work.facts.grain == Grain::File {
        return;
    }
    programs(work);
    tools(work);
    application::apply(work);
}

/// Beside a shell that stays, what people write into its command lines: nothing
/// tells which of it, where nobody said what is asked.
fn tools(work: &mut Work<'_>) {
    if work.facts.is_told {
        return;
    }
    let mut programs = work.programs();
    let shell = programs.find(|&node| is_shell(node) && work.keeping.has(node));
    let Some(shell) = shell else {
        return;
    };
    let packages = work.facts.installed.packages.iter().enumerate();
    let named = packages.filter(|(_, package)| {
        let is_system = matches!(
            package.kind,
            PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm
        );
        is_system && TOOLS.contains(&package.name.as_str())
    });
    let named: Vec<usize> = named.map(|(index, _)| index).collect();
    for index in named {
        whole::package(work, index, &|package| whole::of_package(package, shell));
    }
}

/// True for the shells of command lines.
pub(crate) fn is_shell(program: Node<'_>) -> bool {
    matches!(
        program.name(),
        b"sh" | b"dash" | b"bash" | b"ash" | b"busybox" | b"ksh" | b"mksh" | b"zsh"
    )
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
