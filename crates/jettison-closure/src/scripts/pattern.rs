//! File names with `*`, `?`, `[…]` and parts that are not known.

use super::reader::UNKNOWN;

/// Whether a text is more than one name.
pub(crate) fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| is_special(*byte))
}

/// What stands before the first special character.
pub(crate) fn known_prefix(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| is_special(*byte));
    &text[..end.unwrap_or(text.len())]
}

/// Nothing but special characters: fits everything.
pub(crate) fn is_bare(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| matches!(*byte, UNKNOWN | b'*' | b'?'))
}

/// Whether a name fits. A set in brackets fits any character: a name too many
/// does no harm.
pub(crate) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // The usual two-pointer walk: linear but for the last star.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*' | &UNKNOWN) => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'[') if set_end(pattern, p).is_some() => {
                p = set_end(pattern, p).unwrap_or(p + 1);
                n += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, eaten)) => {
                    star = Some((at, eaten + 1));
                    p = at + 1;
                    n = eaten + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..]
        .iter()
        .all(|byte| matches!(*byte, UNKNOWN | b'*'))
}

fn set_end(pattern: &[u8], open: usize) -> Option<usize> {
    let inside = pattern.get(open + 2..)?;
    let length = inside.iter().take(256).position(|&byte| byte == b']')?;
    Some(open + 2 + length + 1)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, UNKNOWN | b'*' | b'?' | b'[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_patterns() {
        for (pattern, name, expected) in [
            ("*.sh", "a.sh", true),
            ("*.sh", "a.shx", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("lib?.so", "libx.so", true),
            ("[0-9]*", "10-x", true),
            ("", "", true),
            ("\0", "any", true),
            ("x[", "x[", true),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
