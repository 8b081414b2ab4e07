//! Texts from outside, made safe for a terminal and a message.

use std::fmt::Write as _;

/// Escapes control characters and characters that reorder text
/// (CVE-2021-42574), and cuts what is longer than a message should be.
pub fn escape(text: &str) -> String {
    const LONGEST: usize = 256;
    let mut safe = String::with_capacity(text.len().min(LONGEST));
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            safe.push('…');
            break;
        }
        if c.is_control() || is_bidi_control(c) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// True for characters that reorder text on a terminal.
pub(crate) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
