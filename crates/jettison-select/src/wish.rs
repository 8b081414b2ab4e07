//! What a person wants kept or dropped: a path, a glob, or a package.

use std::fmt;
use std::str::FromStr;

use jettison_closure::glob::fits;
use jettison_image::{Follow, Node};
use jettison_plan::{Reason, ReasonKind};

use crate::follow::Work;

/// A path, a glob or a package's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// With everything below it.
    Path,
    /// `*` and `?` within a component, `**` across them, `[…]` sets.
    Glob,
    Package,
}

/// Why a text is no wish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WishError {
    /// Neither a path nor a name.
    #[error("`{0}` is neither an absolute path, a glob with a leading slash, nor a package's name")]
    Unknown(String),
}

impl FromStr for Wish {
    type Err = WishError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = match text {
            _ if text.starts_with('/') && text.contains(['*', '?', '[']) => Kind::Glob,
            _ if text.starts_with('/') => Kind::Path,
            _ if !text.is_empty() && !text.contains(['/', '*', '?', ' ']) => Kind::Package,
            // npm's scoped names have a slash.
            _ if text.starts_with('@') && text.matches('/').count() == 1 => Kind::Package,
            _ => return Err(WishError::Unknown(text.to_owned())),
        };
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Keeps what is to be kept; a wish that names nothing becomes a note.
pub(crate) fn keep(work: &mut Work<'_>) {
    for wish in work.facts.keep {
        let reason = Reason::first(ReasonKind::Asked, format!("--keep {wish}"));
        let nodes = nodes(work, wish);
        if nodes.is_empty() {
            work.notes
                .push(format!("--keep {wish}: the image has nothing of that name"));
        }
        for node in nodes {
            work.keeping.keep(node, reason.clone());
        }
        if wish.kind == Kind::Path {
            work.keeping.keep_path(&wish.text, Follow::All, &reason);
        }
    }
}

/// Bars what is to be dropped.
pub(crate) fn bar(work: &mut Work<'_>) {
    for wish in work.facts.drop {
        let nodes = nodes(work, wish);
        if nodes.is_empty() {
            work.notes
                .push(format!("--drop {wish}: the image has nothing of that name"));
        }
        for node in nodes {
            work.keeping.bar(node);
        }
    }
}

fn nodes<'a>(work: &Work<'a>, wish: &Wish) -> Vec<Node<'a>> {
    let tree = work.facts.tree;
    match wish.kind {
        Kind::Path => tree
            .resolve(&wish.text, Follow::All)
            .map_or_else(|_| Vec::new(), |node| node.subtree().collect()),
        Kind::Glob => {
            let pattern: Vec<&[u8]> = components(wish.text.as_bytes());
            let matching = tree.iter().filter(|node| {
                let path = node.path();
                matches(&pattern, &components(path.as_bytes()))
            });
            matching.flat_map(|node| node.subtree()).collect()
        }
        Kind::Package => {
            let installed = work.facts.installed;
            let named = installed.packages.iter();
            named
                .filter(|package| package.name == wish.text)
                .flat_map(|package| installed.files(package))
                .filter_map(|path| tree.get(path))
                .collect()
        }
    }
}

fn components(path: &[u8]) -> Vec<&[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty())
        .collect()
}

/// Whether a path is what a pattern says, component by component.
fn matches(pattern: &[&[u8]], path: &[&[u8]]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&b"**", rest)), _) => {
            (0..=path.len()).any(|skipped| matches(rest, &path[skipped..]))
        }
        (Some((first, pattern)), Some((name, path))) => fits(first, name) && matches(pattern, path),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Wish, components, matches};

    #[test]
    fn globs() {
        let check = |pattern: &str, path: &str, expected| {
            let found = matches(
                &components(pattern.as_bytes()),
                &components(path.as_bytes()),
            );
            assert_eq!(found, expected, "{pattern} {path}");
        };
        check("/usr/lib/*.so", "/usr/lib/a.so", true);
        check("/usr/lib/*.so", "/usr/lib/x/a.so", false);
        check("/usr/**/a.so", "/usr/lib/x/a.so", true);
        check("/usr/**/a.so", "/usr/a.so", true);
        check("/usr/**", "/usr/lib/x", true);
        check("/a/[b-d]?", "/a/cx", true);
        check("/a/[!b-d]?", "/a/cx", false);
        check("/a/*b*c", "/a/xbybzc", true);
        check("/a/*b*c", "/a/xbybz", false);
        check("/a/[", "/a/[", false);
    }

    #[test]
    fn words() {
        for good in ["/etc", "/etc/*.conf", "tzdata", "@scope/name", "libc6"] {
            assert_eq!(good.parse::<Wish>().expect(good).to_string(), good);
        }
        for bad in ["", "etc/passwd", "*.conf", "a b"] {
            assert!(bad.parse::<Wish>().is_err(), "{bad}");
        }
    }
}
