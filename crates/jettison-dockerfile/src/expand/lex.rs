//! One machine: the walk over a word that resolves quotes, escapes and variables, and at the same time splits the
//! result into words. The reference shares one word buffer between nested substitutions, so that in `a${x:-b}` the
//! split form loses the `a`; since heredoc names and EXPOSE are read from the split form, that is kept.

use std::collections::BTreeSet;

use super::substitute::{remove_prefix, remove_suffix, replace};
use super::{ExpandError, Variables};
use crate::text;

/// Nesting of `${x:-${y:-…}}` that is followed.
const MAX_DEPTH: usize = 100;

/// Expands words; the settings are those of BuildKit's `Lex`.
#[derive(Debug, Clone)]
pub struct Lex {
    /// The escape character: a backslash, or a backtick after `# escape`.
    pub escape: u8,
    /// Keep the quotes in the result.
    pub raw_quotes: bool,
    /// Keep the escape characters in the result.
    pub raw_escapes: bool,
    /// Quotes are ordinary characters (contents of COPY heredocs).
    pub skip_quotes: bool,
    /// Leave `$x` as it is when `x` is not set.
    pub skip_unset: bool,
    /// Bound on the size of a result.
    pub limit_bytes: usize,
}

/// What a word became.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The word with everything resolved.
    pub word: Vec<u8>,
    /// The same split at white space that is not quoted.
    pub words: Vec<Vec<u8>>,
    /// Variables that were asked for and set.
    pub matched: BTreeSet<String>,
    /// Variables that were asked for and not set.
    pub unmatched: BTreeSet<String>,
}

impl Lex {
    /// The settings of an ordinary expansion.
    pub fn new(escape: u8) -> Self {
        Self {
            escape,
            raw_quotes: false,
            raw_escapes: false,
            skip_quotes: false,
            skip_unset: false,
            limit_bytes: 16 << 20,
        }
    }

    /// Expands one word.
    pub fn expand(&self, word: &[u8], variables: &dyn Variables) -> Result<Expanded, ExpandError> {
        let mut walk = Walk {
            lex: self,
            variables,
            rest: word.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(word),
            raw_escapes: self.raw_escapes,
            buffer: Vec::new(),
            spent: 0,
            depth: 0,
            matched: BTreeSet::new(),
            unmatched: BTreeSet::new(),
        };
        let (word, words) = walk.until(None, self.raw_escapes)?;
        Ok(Expanded {
            word,
            words,
            matched: walk.matched,
            unmatched: walk.unmatched,
        })
    }

    /// Expands one word and returns just that.
    pub fn word(&self, word: &[u8], variables: &dyn Variables) -> Result<Vec<u8>, ExpandError> {
        self.expand(word, variables).map(|expanded| expanded.word)
    }

    /// Expands and splits.
    pub fn words(
        &self,
        word: &[u8],
        variables: &dyn Variables,
    ) -> Result<Vec<Vec<u8>>, ExpandError> {
        self.expand(word, variables).map(|expanded| expanded.words)
    }
}

struct Walk<'a> {
    lex: &'a Lex,
    variables: &'a dyn Variables,
    rest: &'a [u8],
    raw_escapes: bool,
    buffer: Vec<u8>,
    spent: usize,
    depth: usize,
    matched: BTreeSet<String>,
    unmatched: BTreeSet<String>,
}

/// The split form of one level; the buffer is shared, see the head of this file.
#[derive(Default)]
struct Words {
    list: Vec<Vec<u8>>,
    in_word: bool,
}

impl Words {
    fn add(&mut self, buffer: &mut Vec<u8>, character: char) {
        if !text::is_space(character) {
            text::push(buffer, character);
            self.in_word = true;
        } else if self.in_word && !buffer.is_empty() {
            self.list.push(std::mem::take(buffer));
            self.in_word = false;
        }
    }

    fn finish(mut self, buffer: &mut Vec<u8>) -> Vec<Vec<u8>> {
        if !buffer.is_empty() {
            self.list.push(std::mem::take(buffer));
        }
        self.list
    }
}

impl Walk<'_> {
    fn peek(&self) -> Option<char> {
        (!self.rest.is_empty()).then(|| text::decode(self.rest).0)
    }

    fn next(&mut self) -> Option<char> {
        if self.rest.is_empty() {
            return None;
        }
        let (character, width) = text::decode(self.rest);
        self.rest = &self.rest[width..];
        Some(character)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ExpandError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.lex.limit_bytes {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    fn too_large(&self) -> ExpandError {
        ExpandError::TooLarge(self.lex.limit_bytes)
    }

    fn is_escape(&self, character: char) -> bool {
        character == char::from(self.lex.escape)
    }

    /// Reads up to the stop character (which is consumed) or, without one, to the end.
    fn until(
        &mut self,
        stop: Option<char>,
        raw_escapes: bool,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), ExpandError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.too_large());
        }
        let outer = std::mem::replace(&mut self.raw_escapes, raw_escapes);
        let result = self.until_inner(stop);
        self.raw_escapes = outer;
        self.depth -= 1;
        result
    }

    fn until_inner(&mut self, stop: Option<char>) -> Result<(Vec<u8>, Vec<Vec<u8>>), ExpandError> {
        let mut result = Vec::new();
        self.buffer.clear();
        let mut words = Words::default();
        while let Some(character) = self.peek() {
            if Some(character) == stop {
                self.next();
                return Ok((result, words.finish(&mut self.buffer)));
            }
            let special = match character {
                '$' => Some(self.dollar()?),
                '<' => Some(self.possible_heredoc()),
                '\'' if !self.lex.skip_quotes => Some(self.single_quoted()?),
                '"' if !self.lex.skip_quotes => Some(self.double_quoted()?),
                _ => None,
            };
            if let Some(piece) = special {
                self.spend(piece.len())?;
                if character == '$' {
                    for (_, character, _) in text::characters(&piece) {
                        words.add(&mut self.buffer, character);
                    }
                } else {
                    self.buffer.extend_from_slice(&piece);
                    words.in_word = true;
                }
                result.extend_from_slice(&piece);
                continue;
            }
            let Some(mut character) = self.next() else {
                break;
            };
            if self.is_escape(character) {
                if self.raw_escapes {
                    text::push(&mut self.buffer, character);
                    words.in_word = true;
                    text::push(&mut result, character);
                }
                match self.next() {
                    None => break,
                    Some(escaped) => character = escaped,
                }
                text::push(&mut self.buffer, character);
                words.in_word = true;
            } else {
                words.add(&mut self.buffer, character);
            }
            text::push(&mut result, character);
        }
        match stop {
            Some(stop) => Err(ExpandError::Unterminated(stop.to_string())),
            None => Ok((result, words.finish(&mut self.buffer))),
        }
    }

    fn single_quoted(&mut self) -> Result<Vec<u8>, ExpandError> {
        let mut result = Vec::new();
        self.next();
        if self.lex.raw_quotes {
            result.push(b'\'');
        }
        loop {
            match self.next() {
                None => return Err(ExpandError::Unterminated("single-quote".to_owned())),
                Some('\'') => {
                    if self.lex.raw_quotes {
                        result.push(b'\'');
                    }
                    return Ok(result);
                }
                Some(character) => text::push(&mut result, character),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<Vec<u8>, ExpandError> {
        let mut result = Vec::new();
        self.next();
        if self.lex.raw_quotes {
            result.push(b'"');
        }
        loop {
            match self.peek() {
                None => return Err(ExpandError::Unterminated("double-quote".to_owned())),
                Some('"') => {
                    self.next();
                    if self.lex.raw_quotes {
                        result.push(b'"');
                    }
                    return Ok(result);
                }
                Some('$') => {
                    let value = self.dollar()?;
                    self.spend(value.len())?;
                    result.extend_from_slice(&value);
                }
                Some(mut character) => {
                    self.next();
                    if self.is_escape(character) {
                        if self.raw_escapes {
                            text::push(&mut result, character);
                        }
                        match self.peek() {
                            None => continue,
                            Some(escaped)
                                if escaped == '"' || escaped == '$' || self.is_escape(escaped) =>
                            {
                                self.next();
                                character = escaped;
                            }
                            Some(_) => {}
                        }
                    }
                    text::push(&mut result, character);
                }
            }
        }
    }

    /// `<<` keeps the white space that follows it, so that `<< EOF` stays one word.
    fn possible_heredoc(&mut self) -> Vec<u8> {
        self.next();
        if self.peek() != Some('<') {
            return b"<".to_vec();
        }
        self.next();
        let mut result = b"<<".to_vec();
        while let Some(space @ ('\t' | '\r' | ' ')) = self.peek() {
            text::push(&mut result, space);
            self.next();
        }
        result
    }

    fn dollar(&mut self) -> Result<Vec<u8>, ExpandError> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok(b"$".to_vec());
            }
            return Ok(match self.look_up(&name) {
                Some(value) => value,
                None if self.lex.skip_unset => format!("${name}").into_bytes(),
                None => Vec::new(),
            });
        }
        self.next();
        match self.peek() {
            None => return Err(ExpandError::Missing("'}'")),
            Some('{' | '}' | ':') => return Err(ExpandError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.next() {
            Some('}') => Ok(match self.look_up(&name) {
                Some(value) => value,
                None if self.lex.skip_unset => format!("${{{name}}}").into_bytes(),
                None => Vec::new(),
            }),
            Some(':') => {
                let operator = self.next();
                self.operator(&name, operator, true)
            }
            Some(operator @ ('+' | '-' | '?' | '#' | '%')) => {
                self.operator(&name, Some(operator), false)
            }
            Some('/') => self.replacement(&name),
            other => Err(ExpandError::UnsupportedModifier(
                other.unwrap_or(text::REPLACEMENT).to_string(),
            )),
        }
    }

    fn operator(
        &mut self,
        name: &str,
        operator: Option<char>,
        null_is_unset: bool,
    ) -> Result<Vec<u8>, ExpandError> {
        let mut shown = if null_is_unset {
            ":".to_owned()
        } else {
            String::new()
        };
        shown.push(operator.unwrap_or(text::REPLACEMENT));
        let is_pattern = matches!(operator, Some('#' | '%'));
        if null_is_unset && is_pattern {
            return Err(ExpandError::UnsupportedModifier(shown));
        }
        let (word, _) = self
            .until(Some('}'), is_pattern)
            .map_err(|error| self.at_end(error, "'}'"))?;
        let value = self.look_up(name);
        if self.lex.skip_unset && value.is_none() {
            return Ok([b"${", name.as_bytes(), shown.as_bytes(), &word, b"}"].concat());
        }
        let is_set = value
            .as_ref()
            .is_some_and(|value| !(null_is_unset && value.is_empty()));
        match operator {
            Some('-') => Ok(if is_set {
                value.unwrap_or_default()
            } else {
                word
            }),
            Some('+') => Ok(if is_set { word } else { Vec::new() }),
            Some('?') if is_set => Ok(value.unwrap_or_default()),
            Some('?') => {
                let missing = if value.is_none() {
                    "is not allowed to be unset"
                } else {
                    "is not allowed to be empty"
                };
                let message = if word.is_empty() {
                    missing.to_owned()
                } else {
                    text::lossy(&word)
                };
                Err(ExpandError::Required {
                    name: name.to_owned(),
                    message,
                })
            }
            Some(operator @ ('%' | '#')) => {
                let value = value.unwrap_or_default();
                let greedy = word.first().copied().map(char::from) == Some(operator);
                let pattern = if greedy { &word[1..] } else { &word[..] };
                if operator == '#' {
                    remove_prefix(pattern, &value, greedy)
                } else {
                    remove_suffix(pattern, &value, greedy)
                }
            }
            _ => Err(ExpandError::UnsupportedModifier(shown)),
        }
    }

    fn replacement(&mut self, name: &str) -> Result<Vec<u8>, ExpandError> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let (pattern, _) = self
            .until(Some('/'), true)
            .map_err(|error| self.at_end(error, "'/' in ${}"))?;
        let (with, _) = self
            .until(Some('}'), true)
            .map_err(|error| self.at_end(error, "'}'"))?;
        let value = self.look_up(name);
        if self.lex.skip_unset && value.is_none() {
            return Ok([b"${", name.as_bytes(), b"/", &pattern, b"/", &with, b"}"].concat());
        }
        replace(
            &pattern,
            &value.unwrap_or_default(),
            &with,
            all,
            self.lex.limit_bytes,
        )
    }

    /// Where the text ends inside a substitution, the missing end is what is reported.
    fn at_end(&self, error: ExpandError, missing: &'static str) -> ExpandError {
        match error {
            ExpandError::TooLarge(_) => error,
            _ if self.rest.is_empty() => ExpandError::Missing(missing),
            _ => error,
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(character) = self.peek() {
            if name.is_empty() && text::is_digit(character) {
                while let Some(digit) = self.peek().filter(|digit| text::is_digit(*digit)) {
                    name.push(digit);
                    self.next();
                }
                return name;
            }
            if name.is_empty() && matches!(character, '@' | '*' | '#' | '?' | '-' | '$' | '!' | '0')
            {
                self.next();
                return character.to_string();
            }
            if !text::is_letter(character) && !text::is_digit(character) && character != '_' {
                break;
            }
            name.push(character);
            self.next();
        }
        name
    }

    fn look_up(&mut self, name: &str) -> Option<Vec<u8>> {
        let value = self.variables.value(name).map(<[u8]>::to_vec);
        let seen = if value.is_some() {
            &mut self.matched
        } else {
            &mut self.unmatched
        };
        seen.insert(name.to_owned());
        value
    }
}
