//! One pattern: an exact path, a prefix, a suffix, or an expression.

use super::IgnoreError;
use super::path::is_well_formed;
use crate::pattern::{self, BadPattern, Machine};
use crate::text;

/// A pattern with the way it is matched.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: Vec<u8>,
    /// `!`: what matches is taken back.
    pub(super) exclusion: bool,
    matcher: Result<Matcher, BadPattern>,
}

#[derive(Debug, Clone)]
enum Matcher {
    Exact,
    /// `a/**`: everything that starts with the text before the stars.
    Prefix,
    /// `**/a`: everything that ends with the text after the stars.
    Suffix,
    Expression(Machine),
}

impl Pattern {
    /// Takes a cleaned pattern. What is wrong with it in a way that only compiling shows is reported when it is
    /// asked, as in the reference.
    pub(super) fn new(pattern: &[u8]) -> Result<Self, IgnoreError> {
        let (exclusion, text) = pattern
            .strip_prefix(b"!")
            .map_or((false, pattern), |rest| (true, rest));
        if exclusion && text.is_empty() {
            return Err(IgnoreError::EmptyExclusion);
        }
        if !is_well_formed(text) {
            return Err(bad(text));
        }
        Ok(Self {
            text: text.to_vec(),
            exclusion,
            matcher: compile(text),
        })
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn matches(&self, path: &[u8]) -> Result<bool, IgnoreError> {
        Ok(match &self.matcher {
            Err(BadPattern) => return Err(bad(&self.text)),
            Ok(Matcher::Exact) => path == self.text,
            Ok(Matcher::Prefix) => {
                path.starts_with(&self.text[..self.text.len().saturating_sub(2)])
            }
            Ok(Matcher::Suffix) => {
                let suffix = self.text.get(2..).unwrap_or_default();
                path.ends_with(suffix) || suffix.strip_prefix(b"/").is_some_and(|name| name == path)
            }
            Ok(Matcher::Expression(machine)) => machine.is_match(path),
        })
    }
}

fn bad(text: &[u8]) -> IgnoreError {
    IgnoreError::BadPattern(text::lossy(text))
}

#[derive(PartialEq)]
enum Shape {
    Exact,
    Prefix,
    Suffix,
    Expression,
}

fn compile(pattern: &[u8]) -> Result<Matcher, BadPattern> {
    let pattern = pattern
        .strip_prefix("\u{FEFF}".as_bytes())
        .unwrap_or(pattern);
    let mut characters = text::characters(pattern)
        .map(|(_, character, _)| character)
        .peekable();
    let mut expression = String::from("^");
    let mut shape = Shape::Exact;
    let mut first = true;
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.peek() == Some(&'*') => {
                characters.next();
                if characters.peek() == Some(&'/') {
                    characters.next();
                }
                if characters.peek().is_some() {
                    expression.push_str("(.*/)?");
                    shape = Shape::Expression;
                } else if shape == Shape::Exact {
                    shape = Shape::Prefix;
                } else {
                    expression.push_str(".*");
                    shape = Shape::Expression;
                }
                if first {
                    shape = Shape::Suffix;
                }
            }
            '*' => {
                expression.push_str("[^/]*");
                shape = Shape::Expression;
            }
            '?' => {
                expression.push_str("[^/]");
                shape = Shape::Expression;
            }
            // The reference means to escape `|`, `{` and `}` too, but its table does not reach them.
            '.' | '+' | '(' | ')' | '$' => expression.extend(['\\', character]),
            '\\' => {
                expression.push('\\');
                if let Some(escaped) = characters.next() {
                    expression.push(escaped);
                    shape = Shape::Expression;
                }
            }
            '[' | ']' => {
                expression.push(character);
                shape = Shape::Expression;
            }
            other => expression.push(other),
        }
        first = false;
    }
    Ok(match shape {
        Shape::Exact => Matcher::Exact,
        Shape::Prefix => Matcher::Prefix,
        Shape::Suffix => Matcher::Suffix,
        Shape::Expression => {
            expression.push('$');
            Matcher::Expression(pattern::compile(&expression)?)
        }
    })
}
