//! Members of a zip archive (APPNOTE 6.3.10, stored or deflated; no ZIP64, no
//! encryption), for manifests and classes of jars.

use std::io::Read;

/// The end record and the longest comment behind it.
const MOST_END_BYTES: usize = 22 + 65_535;
/// Members that are gone through.
const MOST_MEMBERS: usize = 200_000;

/// A member's content, if it is there and no larger than `most`.
pub(super) fn member(data: &[u8], name: &[u8], most: usize) -> Option<Vec<u8>> {
    let (_, entry) = members(data).find(|(found, _)| *found == name)?;
    content(data, entry, most)
}

/// Names of the members, each with where its entry lies in the directory.
pub(super) fn members(data: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut next = directory(data);
    let entries = std::iter::from_fn(move || {
        let at = next.take()?;
        if data.get(at..at.checked_add(4)?)? != b"PK\x01\x02" {
            return None;
        }
        let name_length = number(data, at + 28, 2)?;
        let skip = number(data, at + 30, 2)? + number(data, at + 32, 2)?;
        let name = data.get(at + 46..at + 46 + name_length)?;
        next = Some(at + 46 + name_length + skip);
        Some((name, at))
    });
    entries.take(MOST_MEMBERS)
}

/// Where the directory begins, as the record at the end says.
fn directory(data: &[u8]) -> Option<usize> {
    let tail = data.len().saturating_sub(MOST_END_BYTES);
    let end = tail + memchr::memmem::rfind(&data[tail..], b"PK\x05\x06")?;
    number(data, end + 16, 4)
}

/// The content of the member with this entry, if it is no larger than `most`.
pub(super) fn content(data: &[u8], entry: usize, most: usize) -> Option<Vec<u8>> {
    let method = number(data, entry + 10, 2)?;
    let compressed = number(data, entry + 20, 4)?;
    let local = number(data, entry + 42, 4)?;
    if data.get(local..local.checked_add(4)?)? != b"PK\x03\x04" {
        return None;
    }
    let start = local + 30 + number(data, local + 26, 2)? + number(data, local + 28, 2)?;
    let bytes = data.get(start..start.checked_add(compressed)?)?;
    match method {
        0 => (bytes.len() <= most).then(|| bytes.to_vec()),
        8 => {
            let mut out = Vec::new();
            let reader = flate2::read::DeflateDecoder::new(bytes);
            reader.take(most as u64 + 1).read_to_end(&mut out).ok()?;
            (out.len() <= most).then_some(out)
        }
        _ => None,
    }
}

fn number(data: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = data.get(at..at.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | usize::from(byte)),
    )
}
