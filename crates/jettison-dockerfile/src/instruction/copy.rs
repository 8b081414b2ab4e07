//! COPY and ADD.

use super::flags::{Flags, Takes};
use crate::ParseErrorKind;
use crate::syntax::{Heredoc, HeredocWord, Node, Word, parse_heredoc_word, remove_leading_tabs};

/// COPY or ADD; the fields that only one of them has are empty in the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopyFiles {
    /// Paths, globs, URLs.
    pub sources: Vec<Word>,
    /// Files whose contents stand in the Dockerfile.
    pub inline: Vec<InlineFile>,
    /// The destination.
    pub destination: Word,
    /// COPY: a stage, a stage's number, an image or a named context.
    pub from: Option<Word>,
    /// `--chown`.
    pub chown: Option<Word>,
    /// `--chmod`.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// COPY: keep the parent directories of each source.
    pub parents: bool,
    /// `--exclude`.
    pub exclude: Vec<Word>,
    /// ADD: keep `.git`.
    pub keep_git_dir: Option<bool>,
    /// ADD: the digest the source must have.
    pub checksum: Option<Word>,
    /// ADD: unpack the archive or leave it as it is.
    pub unpack: Option<bool>,
}

/// A file written as a heredoc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineFile {
    /// Its name.
    pub name: Vec<u8>,
    /// Its contents, leading tabs removed where `<<-` says so.
    pub content: Vec<u8>,
    /// Variables in the contents are resolved.
    pub expand: bool,
}

pub(super) fn read(
    node: &Node,
    heredocs: &[Heredoc],
    is_add: bool,
) -> Result<CopyFiles, ParseErrorKind> {
    let name = if is_add { "ADD" } else { "COPY" };
    let Some((destination, sources)) = node
        .arguments
        .split_last()
        .filter(|(_, sources)| !sources.is_empty())
    else {
        return Err(ParseErrorKind::NoDestination(name));
    };
    let mut known = vec![
        ("chown", Takes::Value),
        ("chmod", Takes::Value),
        ("link", Takes::Boolean),
        ("exclude", Takes::Values),
    ];
    known.extend(if is_add {
        [
            ("keep-git-dir", Takes::Boolean),
            ("checksum", Takes::Value),
            ("unpack", Takes::Boolean),
        ]
        .as_slice()
    } else {
        [("from", Takes::Value), ("parents", Takes::Boolean)].as_slice()
    });
    let flags = Flags::read(node, &known)?;
    // A word that cannot be read is no heredoc.
    let opened = |word: &Word| parse_heredoc_word(&word.value).ok().flatten();
    if opened(destination).is_some() {
        return Err(ParseErrorKind::HeredocDestination(name));
    }
    let mut copy = CopyFiles {
        destination: destination.clone(),
        from: flags.value("from"),
        chown: flags.value("chown"),
        chmod: flags.value("chmod"),
        link: flags.switch("link").unwrap_or(false),
        parents: flags.switch("parents").unwrap_or(false),
        exclude: flags.values("exclude"),
        keep_git_dir: flags.switch("keep-git-dir"),
        checksum: flags.value("checksum"),
        unpack: flags.switch("unpack"),
        ..CopyFiles::default()
    };
    for source in sources {
        match opened(source) {
            None => copy.sources.push(source.clone()),
            Some(HeredocWord {
                name,
                expand,
                chomp,
                ..
            }) => {
                // With one name twice, the last one's contents count for both.
                let content = heredocs
                    .iter()
                    .rev()
                    .find(|heredoc| heredoc.word.name == name);
                let content = content
                    .map(|heredoc| heredoc.content.clone())
                    .unwrap_or_default();
                let content = if chomp {
                    remove_leading_tabs(&content)
                } else {
                    content
                };
                copy.inline.push(InlineFile {
                    name,
                    content,
                    expand,
                });
            }
        }
    }
    Ok(copy)
}
