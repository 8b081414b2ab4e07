//! A script with everything it sources, and the values of its variables.

use std::collections::{BTreeMap, BTreeSet};

use jettison_dockerfile::shell::{
    Assignment, Command, CommandKind, Part, ShellScript, ShellWord, parse,
};
use jettison_dockerfile::syntax::Logical;
use jettison_image::{Follow, ImagePath};

use super::{is_binary, scan};
use crate::How;
use crate::scripts::pattern;
use crate::scripts::reader::{Reader, Text, UNKNOWN, last};

/// Files that one script may source.
const MOST_UNITS: usize = 64;
/// Variables that are followed, and the values of each.
const MOST_VARIABLES: usize = 2000;
pub(super) const MOST_VALUES: usize = 16;
/// Bytes of one value.
const MOST_VALUE_BYTES: usize = 64 << 10;
/// Times that all assignments are read, so that values come through chains.
const ROUNDS: usize = 5;

/// One text: the script itself, or one that it sources.
pub(super) struct Unit {
    pub(super) script: ShellScript,
    pub(super) path: Option<ImagePath>,
}

/// All texts of one run of a shell.
pub(super) struct Program {
    pub(super) units: Vec<Unit>,
    variables: BTreeMap<Vec<u8>, Vec<Text>>,
    /// Functions; true for those that run their arguments.
    pub(super) functions: BTreeMap<Vec<u8>, bool>,
    sourced: BTreeSet<ImagePath>,
}

impl Program {
    pub(super) fn new(text: &[u8], path: Option<ImagePath>) -> Self {
        let mut program = Self {
            units: Vec::new(),
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            sourced: path.iter().cloned().collect(),
        };
        program.push(text, path);
        program
    }

    /// Adds everything that the texts lead to.
    pub(super) fn read(&mut self, reader: &mut Reader) {
        for _ in 0..ROUNDS {
            let before = (self.units.len(), self.size());
            let taken = std::mem::take(&mut self.units);
            for unit in &taken {
                self.collect(reader, unit);
            }
            let sourced: Vec<Vec<u8>> = taken
                .iter()
                .flat_map(|unit| self.sources(reader, unit))
                .collect();
            self.units = taken;
            for file in sourced {
                self.source(reader, &file);
            }
            if before == (self.units.len(), self.size()) {
                break;
            }
        }
        self.search_path(reader);
        let units = std::mem::take(&mut self.units);
        for unit in &units {
            self.commands(reader, unit);
            if !unit.script.errors.is_empty() {
                scan::words(reader, unit.script.text.text());
            }
        }
        self.units = units;
    }

    /// The values of a variable; none where nothing gives it one.
    pub(super) fn values(&self, name: &[u8]) -> &[Text] {
        self.variables.get(name).map_or(&[], Vec::as_slice)
    }

    fn size(&self) -> usize {
        self.variables.values().map(|values| values.len() + 1).sum()
    }

    fn push(&mut self, text: &[u8], path: Option<ImagePath>) {
        let mut logical = Logical::default();
        logical.push(text, 0);
        let script = parse(logical);
        self.units.push(Unit { script, path });
    }

    /// Takes the assignments, functions and changes of directory of a text.
    fn collect(&mut self, reader: &mut Reader, unit: &Unit) {
        for command in unit.script.commands() {
            match &command.kind {
                CommandKind::Simple { assignments, words } => {
                    for assignment in assignments {
                        self.assign(reader, unit, assignment);
                    }
                    self.declare(reader, unit, words);
                    self.change_directory(reader, unit, words);
                    for word in words {
                        self.defaults(reader, unit, &word.parts);
                    }
                }
                CommandKind::For { name, words, .. } => {
                    let name = unit.script.literal(name).unwrap_or_default();
                    for word in words.iter().flatten() {
                        for value in self.evaluate(reader, unit, word) {
                            self.set(&name, value);
                        }
                    }
                }
                CommandKind::Function { name, body } => {
                    let name = unit.script.literal(name).unwrap_or_default();
                    let text = unit.script.bytes(&body.range);
                    let forwards = [&b"$@"[..], b"$*", b"${@"]
                        .iter()
                        .any(|all| memchr::memmem::find(text, all).is_some());
                    if self.functions.len() < MOST_VARIABLES {
                        *self.functions.entry(name).or_default() |= forwards;
                    }
                }
                _ => {}
            }
        }
    }

    fn assign(&mut self, reader: &mut Reader, unit: &Unit, assignment: &Assignment) {
        let name = unit.script.bytes(&assignment.name);
        let name = name
            .split(|&byte| byte == b'[')
            .next()
            .unwrap_or(name)
            .to_vec();
        let array = assignment.array.as_deref().unwrap_or_default();
        let words: &[ShellWord] = match assignment.array {
            Some(_) => array,
            None => std::slice::from_ref(&assignment.value),
        };
        for word in words {
            for mut value in self.evaluate(reader, unit, word) {
                if assignment.append && assignment.array.is_none() {
                    let mut known = self.values(&name).to_vec();
                    known.truncate(4);
                    for before in known {
                        // What is appended in a loop stays bounded.
                        if !before.ends_with(&value) {
                            self.set(&name, [before.as_slice(), &value].concat());
                        }
                    }
                    value = value.trim_ascii_start().to_vec();
                }
                self.set(&name, value);
            }
        }
    }

    /// `export A=b`: the parser keeps the value as a word, its name stands in
    /// front of it.
    fn declare(&mut self, reader: &mut Reader, unit: &Unit, words: &[ShellWord]) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        let is_declaration = matches!(
            unit.script.literal(first).as_deref(),
            Some(b"export" | b"local" | b"readonly" | b"declare" | b"typeset")
        );
        if !is_declaration {
            return;
        }
        let text = unit.script.text.text();
        for word in rest {
            let before = &text[..word.range.start.min(text.len())];
            let Some(before) = before.strip_suffix(b"=") else {
                continue;
            };
            let before = before.strip_suffix(b"+").unwrap_or(before);
            let start = before
                .iter()
                .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')
                .map_or(0, |at| at + 1);
            let name = before[start..].to_vec();
            for value in self.evaluate(reader, unit, word) {
                self.set(&name, value);
            }
        }
    }

    /// `: "${A:=value}"` gives A that value.
    fn defaults(&mut self, reader: &mut Reader, unit: &Unit, parts: &[Part]) {
        for part in parts {
            match part {
                Part::DoubleQuoted(inner, _) => self.defaults(reader, unit, inner),
                Part::Parameter {
                    name,
                    operation: Some(operation),
                    ..
                } => {
                    let text = unit.script.bytes(&operation.range);
                    let skip = usize::from(text.starts_with(b":"));
                    if text.get(skip) != Some(&b'=') {
                        continue;
                    }
                    let name = unit.script.bytes(name).to_vec();
                    for value in self.evaluate(reader, unit, operation) {
                        self.set(&name, value.get(skip + 1..).unwrap_or_default().to_vec());
                    }
                }
                _ => {}
            }
        }
    }

    /// After `cd DIRECTORY` relative paths may be meant from there.
    fn change_directory(&mut self, reader: &mut Reader, unit: &Unit, words: &[ShellWord]) {
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        if !matches!(
            unit.script.literal(first).as_deref(),
            Some(b"cd" | b"pushd")
        ) {
            return;
        }
        for word in rest {
            for value in self.evaluate(reader, unit, word) {
                let Some(path) = reader.existing(&value) else {
                    continue;
                };
                if reader.bases.len() < 32 && !reader.bases.contains(&path) {
                    reader.bases.push(path);
                }
            }
        }
    }

    fn set(&mut self, name: &[u8], value: Text) {
        if name.is_empty() || value.len() > MOST_VALUE_BYTES {
            return;
        }
        if !self.variables.contains_key(name) && self.variables.len() >= MOST_VARIABLES {
            return;
        }
        let values = self.variables.entry(name.to_vec()).or_default();
        if values.len() < MOST_VALUES && !values.contains(&value) {
            values.push(value);
        }
    }

    /// The words behind `.` and `source`, with the text they stand in.
    fn sources(&self, reader: &Reader, unit: &Unit) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for command in unit.script.commands() {
            if let Some(word) = sourced(&unit.script, command) {
                out.extend(self.evaluate(reader, unit, word));
            }
        }
        out.truncate(MOST_UNITS * MOST_VALUES);
        out
    }

    /// Reads a sourced file, or the files that a pattern stands for.
    fn source(&mut self, reader: &mut Reader, file: &[u8]) {
        if pattern::is_pattern(file) {
            reader.matching(file);
            for path in expand(reader, file) {
                self.source_path(reader, path);
            }
            return;
        }
        // Without a slash, `.` searches PATH, and bash the directory as well.
        let found = reader.existing(file).or_else(|| reader.program(file));
        if let Some(path) = found {
            self.source_path(reader, path);
        }
    }

    fn source_path(&mut self, reader: &mut Reader, path: ImagePath) {
        let Some(node) = reader.world.file(&path) else {
            return;
        };
        reader.add(
            path.clone(),
            How::Imports,
            format!("sources {}", last(&path)),
        );
        if self.units.len() >= MOST_UNITS || !self.sourced.insert(path.clone()) {
            return;
        }
        let data = reader.content(node);
        if !is_binary(&data) {
            self.push(&data, Some(path));
        }
    }

    /// Directories that the script puts into PATH.
    fn search_path(&self, reader: &mut Reader) {
        for value in self.values(b"PATH") {
            for directory in value.split(|&byte| byte == b':') {
                if directory.contains(&UNKNOWN) || reader.paths.len() >= 64 {
                    continue;
                }
                if let Some(path) = reader.existing(directory)
                    && !reader.paths.contains(&path)
                {
                    reader.paths.push(path);
                }
            }
        }
    }
}

/// The word that a command sources.
pub(super) fn sourced<'a>(script: &ShellScript, command: &'a Command) -> Option<&'a ShellWord> {
    let CommandKind::Simple { words, .. } = &command.kind else {
        return None;
    };
    let (first, rest) = words.split_first()?;
    let first = script.literal(first)?;
    let rest = match first.as_slice() {
        b"builtin" | b"command" => {
            let (second, rest) = rest.split_first()?;
            matches!(script.literal(second)?.as_slice(), b"." | b"source").then_some(rest)?
        }
        b"." | b"source" => rest,
        _ => return None,
    };
    rest.first()
}

/// Files that fit a pattern in the last component.
fn expand(reader: &mut Reader, file: &[u8]) -> Vec<ImagePath> {
    let Some(slash) = file.iter().rposition(|&byte| byte == b'/') else {
        return Vec::new();
    };
    let (directory, name) = (&file[..slash.max(1)], &file[slash + 1..]);
    let Some(found) = reader.existing(directory) else {
        return Vec::new();
    };
    let Ok(node) = reader.world.tree.resolve(&found, Follow::All) else {
        return Vec::new();
    };
    node.children()
        .filter(|child| pattern::fits(name, child.name()))
        .take(MOST_UNITS)
        .filter_map(|child| found.join(child.name()).ok())
        .collect()
}
