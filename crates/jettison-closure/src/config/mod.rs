//! What a configuration file leads to, by the rules of the program that reads
//! it: files that it includes, relative to that program's own directories,
//! modules that it loads, directories that it serves, commands. Absolute paths
//! in any configuration are read as well.
//!
//! A comment names what is not set. In doubt which program reads a file, its
//! names are looked for beside it.

mod kinds;

use jettison_image::{Follow, ImagePath, Node};

use self::kinds::{KINDS, Kind};
use crate::World;
use crate::edge::{Edge, How};
use crate::glob::{glob, is_pattern};
use crate::scripts::{Reader, command};

/// A configuration is not larger.
const MOST_BYTES: usize = 4 << 20;
/// Linux' PATH_MAX.
const MOST_PATH: usize = 4096;
/// Words looked up in one file.
const MOST_WORDS: usize = 100_000;

/// What a configuration file leads to; nothing for any other file.
pub fn edges(world: &World<'_>, node: Node<'_>, data: &[u8]) -> Vec<Edge> {
    let path = node.path();
    let kind = KINDS.iter().find(|kind| kind.is_of(path.as_bytes()));
    let is_text = data.len() <= MOST_BYTES && memchr::memchr(0, data).is_none();
    if !is_text || (kind.is_none() && !is_configuration(&path)) {
        return Vec::new();
    }
    let kind = kind.unwrap_or(&kinds::OTHER);
    let mut file = File {
        reader: Reader::of(world, node),
        kind,
        beside: path.parent().unwrap_or_else(ImagePath::root),
        words: 0,
    };
    for line in data.split(|&b| b == b'\n') {
        file.line(line);
    }
    file.reader.into_edges()
}

/// Lists of what a system has, not of what a program needs; what package
/// managers and login shells read.
const NOT: &[&str] = &[
    "etc/alternatives/",
    "etc/apt/",
    "etc/bash_completion.d/",
    "etc/ca-certificates.conf",
    "etc/cron",
    "etc/dpkg/",
    "etc/fstab",
    "etc/group",
    "etc/gshadow",
    "etc/init.d/",
    "etc/logrotate.d/",
    "etc/mtab",
    "etc/passwd",
    "etc/profile",
    "etc/shadow",
    "etc/shells",
    "etc/skel/",
    "etc/subgid",
    "etc/subuid",
    "etc/systemd/",
    "etc/ucf.conf",
];

/// True for files where systems keep configuration, and for names that say so.
fn is_configuration(path: &ImagePath) -> bool {
    let bytes = path.as_bytes();
    if NOT.iter().any(|not| bytes.starts_with(not.as_bytes())) {
        return false;
    }
    let is_below = bytes.starts_with(b"etc/")
        || bytes.starts_with(b"usr/local/etc/")
        || (bytes.starts_with(b"opt/") && memchr::memmem::find(bytes, b"/etc/").is_some());
    let name = path.file_name();
    let ending = name.rsplit(|&b| b == b'.').next().unwrap_or_default();
    is_below
        || (ending.len() < name.len()
            && matches!(
                ending,
                b"conf" | b"cnf" | b"cfg" | b"ini" | b"config" | b"load"
            ))
}

struct File<'w, 'k> {
    reader: Reader<'w>,
    kind: &'k Kind,
    beside: ImagePath,
    words: usize,
}

impl File<'_, '_> {
    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii();
        let is_comment = [b"#".as_slice(), b";", b"//", b"<!--"]
            .iter()
            .any(|start| line.starts_with(start));
        // `#includedir` is sudo's way to write it.
        if line.is_empty() || (is_comment && !line.starts_with(b"#include")) {
            return;
        }
        if self.kind.is_xml_of_commands() {
            self.xml_command(line);
        }
        let line = without_remark(line);
        let (first, rest) = directive(line);
        if self.kind.commands.contains(&first.as_str()) {
            self.command(rest);
        }
        // `location / { root /srv; }` holds two.
        for statement in line.split(|b| b"{};".contains(b)) {
            self.statement(statement);
        }
    }

    fn statement(&mut self, text: &[u8]) {
        let (directive, _) = directive(text);
        let is_module = self.kind.modules.contains(&directive.as_str());
        let is_directory = self.kind.directories.contains(&directive.as_str());
        let mut is_included = false;
        for word in words(text) {
            self.words += 1;
            if self.words > MOST_WORDS || word.len() > MOST_PATH {
                continue;
            }
            if is_module {
                self.module(word);
            }
            // A word without either is a word, unless it is said to be a file.
            if is_included || word.contains(&b'/') || word.contains(&b'.') {
                self.word(word, is_directory);
            }
            let lower = word.to_ascii_lowercase();
            is_included = lower.ends_with(b"include") || lower == b"substack";
        }
    }

    /// A word as a path: absolute, below the program's directories, or beside the file.
    fn word(&mut self, word: &[u8], is_directory: bool) {
        let word = word.strip_prefix(b"file://").unwrap_or(word);
        if word.first() == Some(&b'/') {
            self.path(word, is_directory);
            return;
        }
        let beside = [b"/", self.beside.as_bytes()].concat();
        let bases: Vec<Vec<u8>> = self
            .kind
            .bases
            .iter()
            .map(|base| base.as_bytes().to_vec())
            .chain([beside])
            .collect();
        for base in bases {
            let path = [&base[..], b"/", word].concat();
            if self.path(&path, is_directory) {
                return;
            }
        }
    }

    /// Adds what a path or pattern leads to.
    fn path(&mut self, path: &[u8], is_directory: bool) -> bool {
        let mut found = false;
        let base_is_pattern = is_pattern(path);
        for (path, node) in glob(self.reader.world.tree, path) {
            let Ok(end) = self.reader.world.tree.resolve(&path, Follow::All) else {
                continue;
            };
            let path = ImagePath::new(&path).unwrap_or_else(|_| node.path());
            if path.is_root() {
                continue;
            }
            found = true;
            if end.is_file() {
                let detail = if base_is_pattern {
                    "names files by a pattern"
                } else {
                    "names the path"
                };
                self.reader.add(path, How::Names, detail);
            } else if is_directory {
                self.reader.family(&path, "serves or reads the directory");
            } else {
                self.reader.add(path, How::Names, "names the directory");
            }
        }
        found
    }

    /// A module by name, with or without its ending, where the program keeps them.
    fn module(&mut self, word: &[u8]) {
        let word = word.strip_prefix(b"$libdir/").unwrap_or(word);
        if word.contains(&b'/') || is_pattern(word) {
            return;
        }
        let shown = String::from_utf8_lossy(word).into_owned();
        for directory in self.kind.module_directories {
            for ending in [b"".as_slice(), b".so"] {
                let pattern = [directory.as_bytes(), b"/", word, ending].concat();
                for (path, node) in glob(self.reader.world.tree, &pattern) {
                    let is_file = node.is_file() || node.link_target().is_some();
                    if let Ok(path) = ImagePath::new(path)
                        && is_file
                    {
                        self.reader
                            .add(path, How::Opens, format!("loads the module {shown}"));
                    }
                }
            }
        }
    }

    /// `command="&quot;gs&quot; -q …"`.
    fn xml_command(&mut self, line: &[u8]) {
        let Some(at) = memchr::memmem::find(line, b"command=\"") else {
            return;
        };
        let text = &line[at + b"command=\"".len()..];
        let end = memchr::memchr(b'"', text).unwrap_or(text.len());
        let text = String::from_utf8_lossy(&text[..end])
            .replace("&quot;", "\"")
            .replace("&gt;", ">")
            .replace("&lt;", "<")
            .replace("&amp;", "&");
        self.command(text.as_bytes());
    }

    fn command(&mut self, text: &[u8]) {
        let text = text.trim_ascii();
        let text = text.strip_suffix(b";").unwrap_or(text);
        let text = match text {
            [b'\'', inner @ .., b'\''] => inner,
            [b'"', inner @ .., b'"'] if memchr::memchr(b'"', inner).is_none() => inner,
            _ => text,
        };
        for edge in command::text_edges(&self.reader.world, text) {
            self.reader.add(edge.to, edge.how, edge.detail);
        }
    }
}

/// The first word in lower case, and what stands behind it.
fn directive(text: &[u8]) -> (String, &[u8]) {
    let text = text.trim_ascii_start();
    let end = text
        .iter()
        .position(|b| b.is_ascii_whitespace() || b"=\"'<>".contains(b))
        .unwrap_or(text.len());
    let rest = text[end..].trim_ascii_start();
    let rest = rest.strip_prefix(b"=").unwrap_or(rest);
    (String::from_utf8_lossy(&text[..end]).to_lowercase(), rest)
}

/// A line without what is remarked behind it; `#` inside a word is part of it.
fn without_remark(line: &[u8]) -> &[u8] {
    let at =
        memchr::memchr_iter(b'#', line).find(|&at| at > 0 && line[at - 1].is_ascii_whitespace());
    at.map_or(line, |at| line[..at].trim_ascii_end())
}

/// The words of a line in any of the usual formats: `a b;`, `a = "b,c"`,
/// `<dir>b</dir>`, `<include href='b'/>`.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|b| b.is_ascii_whitespace() || b"\"'=;,<>(){}|".contains(b))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests;
