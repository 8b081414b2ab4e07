//! Takes an instruction's line apart: keyword, flags, the rest.

use std::ops::Range;

use crate::text;

/// A flag in front of the arguments.
pub(super) struct RawFlag {
    pub(super) value: Vec<u8>,
    pub(super) range: Range<usize>,
}

/// The parts, as ranges of the line.
pub(super) struct Parts {
    pub(super) keyword: Range<usize>,
    pub(super) flags: Vec<RawFlag>,
    pub(super) rest: Range<usize>,
}

/// Splits a line that may have white space on both sides.
pub(super) fn split(line: &[u8], escape: u8) -> Parts {
    let (start, trimmed) = text::trim(line);
    let end = start + trimmed.len();
    let is_blank = |byte: &u8| matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ');
    let Some(gap) = trimmed.iter().position(is_blank) else {
        return Parts {
            keyword: start..end,
            flags: Vec::new(),
            rest: end..end,
        };
    };
    let keyword = start..start + gap;
    let after = trimmed[gap..]
        .iter()
        .position(|byte| !is_blank(byte))
        .map_or(end, |width| start + gap + width);
    let (flags, rest) = flags(&line[..end], after, escape);
    let (skipped, kept) = text::trim(&line[rest..end]);
    Parts {
        keyword,
        flags,
        rest: rest + skipped..rest + skipped + kept.len(),
    }
}

/// Reads flags from `from` on and says where the rest begins. BuildKit goes byte by byte here and reads each byte as
/// a Latin-1 character: a flag's value with bytes past ASCII comes out re-encoded, and so it does here.
fn flags(line: &[u8], from: usize, escape: u8) -> (Vec<RawFlag>, usize) {
    let mut flags = Vec::new();
    let mut at = from;
    loop {
        while line.get(at).is_some_and(|byte| text::is_space_byte(*byte)) {
            at += 1;
        }
        if at >= line.len() {
            return (flags, line.len());
        }
        if !line[at..].starts_with(b"--") {
            return (flags, at);
        }
        let start = at;
        let (value, quoted, end) = flag(line, start, escape);
        if value == b"--" {
            // Two hyphens alone end the flags and belong to neither side, at the end of the line as well.
            return (flags, end);
        }
        if quoted || !value.is_empty() {
            flags.push(RawFlag {
                value,
                range: start..end,
            });
        }
        at = end;
    }
}

fn flag(line: &[u8], start: usize, escape: u8) -> (Vec<u8>, bool, usize) {
    let mut value = Vec::new();
    let mut quote: Option<u8> = None;
    let mut was_quoted = false;
    let mut at = start;
    while let Some(&byte) = line.get(at) {
        match quote {
            None if text::is_space_byte(byte) => break,
            None if matches!(byte, b'\'' | b'"') => {
                quote = Some(byte);
                was_quoted = true;
                at += 1;
                continue;
            }
            Some(mark) if byte == mark => {
                quote = None;
                at += 1;
                continue;
            }
            _ => {}
        }
        let mut byte = byte;
        if byte == escape {
            at += 1;
            match line.get(at) {
                // An escape character at the very end is dropped.
                None => break,
                Some(escaped) => byte = *escaped,
            }
        }
        text::push(&mut value, char::from(byte));
        at += 1;
    }
    (value, was_quoted, at)
}
