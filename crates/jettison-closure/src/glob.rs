//! Shell patterns (`*`, `?`, `[a-z]`) over the tree, as glob(7) has them: a
//! pattern never matches across `/`, nor a leading dot unless it writes one.
//! Links are followed on the way, as glob(3) follows them; `**` is no pattern of it.

use jettison_image::{Follow, Node, Tree};

/// Paths that one pattern may give; a directory of zones or plugins has hundreds.
const MOST: usize = 20_000;
/// Bytes of a pattern.
const MOST_PATTERN: usize = 4096;

/// The paths that an absolute pattern matches, in the order of the tree.
/// They are as the pattern reaches them: the last component is not followed.
pub(crate) fn glob<'t>(tree: &'t Tree, pattern: &[u8]) -> Vec<(Vec<u8>, Node<'t>)> {
    if pattern.len() > MOST_PATTERN {
        return Vec::new();
    }
    let mut found = vec![(Vec::new(), tree.root())];
    let mut components = pattern
        .split(|&b| b == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        let mut next = Vec::new();
        for (path, directory) in found {
            let step = |name: &[u8]| {
                let mut path = path.clone();
                path.push(b'/');
                path.extend_from_slice(name);
                path
            };
            if !is_pattern(component) {
                let follow = if is_last {
                    Follow::AllButLast
                } else {
                    Follow::All
                };
                if let Ok(node) = tree.resolve_from(directory, component, follow) {
                    next.push((step(component), node));
                }
                continue;
            }
            for child in directory.children() {
                if next.len() >= MOST {
                    break;
                }
                if !matches(component, child.name()) {
                    continue;
                }
                let node = if is_last {
                    Some(child)
                } else {
                    tree.resolve_from(directory, child.name(), Follow::All).ok()
                };
                if let Some(node) = node {
                    next.push((step(child.name()), node));
                }
            }
        }
        found = next;
    }
    found
}

/// True when a text has characters that only a pattern has.
pub(crate) fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

/// True when a pattern without `/` matches a whole name, and writes out a dot
/// that the name begins with.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let is_hidden = name.first() == Some(&b'.') && pattern.first() != Some(&b'.');
    !is_hidden && fits(pattern, name)
}

/// True when a pattern without `/` matches a whole name; a leading dot is a
/// character like any other (fnmatch(3) without FNM_PERIOD).
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // The last star seen and where its match was begun: a failure goes back
    // there, never further, so the work is the product of both lengths.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(&pattern[p..], name[n]),
            Some(b'\\') if pattern.get(p + 1) == Some(&name[n]) => Some(2),
            Some(&b) if b == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|&b| b == b'*')
}

/// The length of a bracket expression that holds a byte.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let start = if negated { 2 } else { 1 };
    // A `]` that comes first is itself a member.
    let end = pattern
        .get(start + 1..)?
        .iter()
        .position(|&b| b == b']')?
        .checked_add(start + 1)?;
    let members = &pattern[start..end];
    let mut at = 0;
    let mut holds = false;
    while at < members.len() {
        if let [low, b'-', high, ..] = members[at..] {
            holds |= (low..=high).contains(&byte);
            at += 3;
        } else {
            holds |= members[at] == byte;
            at += 1;
        }
    }
    (holds != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            (".*", ".conf", true),
            ("lib*.so*", "libssl.so.3", true),
            ("lib?.so", "libm.so", true),
            ("lib?.so", "lib.so", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[a", "[a", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*a*a*a*a*b", &"a".repeat(200), false),
            ("", "", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
