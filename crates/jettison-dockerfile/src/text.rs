//! Bytes read the way BuildKit reads them: as UTF-8 in which every byte that does not fit is one replacement
//! character. Dockerfiles may hold any bytes, so nothing in this crate asks for `str` input.

use unicode_general_category::{GeneralCategory, get_general_category};

/// What a byte that is not part of valid UTF-8 is read as.
pub(crate) const REPLACEMENT: char = '\u{FFFD}';

/// Returns the first character and its width; an invalid byte is the replacement character of width 1.
/// The input must not be empty (an empty input gives width 0).
pub(crate) fn decode(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else {
        return (REPLACEMENT, 0);
    };
    let width = match first {
        0..=0x7F => return (char::from(first), 1),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (REPLACEMENT, 1),
    };
    let character = bytes
        .get(..width)
        .and_then(|head| std::str::from_utf8(head).ok())
        .and_then(|head| head.chars().next());
    character.map_or((REPLACEMENT, 1), |character| (character, width))
}

/// Iterates over offset, character and width.
pub(crate) fn characters(bytes: &[u8]) -> impl Iterator<Item = (usize, char, usize)> + '_ {
    let mut offset = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(offset..).filter(|rest| !rest.is_empty())?;
        let (character, width) = decode(rest);
        let at = offset;
        offset += width;
        Some((at, character, width))
    })
}

/// Appends one character in UTF-8.
pub(crate) fn push(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Says whether the character is white space (Unicode `White_Space`, which is what BuildKit asks for too).
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace()
}

/// The same question about a single byte taken as Latin-1: BuildKit asks it of bytes in two places (flags and the
/// first word of HEALTHCHECK), where 0x85 and 0xA0 split words even inside a UTF-8 character.
pub(crate) fn is_space_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'\t' | b'\n' | 0x0B | 0x0C | b'\r' | b' ' | 0x85 | 0xA0
    )
}

/// Unicode category L.
pub(crate) fn is_letter(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphabetic();
    }
    use GeneralCategory::{
        LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter,
    };
    let category = get_general_category(character);
    matches!(
        category,
        LowercaseLetter | ModifierLetter | OtherLetter | TitlecaseLetter | UppercaseLetter
    )
}

/// Unicode category Nd.
pub(crate) fn is_digit(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_digit();
    }
    get_general_category(character) == GeneralCategory::DecimalNumber
}

/// Letters, marks, numbers, punctuation, symbols and the ASCII blank.
pub(crate) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let category = get_general_category(character).abbreviation();
    category.starts_with(['L', 'M', 'N', 'P', 'S'])
}

/// Number of leading white-space bytes.
pub(crate) fn leading_space(bytes: &[u8]) -> usize {
    characters(bytes)
        .find(|(_, character, _)| !is_space(*character))
        .map_or(bytes.len(), |(offset, ..)| offset)
}

/// Number of bytes before the trailing white space.
pub(crate) fn without_trailing_space(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    while end > 0 {
        let start = last_start(&bytes[..end]);
        if !is_space(decode(&bytes[start..end]).0) {
            break;
        }
        end = start;
    }
    end
}

/// Trims white space on both sides and says where the rest starts.
pub(crate) fn trim(bytes: &[u8]) -> (usize, &[u8]) {
    let start = leading_space(bytes);
    let end = without_trailing_space(bytes).max(start);
    (start, &bytes[start..end])
}

/// Lower case by simple mapping, character by character.
pub(crate) fn lower(bytes: &[u8]) -> Vec<u8> {
    map(bytes, |character| match character {
        '\u{130}' => 'i',
        other => single(other.to_lowercase(), other),
    })
}

/// Upper case by simple mapping, character by character.
pub(crate) fn upper(bytes: &[u8]) -> Vec<u8> {
    map(bytes, |character| {
        single(character.to_uppercase(), character)
    })
}

/// Replaces bytes that are not valid UTF-8 and returns a string.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    characters(bytes)
        .map(|(_, character, _)| character)
        .collect()
}

fn single(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(character), None) => character,
        _ => original,
    }
}

fn map(bytes: &[u8], change: impl Fn(char) -> char) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (_, character, _) in characters(bytes) {
        push(&mut out, change(character));
    }
    out
}

fn last_start(bytes: &[u8]) -> usize {
    let end = bytes.len();
    for width in 2..=4.min(end) {
        let start = end - width;
        if decode(&bytes[start..]).1 == width {
            return start;
        }
    }
    end - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_are_one_replacement_each() {
        let seen: Vec<_> = characters(b"a\xC3(\xE2\x82\xAC\xF0\x9F").collect();
        assert_eq!(
            seen,
            [
                (0, 'a', 1),
                (1, REPLACEMENT, 1),
                (2, '(', 1),
                (3, '\u{20AC}', 3),
                (6, REPLACEMENT, 1),
                (7, REPLACEMENT, 1)
            ]
        );
    }

    #[test]
    fn trimming_knows_unicode_space_and_leaves_invalid_bytes() {
        assert_eq!(trim("\u{2003} x \u{A0}\u{85}".as_bytes()), (4, &b"x"[..]));
        assert_eq!(trim(b"\xA0x\x85"), (0, &b"\xA0x\x85"[..]));
        assert_eq!(trim(b" \t "), (3, &b""[..]));
    }

    #[test]
    fn case_is_mapped_as_unicode_says() {
        assert_eq!(lower("WOR\u{212A}D\u{130}R".as_bytes()), b"workdir");
        assert_eq!(upper("onbu\u{131}ld".as_bytes()), b"ONBUILD");
    }
}
