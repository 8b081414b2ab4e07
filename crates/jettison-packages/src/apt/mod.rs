//! The machine's own apt configuration, as texts handed in (sources.list(5)).
//!
//! [`parse_list`] reads the one-line format, [`parse_sources`] deb822; both
//! give [`Source`]s and say what they skipped. [`choose`] picks the Debian
//! archives among them for one suite. Nothing here names a mirror.

mod choose;
mod one_line;
mod stanza;

pub use choose::{Archive, Archives, Role, choose, from_mirror};
pub use one_line::parse_list;
pub use stanza::parse_sources;

use crate::Location;

/// One archive and suite of the apt configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the archive's root lies (above `dists` and `pool`).
    pub root: Location,
    /// The suite as it is written: `bookworm`, `stable-security`, …; a name
    /// that ends in `/` is a flat archive without components.
    pub suite: String,
    /// `main`, `contrib`, …
    pub components: Vec<String>,
    /// `arch=`: only these architectures; empty means all.
    pub architectures: Vec<String>,
    /// `signed-by=`: which keys apt believes here.
    pub signed_by: Option<SignedBy>,
    /// `trusted=yes`. It is read to be reported; nothing is believed unsigned.
    pub trusted: bool,
}

impl Source {
    /// The source and something about it, escaped.
    fn note(&self, about: &str) -> String {
        crate::error::escape(&format!("{} {}: {about}", self.root, self.suite))
    }
}

/// Which keys a source is signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// Files of keys, as absolute paths of the machine.
    Files(Vec<String>),
    /// Fingerprints of keys in apt's trusted keyrings.
    Fingerprints(Vec<String>),
    /// An ASCII-armoured key in the text itself.
    Inline(String),
}

impl SignedBy {
    /// Reads the option's value: an armoured block, else paths and
    /// fingerprints apart by commas or blanks.
    fn parse(value: &str) -> Option<Self> {
        if value.contains("-----BEGIN PGP PUBLIC KEY BLOCK-----") {
            return Some(Self::Inline(unindent(value)));
        }
        let words = || {
            let parts = value.split(|c: char| c == ',' || c.is_whitespace());
            parts.filter(|word| !word.is_empty()).map(str::to_owned)
        };
        let files: Vec<_> = words().filter(|word| word.starts_with('/')).collect();
        if !files.is_empty() {
            return Some(Self::Files(files));
        }
        let prints: Vec<_> = words()
            .map(|word| word.trim_end_matches('!').to_owned())
            .collect();
        (!prints.is_empty()).then_some(Self::Fingerprints(prints))
    }
}

/// An inline key is indented by one blank, its empty lines are ` .`.
fn unindent(value: &str) -> String {
    let mut key = String::new();
    for line in value.lines() {
        let line = line.trim();
        key.push_str(if line == "." { "" } else { line });
        key.push('\n');
    }
    key
}

/// Sources that were read, and what was skipped and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// In the order of the text.
    pub sources: Vec<Source>,
    /// One line each, naming the line of the text, escaped.
    pub notes: Vec<String>,
}

impl Sources {
    fn note(&mut self, file: &str, line: usize, problem: impl std::fmt::Display) {
        self.notes
            .push(crate::error::escape(&format!("{file}:{line}: {problem}")));
    }

    /// Passes over, with a note, sources whose keys are in files that are not
    /// there: apt believes nothing of them either.
    pub fn drop_keyless(&mut self, is_there: impl Fn(&str) -> bool) {
        let Self { sources, notes } = self;
        sources.retain(|source| {
            let Some(SignedBy::Files(files)) = &source.signed_by else {
                return true;
            };
            let found = files.iter().any(|file| is_there(file));
            if !found {
                let why = format!("its keyring {} is not there", files.join(", "));
                notes.push(source.note(&why));
            }
            found
        });
    }

    /// Reads a file by its name's ending, as apt does: `.sources` is deb822,
    /// `.list` the one-line format, anything else is not read.
    pub fn read(&mut self, file_name: &str, text: &str) {
        if file_name.ends_with(".sources") {
            parse_sources(file_name, text, self);
        } else if file_name.ends_with(".list") {
            parse_list(file_name, text, self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sources;

    #[test]
    fn sources_without_their_keys_are_passed_over() {
        let mut found = Sources::default();
        let text = "deb [signed-by=/k/a.gpg] http://a/d trixie main\n\
                    deb [signed-by=/k/a.gpg,/k/b.gpg] http://b/d trixie main\n\
                    deb [signed-by=ABCD] http://c/d trixie main\n\
                    deb http://d/d trixie main\n";
        found.read("x.list", text);
        found.drop_keyless(|file| file == "/k/b.gpg");
        let left: Vec<String> = found.sources.iter().map(|s| s.root.to_string()).collect();
        assert_eq!(left, ["http://b/d", "http://c/d", "http://d/d"]);
        let note = "http://a/d trixie: its keyring /k/a.gpg is not there";
        assert_eq!(found.notes, [note]);
    }
}
