//! The exec form: a JSON array of strings, judged as Go's `encoding/json` judges it. Everything else that is valid
//! JSON only has to be recognised, not kept.

use std::ops::Range;

use crate::text;

/// Nesting that Go's decoder follows.
const MAX_DEPTH: usize = 10_000;

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Array {
    /// An array of strings, each with its range in the text (quotes included).
    Strings(Vec<(Vec<u8>, Range<usize>)>),
    /// A valid array with something else in it.
    Mixed,
    /// Not an array, or not valid JSON.
    Not,
}

/// Judges a text; white space may surround the array, nothing else.
pub(super) fn string_array(input: &[u8]) -> Array {
    let start = text::leading_space(input);
    if input.get(start) != Some(&b'[') {
        return Array::Not;
    }
    let mut reader = Reader { input, at: start };
    match reader.array() {
        Some(array) if reader.at_end() => array,
        _ => Array::Not,
    }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn skip(&mut self) -> Option<u8> {
        while matches!(self.input.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.input.get(self.at).copied()
    }

    fn at_end(&mut self) -> bool {
        self.skip().is_none()
    }

    fn array(&mut self) -> Option<Array> {
        let mut strings = Vec::new();
        let mut mixed = false;
        self.at += 1;
        if self.skip()? == b']' {
            self.at += 1;
            return Some(Array::Strings(strings));
        }
        loop {
            if self.skip()? == b'"' {
                let start = self.at;
                let value = self.string()?;
                strings.push((value, start..self.at));
            } else {
                self.value()?;
                mixed = true;
            }
            match self.skip()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(if mixed {
                        Array::Mixed
                    } else {
                        Array::Strings(strings)
                    });
                }
                _ => return None,
            }
        }
    }

    /// Checks one value of any kind, without recursion: a stack of the open brackets is all that is needed.
    fn value(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // A value starts here.
            match self.skip()? {
                bracket @ (b'[' | b'{') => {
                    self.at += 1;
                    open.push(bracket);
                    // The array around it counts as well.
                    if open.len() >= MAX_DEPTH {
                        return None;
                    }
                    let close = if bracket == b'[' { b']' } else { b'}' };
                    if self.skip()? == close {
                        self.at += 1;
                        open.pop();
                    } else {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => drop(self.string()?),
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => self.number()?,
            }
            // A value has ended; close what can be closed.
            loop {
                let Some(bracket) = open.last() else {
                    return Some(());
                };
                match (self.skip()?, bracket) {
                    (b',', b'[') => {
                        self.at += 1;
                        break;
                    }
                    (b',', _) => {
                        self.at += 1;
                        self.key()?;
                        break;
                    }
                    (b']', b'[') | (b'}', b'{') => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        if self.skip()? != b'"' {
            return None;
        }
        self.string()?;
        if self.skip()? != b':' {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        self.input
            .get(self.at..)?
            .starts_with(word)
            .then(|| self.at += word.len())
    }

    fn digits(&mut self) -> usize {
        let count = self.input[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.input.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        if self.input.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else if self.digits() == 0 {
            return None;
        }
        if self.input.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return None;
            }
        }
        if matches!(self.input.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.input.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return None;
            }
        }
        // Go refuses the whole document over a number that no float can hold.
        let number = std::str::from_utf8(&self.input[start..self.at]).ok()?;
        number
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite())
            .map(|_| ())
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            let rest = self.input.get(self.at..)?;
            match *rest.first()? {
                b'"' => {
                    self.at += 1;
                    return Some(out);
                }
                b'\\' => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                control if control < 0x20 => return None,
                _ => {
                    let (character, width) = text::decode(rest);
                    text::push(&mut out, character);
                    self.at += width;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let letter = *self.input.get(self.at)?;
        self.at += 1;
        out.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.unit()?;
                text::push(out, self.character(first));
                return Some(());
            }
            _ => return None,
        });
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.input.get(self.at..self.at + 4)?;
        let mut value = 0;
        for digit in digits {
            value = value * 16 + char::from(*digit).to_digit(16)?;
        }
        self.at += 4;
        Some(value)
    }

    /// Joins a surrogate pair; half of one becomes the replacement character.
    fn character(&mut self, first: u32) -> char {
        if (0xD800..0xDC00).contains(&first)
            && self
                .input
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(b"\\u"))
        {
            let back = self.at;
            self.at += 2;
            if let Some(second) = self
                .unit()
                .filter(|second| (0xDC00..0xE000).contains(second))
            {
                let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return char::from_u32(joined).unwrap_or(text::REPLACEMENT);
            }
            self.at = back;
        }
        char::from_u32(first).unwrap_or(text::REPLACEMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &[&str]) {
        match string_array(input.as_bytes()) {
            Array::Strings(found) => {
                let found: Vec<String> =
                    found.iter().map(|(value, _)| text::lossy(value)).collect();
                assert_eq!(found, expected, "{input}");
            }
            other => panic!("{input}: {other:?}"),
        }
    }

    #[test]
    fn strings() {
        check("[]", &[]);
        check(r#" [ "a" , "b\n\u0041" ] "#, &["a", "b\nA"]);
        check(
            r#"["\ud83d\ude00","\ud83d","\ud83dx","\udc00"]"#,
            &["\u{1F600}", "\u{FFFD}", "\u{FFFD}x", "\u{FFFD}"],
        );
    }

    #[test]
    fn others() {
        for mixed in [
            r"[1]",
            r#"["a", null]"#,
            r#"[{"a":[1,{}]}, -0.5e+3]"#,
            "[[[]]]",
            "[true,false]",
        ] {
            assert_eq!(string_array(mixed.as_bytes()), Array::Mixed, "{mixed}");
        }
        for not in [
            "",
            "a",
            r#"["a",]"#,
            r#"["a"] b"#,
            "['a']",
            "[01]",
            "[1e999]",
            r#"["a\x"]"#,
            "[\"a\tb\"]",
            "[",
            r#"{"a":1}"#,
            "[{a:1}]",
            "[1}",
        ] {
            assert_eq!(string_array(not.as_bytes()), Array::Not, "{not}");
        }
        let deep = format!("{}{}", "[".repeat(10_001), "]".repeat(10_001));
        assert_eq!(string_array(deep.as_bytes()), Array::Not);
    }
}
