//! The ways in which the rest of a line becomes words; one per kind of instruction.

use std::ops::Range;

use super::ParseErrorKind;
use super::json;
use super::node::Form;
use crate::text;

/// A word with its range in the line.
pub(super) struct RawWord {
    pub(super) value: Vec<u8>,
    pub(super) range: Range<usize>,
}

type Parsed = Result<(Form, Vec<RawWord>), ParseErrorKind>;

/// Everything as one piece; nothing when there is nothing.
pub(super) fn whole(line: &[u8], rest: Range<usize>) -> Vec<RawWord> {
    if rest.is_empty() {
        return Vec::new();
    }
    vec![RawWord {
        value: line[rest.clone()].to_vec(),
        range: rest,
    }]
}

/// A JSON array, or everything as one piece.
pub(super) fn json_or_whole(line: &[u8], rest: Range<usize>) -> Parsed {
    match json_words(line, rest.clone())? {
        Some(words) => Ok((Form::Json, words)),
        None => Ok((Form::Whole, whole(line, rest))),
    }
}

/// A JSON array, or words split at blanks.
pub(super) fn json_or_words(line: &[u8], rest: Range<usize>) -> Parsed {
    match json_words(line, rest.clone())? {
        Some(words) => Ok((Form::Json, words)),
        None => Ok((Form::Words, at_blanks(line, rest))),
    }
}

/// Words split at ASCII blanks; no quotes, no escapes.
pub(super) fn at_blanks(line: &[u8], rest: Range<usize>) -> Vec<RawWord> {
    let mut out = Vec::new();
    if rest.is_empty() {
        return out;
    }
    let is_blank = |byte: &u8| matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ');
    let mut start = rest.start;
    loop {
        let end = line[start..rest.end]
            .iter()
            .position(is_blank)
            .map_or(rest.end, |at| start + at);
        out.push(RawWord {
            value: line[start..end].to_vec(),
            range: start..end,
        });
        if end == rest.end {
            return out;
        }
        start = line[end..rest.end]
            .iter()
            .position(|byte| !is_blank(byte))
            .map_or(rest.end, |at| end + at);
    }
}

/// HEALTHCHECK: the type, then a JSON array or everything as one piece. The type ends at a byte that is white space
/// when taken as Latin-1.
pub(super) fn type_and_command(line: &[u8], rest: Range<usize>) -> Parsed {
    let is_space = |byte: &u8| text::is_space_byte(*byte);
    let end = line[rest.clone()]
        .iter()
        .position(is_space)
        .map_or(rest.end, |at| rest.start + at);
    let next = line[end..rest.end]
        .iter()
        .position(|byte| !is_space(byte))
        .map_or(rest.end, |at| end + at);
    if end == rest.start {
        return Ok((Form::TypeAndWhole, Vec::new()));
    }
    let mut words = vec![RawWord {
        value: line[rest.start..end].to_vec(),
        range: rest.start..end,
    }];
    let (form, command) = json_or_whole(line, next..rest.end)?;
    words.extend(command);
    Ok((
        if form == Form::Json {
            Form::TypeAndJson
        } else {
            Form::TypeAndWhole
        },
        words,
    ))
}

/// ENV and LABEL: `name=value …`, or the old `name value`.
pub(super) fn pairs(line: &[u8], rest: Range<usize>, escape: u8, name: &'static str) -> Parsed {
    let words = quoted(line, rest.clone(), escape);
    let Some(first) = words.first() else {
        return Ok((Form::Pairs, Vec::new()));
    };
    if !first.value.contains(&b'=') {
        let is_blank = |byte: &u8| matches!(byte, b'\t' | 0x0B | 0x0C | b'\r' | b' ');
        let end = line[rest.clone()]
            .iter()
            .position(is_blank)
            .ok_or(ParseErrorKind::MustHaveTwoArguments(name))?
            + rest.start;
        let next = line[end..rest.end]
            .iter()
            .position(|byte| !is_blank(byte))
            .map_or(rest.end, |at| end + at);
        let piece = |range: Range<usize>| RawWord {
            value: line[range.clone()].to_vec(),
            range,
        };
        return Ok((
            Form::Pairs,
            vec![
                piece(rest.start..end),
                piece(next..rest.end),
                piece(end..end),
            ],
        ));
    }
    let mut out = Vec::with_capacity(words.len() * 3);
    for word in words {
        let Some(equals) = word.value.iter().position(|byte| *byte == b'=') else {
            return Err(ParseErrorKind::MissingEquals(go_quote(&word.value)));
        };
        // Characters before the first `=` may have been re-encoded, so its place in the file is looked up there.
        let at = line[word.range.clone()]
            .iter()
            .position(|byte| *byte == b'=')
            .map_or(word.range.end, |at| word.range.start + at);
        out.push(RawWord {
            value: word.value[..equals].to_vec(),
            range: word.range.start..at,
        });
        out.push(RawWord {
            value: word.value[equals + 1..].to_vec(),
            range: (at + 1).min(word.range.end)..word.range.end,
        });
        out.push(RawWord {
            value: b"=".to_vec(),
            range: at..(at + 1).min(word.range.end),
        });
    }
    Ok((Form::Pairs, out))
}

/// Words split at white space outside quotes; quotes and escapes stay in the words and are resolved on expansion.
pub(super) fn quoted(line: &[u8], rest: Range<usize>, escape: u8) -> Vec<RawWord> {
    let mut out = Vec::new();
    let escape = char::from(escape);
    let mut at = rest.start;
    let take = |at: usize| text::decode(&line[at..rest.end]);
    while at < rest.end {
        let (character, width) = take(at);
        if text::is_space(character) {
            at += width;
            continue;
        }
        let start = at;
        let mut value = Vec::new();
        let mut quote: Option<char> = None;
        let mut blank_counts = false;
        while at < rest.end {
            let (mut character, mut width) = take(at);
            match quote {
                None if text::is_space(character) => break,
                None if matches!(character, '\'' | '"') => {
                    quote = Some(character);
                    blank_counts = true;
                }
                None if character == escape => {
                    if at + width == rest.end {
                        // An escape character at the very end is dropped.
                        at += width;
                        break;
                    }
                    text::push(&mut value, character);
                    at += width;
                    (character, width) = take(at);
                }
                None => {}
                Some(mark) => {
                    if character == mark {
                        quote = None;
                    }
                    // Inside single quotes nothing can be escaped.
                    if character == escape && mark != '\'' {
                        if at + width == rest.end {
                            at += width;
                            break;
                        }
                        text::push(&mut value, character);
                        at += width;
                        (character, width) = take(at);
                    }
                }
            }
            text::push(&mut value, character);
            at += width;
        }
        if blank_counts || !value.is_empty() {
            out.push(RawWord {
                value,
                range: start..at,
            });
        }
    }
    out
}

fn json_words(line: &[u8], rest: Range<usize>) -> Result<Option<Vec<RawWord>>, ParseErrorKind> {
    match json::string_array(&line[rest.clone()]) {
        json::Array::Strings(strings) => Ok(Some(
            strings
                .into_iter()
                .map(|(value, range)| RawWord {
                    value,
                    range: rest.start + range.start..rest.start + range.end,
                })
                .collect(),
        )),
        json::Array::Mixed => Err(ParseErrorKind::JsonNotStrings),
        json::Array::Not => Ok(None),
    }
}

/// A string in double quotes with the escapes of Go's `%q`.
pub(crate) fn go_quote(value: &[u8]) -> String {
    let mut out = String::from("\"");
    for (at, character, width) in text::characters(value) {
        match character {
            text::REPLACEMENT if width == 1 => out.push_str(&format!("\\x{:02x}", value[at])),
            '"' | '\\' => out.extend(['\\', character]),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{C}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{B}' => out.push_str("\\v"),
            printable if text::is_printable(printable) => out.push(printable),
            other => match u32::from(other) {
                code @ (0..0x20 | 0x7F) => out.push_str(&format!("\\x{code:02x}")),
                code @ 0..0x10000 => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push('"');
    out
}
