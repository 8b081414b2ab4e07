//! Whether a text that a program holds is the name of a program, or a command
//! line: a guess, for texts whose use nothing tells.

use memchr::memmem;

use crate::edge::How;
use crate::scripts::{Reader, command};

/// Longest text that is taken for a command.
const MOST_TEXT: usize = 2048;

/// What a sentence has and a command line has not.
const SENTENCE: &[&str] = &[
    " is ", " are ", " not ", " the ", " a ", " an ", " cannot ", " could ", " of ", " was ",
    " has ", " must ", " should ", " error", " failed", " invalid", " unknown", " missing",
    " only ", " will ", " be ", " with ", ": %s\n", "...",
];

/// Adds the programs of a command line when its first word is one.
pub(crate) fn command_line(reader: &mut Reader<'_>, text: &str) -> bool {
    let first = first_word(text);
    let known = reader.world.command(first.as_bytes()).is_some();
    if !known || first.is_empty() {
        return false;
    }
    for edge in command::text_edges(&reader.world, text.as_bytes()) {
        let detail = match edge.how {
            How::Runs => format!("may run {}", String::from_utf8_lossy(edge.to.file_name())),
            _ => edge.detail,
        };
        reader.add(edge.to, edge.how, detail);
    }
    true
}

/// The word that would be run: variables that are set in front of it are passed over.
fn first_word(text: &str) -> &str {
    let is_setting = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    text.split_ascii_whitespace()
        .map(|word| word.trim_start_matches(['(', '{', '!']))
        .find(|word| !word.is_empty() && !is_setting(word))
        .unwrap_or_default()
}

/// True for a text of several words that is rather for a shell than for a
/// person.
pub(crate) fn is_command_line(text: &str) -> bool {
    if text.len() > MOST_TEXT
        || !text.trim_start().contains(' ')
        || text
            .bytes()
            .any(|b| b.is_ascii_control() && b != b'\n' && b != b'\t')
    {
        return false;
    }
    let first = first_word(text);
    let has = |part: &str| memmem::find(text.as_bytes(), part.as_bytes()).is_some();
    let is_shells = [
        " -", " |", "| ", " >", "2>", " <", " /", " '", " \"", "$", "`", "&&", "%s", ";", " +",
    ]
    .iter()
    .any(|part| has(part));
    let is_sentence = SENTENCE.iter().any(|part| has(part));
    is_shells
        && (!is_sentence || first.starts_with('/'))
        && first.bytes().all(|b| b.is_ascii_graphic())
}

/// True for what could be the name of a program.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::{first_word, is_command_line};

    #[test]
    fn command_lines_and_sentences() {
        for (text, expected) in [
            ("gzip -dc %s", true),
            ("LC_ALL=C sort %s | uniq", true),
            ("/usr/sbin/sendmail -t -i", true),
            ("unzip '%s' > /dev/null", true),
            ("file %s not found", false),
            ("time is over", false),
            ("gzip", false),
            ("test failed: %s", false),
        ] {
            assert_eq!(is_command_line(text), expected, "{text}");
        }
        assert_eq!(first_word("LC_ALL=C sort %s"), "sort");
        assert_eq!(first_word("( cd / && ls )"), "cd");
    }
}
