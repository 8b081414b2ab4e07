//! The comma-separated lists of `--mount` and `--device`: one line of CSV with double quotes.

/// Splits a line; the errors are those of Go's CSV reader.
pub(super) fn fields(line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut rest = match line {
        [head @ .., b'\r', b'\n'] | [head @ .., b'\n'] => head,
        all => all,
    };
    if rest.is_empty() {
        return Err("EOF");
    }
    let mut out = Vec::new();
    loop {
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            let comma = rest.iter().position(|byte| *byte == b',');
            let field = &rest[..comma.unwrap_or(rest.len())];
            if field.contains(&b'"') {
                return Err("bare \" in non-quoted-field");
            }
            out.push(field.to_vec());
            match comma {
                Some(at) => rest = &rest[at + 1..],
                None => return Ok(out),
            }
            continue;
        };
        rest = quoted;
        let mut field = Vec::new();
        loop {
            let Some(quote) = rest.iter().position(|byte| *byte == b'"') else {
                return Err("extraneous or missing \" in quoted-field");
            };
            field.extend_from_slice(&rest[..quote]);
            rest = &rest[quote + 1..];
            match rest.first() {
                Some(b'"') => {
                    field.push(b'"');
                    rest = &rest[1..];
                }
                Some(b',') => {
                    rest = &rest[1..];
                    out.push(field);
                    break;
                }
                None => {
                    out.push(field);
                    return Ok(out);
                }
                Some(_) => return Err("extraneous or missing \" in quoted-field"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_commas() {
        let joined = |line: &str| {
            fields(line.as_bytes()).map(|list| {
                list.iter()
                    .map(|field| String::from_utf8_lossy(field).into_owned())
                    .collect::<Vec<_>>()
                    .join("|")
            })
        };
        assert_eq!(joined("type=bind,ro,"), Ok("type=bind|ro|".to_owned()));
        assert_eq!(joined(r#""a,b""c",d"#), Ok(r#"a,b"c|d"#.to_owned()));
        assert_eq!(joined(r#""a","#), Ok("a|".to_owned()));
        for bad in ["", r#"a"b"#, r#""a"#, r#""a"b"#] {
            assert!(fields(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
