//! Any file: read as what its `#!`, its magic or its name says it is.

use jettison_image::Node;

use super::{Reader, data, shebang, shell, wrappers};
use crate::{Edge, World};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A shell script.
    Shell,
    /// Text that names files: JSON, YAML, ini and their kind.
    Data,
}

/// What a file leads to; nothing for one that no reader here understands,
/// compiled programs among them.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    match language(node, data) {
        Some(Language::Shell) => shell::edges(world, node, data),
        Some(Language::Data) => data::edges(world, node, data),
        None => {
            let mut reader = Reader::of(world, node);
            shebang::edges(&mut reader, data);
            reader.into_edges()
        }
    }
}

/// What a file is, by its first line, else by its name.
pub fn language(node: Node, data: &[u8]) -> Option<Language> {
    if let Some(shebang) = shebang::Shebang::of(data) {
        return of_interpreter(&shebang.language());
    }
    if shell::is_binary(data) {
        return None;
    }
    let name = node.name();
    let extension = name.rsplit(|&byte| byte == b'.').next();
    let extension = extension.filter(|extension| extension.len() < name.len());
    match extension.unwrap_or_default() {
        b"sh" | b"bash" | b"ksh" | b"dash" => Some(Language::Shell),
        _ => data::is_data(node, data).then_some(Language::Data),
    }
}

fn of_interpreter(name: &[u8]) -> Option<Language> {
    match name {
        name if wrappers::is_shell(name) => Some(Language::Shell),
        b"busybox" | b"with-contenv" => Some(Language::Shell),
        _ => None,
    }
}
