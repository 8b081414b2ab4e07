//! Data that a kind of program needs without naming it: certificates, zones,
//! plugins, message catalogs. What brings what is one table ([`table`]); a row
//! applies to a file by what the file is or calls, so a library brings its
//! own, whoever loads it.
//!
//! Nothing is reported that the tree does not have: most of these are looked
//! for in several places, and a program does without what is nowhere.

mod row;
mod rules;
mod table;

use jettison_image::{Follow, ImagePath};

use self::row::{Bring, Row, expanded};
use crate::World;
use crate::edge::Edge;
use crate::edge::How;
use crate::facts::ProgramFacts;
use crate::glob::glob;
use crate::scripts::Reader;

/// The companions of one program or library, each with the name of its row and
/// the reason: files as [`How::Companion`], whole directories as
/// [`How::Family`], programs as [`How::Runs`], libraries that are opened by
/// name as [`How::Opens`].
pub fn of(world: &World<'_>, facts: &ProgramFacts<'_>) -> Vec<Edge> {
    let mut reader = Reader::new(world);
    for row in table::TABLE {
        if row.when.iter().any(|when| when.holds(facts)) {
            for bring in row.brings {
                add(&mut reader, facts, row, bring);
            }
        }
    }
    let mut edges = reader.into_edges();
    edges.retain(|edge| edge.to != facts.path);
    edges
}

/// Names and reasons of the table's rows, in its order.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    table::TABLE.iter().map(|row| (row.name, row.because))
}

fn add(reader: &mut Reader<'_>, facts: &ProgramFacts<'_>, row: &Row, bring: &Bring) {
    let detail = format!("{} ({})", row.because, row.name);
    let tree = reader.world.tree;
    match bring {
        Bring::Files(pattern) | Bring::All(pattern) | Bring::Unshown(pattern) => {
            let how = match bring {
                Bring::All(_) => How::Family,
                Bring::Unshown(_) => How::Choice,
                _ => How::Companion,
            };
            for pattern in expanded(pattern, &facts.path) {
                matching(reader, &pattern, how, &detail);
            }
        }
        Bring::Variable(name) => {
            let value = reader
                .world
                .environment
                .get(*name)
                .cloned()
                .unwrap_or_default();
            for path in value.split(':').filter(|path| path.starts_with('/')) {
                let Ok(node) = tree.resolve(path, Follow::All) else {
                    continue;
                };
                let Ok(path) = ImagePath::new(path) else {
                    continue;
                };
                let how = if node.is_directory() {
                    How::Family
                } else {
                    How::Companion
                };
                reader.add(path, how, format!("{detail}, by {name}"));
            }
        }
        Bring::Program(name) => {
            if let Some(path) = reader.world.command(name.as_bytes()) {
                reader.add(path, How::Runs, detail);
            }
        }
        Bring::Found(rule) => rule(reader, facts, &detail),
    }
}

/// Adds what an absolute pattern matches: directories in the way that is said,
/// files as such.
pub(super) fn matching(reader: &mut Reader<'_>, pattern: &[u8], how: How, detail: &str) {
    let tree = reader.world.tree;
    for (path, node) in glob(tree, pattern) {
        let Ok(path) = ImagePath::new(path) else {
            continue;
        };
        let end = tree.resolve(&path, Follow::All).unwrap_or(node);
        let how = match end.is_directory() {
            true => how,
            false => How::Companion,
        };
        reader.add(path, how, detail);
    }
}

#[cfg(test)]
mod tests;
