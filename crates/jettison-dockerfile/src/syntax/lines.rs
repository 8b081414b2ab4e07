//! Physical lines. BuildKit reads at most 64 KiB of a line and stops there with an error; here the long line is
//! reported and read all the same.

use std::ops::Range;

use crate::text;

/// Bytes of a line (its line feed included) that BuildKit's scanner has room for.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Goes through the lines of a file.
pub(super) struct Scanner<'a> {
    source: &'a [u8],
    offset: usize,
    number: usize,
}

/// One line: its range with the line ending, and whether BuildKit would stop at it.
pub(super) struct Line {
    pub(super) range: Range<usize>,
    /// From 1.
    pub(super) number: usize,
    pub(super) too_long: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            offset: 0,
            number: 0,
        }
    }

    /// Lines read so far.
    pub(super) fn line_number(&self) -> usize {
        self.number
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn next(&mut self) -> Option<Line> {
        let rest = self
            .source
            .get(self.offset..)
            .filter(|rest| !rest.is_empty())?;
        let feed = rest.iter().position(|byte| *byte == b'\n');
        let length = feed.map_or(rest.len(), |at| at + 1);
        let range = self.offset..self.offset + length;
        self.offset = range.end;
        self.number += 1;
        let room = if feed.is_some() {
            MAX_LINE_BYTES
        } else {
            MAX_LINE_BYTES - 1
        };
        Some(Line {
            range,
            number: self.number,
            too_long: length > room,
        })
    }
}

/// The line without its ending: every carriage return and line feed at its end goes.
pub(super) fn without_ending(line: &[u8]) -> &[u8] {
    let end = line
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |at| at + 1);
    &line[..end]
}

/// Whether the first character that is no white space is a hash.
pub(super) fn is_comment(line: &[u8]) -> bool {
    line.get(text::leading_space(line)) == Some(&b'#')
}

/// The length of the line before a continuation character, or `None` when the line does not continue: the escape
/// character ends the line (blanks and tabs may follow) and does not itself stand behind an escape character.
pub(super) fn continuation(line: &[u8], escape: u8) -> Option<usize> {
    let end = line
        .iter()
        .rposition(|byte| !matches!(byte, b' ' | b'\t'))?;
    if line[end] != escape {
        return None;
    }
    if end > 0 && line[end - 1] == escape {
        return None;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_continues() {
        assert_eq!(continuation(b"a \\", b'\\'), Some(2));
        assert_eq!(continuation(b"a\\ \t ", b'\\'), Some(1));
        assert_eq!(continuation(b"\\", b'\\'), Some(0));
        assert_eq!(continuation(b"a\\\\", b'\\'), None);
        assert_eq!(continuation(b"a\\\\\\", b'\\'), None);
        assert_eq!(continuation(b"a\\", b'`'), None);
        assert_eq!(continuation(b"  ", b'\\'), None);
    }
}
