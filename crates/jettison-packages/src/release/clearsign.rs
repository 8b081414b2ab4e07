//! Takes a clearsigned text apart (RFC 9580 §7), strictly.
//!
//! apt was fooled more than once by text outside the signed part
//! (CVE-2013-1051, CVE-2014-0487) and parsers by two blocks in one file, so one
//! shape only is accepted: the header at the first byte, `Hash:` headers, an
//! empty line, the text, one armoured signature, white space. What is returned
//! is what is verified *and* what is parsed; there is no second reading of the
//! file.

use super::VerifyError;

/// A clearsigned text in its two parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClearSigned<'a> {
    /// The text as it was signed, with LF line ends: dash escapes gone,
    /// trailing blanks of lines gone, the last line end not part of it.
    pub(super) text: String,
    /// The armoured signature, its `BEGIN` and `END` lines included.
    pub(super) signature: &'a str,
}

const HEADER: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const END: &str = "-----END PGP SIGNATURE-----";

/// Splits a file; every deviation is an error.
pub(super) fn split(file: &str) -> Result<ClearSigned<'_>, VerifyError> {
    let refuse = |problem| Err(VerifyError::NotClearSigned(problem));
    if file.contains('\0') {
        return refuse("a NUL byte");
    }
    let mut at = 0;
    let mut lines = file.split_inclusive('\n').map(|line| {
        at += line.len();
        let content = line.strip_suffix('\n').unwrap_or(line);
        // The whole file may have gone through a CRLF system.
        (
            content.strip_suffix('\r').unwrap_or(content),
            at - line.len(),
        )
    });

    match lines.next() {
        Some((HEADER, _)) => {}
        _ => return refuse("it does not begin with the header of a signed message"),
    }
    loop {
        match lines.next() {
            Some(("", _)) => break,
            Some((line, _)) if line.starts_with("Hash: ") => {}
            Some(_) => return refuse("a header that is not `Hash:`"),
            None => return refuse("it ends in the headers"),
        }
    }

    let mut text = String::with_capacity(file.len());
    let mut first = true;
    let begin = loop {
        let Some((line, start)) = lines.next() else {
            return refuse("it has no signature");
        };
        if line == SIGNATURE {
            break start;
        }
        let content = match line.strip_prefix('-') {
            Some(escaped) => match escaped.strip_prefix(' ') {
                Some(content) => content,
                None => return refuse("a line of the text begins with an unescaped dash"),
            },
            None => line,
        };
        if content.contains('\r') {
            return refuse("a carriage return within a line");
        }
        if !first {
            text.push('\n');
        }
        first = false;
        text.push_str(content.trim_end_matches([' ', '\t']));
    };

    let mut end = None;
    for (line, start) in lines {
        match end {
            None if line == END => end = Some(start + line.len()),
            None if line.starts_with('-') => return refuse("a second block in the signature"),
            None => {}
            Some(_) if line.trim_ascii().is_empty() => {}
            Some(_) => return refuse("text after the signature"),
        }
    }
    let Some(end) = end else {
        return refuse("its signature does not end");
    };
    Ok(ClearSigned {
        text,
        signature: &file[begin..end],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nA: 1\n\
        - -----BEGIN x\n- - list\nB: 2 \t\n\n-----BEGIN PGP SIGNATURE-----\n\nabc\n\
        -----END PGP SIGNATURE-----\n";

    #[track_caller]
    fn refused(file: &str, part: &str) {
        match split(file) {
            Err(VerifyError::NotClearSigned(problem)) => {
                assert!(problem.contains(part), "{problem}")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_shape_only() {
        let got = split(SIGNED).unwrap();
        assert_eq!(got.text, "A: 1\n-----BEGIN x\n- list\nB: 2\n");
        assert!(got.signature.starts_with(SIGNATURE) && got.signature.ends_with(END));
        assert_eq!(split(&SIGNED.replace('\n', "\r\n")).unwrap().text, got.text);

        refused("A: 1\n", "begin");
        refused(&format!("A: 0\n{SIGNED}"), "begin");
        refused(&format!("\n{SIGNED}"), "begin");
        refused(&format!("{SIGNED}A: 3\n"), "after");
        refused(&format!("{SIGNED}{SIGNED}"), "after");
        refused(
            &SIGNED.replace("Hash: SHA256\n", "Hash: SHA256\nA: 1\n"),
            "header",
        );
        refused(&SIGNED.replace("- - list", "- list\n-bad"), "unescaped");
        refused(
            &SIGNED.replace("- -----BEGIN x", "-----BEGIN PGP SIGNED MESSAGE-----"),
            "unescaped",
        );
        refused(&SIGNED.replace("A: 1", "A: 1\rB: 9"), "carriage");
        refused(
            &SIGNED.replace("abc\n", "abc\n-----BEGIN PGP SIGNATURE-----\n"),
            "second",
        );
        refused(
            &SIGNED.replace("-----END PGP SIGNATURE-----\n", ""),
            "does not end",
        );
        refused(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n",
            "headers",
        );
        refused(
            "-----BEGIN PGP SIGNED MESSAGE-----\n\nA: 1\n",
            "no signature",
        );
        refused(&SIGNED.replace("A: 1", "A:\0 1"), "NUL");
    }
}
