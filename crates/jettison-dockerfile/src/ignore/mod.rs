//! `.dockerignore` as moby's `patternmatcher` reads it: which paths of a build context are left out. Later lines win,
//! `!` takes back, a pattern that matches a directory matches what is below it.
//!
//! Patterns are turned into regular expressions exactly as there, its oversights included (`|` and `{2}` are
//! special next to a wildcard), because a context must not gain or lose a file by changing the builder.

mod compile;
mod path;

use compile::Pattern;
pub use path::{clean, glob};

use crate::text;

/// Bytes of a line that the reference reads.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// A list of patterns.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// Which patterns matched a directory; handed down to what is inside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParentMatches(Vec<bool>);

/// Why a list or a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreError {
    /// A line of 64 KiB or more.
    #[error("line {0} is too long")]
    LineTooLong(usize),
    /// An exclamation mark alone.
    #[error("illegal exclusion pattern: \"!\"")]
    EmptyExclusion,
    /// Brackets or escapes that are not closed.
    #[error("syntax error in pattern {0}")]
    BadPattern(String),
}

impl Ignore {
    /// Reads the bytes of a `.dockerignore`.
    pub fn parse(source: &[u8]) -> Result<Self, IgnoreError> {
        Self::new(&lines(source)?)
    }

    /// Takes patterns one by one (`COPY --exclude`).
    pub fn new<P: AsRef<[u8]>>(patterns: &[P]) -> Result<Self, IgnoreError> {
        let mut out = Vec::new();
        for pattern in patterns {
            let (_, trimmed) = text::trim(pattern.as_ref());
            if trimmed.is_empty() {
                continue;
            }
            out.push(Pattern::new(&clean(trimmed))?);
        }
        Ok(Self { patterns: out })
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether some pattern takes paths back, so that ignored directories must be looked into.
    pub fn has_exclusions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.exclusion)
    }

    /// The patterns in order, cleaned, those that take back with their `!`.
    pub fn patterns(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.patterns.iter().map(|pattern| {
            if pattern.exclusion {
                [b"!", pattern.text()].concat()
            } else {
                pattern.text().to_vec()
            }
        })
    }

    /// Says whether a path (relative, with slashes) is ignored, by itself or through one of its parents.
    pub fn is_ignored(&self, path: &[u8]) -> Result<bool, IgnoreError> {
        let mut matched = false;
        let parents = path::parents(path);
        for pattern in &self.patterns {
            // A pattern that could not change the answer is not asked.
            if pattern.exclusion != matched {
                continue;
            }
            if pattern.matches(path)?
                || parents
                    .iter()
                    .any(|parent| pattern.matches(parent).unwrap_or(false))
            {
                matched = !pattern.exclusion;
            }
        }
        Ok(matched)
    }

    /// The same in a walk from the top, where each directory's matches are handed down: one test per pattern and
    /// entry instead of one per parent. Start with `ParentMatches::default()`.
    pub fn walk(
        &self,
        path: &[u8],
        parent: &ParentMatches,
    ) -> Result<(bool, ParentMatches), IgnoreError> {
        let mut matched = false;
        let mut matches = vec![false; self.patterns.len()];
        let parents = if parent.0.is_empty() {
            path::parents(path)
        } else {
            Vec::new()
        };
        for (index, pattern) in self.patterns.iter().enumerate() {
            let mut hit = parent.0.get(index).copied().unwrap_or(false);
            if !hit {
                if pattern.exclusion != matched {
                    continue;
                }
                hit = pattern.matches(path)?
                    || parents
                        .iter()
                        .any(|parent| pattern.matches(parent).unwrap_or(false));
            }
            matches[index] = hit;
            if hit {
                matched = !pattern.exclusion;
            }
        }
        Ok((matched, ParentMatches(matches)))
    }

    /// Whether something below an ignored directory may be taken back. It may always be where a pattern has a
    /// wildcard before the directory's depth ends; this errs on the side of looking.
    pub fn may_take_back_below(&self, directory: &[u8]) -> bool {
        self.patterns
            .iter()
            .filter(|pattern| pattern.exclusion)
            .any(|pattern| {
                let text = pattern.text();
                let literal = text
                    .iter()
                    .position(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
                    .unwrap_or(text.len());
                let prefix = &text[..literal];
                let inside = [directory, b"/"].concat();
                prefix.starts_with(&inside) || (literal < text.len() && inside.starts_with(prefix))
            })
    }
}

/// The patterns of a file as text: byte-order mark, comments and blank lines gone, paths cleaned.
fn lines(source: &[u8]) -> Result<Vec<Vec<u8>>, IgnoreError> {
    let mut out = Vec::new();
    for (index, line) in source.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let room = if line.ends_with(b"\n") {
            MAX_LINE_BYTES
        } else {
            MAX_LINE_BYTES - 1
        };
        if line.len() > room {
            return Err(IgnoreError::LineTooLong(index + 1));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if index == 0 {
            line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
        } else {
            line
        };
        let (_, pattern) = text::trim(line);
        if line.starts_with(b"#") || pattern.is_empty() {
            continue;
        }
        let (inverted, pattern) = pattern
            .strip_prefix(b"!")
            .map_or((false, pattern), |rest| (true, text::trim(rest).1));
        let mut cleaned = if pattern.is_empty() {
            Vec::new()
        } else {
            clean(pattern)
        };
        if cleaned.len() > 1 && cleaned[0] == b'/' {
            cleaned.remove(0);
        }
        out.push(if inverted {
            [b"!", cleaned.as_slice()].concat()
        } else {
            cleaned
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &str, ignored: &[&str], kept: &[&str]) {
        let ignore = Ignore::parse(patterns.as_bytes()).expect("a valid input");
        for path in ignored {
            assert_eq!(
                ignore.is_ignored(path.as_bytes()),
                Ok(true),
                "{path} under {patterns:?}"
            );
        }
        for path in kept {
            assert_eq!(
                ignore.is_ignored(path.as_bytes()),
                Ok(false),
                "{path} under {patterns:?}"
            );
        }
    }

    #[test]
    fn patterns_of_every_kind() {
        check(
            "\u{FEFF}# c\n*.md\n!README.md\n",
            &["a.md"],
            &["README.md", "x/a.md", "# c"],
        );
        check("**/*.md", &["a.md", "x/y/a.md"], &["a.mdx"]);
        check(
            "/node_modules/\n",
            &["node_modules", "node_modules/a/b"],
            &["x/node_modules"],
        );
        check("a/**", &["a/b", "a/b/c"], &["a", "b"]);
        check("a\n!a/b", &["a", "a/c"], &["a/b", "a/b/d"]);
        check("a?c\n[x-z]", &["abc", "y"], &["a/c", "w"]);
        check("  a b  \r\n", &["a b"], &["a"]);
        check("*\n!src", &["x", "y/z"], &["src", "src/main.rs"]);
        check("..\n.", &[], &["a"]);
    }

    #[test]
    fn what_cannot_be() {
        assert_eq!(Ignore::parse(b"!").err(), Some(IgnoreError::EmptyExclusion));
        assert!(matches!(
            Ignore::parse(b"a[").err(),
            Some(IgnoreError::BadPattern(_))
        ));
    }

    #[test]
    fn directories_that_must_be_looked_into() {
        let ignore = Ignore::parse(b"*\n!src/lib/x\n!**/keep\n").expect("a valid input");
        assert!(ignore.may_take_back_below(b"src"));
        assert!(ignore.may_take_back_below(b"any"));
        let ignore = Ignore::parse(b"*\n!src/lib/x\n").expect("a valid input");
        assert!(ignore.may_take_back_below(b"src/lib") && !ignore.may_take_back_below(b"srx"));
    }
}
