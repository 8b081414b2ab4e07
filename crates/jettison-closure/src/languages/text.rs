//! Words and quoted strings of a line.

use std::sync::Arc;

use jettison_image::{ImagePath, Node};

use crate::World;
use crate::scripts::{Reader, Text, UNKNOWN, pattern, shell};

/// Lines and strings of one file that are looked at.
pub(super) const MOST_LINES: usize = 200_000;
const MOST_STRINGS: usize = 64;

/// A quoted string and what stands before it on the line.
pub(crate) struct Quoted<'a> {
    pub(super) before: &'a [u8],
    pub(crate) text: &'a [u8],
    pub(super) is_double: bool,
}

impl<'a> Quoted<'a> {
    /// The same without a mark that it may begin with.
    pub(super) fn without(&self, mark: &[u8]) -> Quoted<'a> {
        Quoted {
            text: self.text.strip_prefix(mark).unwrap_or(self.text),
            ..*self
        }
    }
}

/// The strings of a line, in both kinds of quotes and in backquotes.
pub(crate) fn strings(line: &[u8]) -> Vec<Quoted<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < line.len() && out.len() < MOST_STRINGS {
        let quote = line[at];
        if !matches!(quote, b'"' | b'\'' | b'`') {
            at += 1;
            continue;
        }
        let mut end = at + 1;
        while end < line.len() && line[end] != quote {
            end += if line[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(line.len());
        out.push(Quoted {
            before: &line[..at],
            text: &line[at + 1..end],
            is_double: quote != b'\'',
        });
        at = end + 1;
    }
    out
}

/// Whether a text ends with a word, an open parenthesis and blanks aside.
pub(super) fn ends_with_word(before: &[u8], words: &[&str]) -> bool {
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"(").unwrap_or(before).trim_ascii_end();
    words.iter().any(|word| {
        before.strip_suffix(word.as_bytes()).is_some_and(|rest| {
            rest.last()
                .is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"_$@>:".contains(byte))
        })
    })
}

/// A string whose `#{…}` and `$name` become unknown.
pub(super) fn interpolated(quoted: &Quoted) -> Text {
    if !quoted.is_double {
        return quoted.text.to_vec();
    }
    let mut out = Text::new();
    let mut rest = quoted.text;
    while let Some((&byte, after)) = rest.split_first() {
        let braced = after.first() == Some(&b'{');
        if matches!(byte, b'$' | b'@' | b'#') && (braced || byte == b'$') {
            out.push(UNKNOWN);
            let length = if braced {
                after
                    .iter()
                    .position(|&byte| byte == b'}')
                    .map_or(after.len(), |at| at + 1)
            } else {
                let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_:".contains(byte);
                after.iter().take_while(is_name).count()
            };
            rest = &after[length..];
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}

/// The lines that are no comments.
pub(crate) fn code<'a>(data: &'a [u8], comments: &'a [&'a str]) -> impl Iterator<Item = &'a [u8]> {
    let lines = data.split(|&byte| byte == b'\n').take(MOST_LINES);
    lines.map(<[u8]>::trim_ascii).filter(move |line| {
        !line.is_empty()
            && !comments
                .iter()
                .any(|mark| line.starts_with(mark.as_bytes()))
    })
}

/// A path from a directory: one that is there by name, one with unknown parts
/// as the directory that it begins with.
pub(super) fn path(reader: &mut Reader, directory: &ImagePath, text: &[u8]) {
    let absolute = if text.starts_with(b"/") {
        text.to_vec()
    } else {
        [b"/", directory.as_bytes(), b"/", text].concat()
    };
    if pattern::is_pattern(&absolute) {
        let known = pattern::known_prefix(&absolute);
        let end = known.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        // Nothing known below the directory itself says nothing.
        if known.len() > end + 1 || known[..end].len() > directory.as_bytes().len() + 1 {
            reader.matching(&absolute);
        }
    } else if let Some(found) = reader.existing(&absolute)
        && !found.is_root()
    {
        let world = reader.world;
        if is_directory(&world, &found) {
            reader.family(&found, "names the directory");
        } else {
            reader.name(&absolute);
        }
    }
}

/// A file that is there by name, below a directory.
pub(crate) fn file_below(reader: &mut Reader, directory: &ImagePath, text: &[u8]) {
    let path = [b"/", directory.as_bytes(), b"/", text].concat();
    let found = reader.existing(&path);
    let world = reader.world;
    if found.is_some_and(|found| !is_directory(&world, &found)) {
        reader.name(&path);
    }
}

/// A text that a shell runs.
pub(super) fn shell_text(reader: &mut Reader, quoted: &Quoted) {
    let text = interpolated(quoted);
    let first = text
        .trim_ascii()
        .split(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default();
    if reader.program(first).is_some() || text.contains(&b'|') || text.contains(&b';') {
        reader.nested(|reader| shell::text(reader, &text));
        if text.iter().any(|byte| b"|&;<>*?".contains(byte)) {
            reader.run(b"/bin/sh");
        }
    }
}

pub(super) fn is_directory(world: &World, path: &ImagePath) -> bool {
    directory(world, path.as_bytes()).is_some()
}

pub(super) fn directory<'w>(world: &World<'w>, path: &[u8]) -> Option<Node<'w>> {
    world.directory(path)
}

/// Directories that a pattern with `*` in whole components names.
pub(super) fn expand(world: &World, pattern: &str) -> Arc<[ImagePath]> {
    world.memo.expanded(pattern, || look_for(world, pattern))
}

fn look_for(world: &World, pattern: &str) -> Vec<ImagePath> {
    let mut found = vec![ImagePath::root()];
    for component in pattern.split('/') {
        let mut next = Vec::new();
        for path in &found {
            if !component.contains('*') {
                next.extend(path.join(component).ok());
            } else if let Some(node) = directory(world, path.as_bytes()) {
                let fitting = node
                    .children()
                    .filter(|child| pattern::fits(component.as_bytes(), child.name()));
                next.extend(
                    fitting
                        .take(512)
                        .filter_map(|child| path.join(child.name()).ok()),
                );
            }
        }
        next.retain(|path| is_directory(world, path));
        next.truncate(2048);
        found = next;
    }
    found
}

/// Where pieces of `LIST` in the environment lie.
pub(super) fn listed(world: &World, variable: &str) -> Vec<ImagePath> {
    let list = world.environment.get(variable).map_or("", String::as_str);
    let paths = list.split(':').filter(|path| !path.is_empty());
    paths
        .filter_map(|path| {
            crate::scripts::existing(world, world.working_directory, path.as_bytes())
        })
        .collect()
}
