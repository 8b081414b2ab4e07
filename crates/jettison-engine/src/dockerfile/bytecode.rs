//! Compiled modules of Python bear the time of their source (PEP 552). A layer's
//! files are dated back; so is what a module says of its source, or Python
//! would compile every one of them again at every start.

use std::io::{self, Cursor, Read};

use jettison_image::Timestamp;

/// Magic number, flags, time and size of the source.
const HEADER_BYTES: u64 = 16;

/// The content of a compiled module, as it is to be in a layer of which no file
/// is younger than `latest`. `below` says when the source was changed, where
/// it lies in a layer below: one that bears that very time keeps it.
pub(super) fn date_back<'c>(
    content: &'c mut dyn Read,
    latest: Timestamp,
    below: impl FnOnce() -> Option<i64>,
) -> io::Result<impl Read + 'c> {
    let mut header = Vec::new();
    (&mut *content)
        .take(HEADER_BYTES)
        .read_to_end(&mut header)?;
    if let Some(recorded) = recorded(&header)
        && let Ok(latest) = u32::try_from(latest.seconds)
        && recorded > latest
        && below().is_none_or(|below| below != i64::from(recorded))
    {
        header[8..12].copy_from_slice(&latest.to_le_bytes());
    }
    Ok(Cursor::new(header).chain(content))
}

/// The time of the source that a header records; none where it records a hash.
fn recorded(header: &[u8]) -> Option<u32> {
    let is_module = header.len() as u64 == HEADER_BYTES && header[2..4] == *b"\r\n";
    let by_time = is_module && header[4..8] == [0; 4];
    let time = header.get(8..12)?.try_into().ok()?;
    by_time.then(|| u32::from_le_bytes(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the time of a module's source becomes, of 1000 at most.
    #[track_caller]
    fn check(flags: u32, recorded: u32, below: Option<i64>, expected: u32) {
        let header = |time: u32| {
            let mut bytes = vec![0xcb, 0x0d, b'\r', b'\n'];
            bytes.extend(flags.to_le_bytes());
            bytes.extend(time.to_le_bytes());
            bytes.extend(*b"sizecode");
            bytes
        };
        let mut read = Vec::new();
        let content = header(recorded);
        let mut content = content.as_slice();
        date_back(&mut content, Timestamp::from_seconds(1000), || below)
            .and_then(|mut dated| dated.read_to_end(&mut read))
            .expect("memory");
        assert_eq!(read, header(expected));
    }

    #[test]
    fn sources_are_dated_back_in_their_modules() {
        check(0, 2000, None, 1000);
        check(0, 2000, Some(1000), 1000);
        check(0, 900, None, 900);
        // A base that is younger than what is built.
        check(0, 2000, Some(2000), 2000);
        // By a hash of the source.
        check(1, 2000, None, 2000);
        check(3, 2000, None, 2000);
    }

    #[test]
    fn what_is_no_module_stays() {
        for bytes in [&b""[..], b"short", b"sixteen bytes it", b"\0\0\r\n\0\0"] {
            let mut content = bytes;
            let mut read = Vec::new();
            date_back(&mut content, Timestamp::default(), || None)
                .and_then(|mut dated| dated.read_to_end(&mut read))
                .expect("memory");
            assert_eq!(read, bytes);
        }
    }
}
