//! Splits a line into words by the quoting rules of a POSIX shell (XCU 2.2),
//! without expansions, and quotes words so that they split back.

/// A word, and whether any part of it was quoted: an unquoted `->` is an
/// option, a quoted one an argument.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without its quotes.
    pub text: String,
    /// True when any part of it was quoted.
    pub quoted: bool,
}

/// Splits a line; `None` when a quote or an escape does not end.
pub fn split(line: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            words.extend(current.take());
            continue;
        }
        let word = current.get_or_insert_with(|| Word {
            text: String::new(),
            quoted: false,
        });
        match c {
            '\'' => {
                word.quoted = true;
                loop {
                    match chars.next()? {
                        '\'' => break,
                        inner => word.text.push(inner),
                    }
                }
            }
            '"' => {
                word.quoted = true;
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            escaped @ ('"' | '\\' | '$' | '`') => word.text.push(escaped),
                            other => word.text.extend(['\\', other]),
                        },
                        inner => word.text.push(inner),
                    }
                }
            }
            '\\' => {
                word.quoted = true;
                word.text.push(chars.next()?);
            }
            plain => word.text.push(plain),
        }
    }
    words.extend(current);
    Some(words)
}

/// Quotes a word where it needs to be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,?&~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
