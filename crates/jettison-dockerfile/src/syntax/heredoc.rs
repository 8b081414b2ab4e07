//! Heredocs: which words of a line open one, and what it is called. BuildKit finds them with its word expansion, so
//! quoting counts, `$((1<<2))` and `<<<` are none, and `<<"A B"` is one.

use std::ops::Range;

use super::ParseErrorKind;
use crate::expand::{ExpandError, Lex, NoVariables};

/// A heredoc with its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The opening word.
    pub word: HeredocWord,
    /// The contents as they stand in the file (leading tabs are still there).
    pub content: Vec<u8>,
    /// The bytes of the contents.
    pub range: Range<usize>,
    /// The bytes of the terminator, without white space and line ending.
    pub terminator: Range<usize>,
}

/// What follows `<<`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeredocWord {
    /// The name, quotes resolved.
    pub name: Vec<u8>,
    /// The number in front of `<<`; 0 when there is none.
    pub descriptor: u64,
    /// Variables in the contents are expanded: the name is not quoted.
    pub expand: bool,
    /// Leading tabs of the contents are removed: `<<-`.
    pub chomp: bool,
}

/// Finds the words of a line that open heredocs.
pub(super) fn find(line: &[u8]) -> Result<Vec<HeredocWord>, ParseErrorKind> {
    let lex = Lex {
        raw_quotes: true,
        raw_escapes: true,
        skip_unset: true,
        ..Lex::new(b'\\')
    };
    // A line that cannot be split opens none.
    let words = lex.words(line, &NoVariables).unwrap_or_default();
    let mut out = Vec::new();
    for word in words {
        out.extend(parse_word(&word).map_err(ParseErrorKind::HeredocWord)?);
    }
    Ok(out)
}

/// Reads `<<NAME`, `3<<-'NAME'` and the like; `None` when the word is no heredoc.
pub(crate) fn parse_word(word: &[u8]) -> Result<Option<HeredocWord>, ExpandError> {
    let Some((digits, chomp, rest)) = split(word) else {
        return Ok(None);
    };
    let descriptor = digits.iter().fold(0_u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    let mut lex = Lex {
        skip_unset: true,
        ..Lex::new(b'\\')
    };
    let resolved = lex.words(rest, &NoVariables)?;
    let [name] = resolved.as_slice() else {
        return Ok(None);
    };
    lex.raw_quotes = true;
    let raw = lex.words(rest, &NoVariables)?;
    let [raw_name] = raw.as_slice() else {
        return Ok(None);
    };
    // A quote that disappears quotes the contents.
    let quotes = |word: &[u8]| {
        word.iter()
            .filter(|byte| matches!(byte, b'\'' | b'"'))
            .count()
    };
    let expand = quotes(name) == quotes(raw_name);
    Ok(Some(HeredocWord {
        name: name.clone(),
        descriptor,
        expand,
        chomp,
    }))
}

/// Removes the tabs at the start of every line.
pub(crate) fn remove_leading_tabs(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
        out.extend_from_slice(&line[tabs..]);
    }
    out
}

fn split(word: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = word[digits..].strip_prefix(b"<<")?;
    let (chomp, rest) = rest
        .strip_prefix(b"-")
        .map_or((false, rest), |rest| (true, rest));
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' '))
        .count();
    let rest = &rest[blanks..];
    (!rest.is_empty() && !rest.contains(&b'<')).then_some((&word[..digits], chomp, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_words_open_one() {
        let found = |line: &str| -> Vec<String> {
            let words = find(line.as_bytes()).unwrap_or_default();
            words
                .iter()
                .map(|word| {
                    format!(
                        "{}{}{}{}",
                        word.descriptor,
                        if word.chomp { "-" } else { "<" },
                        String::from_utf8_lossy(&word.name),
                        if word.expand { "" } else { "!" }
                    )
                })
                .collect()
        };
        assert_eq!(
            found("RUN cat <<A 3<<-'B' << C <<\\D <<\"E F\""),
            ["0<A", "3-B!", "0<C", "0<D", "0<E F!"]
        );
        assert_eq!(
            found("RUN echo $((1<<2)) <<<x \"<<Q\" '<<R' a<<S"),
            Vec::<String>::new()
        );
        assert_eq!(found("RUN it's <<EOF"), Vec::<String>::new());
    }
}
