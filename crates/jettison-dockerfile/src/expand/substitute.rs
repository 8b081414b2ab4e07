//! The pattern operators: `${x#p}`, `${x##p}`, `${x%p}`, `${x%%p}`, `${x/p/r}`, `${x//p/r}`. Patterns know `*`, `?`
//! and the backslash; brackets are literal, as in BuildKit.

use super::ExpandError;
use crate::pattern::{MAX_STATES, Machine, State};
use crate::text;

/// Cuts the shortest (or, greedy, the longest) match off the front.
pub(super) fn remove_prefix(
    pattern: &[u8],
    value: &[u8],
    greedy: bool,
) -> Result<Vec<u8>, ExpandError> {
    let end = machine(pattern, greedy, true)?
        .find(value, 0)
        .map_or(0, |(_, end)| end);
    Ok(value[end..].to_vec())
}

/// The same at the back: pattern and value are reversed, because only the leftmost match can be shortest.
pub(super) fn remove_suffix(
    pattern: &[u8],
    value: &[u8],
    greedy: bool,
) -> Result<Vec<u8>, ExpandError> {
    let rest = remove_prefix(&reverse_pattern(pattern), &reverse(value), greedy)?;
    Ok(reverse(&rest))
}

/// Replaces the first or every match. With every match, the replacement is a template of Go's `regexp`, in which
/// `$0` is the match, `$$` a dollar and any other `$name` nothing.
pub(super) fn replace(
    pattern: &[u8],
    value: &[u8],
    with: &[u8],
    all: bool,
    limit_bytes: usize,
) -> Result<Vec<u8>, ExpandError> {
    let machine = machine(pattern, true, false)?;
    if !all {
        return Ok(match machine.find(value, 0) {
            Some((start, end)) => [&value[..start], with, &value[end..]].concat(),
            None => value.to_vec(),
        });
    }
    let mut out = Vec::new();
    let mut last_end = 0;
    let mut from = 0;
    while from <= value.len() {
        let Some((start, end)) = machine.find(value, from) else {
            break;
        };
        out.extend_from_slice(&value[last_end..start]);
        // An empty match right after a match does not count.
        if end > last_end || start == 0 {
            template(with, &value[start..end], &mut out);
        }
        if out.len() > limit_bytes {
            return Err(ExpandError::TooLarge(limit_bytes));
        }
        last_end = end;
        let width = text::decode(&value[from..]).1;
        from = if from + width > end {
            from + width
        } else if from + 1 > end {
            from + 1
        } else {
            end
        };
    }
    out.extend_from_slice(&value[last_end.min(value.len())..]);
    Ok(out)
}

fn template(with: &[u8], matched: &[u8], out: &mut Vec<u8>) {
    let mut rest = with;
    while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
        out.extend_from_slice(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix(b"$") {
            out.push(b'$');
            rest = after;
            continue;
        }
        let braced = rest.strip_prefix(b"{");
        let body = braced.unwrap_or(rest);
        let length = text::characters(body)
            .find(|(_, character, _)| {
                !(text::is_letter(*character) || text::is_digit(*character) || *character == '_')
            })
            .map_or(body.len(), |(offset, ..)| offset);
        let closes = braced.is_none() || body.get(length) == Some(&b'}');
        if length == 0 || !closes {
            out.push(b'$');
            continue;
        }
        if body[..length].iter().all(|byte| *byte == b'0') && length == 1 {
            out.extend_from_slice(matched);
        }
        rest = &body[length + usize::from(braced.is_some())..];
    }
    out.extend_from_slice(rest);
}

fn machine(pattern: &[u8], greedy: bool, anchored: bool) -> Result<Machine, ExpandError> {
    let invalid = || ExpandError::InvalidPattern(text::lossy(pattern));
    let rest = pattern
        .strip_prefix("\u{FEFF}".as_bytes())
        .unwrap_or(pattern);
    let mut characters = text::characters(rest)
        .map(|(_, character, _)| character)
        .peekable();
    let mut states = Vec::new();
    if anchored {
        states.push(State::Start);
    }
    while let Some(character) = characters.next() {
        if states.len() > MAX_STATES {
            return Err(invalid());
        }
        match character {
            '*' => {
                let at = states.len();
                states.push(if greedy {
                    State::Split(at + 1, at + 3)
                } else {
                    State::Split(at + 3, at + 1)
                });
                states.extend([State::Any, State::Jump(at)]);
            }
            '?' => states.push(State::Any),
            // `}` and `/` must be escaped inside `${}`; the escape is not part of the pattern.
            '\\' if matches!(characters.peek(), Some('}' | '/')) => {}
            '\\' => match characters.next() {
                Some(escaped @ ('*' | '?' | '\\')) => states.push(State::Char(escaped)),
                _ => return Err(invalid()),
            },
            other => states.push(State::Char(other)),
        }
    }
    states.push(State::Match);
    Ok(Machine::new(states))
}

fn reverse(value: &[u8]) -> Vec<u8> {
    let reversed: String = text::lossy(value).chars().rev().collect();
    reversed.into_bytes()
}

/// Reverses characters but keeps each escape in front of what it escapes.
fn reverse_pattern(pattern: &[u8]) -> Vec<u8> {
    let characters: Vec<char> = text::lossy(pattern).chars().collect();
    let mut pieces: Vec<String> = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let width = if characters[at] == '\\' && at + 1 < characters.len() {
            2
        } else {
            1
        };
        pieces.push(characters[at..at + width].iter().collect());
        at += width;
    }
    pieces.reverse();
    pieces.concat().into_bytes()
}
