//! Cuts a Rust text into tokens: comments (nested ones too), strings of every
//! kind, lifetimes told from characters. It reads any text.

use crate::tokens::{Located, Token};

pub(crate) fn tokens(text: &str) -> Vec<Located> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment_length(rest),
            '"' => {
                let (value, length) = quoted(rest);
                tokens.push((Token::Text(value), line));
                length
            }
            '\'' => quote_length(rest),
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                match raw_string(&rest[..end], &rest[end..]) {
                    Some((value, length)) => {
                        tokens.push((Token::Text(value.to_owned()), line));
                        end + length
                    }
                    None => {
                        tokens.push((Token::Word(rest[..end].to_owned()), line));
                        end
                    }
                }
            }
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                tokens.push((Token::Symbol(c), line));
                c.len_utf8()
            }
        };
        let (passed, after) = rest.split_at(length);
        line += u32::try_from(passed.matches('\n').count()).unwrap_or(0);
        rest = after;
    }
    tokens
}

fn comment_length(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn quoted(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, at + 1),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            c => value.push(c),
        }
    }
    (value, text.len())
}

/// `r"…"`, `r#"…"#`, `br#"…"#`: after the prefix, the value and the length to the end.
fn raw_string<'t>(prefix: &str, after: &'t str) -> Option<(&'t str, usize)> {
    if !matches!(prefix, "r" | "br" | "cr") {
        return None;
    }
    let hashes = after.bytes().take_while(|&b| b == b'#').count();
    let body = after[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", &after[..hashes]);
    // Without an end it is all the rest, as for the compiler.
    Some(match body.find(&closing) {
        Some(end) => (&body[..end], hashes + 1 + end + closing.len()),
        None => (body, after.len()),
    })
}

/// A character literal, or the quote of a lifetime.
fn quote_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            let mut escaped = true;
            for (at, c) in characters {
                match c {
                    _ if escaped => escaped = false,
                    '\'' => return at + 1,
                    '\n' => return at,
                    _ => {}
                }
            }
            text.len()
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::literals;

    #[test]
    fn strings_are_found_with_their_recipients() {
        let text = concat!(
            "#[template(path = \"a.html\")]\nstruct X<'a>(&'a str);\n/* \"no\" /* nested */ \"no\" */\n",
            "fn f() { let c = '\"'; read(r#\"raw \"x\"\"#); include_str!(\"in\"); g('\\'', b\"bytes\") } // \"no\"\n",
        );
        let found: Vec<(String, String, u32)> = literals(&tokens(text))
            .into_iter()
            .map(|l| (l.value, l.recipient, l.line))
            .collect();
        assert_eq!(
            found,
            [
                ("a.html".into(), "#".into(), 1),
                ("raw \"x\"".into(), "read".into(), 4),
                ("in".into(), "include_str!".into(), 4),
                ("bytes".into(), "g".into(), 4),
            ]
        );
    }

    #[test]
    fn unfinished_texts_are_passed_over() {
        for text in [
            "'", "'\\", "r#\"", "/*", "\"", "\"\\", "b'", "é'é", "r", "'a", "/*/", "))]}",
        ] {
            literals(&tokens(text));
        }
    }
}
