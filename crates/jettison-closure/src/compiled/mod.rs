//! What a compiled program names: libraries that it opens by name, files and
//! directories whose paths stand in it, programs that it may run. These are
//! hints: a name may be put together while the program runs, and a text may be
//! nothing but a message.
//!
//! Sources that debug information names are no edges, nor are directories of
//! the system itself.

mod libraries;
mod paths;
mod programs;

use jettison_image::Node;

use crate::edge::Edge;
use crate::facts::ProgramFacts;
use crate::loader::Loader;
use crate::scripts::Reader;

/// What an ELF file names; nothing for any other file.
pub fn edges<'a>(loader: &Loader<'a>, node: Node<'a>, data: &[u8]) -> Vec<Edge> {
    match ProgramFacts::read(node, data) {
        Some(facts) => edges_of(loader, node, &facts),
        None => Vec::new(),
    }
}

/// The same, of a file whose facts are known.
pub fn edges_of<'a>(loader: &Loader<'a>, node: Node<'a>, facts: &ProgramFacts<'_>) -> Vec<Edge> {
    let mut reader = Reader::of(loader.world(), node);
    if is_c_library(facts) {
        return Vec::new();
    }
    libraries::edges(&mut reader, loader, node, facts);
    paths::edges(&mut reader, facts);
    programs::edges(&mut reader, facts);
    reader.into_edges()
}

/// The C library and its loader name everything that any program may ask them
/// for; what this one's programs ask for, their calls tell (companions).
fn is_c_library(facts: &ProgramFacts<'_>) -> bool {
    let soname = facts.elf.soname.as_deref().unwrap_or_default();
    [soname.as_bytes(), facts.name()].iter().any(|name| {
        [
            b"libc.so".as_slice(),
            b"libc.musl-",
            b"libc-2.",
            b"ld-linux",
            b"ld-musl-",
            b"ld-2.",
            b"ld64.so",
            b"ld.so",
        ]
        .iter()
        .any(|start| name.starts_with(start))
    })
}

#[cfg(test)]
mod tests;
