//! Strings of a Java class: the constant pool (JVM Specification, 4.4).

/// The texts of the string constants; none of what is no class.
pub(super) fn strings(data: &[u8]) -> Vec<&[u8]> {
    let mut texts: Vec<Option<&[u8]>> = Vec::new();
    let mut named: Vec<usize> = Vec::new();
    if data.starts_with(b"\xca\xfe\xba\xbe") {
        pool(data, &mut texts, &mut named);
    }
    let text = |number: usize| texts.get(number).copied().flatten();
    named.into_iter().filter_map(text).collect()
}

/// Reads the pool until it ends, or is broken. Number 0 is nobody's, and the
/// number behind a `long` or a `double` neither.
fn pool<'a>(
    data: &'a [u8],
    texts: &mut Vec<Option<&'a [u8]>>,
    named: &mut Vec<usize>,
) -> Option<()> {
    let short = |at: usize| {
        let bytes = data.get(at..at.checked_add(2)?)?;
        Some(usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
    };
    let count = short(8)?;
    texts.push(None);
    let mut at = 10;
    while texts.len() < count {
        let mut text = None;
        let length = match data.get(at)? {
            1 => {
                let length = short(at + 1)?;
                text = Some(data.get(at + 3..at + 3 + length)?);
                2 + length
            }
            8 => {
                named.push(short(at + 1)?);
                2
            }
            7 | 16 | 19 | 20 => 2,
            15 => 3,
            3 | 4 | 9 | 10 | 11 | 12 | 17 | 18 => 4,
            5 | 6 => {
                texts.push(None);
                8
            }
            _ => return None,
        };
        texts.push(text);
        at += 1 + length;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::strings;

    #[test]
    fn only_string_constants_count() {
        let mut class = b"\xca\xfe\xba\xbe\0\0\0\x3d\0\x06".to_vec();
        class.extend(b"\x01\0\x05uname"); // 1: text
        class.extend(b"\x05\0\0\0\0\0\0\0\x01"); // 2, 3: long
        class.extend(b"\x08\0\x01"); // 4: string of 1
        class.extend(b"\x01\0\x04name"); // 5: text that is no string
        assert_eq!(strings(&class), [b"uname"]);
        for end in 0..class.len() {
            strings(&class[..end]);
        }
        assert!(strings(b"\xca\xfe\xba\xbf").is_empty());
    }
}
