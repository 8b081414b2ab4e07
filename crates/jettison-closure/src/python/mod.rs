//! Python: what a module imports, in every branch and function, by a full
//! parser; the modules and files that it names in strings; the programs that
//! it starts.
//!
//! The module path is that of the interpreter in the tree: its own library,
//! virtual environments, `.pth` files, `PYTHONPATH`, the script's directory.
//! Nothing is imported or run, so what a program puts together from parts that
//! only running tells is taken as a whole: the package, the directory.

mod calls;
mod evaluate;
mod finder;
mod imports;
mod interpreter;
mod metadata;
mod modules;

use jettison_image::{ImagePath, Node};

use crate::scripts::nesting::{self, Syntax};
use crate::scripts::{Reader, shebang};
use crate::{Edge, World};
use finder::Finder;
use interpreter::Interpreter;

/// Sources that are larger are data: tables of characters, embedded archives.
const MOST_BYTES: usize = 8 << 20;

/// What a Python file leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    let shebang = shebang::edges(&mut reader, data);
    let path = node.path();
    let starts = shebang.is_some();
    let program = shebang.and_then(|shebang| reader.program(shebang.program().first()?));
    let interpreter = Interpreter::find(world, program.as_ref(), Some(&path));
    if starts {
        startup(&mut reader, &interpreter);
    }
    if path.as_bytes().ends_with(b".pth") {
        path_file(&mut reader, &interpreter, &path, data);
    } else {
        read(&mut reader, interpreter, Some(&path), data);
    }
    reader.into_edges()
}

/// What every interpreter loads before the program's first line (Python/pylifecycle.c, Lib/site.py). Newer ones
/// have some of it frozen inside and look for the files all the same.
const STARTUP: &[&str] = &[
    "_collections_abc",
    "_sitebuiltins",
    "abc",
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_8",
    "genericpath",
    "importlib",
    "importlib.util",
    "importlib.machinery",
    "io",
    "os",
    "posixpath",
    "runpy",
    "site",
    "stat",
    "sitecustomize",
    "usercustomize",
    "zipimport",
];

/// `python …`: what the interpreter loads by itself.
pub(crate) fn interpreter(reader: &mut Reader, program: Option<&ImagePath>) {
    let interpreter = Interpreter::find(&reader.world, program, None);
    startup(reader, &interpreter);
}

fn startup(reader: &mut Reader, interpreter: &Interpreter) {
    interpreter.start(reader);
    let resolver = modules::Resolver::new(reader.world, interpreter);
    for name in STARTUP {
        for file in resolver.files(name) {
            reader.add(
                file,
                crate::How::Imports,
                "is imported when the interpreter starts",
            );
        }
    }
}

/// `python -m MODULE`, `gunicorn MODULE:APP`.
pub(crate) fn module(reader: &mut Reader, program: Option<&ImagePath>, name: &str, runs: bool) {
    let mut interpreter = Interpreter::find(&reader.world, program, None);
    let name = name.split([':', '(']).next().unwrap_or(name);
    interpreter.add(reader.world.working_directory.clone());
    let resolver = modules::Resolver::new(reader.world, &interpreter);
    let found = resolver.files(name);
    for file in &found {
        modules::import(reader, file.clone(), name);
    }
    if runs {
        for file in resolver.files(&format!("{name}.__main__")) {
            modules::import(reader, file, name);
        }
    }
}

/// `python -c TEXT`.
pub(crate) fn code(reader: &mut Reader, program: Option<&ImagePath>, text: &[u8]) {
    let mut interpreter = Interpreter::find(&reader.world, program, None);
    interpreter.add(reader.world.working_directory.clone());
    read(reader, interpreter, None, text);
}

/// `python SCRIPT`, whatever the script is called.
pub(crate) fn script(reader: &mut Reader, program: Option<&ImagePath>, path: &ImagePath) {
    let Some(node) = reader.world.file(path) else {
        return;
    };
    let data = reader.content(node);
    let interpreter = Interpreter::find(&reader.world, program, Some(path));
    read(reader, interpreter, Some(path), &data);
}

fn read(reader: &mut Reader, mut interpreter: Interpreter, path: Option<&ImagePath>, data: &[u8]) {
    if data.len() > MOST_BYTES || data.contains(&0) {
        return;
    }
    let text = String::from_utf8_lossy(data);
    if let Some(path) = path {
        interpreter.add_own(&reader.world, path);
    }
    let mut finder = Finder::new(reader, interpreter, path);
    let parsed = nesting::parse(&text, Syntax::Python, || {
        let options = ruff_python_parser::ParseOptions::from(ruff_python_parser::Mode::Module);
        let parsed = ruff_python_parser::parse_unchecked(&text, options);
        finder.module(parsed.syntax());
        // Python 2, or no Python at all.
        parsed.errors().is_empty()
    });
    if parsed != Some(true) {
        finder.scan(&text);
    }
}

/// A `.pth` file of a site directory: directories, and lines that are run.
fn path_file(reader: &mut Reader, interpreter: &Interpreter, path: &ImagePath, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let directory = path.parent().unwrap_or_else(ImagePath::root);
    for line in text.lines().take(1000).map(str::trim) {
        if line.starts_with("import ") || line.starts_with("import\t") {
            read(reader, interpreter.clone(), None, line.as_bytes());
        } else if !line.is_empty() && !line.starts_with('#') {
            let world = reader.world;
            if let Some(found) = crate::scripts::existing(&world, &directory, line.as_bytes()) {
                reader.add(found, crate::How::Names, "is put on the module path");
            }
        }
    }
}

#[cfg(test)]
mod tests;
