//! The application: what a person put into the image beside the packages.

use std::collections::{BTreeMap, BTreeSet};

use jettison_image::{Node, Tree};
use jettison_plan::{Reason, ReasonKind};

use crate::follow::{BY_DROP, Doubt, Work};
use crate::runtimes::Runtimes;
use crate::spare;
use crate::whole::Whole;

/// Directories of the system: what lies there without a package was made by
/// package scripts, and is kept only where something leads to it. What came in
/// a layer without packages a person put there.
const SYSTEM: [&str; 9] = [
    "bin", "etc", "lib", "lib32", "lib64", "libx32", "media", "sbin", "var",
];

/// Those where nothing is but what the system leaves behind.
const LEFT_BEHIND: [&str; 12] = [
    "boot",
    "dev",
    "proc",
    "run",
    "sys",
    "tmp",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
    "var/run",
    "var/tmp",
];

/// Databases of packages in one file.
const DATABASES: [&str; 5] = [
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
    "var/lib/rpm/rpmdb.sqlite",
];
/// A script that a person wrote is not longer.
const SCRIPT_BYTES: u64 = 1 << 20;

/// Keeps the files that no package owns: outside the system's directories all,
/// inside them what no package script made.
pub(crate) fn apply(work: &mut Work<'_>) {
    if !work.whole.insert(Whole::Application) {
        return;
    }
    let tree = work.facts.tree;
    let packaged = PackagedLayers::of(tree);
    let runtimes = Runtimes::of(tree);
    let mut owners = BTreeMap::new();
    let mut members = Vec::new();
    // Where the part of the system ends that is looked at now.
    let mut system_ends = 0;
    let mut id = 0;
    while let Some(node) = tree.at(id) {
        if node.is_directory() && is_left_behind(node) || runtimes.is_one(node) {
            id += node.subtree().len();
            continue;
        }
        if node.is_directory() && id >= system_ends && is_system(node) {
            system_ends = id + node.subtree().len();
        }
        id += 1;
        let is_of_a_script = id <= system_ends && packaged.contains(node.layer());
        if is_of_a_script && (work.facts.is_told || node.is_directory()) || runtimes.brought(node) {
            continue;
        }
        if node.is_directory() {
            // An empty one is there because somebody writes to it.
            members.push(node);
            continue;
        }
        let path = node.path();
        let is_owned = work.facts.installed.owner(&path).is_some();
        // A setting that a person wrote is none that came with a package.
        let is_setting = !is_of_a_script && path.as_bytes().starts_with(b"etc/");
        if is_owned || !is_setting && spare::class(work, node).is_some() {
            continue;
        }
        if !is_of_a_script || is_made_by_kept(work, node, &mut owners) {
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
        .filter(|&node| is_module(node) || !work.facts.is_told && is_script(work, node))
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

/// True for what a person made executable and that says what reads it, or that
/// other interpreters take.
fn is_script(work: &Work<'_>, file: Node<'_>) -> bool {
    const SCRIPTS: [&str; 11] = [
        "awk", "bash", "cgi", "exp", "fcgi", "ksh", "lua", "mk", "psgi", "sh", "tcl",
    ];
    let extension = file.name().rsplit(|&byte| byte == b'.').next();
    let is_named = SCRIPTS
        .iter()
        .any(|known| extension == Some(known.as_bytes()));
    let is_small = file.is_file() && file.size_bytes() <= SCRIPT_BYTES;
    let says_what_reads_it = || {
        let head = work.facts.contents.read(file, 2);
        head.is_ok_and(|head| *head == *b"#!")
    };
    is_small && (is_named || file.mode() & 0o111 != 0 && says_what_reads_it())
}

/// True for what a package's script made beside its own files: a cache, a
/// registry of plugins. All that is packaged around it is of one package, and
/// that one stays. `owners` remembers what was asked of a directory.
fn is_made_by_kept(
    work: &Work<'_>,
    file: Node<'_>,
    owners: &mut BTreeMap<usize, Option<usize>>,
) -> bool {
    let Some(directory) = file.parent() else {
        return false;
    };
    let owner = owners
        .entry(directory.id())
        .or_insert_with(|| only_owner(work, directory));
    owner.is_some_and(|owner| work.whole.contains(&Whole::Package(owner)))
}

/// The package of all files of a directory that belong to one.
fn only_owner(work: &Work<'_>, directory: Node<'_>) -> Option<usize> {
    let installed = work.facts.installed;
    let files = directory.children().filter(|node| !node.is_directory());
    let mut owners = files.filter_map(|node| installed.owner_index(&node.path()));
    let first = owners.next()?;
    owners.all(|owner| owner == first).then_some(first)
}

/// The layers in which packages were installed: their scripts ran there.
enum PackagedLayers {
    /// Those that a list of files came in.
    These(BTreeSet<u32>),
    /// Those up to the last one that wrote the database anew.
    UpTo(u32),
    /// It cannot be told.
    All,
}

impl PackagedLayers {
    fn of(tree: &Tree) -> Self {
        let lists = tree.get(b"var/lib/dpkg/info".as_slice());
        let lists = lists.into_iter().flat_map(|directory| directory.children());
        let layers: BTreeSet<u32> = lists.map(|list| list.layer()).collect();
        if !layers.is_empty() {
            return Self::These(layers);
        }
        let databases = DATABASES
            .iter()
            .filter_map(|path| tree.get(path.as_bytes()));
        let last = databases.map(|node| node.layer()).max();
        last.map_or(Self::All, Self::UpTo)
    }

    fn contains(&self, layer: u32) -> bool {
        match self {
            Self::These(layers) => layers.contains(&layer),
            Self::UpTo(last) => layer <= *last,
            Self::All => true,
        }
    }
}

/// True for directories where nobody keeps what is to be shipped.
fn is_left_behind(directory: Node<'_>) -> bool {
    let path = directory.path();
    LEFT_BEHIND
        .iter()
        .any(|known| known.as_bytes() == path.as_bytes())
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
