//! Control paragraphs (deb822(5)): `Field: value` lines, continuation lines
//! that begin with a blank, paragraphs apart by empty lines. One format for
//! Release, Packages, control, dpkg's status and `.sources` files.
//!
//! Reads one paragraph at a time into a buffer that is used again, so an index
//! of 60 000 paragraphs costs no allocation for the fields nobody asks for.

use std::io::{self, BufRead};
use std::ops::Range;

/// One paragraph: its text and where its fields lie in it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Paragraph {
    text: String,
    fields: Vec<(Range<usize>, Range<usize>)>,
    /// Lines that are neither field, continuation nor comment.
    pub(crate) odd_lines: usize,
}

impl Paragraph {
    /// The value of a field, names compared without case; blanks around the
    /// value are gone, continuation lines are as they were written.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| self.text[field.clone()].eq_ignore_ascii_case(name))
            .map(|(_, value)| self.text[value.clone()].trim())
    }

    /// The values of a field that may be given several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| self.text[field.clone()].eq_ignore_ascii_case(name))
            .map(|(_, value)| self.text[value.clone()].trim())
    }

    /// True when a field is given more than once.
    pub(crate) fn repeats(&self, name: &str) -> bool {
        let same =
            |field: &&(Range<usize>, _)| self.text[field.0.clone()].eq_ignore_ascii_case(name);
        self.fields.iter().filter(same).count() > 1
    }

    /// The first paragraph of a text, comments skipped.
    pub(crate) fn first(text: &[u8], limit: usize) -> io::Result<Self> {
        let mut paragraph = Self::default();
        Paragraphs::new(text, limit).read_into(&mut paragraph)?;
        Ok(paragraph)
    }

    fn index(&mut self) {
        self.fields.clear();
        self.odd_lines = 0;
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let end = start + line.len();
            if line.starts_with([' ', '\t']) {
                match self.fields.last_mut() {
                    Some((_, value)) => value.end = end,
                    None => self.odd_lines += 1,
                }
            } else if let Some(colon) = line.find(':').filter(|&at| at > 0) {
                self.fields
                    .push((start..start + colon, start + colon + 1..end));
            } else {
                self.odd_lines += 1;
            }
            start = end;
        }
    }
}

/// Reads paragraphs one after the other.
pub(crate) struct Paragraphs<R> {
    inner: R,
    limit: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Paragraphs<R> {
    /// `limit` bounds the bytes of one paragraph.
    pub(crate) fn new(inner: R, limit: usize) -> Self {
        Self {
            inner,
            limit,
            line: Vec::new(),
        }
    }

    /// Reads the next paragraph that has a field; false at the end.
    pub(crate) fn read_into(&mut self, paragraph: &mut Paragraph) -> io::Result<bool> {
        let mut bytes = std::mem::take(&mut paragraph.text).into_bytes();
        bytes.clear();
        loop {
            self.line.clear();
            let room = (self.limit - bytes.len()) as u64 + 1;
            let count = io::Read::take(&mut self.inner, room).read_until(b'\n', &mut self.line)?;
            if count as u64 == room {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a paragraph is longer than {} bytes", self.limit),
                ));
            }
            let blank = self.line.iter().all(u8::is_ascii_whitespace);
            if !blank && self.line[0] != b'#' {
                bytes.extend_from_slice(&self.line);
            }
            if count == 0 || (blank && !bytes.is_empty()) {
                break;
            }
        }
        paragraph.text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        paragraph.index();
        Ok(!paragraph.text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Paragraph> {
        let mut reader = Paragraphs::new(text.as_bytes(), 1000);
        let mut found = Vec::new();
        let mut paragraph = Paragraph::default();
        while reader.read_into(&mut paragraph).unwrap() {
            found.push(paragraph.clone());
        }
        found
    }

    #[test]
    fn paragraphs_fields_and_continuations() {
        let got = all("\n# c\nA: 1\nB:two\n words\n# between\n more\n\n \n\nc : x\nodd\n last\n");
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].get("a"), Some("1"));
        assert_eq!(got[0].get("B"), Some("two\n words\n more"));
        assert_eq!(got[0].get("C"), None);
        assert_eq!(got[1].odd_lines, 1);
        assert!(all("A: 1\na: 2\n")[0].repeats("A"));
        assert!(all("\n\n# only\n").is_empty());
        assert_eq!(all("A: 1").len(), 1);
        assert_eq!(all("A: 1\r\nB: 2\r\n\r\nC: 3\r\n")[0].get("b"), Some("2"));
    }

    #[test]
    fn a_paragraph_without_end_is_refused() {
        let text = "A: 1\n x\n".repeat(1000);
        let mut reader = Paragraphs::new(text.as_bytes(), 1000);
        assert!(reader.read_into(&mut Paragraph::default()).is_err());
        let line = "A".repeat(5000);
        assert!(
            Paragraphs::new(line.as_bytes(), 1000)
                .read_into(&mut Paragraph::default())
                .is_err()
        );
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let paragraph = Paragraph::first(b"A: \xff\nB: 2\n", 100).unwrap();
        assert_eq!(paragraph.get("A"), Some("\u{fffd}"));
        assert_eq!(paragraph.get("B"), Some("2"));
    }
}
