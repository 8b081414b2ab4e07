//! What a row of the table is made of.

use jettison_image::ImagePath;

use super::rules::Rule;
use crate::facts::ProgramFacts;
use crate::glob::matches;
use crate::needs::{Companion, NeedState};

/// One companion: when any of `when` holds for a file, it brings all of `brings`.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) when: &'static [When],
    pub(super) brings: &'static [Bring],
    /// Read behind "needed by FILE, which …".
    pub(super) because: &'static str,
}

/// A row of the table.
pub(super) const fn row(
    name: &'static str,
    because: &'static str,
    when: &'static [When],
    brings: &'static [Bring],
) -> Row {
    Row {
        name,
        when,
        brings,
        because,
    }
}

/// What tells of a program or library that it needs something.
pub(super) enum When {
    /// It is the library of this SONAME or file name (a pattern).
    Library(&'static str),
    /// It is the file of this name (a pattern).
    File(&'static str),
    /// It calls one of these functions of another object.
    Calls(&'static [&'static str]),
    /// The same, unless it is one of these libraries (patterns).
    CallsBeside(&'static [&'static str], &'static [&'static str]),
    /// This stands in its data.
    Text(&'static str),
    /// Its own bytes say so: programs of Go and Rust, and static ones.
    Needs(Companion),
}

/// What comes along, as far as the tree has it. In patterns `{dir}` is the
/// file's own directory, `{home}` what holds its `bin` or `lib`, `{lib}` every
/// directory of libraries, `{share}` every directory of data.
pub(super) enum Bring {
    /// These files, and directories without what is in them.
    Files(&'static str),
    /// These directories with everything in them.
    All(&'static str),
    /// The same, unless probes show what is used of them.
    Unshown(&'static str),
    /// The files and directories that a variable of the environment names.
    Variable(&'static str),
    /// This program of `PATH`.
    Program(&'static str),
    /// What a function finds.
    Found(Rule),
}

impl When {
    pub(super) fn holds(&self, facts: &ProgramFacts<'_>) -> bool {
        let named = |pattern: &str| matches(pattern.as_bytes(), facts.name());
        match self {
            Self::Library(pattern) => {
                let soname = facts.elf.soname.as_deref().unwrap_or_default();
                matches(pattern.as_bytes(), soname.as_bytes()) || named(pattern)
            }
            Self::File(pattern) => named(pattern),
            Self::Calls(functions) => facts.calls(functions),
            Self::CallsBeside(functions, but) => {
                facts.calls(functions) && !but.iter().any(|pattern| named(pattern))
            }
            Self::Text(text) => facts.holds(text.as_bytes()),
            Self::Needs(companion) => facts
                .needs
                .iter()
                .any(|need| need.companion == *companion && need.state == NeedState::Needed),
        }
    }
}

/// The patterns that one with placeholders stands for.
pub(super) fn expanded(pattern: &str, path: &ImagePath) -> Vec<Vec<u8>> {
    const LIB: &[&str] = &[
        "/usr/lib/*-linux-*",
        "/usr/lib64",
        "/usr/lib",
        "/lib/*-linux-*",
        "/lib64",
        "/lib",
        "/usr/local/lib/*-linux-*",
        "/usr/local/lib64",
        "/usr/local/lib",
    ];
    const SHARE: &[&str] = &["/usr/share", "/usr/local/share"];
    let absolute = |path: &ImagePath| [b"/", path.as_bytes()].concat();
    let own = absolute(&path.parent().unwrap_or_else(ImagePath::root));
    let home = absolute(&home(path));
    let Some((values, rest)) = [
        ("{dir}", vec![own.clone()]),
        ("{home}", vec![home.clone()]),
        (
            "{lib}",
            std::iter::once(own)
                .chain(LIB.iter().map(|directory| directory.as_bytes().to_vec()))
                .collect(),
        ),
        (
            "{share}",
            std::iter::once([&home[..], b"/share"].concat())
                .chain(SHARE.iter().map(|directory| directory.as_bytes().to_vec()))
                .collect(),
        ),
    ]
    .into_iter()
    .find_map(|(name, values)| Some((values, pattern.strip_prefix(name)?))) else {
        return vec![pattern.as_bytes().to_vec()];
    };
    values
        .into_iter()
        .map(|value| [&value[..], rest.as_bytes()].concat())
        .collect()
}

/// What holds the `bin` or `lib` in which a file lies; its own directory otherwise.
pub(super) fn home(path: &ImagePath) -> ImagePath {
    let is_part = |name: &[u8]| matches!(name, b"bin" | b"sbin" | b"lib" | b"lib64" | b"libexec");
    let directory = path.parent().unwrap_or_else(ImagePath::root);
    std::iter::successors(Some(directory.clone()), ImagePath::parent)
        .find(|ancestor| is_part(ancestor.file_name()))
        .and_then(|part| part.parent())
        .unwrap_or(directory)
}
