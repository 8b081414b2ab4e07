//! What a word may say: each of its parts with every value that it may have.

use jettison_dockerfile::shell::{Part, ShellWord};

use super::program::{MOST_VALUES, Program, Unit};
use super::substitution;
use crate::scripts::reader::{Reader, Text, UNKNOWN};

/// Bytes of one value; longer ones are cut.
const MOST_BYTES: usize = 64 << 10;

/// What evaluating a word may ask about its surroundings.
pub(super) struct Surroundings<'a, 'r, 'w> {
    pub(super) program: &'a Program,
    pub(super) unit: &'a Unit,
    pub(super) reader: &'r Reader<'w>,
}

impl Program {
    /// The values of a word.
    pub(super) fn evaluate(&self, reader: &Reader, unit: &Unit, word: &ShellWord) -> Vec<Text> {
        Surroundings {
            program: self,
            unit,
            reader,
        }
        .parts(&word.parts)
    }

    /// A word as the words that it becomes: an unquoted variable is divided at
    /// its blanks, and nothing is no word.
    pub(super) fn split(&self, reader: &Reader, unit: &Unit, word: &ShellWord) -> Vec<Vec<Text>> {
        let values = self.evaluate(reader, unit, word);
        let divides = |part: &Part| matches!(part, Part::Parameter { .. } | Part::Substitution(..));
        if !word.parts.iter().all(divides) {
            return values.into_iter().map(|value| vec![value]).collect();
        }
        let words = |value: Text| {
            let words = value.split(u8::is_ascii_whitespace);
            words
                .filter(|word| !word.is_empty())
                .take(256)
                .map(<[u8]>::to_vec)
                .collect()
        };
        values.into_iter().map(words).collect()
    }
}

impl Surroundings<'_, '_, '_> {
    pub(super) fn parts(&self, parts: &[Part]) -> Vec<Text> {
        let mut values = vec![Text::new()];
        for part in parts {
            let next = self.part(part);
            values = product(values, next);
        }
        values
    }

    fn part(&self, part: &Part) -> Vec<Text> {
        let script = &self.unit.script;
        match part {
            Part::Literal(range) => {
                let text = script.bytes(range);
                let home = text
                    .strip_prefix(b"~/")
                    .map(|rest| (self.environment("HOME"), rest));
                match home {
                    Some((Some(home), rest)) => vec![[home.as_bytes(), b"/", rest].concat()],
                    _ => vec![text.to_vec()],
                }
            }
            Part::SingleQuoted(range) | Part::AnsiQuoted(range) => {
                vec![script.bytes(range).to_vec()]
            }
            Part::Escaped(range) => {
                let escaped = script.bytes(range).get(1..).unwrap_or_default();
                vec![if escaped == b"\n" {
                    Vec::new()
                } else {
                    escaped.to_vec()
                }]
            }
            Part::DoubleQuoted(inner, _) => self.parts(inner),
            Part::Parameter {
                name, operation, ..
            } => {
                let name = script.bytes(name);
                match operation {
                    Some(operation) => self.operated(name, operation),
                    None => self.variable(name),
                }
            }
            Part::Substitution(list, _) => substitution::values(self, list),
            Part::Process(..) | Part::Arithmetic(..) => vec![vec![UNKNOWN]],
        }
    }

    /// The values of a variable, what the image gives it first.
    fn variable(&self, name: &[u8]) -> Vec<Text> {
        let mut values = Vec::new();
        if let (b"0" | b"BASH_SOURCE", Some(path)) = (name, &self.unit.path) {
            values.push([b"/", path.as_bytes()].concat());
        }
        let environment = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.environment(name));
        values.extend(environment.map(|value| value.as_bytes().to_vec()));
        if name == b"PWD" && values.is_empty() {
            let path = self.reader.world.working_directory.as_bytes();
            values.push([b"/", path].concat());
        }
        for value in self.program.values(name) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        if values.is_empty() {
            values.push(vec![UNKNOWN]);
        }
        values.truncate(MOST_VALUES);
        values
    }

    fn environment(&self, name: &str) -> Option<&str> {
        let environment = self.reader.world.environment;
        environment.get(name).map(String::as_str)
    }

    /// `${name…}`: defaults are values too, cut prefixes and suffixes are cut
    /// where they are plain; the rest is not known.
    fn operated(&self, name: &[u8], operation: &ShellWord) -> Vec<Text> {
        let text = self.unit.script.bytes(&operation.range);
        let is_prefixed = |prefix: &[u8]| text.starts_with(prefix);
        let operand = |skip: usize| -> Vec<Text> {
            let words = self.parts(&operation.parts);
            words
                .into_iter()
                .map(|word| word.get(skip..).unwrap_or_default().to_vec())
                .collect()
        };
        if is_prefixed(b"[") {
            // An element of an array: any of them. `${A[0]%/*}`.
            let close = text
                .iter()
                .position(|&byte| byte == b']')
                .map_or(text.len(), |at| at + 1);
            return match &text[close..] {
                b"%/*" => self
                    .variable(name)
                    .into_iter()
                    .map(|value| directory(&value))
                    .collect(),
                _ => self.variable(name),
            };
        }
        let colon = usize::from(is_prefixed(b":"));
        match text.get(colon) {
            Some(b'-' | b'=') => {
                let mut values = self.variable(name);
                values.retain(|value| value != &[UNKNOWN]);
                values.extend(operand(colon + 1));
                values.truncate(MOST_VALUES);
                values
            }
            Some(b'+') => {
                let mut values = operand(colon + 1);
                values.push(Text::new());
                values
            }
            Some(b'?') => self.variable(name),
            Some(b'%') if colon == 0 => self.cut(name, &operand(1), true),
            Some(b'#') if colon == 0 => self.cut(name, &operand(1), false),
            // `${PATH}` with nothing behind it.
            None => self.variable(name),
            _ => vec![vec![UNKNOWN]],
        }
    }

    fn cut(&self, name: &[u8], patterns: &[Text], from_end: bool) -> Vec<Text> {
        let pattern = patterns.first().map_or(&b""[..], Vec::as_slice);
        let doubled = if from_end { b'%' } else { b'#' };
        let (pattern, longest) = match pattern.split_first() {
            Some((first, rest)) if *first == doubled => (rest, true),
            _ => (pattern, false),
        };
        let cut = |value: Text| -> Text {
            match (pattern, from_end, longest) {
                (b"/*", true, false) => directory(&value),
                (b"*/", false, true) => {
                    let name = value.rsplit(|&byte| byte == b'/').next();
                    name.unwrap_or_default().to_vec()
                }
                (plain, true, _) if !plain.iter().any(|byte| b"*?[\0".contains(byte)) => {
                    value.strip_suffix(plain).unwrap_or(&value).to_vec()
                }
                (plain, false, _) if !plain.iter().any(|byte| b"*?[\0".contains(byte)) => {
                    value.strip_prefix(plain).unwrap_or(&value).to_vec()
                }
                _ => vec![UNKNOWN],
            }
        };
        self.variable(name).into_iter().map(cut).collect()
    }
}

/// What stands before the last slash; all of it where there is none.
pub(super) fn directory(path: &[u8]) -> Text {
    let end = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .unwrap_or(path.len());
    path[..end].to_vec()
}

/// Every value of the left with every one of the right, bounded.
fn product(left: Vec<Text>, right: Vec<Text>) -> Vec<Text> {
    let mut out: Vec<Text> = Vec::new();
    for head in &left {
        for tail in &right {
            if out.len() >= MOST_VALUES {
                return out;
            }
            let mut value = head.clone();
            let tail = match (value.last(), tail.split_first()) {
                (Some(&UNKNOWN), Some((&UNKNOWN, rest))) => rest,
                _ => tail,
            };
            value.extend_from_slice(tail);
            value.truncate(MOST_BYTES);
            if !out.contains(&value) {
                out.push(value);
            }
        }
    }
    out
}
