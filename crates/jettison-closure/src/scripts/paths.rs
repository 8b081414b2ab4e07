//! Absolute paths inside any text.

use super::pattern;
use super::reader::Reader;

/// Adds every absolute path in a text that the tree has: `--config=/etc/x`,
/// `file:///etc/x`, `/a:/b`, `"/etc/x",`. Patterns stand for what they match.
pub(crate) fn names(reader: &mut Reader, text: &[u8]) {
    let mut at = 0;
    while let Some(slash) = memchr::memchr(b'/', &text[at..]).map(|found| at + found) {
        let end = slash
            + text[slash..]
                .iter()
                .position(|byte| !is_path(*byte))
                .unwrap_or(text.len() - slash);
        at = end;
        let starts = slash == 0 || !is_path(text[slash - 1]) || text[slash - 1] == b'@';
        if starts && end - slash > 1 && end - slash <= 4096 {
            one(reader, &text[slash..end]);
        }
    }
}

fn one(reader: &mut Reader, path: &[u8]) {
    if pattern::is_pattern(path) {
        reader.matching(path);
        return;
    }
    if reader.name(path).is_some() {
        return;
    }
    // A full stop at the end of a sentence.
    let trimmed = path.trim_ascii_end();
    let end = trimmed
        .iter()
        .rposition(|byte| !b".@%".contains(byte))
        .map_or(0, |at| at + 1);
    if end < path.len() {
        reader.name(&trimmed[..end]);
    }
}

fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"._-+@%~/*?\0".contains(&byte)
}
