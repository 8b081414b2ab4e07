//! Any file: read as what its `#!`, its magic or its name says it is.

use jettison_image::Node;

use super::{Reader, data, shebang, shell, wrappers};
use crate::languages::{java, perl, php, rows, ruby};
use crate::{Edge, World, node, python};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// A shell script.
    Shell,
    /// A Python module or script.
    Python,
    /// A JavaScript or TypeScript module.
    JavaScript,
    /// A Perl module or script.
    Perl,
    /// A Ruby file.
    Ruby,
    /// A PHP file.
    Php,
    /// A script of a smaller language.
    Row(&'static rows::Row),
    /// A Java archive.
    Jar,
    /// Text that names files: JSON, YAML, ini and their kind.
    Data,
}

/// What a file leads to; nothing for one that no reader here understands,
/// compiled programs among them.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    match language(node, data) {
        Some(Language::Shell) => shell::edges(world, node, data),
        Some(Language::Python) => python::edges(world, node, data),
        Some(Language::JavaScript) => node::edges(world, node, data),
        Some(Language::Perl) => perl::edges(world, node, data),
        Some(Language::Ruby) => ruby::edges(world, node, data),
        Some(Language::Php) => php::edges(world, node, data),
        Some(Language::Row(row)) => rows::edges(world, node, data, row),
        Some(Language::Jar) => java::edges(world, node, data),
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
    if java::is_jar(node, data) {
        return Some(Language::Jar);
    }
    if shell::is_binary(data) {
        return None;
    }
    let name = node.name();
    let extension = name.rsplit(|&byte| byte == b'.').next();
    let extension = extension.filter(|extension| extension.len() < name.len());
    match extension.unwrap_or_default() {
        b"sh" | b"bash" | b"ksh" | b"dash" => Some(Language::Shell),
        b"py" | b"pyw" | b"pth" | b"wsgi" => Some(Language::Python),
        b"js" | b"mjs" | b"cjs" | b"ts" | b"mts" | b"cts" | b"tsx" | b"jsx" => {
            Some(Language::JavaScript)
        }
        b"pl" | b"pm" | b"psgi" | b"cgi" => Some(Language::Perl),
        b"rb" | b"ru" | b"rake" | b"gemspec" => Some(Language::Ruby),
        b"php" | b"phtml" | b"inc" => Some(Language::Php),
        _ if matches!(name, b"Gemfile" | b"Rakefile") => Some(Language::Ruby),
        _ => match rows::of_name(name) {
            Some(row) => Some(Language::Row(row)),
            None => data::is_data(node, data).then_some(Language::Data),
        },
    }
}

fn of_interpreter(name: &[u8]) -> Option<Language> {
    match name {
        name if wrappers::is_shell(name) => Some(Language::Shell),
        b"python" | b"pypy" => Some(Language::Python),
        b"node" | b"nodejs" | b"ts-node" | b"tsx" | b"bun" => Some(Language::JavaScript),
        b"perl" => Some(Language::Perl),
        b"ruby" => Some(Language::Ruby),
        b"php" => Some(Language::Php),
        b"busybox" | b"with-contenv" => Some(Language::Shell),
        name => rows::of_interpreter(name).map(Language::Row),
    }
}
