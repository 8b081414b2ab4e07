//! Paths the way Go's `filepath` sees them on Unix.

/// The shortest path that means the same: no `.`, no `//`, no `x/..`; `.` for the empty path.
pub fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => drop(parts.pop()),
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// The parents of a path from the top down; none for a path without a directory.
pub(super) fn parents(path: &[u8]) -> Vec<Vec<u8>> {
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    let directory = clean(&path[..end]);
    if directory == b"." {
        return Vec::new();
    }
    let ends = directory
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(at, _)| at);
    ends.chain([directory.len()])
        .map(|end| directory[..end].to_vec())
        .collect()
}

/// Whether `filepath.Match(pattern, ".")` finds fault with the pattern. It stops at the first part that does not
/// match, so it does not see everything.
pub(super) fn is_well_formed(pattern: &[u8]) -> bool {
    glob(pattern, b".").is_some()
}

/// `filepath.Match`: whether a name is of the pattern, in which `*` and `?` stop at slashes and all of the name
/// must match. None for a pattern that is malformed as far as it was read.
pub fn glob(mut pattern: &[u8], mut name: &[u8]) -> Option<bool> {
    'parts: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Some(!name.contains(&b'/'));
        }
        let matched = match_chunk(chunk, name).ok()?;
        if let Some(left) = matched.filter(|left| left.is_empty() || !pattern.is_empty()) {
            name = left;
            continue;
        }
        if star {
            for skip in 0..name.len() {
                if name[skip] == b'/' {
                    break;
                }
                if let Some(left) = match_chunk(chunk, &name[skip + 1..]).ok()? {
                    if pattern.is_empty() && !left.is_empty() {
                        continue;
                    }
                    name = left;
                    continue 'parts;
                }
            }
        }
        return Some(false);
    }
    Some(name.is_empty())
}

fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let mut in_range = false;
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += usize::from(at + 1 < pattern.len()),
            b'[' => in_range = true,
            b']' => in_range = false,
            b'*' if !in_range => return (stars > 0, &pattern[..at], &pattern[at..]),
            _ => {}
        }
        at += 1;
    }
    (stars > 0, pattern, &[])
}

struct Malformed;

/// Matches a part without stars at the start of a name; what is left of the name, or `None`.
fn match_chunk<'a>(mut chunk: &[u8], mut name: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut failed = false;
    while let Some(&first) = chunk.first() {
        failed = failed || name.is_empty();
        match first {
            b'[' => {
                let mut character = '\0';
                if !failed {
                    let (next, width) = crate::text::decode(name);
                    character = next;
                    name = &name[width..];
                }
                chunk = &chunk[1..];
                let negated = chunk.first() == Some(&b'^');
                chunk = &chunk[usize::from(negated)..];
                let mut hit = false;
                let mut ranges = 0;
                while chunk.first() != Some(&b']') || ranges == 0 {
                    let (low, rest) = class_character(chunk)?;
                    chunk = rest;
                    let mut high = low;
                    if chunk.first() == Some(&b'-') {
                        (high, chunk) = class_character(&chunk[1..])?;
                    }
                    hit = hit || (low <= character && character <= high);
                    ranges += 1;
                }
                chunk = &chunk[1..];
                failed = failed || hit == negated;
            }
            b'?' => {
                if !failed {
                    failed = name[0] == b'/';
                    name = &name[crate::text::decode(name).1..];
                }
                chunk = &chunk[1..];
            }
            _ => {
                if first == b'\\' {
                    chunk = &chunk[1..];
                }
                let literal = *chunk.first().ok_or(Malformed)?;
                if !failed {
                    failed = literal != name[0];
                    name = &name[1..];
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok((!failed).then_some(name))
}

fn class_character(chunk: &[u8]) -> Result<(char, &[u8]), Malformed> {
    let chunk = match chunk {
        [] | [b'-' | b']', ..] => return Err(Malformed),
        [b'\\', rest @ ..] => rest,
        rest => rest,
    };
    let (character, width) = crate::text::decode(chunk);
    let rest = &chunk[width..];
    if width == 0 || rest.is_empty() || (width == 1 && character == crate::text::REPLACEMENT) {
        return Err(Malformed);
    }
    Ok((character, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("*.go", "a.go", Some(true)),
            ("*.go", "d/a.go", Some(false)),
            ("*", "", Some(true)),
            ("", "", Some(true)),
            ("a*", "b", Some(false)),
            ("a?c", "a\u{e9}c", Some(true)),
            ("a?c", "a/c", Some(false)),
            ("a[!x]c", "a!c", Some(true)),
            ("a[^x]c", "a/c", Some(true)),
            ("*/b*/c", "a/bx/c", Some(true)),
            ("a\\*", "a*", Some(true)),
            ("a\\*", "ab", Some(false)),
            ("a*b*c", "aXbXbc", Some(true)),
            ("[", "a", None),
            ("a[", "b", None),
            ("[]a]", "]", None),
        ] {
            let found = glob(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn cleaning() {
        for (path, expected) in [
            ("", "."),
            ("a//b/./c/", "a/b/c"),
            ("../a/../..", "../.."),
            ("/../a", "/a"),
            ("/", "/"),
            ("a/..", "."),
            ("./a", "a"),
        ] {
            assert_eq!(clean(path.as_bytes()), expected.as_bytes(), "{path}");
        }
        assert_eq!(parents(b"a/b/c"), [b"a".to_vec(), b"a/b".to_vec()]);
        assert!(parents(b"a").is_empty());
    }
}
