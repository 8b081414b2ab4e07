//! Text that does not parse as shell: every word that is a program's name or
//! a path of the tree counts.

use super::commands::is_builtin;
use crate::scripts::paths;
use crate::scripts::reader::Reader;

/// Words that are looked at.
const MOST_WORDS: usize = 50_000;

pub(super) fn words(reader: &mut Reader, text: &[u8]) {
    for line in text.split(|&byte| byte == b'\n') {
        if !line.trim_ascii_start().starts_with(b"#") {
            paths::names(reader, line);
        }
    }
    let lines = text.split(|&byte| byte == b'\n');
    let code = lines.filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    let words = code.flat_map(|line| line.split(|byte| !is_name(*byte)));
    let words = words.filter(|word| word.len() > 1 && word.len() < 64);
    for word in words.take(MOST_WORDS) {
        if !is_builtin(word) {
            reader.run(word);
        }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+[".contains(&byte)
}
