//! Node: what a module requires or imports, by a full parser of JavaScript and
//! TypeScript; the files that it names below its own directory; the programs
//! that it starts; the scripts of `package.json`.
//!
//! Names are resolved as Node does. Conditions of `exports` that only bundlers
//! and browsers choose are left out. A name that is put together while running
//! stands for the directory, or the packages, that its known beginning names.

mod evaluate;
mod finder;
mod package;
mod resolve;

use jettison_image::{ImagePath, Node};
use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;

use crate::scripts::nesting::{self, Syntax};
use crate::scripts::{Reader, command, shebang, shell};
use crate::{Edge, How, World};
use finder::Finder;
use resolve::Resolver;

/// Bundles of whole applications are not larger.
const MOST_BYTES: usize = 16 << 20;
/// Scripts of `package.json` that run each other.
const MOST_SCRIPTS: usize = 8;

/// What a JavaScript or TypeScript file leads to.
pub fn edges(world: &World, node: Node, data: &[u8]) -> Vec<Edge> {
    let mut reader = Reader::of(world, node);
    shebang::edges(&mut reader, data);
    read(&mut reader, &node.path(), data);
    reader.into_edges()
}

/// `node MODULE`: a file, or a directory with a package.
pub(crate) fn script(reader: &mut Reader, name: &[u8]) {
    let directory = reader.world.working_directory.clone();
    let path = String::from_utf8_lossy(name);
    let path = if path.starts_with('/') || path.starts_with('.') {
        path.into_owned()
    } else {
        format!("./{path}")
    };
    require(reader, &directory, &path);
}

/// A module that is loaded beforehand: `node --require MODULE`.
pub(crate) fn require(reader: &mut Reader, directory: &ImagePath, name: &str) {
    let resolved = Resolver::new(reader.world).resolve(directory, name);
    finder::add(reader, name, resolved);
}

/// `node -e TEXT`.
pub(crate) fn code(reader: &mut Reader, text: &[u8]) {
    if let Ok(path) = reader.world.working_directory.join("[eval]") {
        read(reader, &path, text);
    }
}

/// `npm start`, `yarn NAME`: the command lines that `package.json` has under
/// that name, and those that run before and after it.
pub(crate) fn run(reader: &mut Reader, name: &str) {
    run_nested(reader, name, 0);
}

fn run_nested(reader: &mut Reader, name: &str, depth: usize) {
    let Some(package) = package::nearest(&reader.world, reader.world.working_directory) else {
        return;
    };
    reader.add(package.path.clone(), How::Names, "tells the scripts");
    let directory = package.directory();
    let mut at = Some(directory.clone());
    while let Some(one) = at {
        if let Ok(programs) = one.join("node_modules/.bin")
            && !reader.paths.contains(&programs)
            && reader.paths.len() < 64
        {
            reader.paths.push(programs);
        }
        at = one.parent();
    }
    let mut found = false;
    for name in [format!("pre{name}"), name.to_owned(), format!("post{name}")] {
        let text = package.text(&["scripts", &name]);
        let Some(text) = text.filter(|_| depth < MOST_SCRIPTS) else {
            continue;
        };
        found = true;
        reader.run(b"/bin/sh");
        reader.nested(|reader| shell::text(reader, text.as_bytes()));
        // `run-s build:*`, `npm-run-all`
        for word in text.split_whitespace().skip(1).take(16) {
            if word != name && package.text(&["scripts", word]).is_some() {
                run_nested(reader, word, depth + 1);
            }
        }
    }
    if !found && name == "start" {
        let argv = [b"node".to_vec(), b"server.js".to_vec()];
        command::line(reader, &argv);
    }
}

fn read(reader: &mut Reader, path: &ImagePath, data: &[u8]) {
    if data.len() > MOST_BYTES || shell::is_binary(data) {
        return;
    }
    let text = String::from_utf8_lossy(data);
    let mut finder = Finder::new(reader, path);
    for source_type in source_types(path) {
        let parsed = nesting::parse(&text, Syntax::JavaScript, || {
            let allocator = Allocator::default();
            let parsed = Parser::new(&allocator, &text, source_type).parse();
            if !parsed.panicked {
                finder.program(&parsed.program);
            }
            !parsed.panicked
        });
        match parsed {
            Some(true) => return,
            Some(false) => {}
            None => break,
        }
    }
    finder.scan(&text);
}

/// What a file may be, most likely first.
fn source_types(path: &ImagePath) -> Vec<SourceType> {
    let name = path.file_name();
    let extension = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    match extension {
        b"ts" | b"mts" | b"cts" => vec![SourceType::ts()],
        b"tsx" => vec![SourceType::tsx()],
        b"mjs" => vec![SourceType::mjs(), SourceType::cjs()],
        b"cjs" => vec![SourceType::cjs(), SourceType::mjs()],
        _ => vec![
            SourceType::unambiguous(),
            SourceType::cjs(),
            SourceType::jsx(),
        ],
    }
}

#[cfg(test)]
mod tests;
