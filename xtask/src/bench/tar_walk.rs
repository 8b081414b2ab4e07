//! The least that must be done to know what is in a tar file: one header after the other, contents skipped. For baselines and for
//! counting; it trusts its input, which the benches made themselves.

use std::io::{self, Read};

const BLOCK: u64 = 512;

/// One header.
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    /// `b'0'` for a file; `x`, `g`, `L` and `K` belong to the next one.
    pub(crate) kind: u8,
    pub(crate) size_bytes: u64,
}

impl Header {
    /// Whether the size counts as content of the image.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, b'0' | 0)
    }
}

/// Reads the next header, or nothing at the end.
pub(crate) fn next_header(input: &mut impl Read) -> io::Result<Option<Header>> {
    let mut block = [0; BLOCK as usize];
    match input.read_exact(&mut block) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        outcome => outcome?,
    }
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let name = block[..100]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec();
    Ok(Some(Header {
        name,
        kind: block[156],
        size_bytes: number(&block[124..136])?,
    }))
}

/// How many bytes the content takes with its padding.
pub(crate) fn padded(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// Octal, or base 256 with the highest bit set.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        return Ok(field[1..].iter().fold(0u64, |number, byte| {
            number.wrapping_shl(8) | u64::from(*byte)
        }));
    }
    let text = String::from_utf8_lossy(field);
    let text = text.trim_matches(['\0', ' ']);
    u64::from_str_radix(text, 8).map_err(|_| io::Error::other(format!("a tar size of {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::{next_header, padded};

    #[test]
    fn tar_agrees() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("a"), [7; 700]).expect("written");
        let output = std::process::Command::new("tar")
            .args(["-c", "-C"])
            .arg(folder.path())
            .arg("a")
            .output()
            .expect("tar runs");
        let mut input = output.stdout.as_slice();
        let header = next_header(&mut input)
            .expect("readable")
            .expect("an entry");
        assert_eq!(
            (header.name.as_slice(), header.size_bytes, header.is_file()),
            (&b"a"[..], 700, true)
        );
        input = &input[padded(700) as usize..];
        assert!(next_header(&mut input).expect("readable").is_none());
    }
}
