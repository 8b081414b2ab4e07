//! Files that a program opens by a relative path while it runs: migrations,
//! templates, static files. Found from string literals that name something
//! the project really has; what the compiler puts into the program (`embed`,
//! `include_str!`) is left out. A hint, not a proof: names that are made up at
//! run time cannot be seen.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::recipe::Language;
use crate::source::{self, Source};
use crate::tokens::{Literal, literals};
use crate::{go, rust};

/// A file or directory that the sources name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuntimeFile {
    /// Where it is, relative to the source's root.
    pub path: String,
    /// It is a directory.
    pub is_directory: bool,
    /// As the sources name it, from the program's working directory on.
    pub written: String,
    /// The source that names it.
    pub named_in: String,
    /// The line there.
    pub line: u32,
}

/// Functions and fields whose bare word is a path (`os.ReadDir("migrations")`).
const READERS: &[&str] = &[
    // Go
    "Open",
    "OpenFile",
    "ReadFile",
    "ReadDir",
    "DirFS",
    "OpenRoot",
    "Dir",
    "ServeFile",
    "ParseFiles",
    "ParseGlob",
    "Glob",
    "Walk",
    "WalkDir",
    "LoadHTMLGlob",
    "LoadHTMLFiles",
    "Static",
    "StaticFile",
    "Up",
    "UpContext",
    "AddConfigPath",
    // Rust
    "open",
    "read",
    "read_dir",
    "read_to_string",
    "new",
    "from_path",
    "with_dir",
    "from_file",
];

/// Macros that read while compiling.
const COMPILED_IN: &[&str] = &[
    "#",
    "include_str!",
    "include_bytes!",
    "include!",
    "include_dir!",
    "migrate!",
    "embed_migrations!",
    "query_file!",
    "query_file_as!",
    "concat!",
    "include_proto!",
];

/// Directories whose sources are not part of the program.
const OTHER_SOURCES: &[&str] = &[
    "vendor",
    "testdata",
    "tests",
    "benches",
    "examples",
    "target",
    "node_modules",
];

/// Files of the project's making, in a directory that a program may well name.
const MAKING: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "go.mod",
    "go.sum",
    "go.work",
    "Makefile",
    "Dockerfile",
    "deny.toml",
];

/// Longer sources are tables that a generator wrote.
const SOURCE_BYTES: usize = 1 << 20;

/// Finds them for a program whose package is in `package`.
pub(crate) fn find(source: &dyn Source, language: Language, package: &str) -> Vec<RuntimeFile> {
    let (ending, manifest) = match language {
        Language::Go => (".go", "go.mod"),
        Language::Rust => (".rs", "Cargo.toml"),
    };
    // A program may be started from its package or from where its manifest is.
    let home = source::ancestors(package)
        .find(|a| source::join(a, manifest).is_some_and(|path| source::has(source, &path)))
        .unwrap_or(package);
    let bases = [package, home];
    let mut found: BTreeMap<String, RuntimeFile> = BTreeMap::new();
    let mut texts = Vec::new();
    for path in source::below(source, home) {
        let inside = path.strip_prefix(home).unwrap_or(path);
        let is_other = source::parent(inside)
            .split('/')
            .any(|part| OTHER_SOURCES.contains(&part));
        if !path.ends_with(ending)
            || is_other
            || path.ends_with("_test.go")
            || source::file_name(path) == "build.rs"
        {
            continue;
        }
        let Some(text) = source::read_text(source, path) else {
            continue;
        };
        let belongs = match language {
            Language::Go => go::is_part_of(&text, path, package),
            Language::Rust => true,
        };
        if belongs && text.len() <= SOURCE_BYTES && !is_generated(&text) {
            texts.push((path, text));
        }
    }
    let embedded: Vec<(String, String)> = texts
        .iter()
        .flat_map(|(path, text)| {
            embed_patterns(text).map(|pattern| (source::parent(path).to_owned(), pattern))
        })
        .collect();

    for (path, text) in &texts {
        let (tokens, text_end) = match language {
            Language::Go => (go::syntax::tokens(text), u32::MAX),
            Language::Rust => (rust::syntax::tokens(text), tests_line(text)),
        };
        for literal in literals(&tokens)
            .iter()
            .filter(|literal| literal.line < text_end)
        {
            let Some(written) = candidate(literal) else {
                continue;
            };
            let is_embedded = embedded.iter().any(|(package, pattern)| {
                package == source::parent(path) && first(pattern) == first(written)
            });
            if is_embedded {
                continue;
            }
            let Some(file) = resolve(source, &bases, written, ending) else {
                continue;
            };
            found.entry(file.0.clone()).or_insert_with(|| RuntimeFile {
                path: file.0,
                is_directory: file.1,
                written: written.to_owned(),
                named_in: (*path).to_owned(),
                line: literal.line,
            });
        }
    }
    // What lies in a directory that comes along needs no line of its own.
    let directories: Vec<String> = found
        .values()
        .filter(|file| file.is_directory)
        .map(|file| format!("{}/", file.path))
        .collect();
    found
        .into_values()
        .filter(|file| {
            !directories
                .iter()
                .any(|directory| file.path.starts_with(directory.as_str()))
        })
        .collect()
}

/// A literal that can be a relative path of the program's own.
fn candidate(literal: &Literal) -> Option<&str> {
    if COMPILED_IN.contains(&literal.recipient.as_str()) || literal.recipient == "import" {
        return None;
    }
    let value = literal
        .value
        .strip_prefix("file://")
        .unwrap_or(&literal.value);
    let is_path = !value.is_empty()
        && value.len() <= 512
        && !value.starts_with(['/', '~'])
        && !value.starts_with("..")
        && !value.contains(['\n', '\\', '%', ' ', '{'])
        && !value.contains("://");
    if !is_path {
        return None;
    }
    let says_path = value.contains('/') || value.contains('.') || value.len() < literal.value.len();
    (says_path || READERS.contains(&literal.recipient.as_str())).then_some(value)
}

/// The listed file or directory that a path means, and whether it is a directory.
fn resolve(
    source: &dyn Source,
    bases: &[&str],
    written: &str,
    ending: &str,
) -> Option<(String, bool)> {
    // `templates/*.html` means its directory.
    let plain: Vec<&str> = written
        .split('/')
        .take_while(|part| !part.contains(['*', '?', '[']))
        .collect();
    let plain = plain.join("/");
    bases.iter().find_map(|base| {
        let path = source::join(base, &plain)?;
        // The base itself is no file of its own, and neither are sources.
        if path == *base || path.is_empty() {
            return None;
        }
        if source::has(source, &path) {
            let name = source::file_name(&path);
            let is_source =
                path.ends_with(ending) || MAKING.contains(&name) || name.starts_with(".git");
            return (!is_source).then_some((path, false));
        }
        let has_data = source::below(source, &path).any(|file| !file.ends_with(ending));
        has_data.then_some((path, true))
    })
}

fn first(path: &str) -> &str {
    path.trim_start_matches("./")
        .split('/')
        .next()
        .unwrap_or_default()
}

/// Go's convention for generated files, which others follow.
fn is_generated(text: &str) -> bool {
    text.lines()
        .take(20)
        .any(|line| line.starts_with("// Code generated ") && line.ends_with("DO NOT EDIT."))
}

/// `//go:embed a b "c d"`.
fn embed_patterns(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter_map(|line| line.trim_start().strip_prefix("//go:embed "))
        .flat_map(|patterns| {
            patterns.split_whitespace().map(|pattern| {
                pattern
                    .trim_matches(['"', '`'])
                    .trim_start_matches("all:")
                    .to_owned()
            })
        })
}

/// The line where a file's own tests begin; by convention the rest are tests.
fn tests_line(text: &str) -> u32 {
    text.lines()
        .position(|line| line.trim() == "#[cfg(test)]")
        .and_then(|index| u32::try_from(index + 1).ok())
        .unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn check(
        language: Language,
        package: &str,
        files: &[(&str, &str)],
        expected: &[(&str, &str, u32)],
    ) {
        let source = MemorySource::new(files.iter().copied());
        let found = find(&source, language, package);
        let found: Vec<(&str, &str, u32)> = found
            .iter()
            .map(|f| (f.path.as_str(), f.named_in.as_str(), f.line))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn go_sources_name_what_they_read() {
        let main = concat!(
            "package main\nimport (\n\t\"embed\"\n\t\"cmd/api\"\n)\n//go:embed web\nvar files embed.FS\n",
            "func main() {\n\tos.ReadDir(\"migrations\")\n\ttemplate.ParseGlob(\"./templates/*.html\")\n",
            "\tmigrate.New(\"file://db/sql\", url)\n\tr.Static(\"/assets\", \"assets\")\n\ttemplate.ParseFS(files, \"web/*.html\")\n",
            "\tos.Getenv(\"docs\")\n\tos.ReadFile(\"/etc/hosts\")\n\tlog.Print(\"config.yaml\")\n\tos.Open(\"missing/file\")\n}\n",
        );
        check(
            Language::Go,
            "cmd/api",
            &[
                ("go.mod", "module x\n"),
                ("cmd/api/main.go", main),
                (
                    "cmd/api/main_test.go",
                    "package main\nvar x = \"fixtures/a\"\n",
                ),
                ("cmd/api/web/index.html", ""),
                ("migrations/1.sql", ""),
                ("templates/a.html", ""),
                ("db/sql/1.sql", ""),
                ("assets/x.css", ""),
                ("docs/x.md", ""),
                ("config.yaml", ""),
                ("fixtures/a", ""),
            ],
            &[
                ("assets", "cmd/api/main.go", 12),
                ("config.yaml", "cmd/api/main.go", 16),
                ("db/sql", "cmd/api/main.go", 11),
                ("migrations", "cmd/api/main.go", 9),
                ("templates", "cmd/api/main.go", 10),
            ],
        );
    }

    #[test]
    fn rust_sources_name_what_they_read() {
        let main = concat!(
            "const A: &str = include_str!(\"../data/in.txt\");\n#[derive(Embed)]\n#[folder = \"public/\"]\nstruct P;\n",
            "fn main() {\n    sqlx::migrate!(\"./migrations\");\n    ServeDir::new(\"static\");\n",
            "    std::fs::read_to_string(\"data/run.txt\");\n}\n#[cfg(test)]\nmod tests { const T: &str = \"fixtures/a\"; }\n",
        );
        check(
            Language::Rust,
            "",
            &[
                ("Cargo.toml", ""),
                ("src/main.rs", main),
                ("data/in.txt", ""),
                ("data/run.txt", ""),
                ("public/x", ""),
                ("migrations/1.sql", ""),
                ("static/x.css", ""),
                ("fixtures/a", ""),
            ],
            &[
                ("data/run.txt", "src/main.rs", 8),
                ("static", "src/main.rs", 7),
            ],
        );
    }
}
