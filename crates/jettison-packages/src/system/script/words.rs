//! What the words of a script say, as far as it can be told.

use jettison_dockerfile::shell::{Part, ShellWord};

use super::{Run, Text};

/// Words of one list.
const FIELDS: usize = 10_000;
/// Bytes of one word: `x=$x$x` doubles.
const MOST_TEXT: usize = 64 << 10;
/// Bytes of a value that is cut, or of the pattern that cuts it.
const MOST_CUT: usize = 4 << 10;

impl<'a> Run<'a, '_> {
    /// A word as one field.
    pub(super) fn text(&mut self, word: &'a ShellWord) -> Text {
        self.parts(&word.parts, false)
    }

    /// A word as a pattern of `case`: what is quoted stands for itself.
    pub(super) fn pattern(&mut self, word: &'a ShellWord) -> Text {
        self.parts(&word.parts, true)
    }

    /// Words as fields: what is not quoted is split.
    pub(super) fn fields(&mut self, words: &'a [ShellWord]) -> Option<Vec<Vec<u8>>> {
        let mut fields = Vec::new();
        for word in words {
            fields.extend(self.field(word)?);
            if fields.len() > FIELDS {
                return None;
            }
        }
        Some(fields)
    }

    /// The fields of one word.
    pub(super) fn field(&mut self, word: &'a ShellWord) -> Option<Vec<Vec<u8>>> {
        if let [Part::DoubleQuoted(inner, _)] = word.parts.as_slice()
            && let [
                Part::Parameter {
                    name,
                    operation: None,
                    ..
                },
            ] = inner.as_slice()
            && self.bytes(name) == b"@"
        {
            return self.arguments.iter().skip(1).cloned().collect();
        }
        let is_split = word
            .parts
            .iter()
            .any(|part| matches!(part, Part::Parameter { .. } | Part::Substitution(..)));
        let text = self.text(word)?;
        // Globs of what lies in directories.
        let has_glob = word.parts.iter().any(|part| match part {
            Part::Literal(range) => self.bytes(range).iter().any(|byte| b"*?[".contains(byte)),
            _ => false,
        });
        if has_glob {
            return self.glob(&text);
        }
        if !is_split {
            return Some(vec![text]);
        }
        let fields = text.split(u8::is_ascii_whitespace);
        let fields = fields.filter(|field| !field.is_empty());
        Some(fields.map(<[u8]>::to_vec).collect())
    }

    /// Files that a pattern in the last component names.
    fn glob(&mut self, pattern: &[u8]) -> Option<Vec<Vec<u8>>> {
        let at = pattern.iter().rposition(|&byte| byte == b'/')?;
        let (directory, name) = (&pattern[..at], &pattern[at + 1..]);
        if directory.iter().any(|byte| b"*?[".contains(byte)) {
            return None;
        }
        let mut found = Vec::new();
        for path in self.model.below(directory) {
            let file = path.file_name();
            if fits(name, file) && (file.first() != Some(&b'.') || name.first() == Some(&b'.')) {
                found.push([directory, b"/", file].concat());
            }
        }
        if found.is_empty() {
            found.push(pattern.to_vec());
        }
        Some(found)
    }

    fn parts(&mut self, parts: &'a [Part], is_pattern: bool) -> Text {
        let mut text = Vec::new();
        for part in parts {
            match part {
                Part::Literal(range) => text.extend_from_slice(self.bytes(range)),
                Part::SingleQuoted(range) => quote(self.bytes(range), is_pattern, &mut text),
                Part::Escaped(range) => {
                    let escaped = self.bytes(range).get(1..).unwrap_or_default();
                    if escaped != b"\n" {
                        quote(escaped, is_pattern, &mut text);
                    }
                }
                Part::DoubleQuoted(inner, _) => {
                    let inner = self.parts(inner, false)?;
                    quote(&inner, is_pattern, &mut text);
                }
                Part::Parameter {
                    name, operation, ..
                } => {
                    let value = self.parameter(self.bytes(name), operation.as_deref())?;
                    text.extend_from_slice(&value);
                }
                Part::Substitution(list, _) => text.extend_from_slice(&self.substituted(list)?),
                Part::AnsiQuoted(_) | Part::Process(..) | Part::Arithmetic(..) => return None,
            }
            if text.len() > MOST_TEXT {
                return None;
            }
        }
        Some(text)
    }

    fn parameter(&mut self, name: &[u8], operation: Option<&'a ShellWord>) -> Text {
        let value = self.variable(name);
        let Some(operation) = operation else {
            return value;
        };
        let all = self.bytes(&operation.range);
        let (symbol, colon) = match all {
            [b':', symbol, ..] => (*symbol, true),
            [symbol, ..] => (*symbol, false),
            [] => return value,
        };
        let value = value?;
        let is_empty = value.is_empty();
        match symbol {
            b'-' | b'=' | b'+' => {
                // The word follows the operator in the text of the parts.
                let word = self.parts(&operation.parts, false)?;
                let word = word
                    .get(1 + usize::from(colon)..)
                    .unwrap_or_default()
                    .to_vec();
                if symbol == b'=' && is_empty {
                    self.variables.insert(name.to_vec(), Some(word.clone()));
                }
                Some(match symbol {
                    b'+' if is_empty => Vec::new(),
                    b'+' => word,
                    _ if is_empty => word,
                    _ => value,
                })
            }
            b'%' | b'#' if !colon => {
                let word = self.parts(&operation.parts, true)?;
                let doubled = word.get(1) == Some(&symbol);
                let pattern = &word[1 + usize::from(doubled)..];
                if pattern.len().max(value.len()) > MOST_CUT {
                    return None;
                }
                Some(cut(&value, pattern, symbol == b'%', doubled))
            }
            _ => None,
        }
    }

    /// A variable: unset ones are empty, as in a fresh environment of dpkg.
    pub(super) fn variable(&self, name: &[u8]) -> Text {
        if let Some(value) = self.variables.get(name) {
            return value.clone();
        }
        if let Ok(number) = String::from_utf8_lossy(name).parse::<usize>() {
            return match self.arguments.get(number) {
                Some(argument) => argument.clone(),
                None => Some(Vec::new()),
            };
        }
        Some(match name {
            b"#" => (self.arguments.len().saturating_sub(1))
                .to_string()
                .into_bytes(),
            b"@" | b"*" => {
                let all: Option<Vec<_>> = self.arguments.iter().skip(1).cloned().collect();
                all?.join(&b' ')
            }
            b"DPKG_MAINTSCRIPT_PACKAGE" => self.package.as_bytes().to_vec(),
            b"DPKG_MAINTSCRIPT_ARCH" => self.architecture.as_bytes().to_vec(),
            b"DPKG_MAINTSCRIPT_NAME" => self.arguments.first().cloned()??,
            b"DEBIAN_FRONTEND" => b"noninteractive".to_vec(),
            b"?" | b"$" | b"!" | b"-" => return None,
            _ if self.is_open => return None,
            _ => Vec::new(),
        })
    }
}

/// What is quoted in a pattern is no sign of it.
fn quote(text: &[u8], is_pattern: bool, out: &mut Vec<u8>) {
    for &byte in text {
        if is_pattern && b"*?[\\".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

/// `%`, `%%`, `#`, `##`.
fn cut(value: &[u8], pattern: &[u8], from_end: bool, longest: bool) -> Vec<u8> {
    let mut ends: Vec<usize> = (0..=value.len()).collect();
    if from_end != longest {
        ends.reverse();
    }
    for end in ends {
        let (head, tail) = value.split_at(end);
        let (part, rest) = if from_end { (tail, head) } else { (head, tail) };
        if fits(pattern, part) {
            return rest.to_vec();
        }
    }
    value.to_vec()
}

/// Whether a text is what a shell pattern means; `*`, `?`, `\` and lists in
/// brackets.
pub(super) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
                continue;
            }
            Some(_) if t >= text.len() => None,
            Some(b'?') => Some(1),
            Some(b'\\') => (pattern.get(p + 1) == Some(&text[t])).then_some(2),
            Some(b'[') => bracket(&pattern[p..], text[t]),
            Some(byte) => (*byte == text[t]).then_some(1),
            None if t == text.len() => return true,
            None => None,
        };
        match (step, back) {
            (Some(step), _) => (p, t) = (p + step, t + 1),
            (None, Some((star, from))) if from < text.len() => {
                back = Some((star, from + 1));
                (p, t) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// The length of `[…]` where the byte is in it.
fn bracket(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|&c| c == b']')? + 2;
    let inner = &pattern[1..end];
    let (inner, negated) = match inner.first() {
        Some(b'!' | b'^') => (&inner[1..], true),
        _ => (inner, false),
    };
    let mut at = 0;
    let mut is_in = false;
    while at < inner.len() {
        if inner.get(at + 1) == Some(&b'-') && at + 2 < inner.len() {
            is_in |= (inner[at]..=inner[at + 2]).contains(&byte);
            at += 3;
        } else {
            is_in |= inner[at] == byte;
            at += 1;
        }
    }
    (is_in != negated).then_some(end + 1)
}
