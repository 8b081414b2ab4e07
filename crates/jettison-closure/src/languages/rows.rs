//! Tcl, Lua, R, awk, jq, make: scripts that name what they need behind few words.
//! One row for each language; the next one is a row more.

use std::collections::HashSet;

use jettison_image::{ImagePath, Node};

use super::{home, script, text};
use crate::scripts::{Reader, pattern, shell};
use crate::{Edge, How, World};

/// How a language's scripts name what they need.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// What reads them, without versions.
    interpreters: &'static [&'static str],
    /// Names of files, `*` for anything.
    files: &'static [&'static str],
    /// What a line that says nothing begins with.
    comments: &'static [&'static str],
    /// Words before a module.
    imports: &'static [&'static str],
    /// Where modules lie, beside the script's own directory and the one that
    /// it is run in.
    modules: &'static [&'static str],
    /// What a module is called there, `?` for its name.
    module_files: &'static [&'static str],
    /// What stands for a slash in a module's name.
    separator: Option<char>,
    /// Words before another file.
    reads: &'static [&'static str],
    /// Words before a command.
    runs: &'static [&'static str],
    /// A bar stands before a command too.
    pipes: bool,
    /// What begins a line of a shell's.
    recipe: Option<u8>,
}

/// Words between the one that says what follows, and that.
const AHEAD: usize = 16;
/// Where package managers put what people wrote who build otherwise.
const PACKAGED: [&str; 4] = ["node_modules", "site-packages", "dist-packages", "gems"];

const NOTHING: Row = Row {
    interpreters: &[],
    files: &[],
    comments: &["#"],
    imports: &[],
    modules: &[],
    module_files: &[],
    separator: None,
    reads: &[],
    runs: &[],
    pipes: false,
    recipe: None,
};

static ROWS: [Row; 6] = [
    // Packages are a companion of the interpreter.
    Row {
        interpreters: &["tclsh", "wish", "expect"],
        files: &["*.tcl", "*.tm", "*.exp"],
        reads: &["source", "load"],
        runs: &["exec", "spawn", "open"],
        pipes: true,
        ..NOTHING
    },
    Row {
        interpreters: &["lua", "luajit", "texlua"],
        files: &["*.lua"],
        comments: &["--"],
        imports: &["require"],
        modules: &[
            "usr/share/lua/*",
            "usr/lib/*/lua/*",
            "usr/local/share/lua/*",
            "usr/local/lib/lua/*",
        ],
        module_files: &["?.lua", "?/init.lua", "?.so"],
        separator: Some('.'),
        reads: &["dofile", "loadfile"],
        runs: &["os.execute", "io.popen"],
        ..NOTHING
    },
    Row {
        interpreters: &["Rscript", "R", "r"],
        files: &["*.R", "*.r", "NAMESPACE"],
        imports: &[
            "library",
            "require",
            "requireNamespace",
            "loadNamespace",
            "import",
            "importFrom",
        ],
        modules: &[
            "usr/lib/R/library",
            "usr/lib/R/site-library",
            "usr/local/lib/R/library",
            "usr/local/lib/R/site-library",
        ],
        module_files: &["?"],
        reads: &["source", "sys.source"],
        runs: &["system", "system2", "shell", "pipe"],
        ..NOTHING
    },
    Row {
        interpreters: &["awk", "gawk", "mawk", "nawk", "original-awk"],
        files: &["*.awk"],
        reads: &["@include", "@load"],
        runs: &["system"],
        pipes: true,
        ..NOTHING
    },
    Row {
        interpreters: &["jq", "gojq", "jaq"],
        files: &["*.jq"],
        imports: &["import", "include"],
        module_files: &["?.jq", "?/?.jq", "?.json"],
        ..NOTHING
    },
    Row {
        interpreters: &["make", "gmake"],
        files: &["Makefile", "makefile", "GNUmakefile", "*.mk"],
        reads: &["include", "-include", "sinclude"],
        runs: &["shell"],
        recipe: Some(b'\t'),
        ..NOTHING
    },
];

impl Row {
    /// Files that the interpreter reads without being told.
    pub(crate) fn found_by_itself(&self) -> impl Iterator<Item = &'static str> + use<> {
        let files = self.files.iter().copied();
        let is_builder = self.recipe.is_some();
        files.filter(move |name| is_builder && !name.contains('*'))
    }
}

/// The language that an interpreter reads, by its name without a version.
pub(crate) fn of_interpreter(stem: &[u8]) -> Option<&'static Row> {
    let is_it = |known: &str| known.as_bytes() == stem;
    ROWS.iter()
        .find(|row| row.interpreters.iter().any(|known| is_it(known)))
}

/// The language of a file with this name.
pub(crate) fn of_name(name: &[u8]) -> Option<&'static Row> {
    let fits = |known: &str| pattern::fits(known.as_bytes(), name);
    ROWS.iter()
        .find(|row| row.files.iter().any(|known| fits(known)))
}

/// What a script leads to.
pub(crate) fn edges(world: &World, node: Node, data: &[u8], row: &Row) -> Vec<Edge> {
    let path = node.path();
    let mut parts = path.components();
    let is_packaged = parts.any(|part| PACKAGED.iter().any(|known| known.as_bytes() == part));
    script(world, node, data, |reader, path, data| {
        // How a package was built is over.
        if row.recipe.is_none() || !is_packaged {
            read(reader, path, data, row);
        }
    })
}

/// Reads a script, whatever it is called.
pub(crate) fn read(reader: &mut Reader, path: Option<&ImagePath>, data: &[u8], row: &Row) {
    let mut script = Script {
        row,
        own: home(reader, path),
        places: None,
        known: HashSet::new(),
    };
    let mut recipe = Vec::new();
    for line in data.split(|&byte| byte == b'\n').take(text::MOST_LINES) {
        if row.recipe.is_some() && row.recipe.as_ref() == line.first() {
            let prefix = |byte: &u8| byte.is_ascii_whitespace() || b"@-+".contains(byte);
            let start = line.iter().position(|byte| !prefix(byte));
            recipe.extend_from_slice(&line[start.unwrap_or(line.len())..]);
            recipe.push(b'\n');
            continue;
        }
        shell_lines(reader, &mut recipe);
        let line = line.trim_ascii();
        let is_comment = |mark: &&str| line.starts_with(mark.as_bytes());
        if !line.is_empty() && !row.comments.iter().any(is_comment) {
            script.line(reader, line);
        }
    }
    shell_lines(reader, &mut recipe);
}

fn shell_lines(reader: &mut Reader, recipe: &mut Vec<u8>) {
    if !recipe.is_empty() {
        reader.nested(|reader| shell::text(reader, recipe));
        reader.run(b"/bin/sh");
        recipe.clear();
    }
}

/// A script while it is read.
struct Script<'r> {
    row: &'r Row,
    /// Its directory.
    own: ImagePath,
    /// Where modules are looked for, once one was.
    places: Option<Vec<ImagePath>>,
    /// Modules that were looked for.
    known: HashSet<Vec<u8>>,
}

impl Script<'_> {
    fn line(&mut self, reader: &mut Reader, line: &[u8]) {
        let row = self.row;
        let is_in =
            |known: &[&str], word: &[u8]| known.iter().any(|known| known.as_bytes() == word);
        let is_gap = |byte: &u8| byte.is_ascii_whitespace() || b"()[]{};,\"'".contains(byte);
        let words: Vec<&[u8]> = line.split(is_gap).filter(|word| !word.is_empty()).collect();
        // A command may be put into a variable first.
        let mut is_run = row.pipes;
        for (at, &word) in words.iter().enumerate() {
            let behind = words[at + 1..].iter().take(AHEAD);
            let mut behind = behind.filter(|word| !word.starts_with(b"-"));
            if is_in(row.imports, word) {
                if let Some(name) = behind.next() {
                    self.module(reader, name);
                }
            } else if is_in(row.reads, word) {
                let mut files = behind.filter(|word| word.iter().any(|byte| b"./".contains(byte)));
                if let Some(file) = files.next() {
                    text::path(reader, &self.own, file);
                    reader.name(file);
                }
            } else if is_in(row.runs, word) || row.pipes && word == b"|" {
                is_run = true;
                if let Some(command) = behind.next() {
                    reader.run(command);
                }
            } else if word.starts_with(b"/") {
                text::path(reader, &self.own, word);
            }
        }
        if is_run {
            for quoted in text::strings(line) {
                text::shell_text(reader, &quoted.without(b"|"));
            }
        }
    }

    /// A module by its name, where the language looks for it.
    fn module(&mut self, reader: &mut Reader, name: &[u8]) {
        if !self.known.insert(name.to_vec()) {
            return;
        }
        let world = reader.world;
        let places = self.places.take().unwrap_or_else(|| {
            let mut places = vec![self.own.clone(), world.working_directory.clone()];
            for pattern in self.row.modules {
                places.extend_from_slice(&text::expand(&world, pattern));
            }
            places
        });
        let name = String::from_utf8_lossy(name);
        let below = match self.row.separator {
            Some(separator) => name.replace(separator, "/"),
            None => name.to_string(),
        };
        for place in &places {
            for file in self.row.module_files {
                let file = file.replace('?', &below);
                let path = [b"/", place.as_bytes(), b"/", file.as_bytes()].concat();
                let Some(path) = reader.existing(&path) else {
                    continue;
                };
                match text::is_directory(&world, &path) {
                    true => reader.family(&path, format!("imports {name}")),
                    false => reader.add(path, How::Imports, format!("imports {name}")),
                }
            }
        }
        self.places = Some(places);
    }
}
