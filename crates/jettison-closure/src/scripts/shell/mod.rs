//! Shell scripts: every command of every branch, also of those not taken, in
//! functions, substitutions, traps and `eval`ed texts; what they source, read
//! and choose among.
//!
//! A word is worth the values that its variables are given anywhere in the
//! script, what it sources, or the image's environment; the order of commands
//! plays no part. What does not parse is scanned word by word besides.

mod commands;
mod program;
mod scan;
mod substitution;
mod words;

use jettison_image::Node;

use super::reader::Reader;
use super::shebang;
use crate::{Edge, World};
use program::Program;

/// What a shell script leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    shebang::edges(&mut reader, data);
    let mut program = Program::new(data, Some(node.path()));
    program.read(&mut reader);
    reader.into_edges()
}

/// Reads a text handed to a shell.
pub(crate) fn text(reader: &mut Reader, text: &[u8]) {
    Program::new(text, None).read(reader);
}

/// Reads a script handed to a shell by name, whatever its first line says.
pub(crate) fn script(reader: &mut Reader, name: &[u8]) {
    let found = reader.existing(name).or_else(|| reader.program(name));
    let Some(path) = found else {
        return;
    };
    let Some(node) = reader.world.file(&path) else {
        return;
    };
    let data = reader.content(node);
    if !is_binary(&data) {
        Program::new(&data, Some(path)).read(reader);
    }
}

/// Whether a shell would refuse to read it.
pub(crate) fn is_binary(data: &[u8]) -> bool {
    data[..data.len().min(512)].contains(&0)
}

#[cfg(test)]
mod tests;
