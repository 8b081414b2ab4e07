//! Which files of a whole may go all the same.
//!
//! A file of a droppable class goes, unless a program that stays is known to
//! read files of that class.

use std::collections::BTreeSet;

use jettison_image::Node;
use jettison_packages::droppable::{self, Class};

use crate::follow::Work;

/// The droppable class of a file, where nothing that stays reads the class.
pub(crate) fn class(work: &Work<'_>, node: Node<'_>) -> Option<Class> {
    if node.is_directory() {
        return None;
    }
    let path = node.path();
    let owner = work.facts.installed.owner(&path);
    let owner = owner.map(|(package, _)| package);
    let class = droppable::class(&path, owner, node.link_target().is_some())?;
    // Cache files come and go with their source, which is asked for by itself.
    let stays = class == Class::Bytecode || work.read_classes.contains(&class);
    (!stays).then_some(class)
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
