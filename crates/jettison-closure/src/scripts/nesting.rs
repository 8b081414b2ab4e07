//! Parsers of whole languages descend with their input, and so does letting go
//! of what they built. Text that nests deeper than a person writes is told
//! before it is parsed; what is parsed gets a stack that holds it.

/// Levels that are parsed. Generated code has some hundreds: long sums of
/// strings, chains of `else if`.
const MOST_LEVELS: usize = 3000;
/// Open brackets, each of which costs a parser a dozen calls.
const MOST_BRACKETS: usize = 400;
/// Enough for both; only what is used is ever backed by memory.
const STACK_BYTES: usize = 256 << 20;

/// Which rules end a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// A line feed outside of brackets; comments begin with `#`.
    Python,
    /// `;`, or a line feed between two things that cannot go together.
    JavaScript,
}

/// Runs a parser and what reads its result, on a stack of its own; `None` for
/// a text that nests too deeply.
pub(crate) fn parse<T: Send>(
    text: &str,
    syntax: Syntax,
    read: impl FnOnce() -> T + Send,
) -> Option<T> {
    if levels(text.as_bytes(), syntax)? > MOST_LEVELS {
        return None;
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, read).ok()?;
        // A parser's panic costs the text that caused it, no more.
        thread.join().ok()
    })
}

/// An upper bound of the levels that a parser descends; `None` for too many
/// brackets. It counts words and signs since the last thing that certainly
/// ends an expression, in every open bracket.
fn levels(text: &[u8], syntax: Syntax) -> Option<usize> {
    let mut open = vec![0_usize];
    let mut sum = 0_usize;
    let mut most = 0;
    let mut at = 0;
    let mut last = b'\n';
    let mut last_word: &[u8] = b"";
    while let Some(&byte) = text.get(at) {
        let level = open.len() - 1;
        match byte {
            b'"' | b'\'' | b'`' if byte != b'`' || syntax == Syntax::JavaScript => {
                at = string_end(text, at, syntax);
                sum += 1;
                open[level] += 1;
                last = byte;
                last_word = b"";
            }
            b'#' if syntax == Syntax::Python => at = line_end(text, at),
            b'/' if syntax == Syntax::JavaScript && text.get(at + 1) == Some(&b'/') => {
                at = line_end(text, at);
            }
            b'/' if syntax == Syntax::JavaScript && text.get(at + 1) == Some(&b'*') => {
                let end = memchr::memmem::find(&text[at + 2..], b"*/");
                at = end.map_or(text.len(), |end| at + 2 + end + 2);
            }
            b'(' | b'[' | b'{' => {
                sum += 1;
                open[level] += 1;
                open.push(0);
                if open.len() > MOST_BRACKETS {
                    return None;
                }
                last = byte;
                last_word = b"";
                at += 1;
            }
            b')' | b']' | b'}' => {
                if open.len() > 1 {
                    sum -= open.pop().unwrap_or(0);
                }
                last = byte;
                last_word = b"";
                at += 1;
            }
            b',' | b';' => {
                sum -= std::mem::take(&mut open[level]);
                last = byte;
                last_word = b"";
                at += 1;
            }
            b'\n' => {
                at += 1;
                let ends = match syntax {
                    Syntax::Python => open.len() == 1 && last != b'\\',
                    Syntax::JavaScript => ends_statement(last, last_word, next(text, at)),
                };
                if ends {
                    sum -= std::mem::take(&mut open[level]);
                }
                if syntax == Syntax::Python {
                    // Every level of indentation is a level.
                    let indent = text[at..]
                        .iter()
                        .take_while(|byte| matches!(byte, b' ' | b'\t'));
                    most = most.max(sum + indent.count());
                }
            }
            b' ' | b'\t' | b'\r' => at += 1,
            byte if is_word(byte) => {
                let length = text[at..].iter().take_while(|byte| is_word(**byte)).count();
                let word = &text[at..at + length];
                // Behind a block a word begins a statement, these few aside.
                let goes_on: [&[u8]; 7] = [
                    b"else",
                    b"catch",
                    b"finally",
                    b"while",
                    b"in",
                    b"instanceof",
                    b"of",
                ];
                if syntax == Syntax::JavaScript && last == b'}' && !goes_on.contains(&word) {
                    sum -= std::mem::take(&mut open[level]);
                }
                sum += 1;
                open[level] += 1;
                last = word[length - 1];
                last_word = word;
                at += length;
            }
            byte => {
                sum += 1;
                open[level] += 1;
                last = byte;
                last_word = b"";
                at += 1;
            }
        }
        most = most.max(sum);
    }
    Some(most)
}

/// Whether a line feed between the two certainly ends a statement.
fn ends_statement(last: u8, last_word: &[u8], next: u8) -> bool {
    let leads: [&[u8]; 16] = [
        b"else",
        b"do",
        b"typeof",
        b"void",
        b"delete",
        b"new",
        b"await",
        b"yield",
        b"in",
        b"of",
        b"instanceof",
        b"extends",
        b"case",
        b"async",
        b"throw",
        b"export",
    ];
    let ends = matches!(last, b'"' | b'\'' | b'`' | b']' | b';')
        || (is_word(last) && !leads.contains(&last_word));
    ends && is_word(next)
}

fn next(text: &[u8], at: usize) -> u8 {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter()
        .copied()
        .find(|byte| !byte.is_ascii_whitespace())
        .unwrap_or(b';')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn line_end(text: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |length| at + length)
}

/// The offset behind a string.
fn string_end(text: &[u8], start: usize, syntax: Syntax) -> usize {
    let quote = text[start];
    let triple = [quote; 3];
    let is_triple = syntax == Syntax::Python && text[start..].starts_with(&triple);
    let mut at = start + if is_triple { 3 } else { 1 };
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 2,
            b'\n' if !is_triple && quote != b'`' => return at,
            _ if is_triple && text[at..].starts_with(&triple) => return at + 3,
            // What is nested in a template is code.
            b'$' if quote == b'`' && text.get(at + 1) == Some(&b'{') => return at + 1,
            _ if !is_triple && byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_shallow() {
        let statements = "x = f(a, [1, 2], {'a': 'b'}).c + 1\n".repeat(5000);
        assert!(levels(statements.as_bytes(), Syntax::Python).unwrap() < 30);
        let minified = "function a(b){return b.c(d)?e:f}var g=h+i;".repeat(5000);
        assert!(levels(minified.as_bytes(), Syntax::JavaScript).unwrap() < 30);
        let lines = "const a = b.c(d)\nif (a) {\n  e()\n}\nf('x')\n".repeat(5000);
        assert!(levels(lines.as_bytes(), Syntax::JavaScript).unwrap() < 60);
    }

    #[test]
    fn deep_text_is_told() {
        for deep in [
            "not ",
            "a+",
            "a if b else ",
            "lambda:",
            "a.b.",
            "f()\\\n()",
            "x=y=",
        ] {
            let text = deep.repeat(5000);
            assert!(
                levels(text.as_bytes(), Syntax::Python).unwrap() > MOST_LEVELS,
                "{deep}"
            );
        }
        for deep in [
            "!",
            "a=>",
            "if(a)",
            "if(a){}else ",
            "if(a)\n",
            "a?b:",
            "typeof\n",
            "a.b",
            "`${a}`+",
        ] {
            let text = deep.repeat(5000);
            let levels = levels(text.as_bytes(), Syntax::JavaScript);
            assert!(levels.is_none_or(|levels| levels > MOST_LEVELS), "{deep}");
        }
        assert_eq!(levels(&[b'['; 5000], Syntax::Python), None);
    }
}
