//! Siblings: a file that was found by listing a directory, or by a computed
//! name, is one of a kind whose others may be asked for next: codecs, zones,
//! plugins, templates, locales, assets.

use jettison_image::Node;
use jettison_plan::{Reason, ReasonKind};

use crate::follow::{BY_DROP, Doubt, Work};
use crate::keeping::file_path;

/// More bytes than a family brings unless something else asks for it.
const MOST_BYTES: u64 = 64 << 20;

/// More bytes than data of one purpose has.
const MOST_DATA: u64 = 8 << 20;

/// Directories of many kinds of things, where a neighbour says nothing.
const GENERAL: [&str; 27] = [
    "",
    "bin",
    "sbin",
    "lib",
    "lib64",
    "etc",
    "home",
    "root",
    "opt",
    "srv",
    "tmp",
    "var",
    "run",
    "usr",
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/share",
    "usr/local",
    "usr/local/bin",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/local/share",
    "var/lib",
    "usr/lib/locale",
];

/// Keeps the siblings of what probes found by listing or by computed names.
pub(crate) fn apply(work: &mut Work<'_>) {
    let tree = work.facts.tree;
    let listed: Vec<_> = work.listed.difference(&work.seen).copied().collect();
    for id in listed {
        work.seen.insert(id);
        let is_open = |&node: &Node<'_>| !is_general(work, node) && !holds_a_unit(work, node);
        let Some(directory) = tree.at(id).filter(is_open) else {
            continue;
        };
        siblings(work, directory, None, "was listed by a probe");
    }
    let opened: Vec<_> = work.opened.difference(&work.seen).copied().collect();
    for id in opened {
        work.seen.insert(id);
        let Some(file) = tree.at(id) else { continue };
        // What stands in a kept file as text was not found by a computed name.
        let Some(directory) = file.parent().filter(|_| !work.named.contains(&id)) else {
            continue;
        };
        let comes_whole = work.facts.installed.unit(&file.path()).is_some();
        if comes_whole || is_general(work, directory) || is_shared_library(file) {
            continue;
        }
        if is_shared_data(directory) && neighbours_bytes(work, directory) <= MOST_DATA {
            siblings(
                work,
                directory,
                None,
                "holds data that a probe found by a computed name",
            );
        } else if let Some(extension) = extension(file.name()) {
            siblings(
                work,
                directory,
                Some(extension),
                "holds files that a probe found by a computed name",
            );
        }
    }
}

/// True for data that serves any machine (FHS 3.0, 4.11): it is of one purpose
/// there, whatever its kind.
fn is_shared_data(directory: Node<'_>) -> bool {
    let path = directory.path();
    let below = path.as_bytes().strip_prefix(b"usr/");
    let below = below.map(|rest| rest.strip_prefix(b"local/").unwrap_or(rest));
    below.is_some_and(|rest| rest.starts_with(b"share/"))
}

/// What the other files of a directory would bring.
fn neighbours_bytes(work: &Work<'_>, directory: Node<'_>) -> u64 {
    let files = directory.children().filter(|node| node.is_file());
    let missing = files.filter(|&node| !work.keeping.has(node));
    missing.map(|node| node.size_bytes()).sum()
}

/// Keeps the regular files of a directory, or those of one extension.
fn siblings<'a>(work: &mut Work<'a>, directory: Node<'a>, of: Option<&[u8]>, why: &str) {
    let is_sibling = |node: &Node<'a>| {
        (node.is_file() || node.link_target().is_some())
            && of.is_none_or(|wanted| extension(node.name()) == Some(wanted))
    };
    let members: Vec<Node<'a>> = directory.children().filter(is_sibling).collect();
    let bytes: u64 = members
        .iter()
        .filter(|&&node| !work.keeping.has(node))
        .map(Node::size_bytes)
        .sum();
    let path = directory.path();
    if bytes > MOST_BYTES {
        work.notes.push(format!(
            "{} {why}; its other files are {bytes} bytes, which is more than a family brings unasked",
            path.display()
        ));
        return;
    }
    let what = match of {
        Some(of) => format!(
            "{}/*.{}",
            path.display(),
            String::from_utf8_lossy(of).escape_debug()
        ),
        None => format!("{}/*", path.display()),
    };
    let reason = Reason::because(ReasonKind::Family, file_path(directory), why);
    let doubt = Doubt {
        what: &what,
        because: why,
        saved_by: BY_DROP,
    };
    work.keep_in_doubt(members, &reason, doubt);
}

/// True for directories of modules: their units say what belongs together.
fn holds_a_unit(work: &Work<'_>, directory: Node<'_>) -> bool {
    let mut files = directory.children().filter(|node| node.is_file());
    files.any(|file| work.facts.installed.unit(&file.path()).is_some())
}

/// True where a neighbour says nothing: directories of every kind of thing,
/// and those that interpreters list to find modules, whose packages come whole.
fn is_general(work: &Work<'_>, directory: Node<'_>) -> bool {
    let path = directory.path();
    let text = path.as_bytes();
    let is_library_directory = |text: &[u8]| {
        let below = text.strip_prefix(b"usr/").unwrap_or(text);
        let name = below.strip_prefix(b"lib/").unwrap_or_default();
        !name.contains(&b'/') && name.windows(7).any(|part| part == b"-linux-")
    };
    let holds_modules = matches!(
        directory.name(),
        b"site-packages" | b"dist-packages" | b"node_modules" | b"gems" | b"specifications"
    );
    GENERAL.iter().any(|general| general.as_bytes() == text)
        || is_library_directory(text)
        || holds_modules
        || path.starts_with(work.facts.working_directory) && text.is_empty()
}

fn is_shared_library(file: Node<'_>) -> bool {
    file.name().windows(4).any(|part| part == b".so.")
}

/// What follows the last dot of a name that has something before it.
fn extension(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().rposition(|&byte| byte == b'.')?;
    (at > 0 && at + 1 < name.len()).then(|| &name[at + 1..])
}
