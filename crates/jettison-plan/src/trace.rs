//! What a running program touched, as the tracer saw it.
//!
//! Paths are those of the kernel: absolute, inside the container's own root,
//! every symbolic link resolved; the links that were passed on the way are
//! entries of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FilePath;

/// The paths that were touched, and the ones that were looked for and not found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// Every path with all that was done with it.
    pub paths: BTreeMap<FilePath, Touch>,
    /// Programs that were started, each with the arguments seen first, in the
    /// order of their paths.
    pub programs: BTreeMap<FilePath, Vec<String>>,
    /// Events that are known to be lost; anything but 0 means that the trace
    /// proves nothing.
    #[serde(default)]
    pub lost: u64,
    /// What the reader should know, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What was done with a path: a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Touch(u16);

impl Touch {
    /// Opened for reading or without rights (`O_PATH`), mapped with it.
    pub const OPENED: Self = Self(1);
    /// Executed: a program, a script, an interpreter named by either.
    pub const EXECUTED: Self = Self(2);
    /// A symbolic link that was followed or read.
    pub const LINK: Self = Self(4);
    /// A directory whose entries were listed.
    pub const LISTED: Self = Self(8);
    /// Asked about: `stat`, `access`, extended attributes, current directory.
    pub const ASKED: Self = Self(16);
    /// Looked for and not found.
    pub const MISSING: Self = Self(32);
    /// Opened for writing, created, renamed to, removed or changed.
    pub const CHANGED: Self = Self(64);
    /// Answered with "permission denied".
    pub const DENIED: Self = Self(128);

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True when everything in `other` was done.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// True when nothing was done.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what was done.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Touch, &str); 8] = [
            (Touch::OPENED, "opened"),
            (Touch::EXECUTED, "executed"),
            (Touch::LINK, "link"),
            (Touch::LISTED, "listed"),
            (Touch::ASKED, "asked"),
            (Touch::MISSING, "missing"),
            (Touch::CHANGED, "changed"),
            (Touch::DENIED, "denied"),
        ];
        let names = NAMES.into_iter();
        names.filter_map(move |(touch, name)| self.has(touch).then_some(name))
    }
}

impl std::fmt::Debug for Touch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join("+"))
    }
}

impl Trace {
    /// Notes that something was done with a path.
    pub fn touch(&mut self, path: FilePath, touch: Touch) {
        let known = self.paths.entry(path).or_default();
        *known = known.with(touch);
    }

    /// Takes in what another trace saw.
    pub fn merge(&mut self, other: Self) {
        for (path, touch) in other.paths {
            self.touch(path, touch);
        }
        for (program, argv) in other.programs {
            self.programs.entry(program).or_insert(argv);
        }
        self.lost = self.lost.saturating_add(other.lost);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// The paths with which something in particular was done.
    pub fn having(&self, touch: Touch) -> impl Iterator<Item = &FilePath> {
        let having = self.paths.iter();
        having.filter_map(move |(path, done)| done.has(touch).then_some(path))
    }
}

#[cfg(test)]
mod tests {
    use super::{FilePath, Touch, Trace};

    #[test]
    fn traces_add_up() {
        let path = || FilePath::new("etc/passwd");
        let mut one = Trace::default();
        one.touch(path(), Touch::ASKED);
        let mut other = Trace {
            lost: 2,
            ..Trace::default()
        };
        other.touch(path(), Touch::OPENED);
        one.merge(other);
        let names: Vec<_> = one.paths[&path()].names().collect();
        assert_eq!(names, ["opened", "asked"]);
        assert_eq!(one.lost, 2);
        assert_eq!(one.having(Touch::OPENED).count(), 1);
        assert_eq!(one.having(Touch::MISSING).count(), 0);
    }
}
