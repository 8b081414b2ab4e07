//! Tcl, Lua, R, awk, jq, make: scripts that name what they need behind few words.
//! One row for each language; the next one is a row more.

use jettison_image::{ImagePath, Node};

use super::{home, script, text};
use crate::scripts::{Reader, existing, pattern, shell};
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
    /// Words before another file.
    reads: &'static [&'static str],
    /// Words before a command.
    runs: &'static [&'static str],
    /// What begins a line of a shell's.
    recipe: Option<u8>,
}

const NOTHING: Row = Row {
    interpreters: &[],
    files: &[],
    comments: &["#"],
    imports: &[],
    modules: &[],
    module_files: &[],
    reads: &[],
    runs: &[],
    recipe: None,
};

static ROWS: [Row; 6] = [
    // Packages are a companion of the interpreter.
    Row {
        interpreters: &["tclsh", "wish", "expect"],
        files: &["*.tcl", "*.tm", "*.exp"],
        reads: &["source", "load"],
        runs: &["exec", "spawn", "open"],
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
        interpreters: &["awk", "gawk", "mawk", "nawk"],
        files: &["*.awk"],
        reads: &["@include", "@load"],
        runs: &["system", "print", "|", "printf"],
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
    script(world, node, data, |reader, path, data| {
        read(reader, path, data, row);
    })
}

/// Reads a script, whatever it is called.
pub(crate) fn read(reader: &mut Reader, path: Option<&ImagePath>, data: &[u8], row: &Row) {
    let own = home(reader, path);
    let mut recipes = Vec::new();
    for line in data.split(|&byte| byte == b'\n').take(text::MOST_LINES) {
        if row.recipe.is_some() && row.recipe.as_ref() == line.first() {
            let prefix = |byte: &u8| byte.is_ascii_whitespace() || b"@-+".contains(byte);
            let start = line.iter().position(|byte| !prefix(byte));
            recipes.extend_from_slice(&line[start.unwrap_or(line.len())..]);
            recipes.push(b'\n');
            continue;
        }
        let line = line.trim_ascii();
        let is_comment = |mark: &&str| line.starts_with(mark.as_bytes());
        if !line.is_empty() && !row.comments.iter().any(is_comment) {
            one_line(reader, &own, line, row);
        }
    }
    if !recipes.is_empty() {
        reader.nested(|reader| shell::text(reader, &recipes));
        reader.run(b"/bin/sh");
    }
}

fn one_line(reader: &mut Reader, own: &ImagePath, line: &[u8], row: &Row) {
    let is_in = |known: &[&str], word: &[u8]| known.iter().any(|known| known.as_bytes() == word);
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || b"()[]{};,\"'".contains(byte);
    let words: Vec<&[u8]> = line.split(is_gap).filter(|word| !word.is_empty()).collect();
    let mut is_run = false;
    for (at, word) in words.iter().enumerate() {
        let mut behind = words[at + 1..].iter();
        let next = behind.find(|word| !word.starts_with(b"-"));
        is_run |= is_in(row.runs, word);
        match next {
            Some(name) if is_in(row.imports, word) => module(reader, own, name, row),
            Some(path) if is_in(row.reads, word) => {
                text::path(reader, own, path);
                reader.name(path);
            }
            Some(command) if is_in(row.runs, word) || is_run && *word == b"|" => {
                reader.run(command);
            }
            _ if word.starts_with(b"/") => text::path(reader, own, word),
            _ => {}
        }
    }
    if is_run {
        for quoted in text::strings(line) {
            text::shell_text(reader, &quoted.without(b"|"));
        }
    }
}

/// A module by its name, where the language looks for it.
fn module(reader: &mut Reader, own: &ImagePath, name: &[u8], row: &Row) {
    let name = String::from_utf8_lossy(name).replace('.', "/");
    let world = reader.world;
    let mut places = vec![own.clone(), world.working_directory.clone()];
    for pattern in row.modules {
        places.extend_from_slice(&text::expand(&world, pattern));
    }
    for place in places {
        for file in row.module_files {
            let Some(path) = existing(&world, &place, file.replace('?', &name).as_bytes()) else {
                continue;
            };
            match text::is_directory(&world, &path) {
                true => reader.family(&path, format!("imports {name}")),
                false => reader.add(path, How::Imports, format!("imports {name}")),
            }
        }
    }
}
