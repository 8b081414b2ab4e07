//! Further names of programs that stay: links in `PATH`. A name costs nothing,
//! and whoever calls a program by another one expects it.

use std::collections::BTreeSet;

use jettison_image::{Follow, Node};
use jettison_plan::{Reason, ReasonKind};

use crate::follow::Work;
use crate::keeping::file_path;

/// Keeps the links in `PATH` that lead to what is kept.
pub(crate) fn apply(work: &mut Work<'_>) {
    let tree = work.facts.tree;
    let directories: BTreeSet<usize> = work
        .world
        .search_path()
        .filter_map(|path| work.world.directory(path.as_bytes()))
        .map(|node| node.id())
        .collect();
    for directory in directories.into_iter().filter_map(|id| tree.at(id)) {
        let links = directory.children().filter(|node| is_link(node));
        for link in links
            .filter(|&link| !work.keeping.has(link))
            .collect::<Vec<_>>()
        {
            if let Ok(end) = tree.resolve(link.path(), Follow::All)
                && end.is_file()
                && work.keeping.has(end)
            {
                let reason =
                    Reason::because(ReasonKind::Needed, file_path(end), "another name of it");
                work.keeping
                    .keep_path_as(link.path(), Follow::AllButLast, &reason, false);
            }
        }
    }
}

fn is_link(node: &Node<'_>) -> bool {
    node.link_target().is_some()
}
