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
    split_with(line, |_| None)
}

/// Likewise, but a JSON object or array is one word with its own quotes, as a
/// body is written on a command line whose shell took the outer quotes.
pub fn split_with_json(line: &str) -> Option<Vec<Word>> {
    split_with(line, json)
}

/// The length of a JSON object or array at the head of a text.
fn json(text: &str) -> Option<usize> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let values = serde_json::Deserializer::from_str(text);
    let mut values = values.into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    let end = values.byte_offset();
    let is_word = text[end..].chars().next().is_none_or(char::is_whitespace);
    is_word.then_some(end)
}

/// `whole` says how long a word that is not looked into is.
fn split_with(line: &str, whole: impl Fn(&str) -> Option<usize>) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut chars = line.chars();
    loop {
        if current.is_none()
            && let Some(end) = whole(chars.as_str())
        {
            let (text, rest) = chars.as_str().split_at(end);
            words.push(Word {
                text: text.to_owned(),
                quoted: true,
            });
            chars = rest.chars();
        }
        let Some(c) = chars.next() else { break };
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

#[cfg(test)]
mod tests {
    use super::split_with_json;

    #[test]
    fn json_is_one_word() {
        let check = |line: &str, expected: Option<&[&str]>| {
            let words = split_with_json(line);
            let words =
                words.map(|words| words.into_iter().map(|word| word.text).collect::<Vec<_>>());
            let words = words
                .as_ref()
                .map(|words| words.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(words.as_deref(), expected, "{line}");
        };
        check(
            r#"-d {"a": "b c"} -> 201"#,
            Some(&["-d", r#"{"a": "b c"}"#, "->", "201"]),
        );
        check(r#"-d [1, "it's"]"#, Some(&["-d", r#"[1, "it's"]"#]));
        check(r#"-d '{"a":1}'"#, Some(&["-d", r#"{"a":1}"#]));
        check(r#"-d {"a":1}x"#, Some(&["-d", "{a:1}x"]));
        check("-d {a} b", Some(&["-d", "{a}", "b"]));
        check(r#"-d {"a"#, None);
    }
}
