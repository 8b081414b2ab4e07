//! Makes text from outside harmless for a terminal: control characters and
//! characters that reorder text are shown, not sent.

use std::borrow::Cow;

/// Escapes everything but line feeds and tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && c != '\t')
}

/// Escapes everything, for text that must stay on its line.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| true)
}

/// Escapes, inside JSON text, what JSON itself lets through.
pub fn json(text: String) -> String {
    if !text.chars().any(|c| c != '\n' && is_harmful(c)) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c != '\n' && is_harmful(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn escape(text: &str, counts: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| is_harmful(c) && counts(c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_harmful(c) || !counts(c) => escaped.push(c),
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            '\r' => escaped.push_str("\\r"),
            c if c.is_ascii() => escaped.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => escaped.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(escaped)
}

/// Controls (C0, DEL, C1) and the bidirectional marks of CVE-2021-42574.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{json, line, lines};

    #[test]
    fn nothing_reaches_a_terminal_unescaped() {
        assert_eq!(
            line("a\x1b[31mb\nc\u{202e}d\u{9b}"),
            r"a\x1b[31mb\nc\u{202e}d\u{9b}"
        );
        assert_eq!(lines("a\n\tb\r"), "a\n\tb\\r");
        assert_eq!(
            json("\"\u{9b}\u{202e}\x7f\"\n".into()),
            "\"\\u009b\\u202e\\u007f\"\n"
        );
        assert_eq!(line("plain ü"), "plain ü");
    }
}
