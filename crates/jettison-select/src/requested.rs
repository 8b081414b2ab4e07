//! What somebody asked for by name while the image was made: `apt-get install
//! curl`, `apk add ffmpeg`. Nothing may lead to it, and a person will call it
//! all the same; without a probe that says what is called, it stays.
//!
//! What builds or documents programs is left out, and so is what the lowest
//! layer asked for. Where a person says what is asked, a small tool stays without
//! what it depends on: whoever looks after a container may call it.

use jettison_closure::scripts::any::{Language, language};
use jettison_image::Node;
use jettison_packages::installed::{Installed, Package};
use jettison_plan::{Reason, ReasonKind};

use crate::follow::Work;
use crate::generous::{self, is_shell};
use crate::runtimes::Runtimes;
use crate::{spare, whole};

/// Sections of Debian's archive that serve whoever writes or builds programs.
const SECTIONS: [&str; 13] = [
    "debug",
    "devel",
    "doc",
    "golang",
    "haskell",
    "kernel",
    "libdevel",
    "libs",
    "localization",
    "ocaml",
    "oldlibs",
    "rust",
    "introspection",
];
/// Those of libraries, which programs bring along.
const LIBRARIES: [&str; 2] = ["libs", "oldlibs"];
/// Sections that do so too, programs aside that somebody asked for.
const MIXED: [&str; 3] = ["editors", "perl", "vcs"];
/// Where commands are looked for.
const COMMANDS: [&str; 6] = [
    "bin",
    "sbin",
    "usr/bin",
    "usr/sbin",
    "usr/local/bin",
    "usr/games",
];

/// Package managers and builders of languages, and tools of distributions.
const BUILDERS: [&str; 23] = [
    "ant",
    "apk-tools",
    "apt-transport-https",
    "build-base",
    "bundler",
    "cargo",
    "composer",
    "dpkg-dev",
    "go",
    "gradle",
    "lsb-release",
    "maven",
    "npm",
    "pipx",
    "pkgconf",
    "python3-pip",
    "python3-setuptools",
    "python3-venv",
    "python3-wheel",
    "rustc",
    "software-properties-common",
    "virtualenv",
    "yarnpkg",
];

/// What serves builders too, and whoever writes command lines: it stays beside
/// a shell that the image starts.
const OF_COMMAND_LINES: [&str; 4] = ["dirmngr", "git", "gnupg", "gnupg2"];

/// Enough of a script to see what reads it.
const HEAD: u64 = 512;
/// Bytes of a tool that costs too little to be asked for.
const SMALL: u64 = 2 << 20;

/// Packages of which every image of their distribution has one: whatever came
/// with them belongs to the base.
const BASES: [&str; 2] = ["base-files", "alpine-baselayout"];

/// Keeps what was asked for by name.
pub(crate) fn apply(work: &mut Work<'_>) {
    let installed = work.facts.installed;
    let layer = |package: &Package| -> Option<u32> {
        let mut files = installed.files(package);
        files.find_map(|path| Some(work.facts.tree.get(path)?.layer()))
    };
    let is_base = |package: &&Package| BASES.contains(&package.name.as_str());
    let Some(base) = installed.packages.iter().find(is_base).and_then(layer) else {
        return;
    };
    // Where all is one layer, a base is what every system has.
    let is_flat = installed
        .packages
        .iter()
        .filter_map(layer)
        .all(|of| of == base);
    let is_later = |package: &Package| match is_flat {
        true => package.priority.as_deref() == Some("optional"),
        false => layer(package).is_some_and(|layer| layer > base),
    };
    // What a runtime's image brought serves whoever builds on it.
    let runtime = Runtimes::of(work.facts.tree).last_layer();
    let is_own = |package: &Package| layer(package) > runtime;
    let is_alone = |index: usize| is_library_alone(installed, index);
    let has_shell = has_shell(work);
    let is_asked_for = |&index: &usize| {
        let package = &installed.packages[index];
        package.requested == Some(true)
            && package.kind.is_system()
            && is_later(package)
            && (!is_mixed(package) || commands(work, index).next().is_some())
    };
    let asked_for = (0..installed.packages.len()).filter(is_asked_for);
    let (wanted, for_building): (Vec<usize>, Vec<usize>) = asked_for.partition(|&index| {
        let package = &installed.packages[index];
        is_for_running(package, has_shell && is_own(package))
            || !work.facts.is_told && is_own(package) && is_alone(index)
    });
    if !work.facts.is_told {
        let has_commands = |&index: &usize| {
            is_own(&installed.packages[index]) && commands(work, index).next().is_some()
        };
        note_left_out(
            work,
            for_building.into_iter().filter(has_commands).collect(),
        );
    }
    for index in wanted {
        let wanted = &installed.packages[index].name;
        let because = |package: &Package| {
            let (name, version) = (&package.name, &package.version);
            let detail = match name == wanted {
                true => format!("{name} {version}, which was installed by name"),
                false => format!("{name} {version}, for {wanted}, which was installed by name"),
            };
            Reason::first(ReasonKind::Package, detail)
        };
        match work.facts.is_told {
            false => {
                generous::packages(work, index, &because);
                // Whoever calls it means all that it does.
                let commands: Vec<_> = commands(work, index).collect();
                for node in commands {
                    work.keeping.keep(node, because(&installed.packages[index]));
                }
            }
            true if bytes(work, index) <= SMALL => whole::package(work, index, &because),
            true => {}
        }
    }
}

/// True where what the image starts is a shell or a script of one.
fn has_shell(work: &Work<'_>) -> bool {
    let mut started = work.started.iter().filter_map(|&id| work.facts.tree.at(id));
    started.any(|program| {
        let head = work.facts.contents.read(program, HEAD).unwrap_or_default();
        is_shell(program) || language(program, &head) == Some(Language::Shell)
    })
}

/// Says which programs a person asked for and does not get.
fn note_left_out(work: &mut Work<'_>, packages: Vec<usize>) {
    let installed = work.facts.installed;
    let names = packages.iter();
    let names: Vec<&str> = names
        .map(|&index| installed.packages[index].name.as_str())
        .collect();
    if !names.is_empty() {
        work.notes.push(format!(
            "installed by name, and taken for what builds or manages: {}; it stays only where \
             something leads to it, or with --keep PACKAGE",
            names.join(", ")
        ));
    }
}

/// The programs of a package that a person can call by name.
fn commands<'a>(work: &Work<'a>, index: usize) -> impl Iterator<Item = Node<'a>> + use<'a> {
    let (installed, tree) = (work.facts.installed, work.facts.tree);
    let files = installed.files(&installed.packages[index]);
    files.filter_map(|path| {
        let directory = path.parent()?;
        let is_known = COMMANDS
            .iter()
            .any(|known| known.as_bytes() == directory.as_bytes());
        tree.get(path).filter(|_| is_known)
    })
}

/// True where commands decide whether a package is a tool.
fn is_mixed(package: &Package) -> bool {
    MIXED.contains(&section(package))
}

/// Its section; other archives are named in front of it: `contrib/net`.
fn section(package: &Package) -> &str {
    let section = package.section.as_deref().unwrap_or_default();
    section.rsplit('/').next().unwrap_or_default()
}

/// What the files of a package that are not kept take.
fn bytes(work: &Work<'_>, index: usize) -> u64 {
    let installed = work.facts.installed;
    let files = installed.files(&installed.packages[index]);
    let nodes = files.filter_map(|path| work.facts.tree.get(path));
    let missing =
        nodes.filter(|&node| !work.keeping.has(node) && spare::class(work, node).is_none());
    missing.map(|node| node.size_bytes()).sum()
}

/// True for a library that nothing installed depends on but what builds: whoever
/// asked for it by name has a program that opens it by a computed name.
fn is_library_alone(installed: &Installed, index: usize) -> bool {
    let is_library = |package: &Package| LIBRARIES.contains(&section(package));
    let depends = |other: &usize| installed.dependencies(*other).contains(&index);
    let mut dependents = (0..installed.packages.len()).filter(depends);
    is_library(&installed.packages[index])
        && dependents.all(|other| {
            let other = &installed.packages[other];
            SECTIONS.contains(&section(other)) && !is_library(other)
        })
}

/// False for what builds, documents or manages.
fn is_for_running(package: &Package, has_shell: bool) -> bool {
    let name = package.name.as_str();
    let section = section(package);
    let builds = ["-dev", "-doc", "-dbg", "-dbgsym", "-source"]
        .iter()
        .any(|end| name.ends_with(end));
    let is_kit = name.contains("-jdk") || name.contains("-sdk");
    let is_builder = BUILDERS.contains(&name) || !has_shell && OF_COMMAND_LINES.contains(&name);
    !SECTIONS.contains(&section) && !is_builder && !builds && !is_kit
}
