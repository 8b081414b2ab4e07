//! Which files of a whole may go all the same.
//!
//! A file of a droppable class goes, unless a program that stays is known to
//! read files of that class.

use std::collections::BTreeSet;

use jettison_image::{ImagePath, Node};
use jettison_packages::droppable::{self, Class};
use jettison_packages::installed::compiled_from;

use crate::follow::Work;

/// The variable in place of -O (python(1)).
const OPTIMISE: &str = "PYTHONOPTIMIZE";

/// The droppable class of a file, where nothing that stays reads the class.
pub(crate) fn class(work: &Work<'_>, node: Node<'_>) -> Option<Class> {
    if node.is_directory() {
        return None;
    }
    let path = node.path();
    if let Some(source) = compiled_from(&path) {
        // Cache files go with their source, and those for -O without it.
        let is_wanted = !is_optimised(node) || work.facts.environment.contains_key(OPTIMISE);
        let goes = !is_wanted || class_of(work, &source, false).is_some();
        return goes.then_some(Class::Bytecode);
    }
    class_of(work, &path, node.link_target().is_some())
}

fn class_of(work: &Work<'_>, path: &ImagePath, is_link: bool) -> Option<Class> {
    let owner = work.facts.installed.owner(path);
    let owner = owner.map(|(package, _)| package);
    let class = droppable::class(path, owner, is_link)?;
    (!work.read_classes.contains(&class)).then_some(class)
}

/// `m.cpython-311.opt-1.pyc`: Python reads it when it is started with -O.
fn is_optimised(node: Node<'_>) -> bool {
    node.name().windows(5).any(|part| part == b".opt-")
}

/// Finds out which classes are read by what stays now; true when there are
/// more of them than before.
pub(crate) fn look(work: &mut Work<'_>) -> bool {
    let mut names: BTreeSet<&[u8]> = BTreeSet::new();
    let mut run: BTreeSet<&[u8]> = BTreeSet::new();
    for (node, _) in work.keeping.kept() {
        if node.is_file() && work.keeping.is_firm(node) {
            names.insert(node.name());
            let id = node.id();
            if work.started.contains(&id) || work.executed.contains(&id) {
                run.insert(node.name());
            }
        }
    }
    let before = work.read_classes.len();
    for class in Class::ALL {
        // Package managers come along with many a script that nobody runs.
        let users = match class {
            Class::PackageRecords | Class::PackageCaches => &run,
            _ => &names,
        };
        if users.iter().any(|name| class.is_user(name)) {
            work.read_classes.insert(class);
        }
    }
    work.read_classes.len() > before
}

/// Keeps what families were kept without, as far as it is read after all.
pub(crate) fn restore(work: &mut Work<'_>) {
    let tree = work.facts.tree;
    for (id, reason) in std::mem::take(&mut work.spared) {
        match tree.at(id) {
            Some(node) if class(work, node).is_none() => {
                work.keeping.keep_loosely(node, reason);
            }
            _ => work.spared.push((id, reason)),
        }
    }
}
