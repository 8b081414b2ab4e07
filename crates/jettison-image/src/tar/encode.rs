//! Writes the headers of one entry: ustar where that can say it, a PAX
//! extended header in front where it cannot. The bytes depend on the entry
//! alone.
//!
//! Refuses what no tar reader would read back alike: NUL bytes, keys with
//! `=`, device numbers beyond the header's digits.

use std::collections::BTreeMap;

use super::{BLOCK_BYTES, pax};
use crate::{Entry, EntryKind, Error, Timestamp};

/// What ends an archive: two blocks of zeros.
pub const END_OF_ARCHIVE: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// Zeros needed after `length` bytes of content, at most 511.
pub fn padding(length: u64) -> usize {
    let over = (length % BLOCK_BYTES as u64) as usize;
    (BLOCK_BYTES - over) % BLOCK_BYTES
}

/// The header blocks of an entry whose content, for a file, follows in full.
pub fn encode_header(entry: &Entry) -> Result<Vec<u8>, Error> {
    encode(entry, BTreeMap::new())
}

/// The header blocks of a file of which only some stretches, each offset and
/// length, follow as content (GNU tar manual, "PAX Format, Version 1.0").
pub(crate) fn encode_sparse_header(
    entry: &Entry,
    size_bytes: u64,
    stretches: &[(u64, u64)],
) -> Result<Vec<u8>, Error> {
    let mut map = Vec::new();
    // GNU tar ends a file that ends in a hole with an empty stretch.
    let end = stretches
        .last()
        .map_or(0, |&(offset, length)| offset + length);
    let last = (end < size_bytes).then_some((size_bytes, 0));
    map.extend_from_slice(format!("{}\n", stretches.len() + last.iter().len()).as_bytes());
    for (offset, length) in stretches.iter().copied().chain(last) {
        map.extend_from_slice(format!("{offset}\n{length}\n").as_bytes());
    }
    map.resize(map.len() + padding(map.len() as u64), 0);
    let stored: u64 = stretches.iter().map(|&(_, length)| length).sum();
    let stored_entry = Entry {
        kind: EntryKind::File {
            size_bytes: map.len() as u64 + stored,
        },
        ..entry.clone()
    };
    let record = |key: &str, value: &[u8]| (key.as_bytes().to_vec(), value.to_vec());
    let records = Records::from([
        record("GNU.sparse.major", b"1"),
        record("GNU.sparse.minor", b"0"),
        record("GNU.sparse.name", entry.path.as_bytes()),
        record("GNU.sparse.realsize", size_bytes.to_string().as_bytes()),
    ]);
    let mut header = encode(&stored_entry, records)?;
    header.extend_from_slice(&map);
    Ok(header)
}

fn encode(entry: &Entry, mut records: Records) -> Result<Vec<u8>, Error> {
    let malformed = |problem: String| Error::malformed(entry.path.display().to_string(), problem);
    let block = main_block(entry, &mut records).map_err(malformed)?;
    let mut out = Vec::with_capacity(BLOCK_BYTES);
    if !records.is_empty() {
        let data = pax::format(&records);
        let mut header = Block::new(b'x');
        header.text(0..100, &extended_name(&entry.path));
        header.octal(124..136, data.len() as u64);
        out.extend_from_slice(&header.finish());
        out.extend_from_slice(&data);
        out.resize(out.len() + padding(data.len() as u64), 0);
    }
    out.extend_from_slice(&block);
    Ok(out)
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn main_block(entry: &Entry, records: &mut Records) -> Result<[u8; BLOCK_BYTES], String> {
    let metadata = &entry.metadata;
    let (flag, size, link): (u8, u64, &[u8]) = match &entry.kind {
        EntryKind::File { size_bytes } => (b'0', *size_bytes, b""),
        EntryKind::HardLink { target } => (b'1', 0, target.as_bytes()),
        EntryKind::Symlink { target } => (b'2', 0, target),
        EntryKind::CharDevice { .. } => (b'3', 0, b""),
        EntryKind::BlockDevice { .. } => (b'4', 0, b""),
        EntryKind::Directory => (b'5', 0, b""),
        EntryKind::Fifo => (b'6', 0, b""),
    };
    if matches!(flag, b'1' | b'2') && link.is_empty() {
        return Err("link has no target".into());
    }
    let mut block = Block::new(flag);
    block.name(&archive_name(entry), records);
    block.octal(100..108, u64::from(metadata.mode & 0o7777));
    block.number(108..116, metadata.uid, "uid", records);
    block.number(116..124, metadata.gid, "gid", records);
    block.number(124..136, size, "size", records);
    block.time(metadata.mtime, records)?;
    block.string(157..257, link, "linkpath", records);
    block.string(265..297, &metadata.uname, "uname", records);
    block.string(297..329, &metadata.gname, "gname", records);
    let (major, minor) = match entry.kind {
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            (major, minor)
        }
        _ => (0, 0),
    };
    for (at, number) in [(329..337, major), (337..345, minor)] {
        if !fits_octal(at.len(), u64::from(number)) {
            return Err(format!("device number {number} does not fit a tar header"));
        }
        block.octal(at, u64::from(number));
    }
    add_extra_records(entry, records)?;
    for (key, value) in records.iter() {
        let is_text = matches!(&key[..], b"path" | b"linkpath" | b"uname" | b"gname");
        if is_text && value.contains(&0) {
            return Err(format!("{} contains a NUL byte", super::quoted(key)));
        }
    }
    Ok(block.finish())
}

/// Extended attributes and the records that are kept as they came.
fn add_extra_records(entry: &Entry, records: &mut Records) -> Result<(), String> {
    let check =
        |what: &str, key: &[u8]| match key.is_empty() || key.iter().any(|b| b"=\0".contains(b)) {
            true => Err(format!(
                "{what} `{}` has no writable name",
                super::quoted(key)
            )),
            false => Ok(()),
        };
    for (name, value) in &entry.metadata.xattrs {
        check("extended attribute", name)?;
        records.insert([b"SCHILY.xattr.", &name[..]].concat(), value.to_vec());
    }
    for (key, value) in &entry.metadata.pax {
        check("extended record", key)?;
        if is_reserved(key) {
            let key = super::quoted(key);
            return Err(format!(
                "extended record `{key}` would contradict the entry"
            ));
        }
        records.insert(key.to_vec(), value.to_vec());
    }
    Ok(())
}

/// Records that say what [`Entry`] has fields for.
fn is_reserved(key: &[u8]) -> bool {
    matches!(
        key,
        b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"uname" | b"gname" | b"mtime"
    ) || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"GNU.sparse.")
}

/// The path as archives have it: no leading slash, directories with one at
/// the end, the root as `./`.
fn archive_name(entry: &Entry) -> Vec<u8> {
    let mut name = entry.path.as_bytes().to_vec();
    if entry.kind == EntryKind::Directory {
        name.extend_from_slice(if name.is_empty() { b"./" } else { b"/" });
    }
    name
}

/// What readers without PAX would call the extended header: Go's form,
/// `DIR/PaxHeaders.0/FILE`.
fn extended_name(path: &crate::ImagePath) -> Vec<u8> {
    let name: Vec<u8> = match path.parent().filter(|parent| !parent.is_root()) {
        Some(parent) => [parent.as_bytes(), b"/PaxHeaders.0/", path.file_name()].concat(),
        None => [b"PaxHeaders.0/", path.file_name()].concat(),
    };
    cut_for_old_readers(&name, 100)
}

/// The ASCII part of a name, as much as fits, without a slash at the end:
/// some readers take that for a directory although the record says otherwise.
fn cut_for_old_readers(name: &[u8], length: usize) -> Vec<u8> {
    let mut ascii: Vec<u8> = name
        .iter()
        .copied()
        .filter(|b| b.is_ascii() && *b != 0)
        .collect();
    if ascii.len() > length {
        ascii.truncate(length);
        while ascii.last() == Some(&b'/') {
            ascii.pop();
        }
    }
    ascii
}

fn fits_octal(field: usize, value: u64) -> bool {
    // The last byte is a NUL.
    value < 1 << (3 * (field - 1))
}

/// A header block being filled in.
struct Block([u8; BLOCK_BYTES]);

impl Block {
    fn new(type_flag: u8) -> Self {
        let mut block = Self([0; BLOCK_BYTES]);
        block.0[156] = type_flag;
        block.0[257..265].copy_from_slice(b"ustar\x0000");
        for field in [
            100..108,
            108..116,
            116..124,
            124..136,
            136..148,
            329..337,
            337..345,
        ] {
            block.octal(field, 0);
        }
        block
    }

    fn text(&mut self, at: std::ops::Range<usize>, text: &[u8]) {
        self.0[at.start..at.start + text.len().min(at.len())]
            .copy_from_slice(&text[..text.len().min(at.len())]);
    }

    fn octal(&mut self, at: std::ops::Range<usize>, value: u64) {
        let width = at.len() - 1;
        self.text(at, format!("{value:0width$o}\0").as_bytes());
    }

    /// A number, as a record where the field is too short.
    fn number(&mut self, at: std::ops::Range<usize>, value: u64, key: &str, records: &mut Records) {
        if fits_octal(at.len(), value) {
            self.octal(at, value);
        } else {
            records.insert(key.into(), value.to_string().into());
        }
    }

    fn time(&mut self, time: Timestamp, records: &mut Records) -> Result<(), String> {
        if time.nanoseconds >= 1_000_000_000 {
            return Err("mtime has more nanoseconds than a second".into());
        }
        let whole = u64::try_from(time.seconds)
            .ok()
            .filter(|&seconds| fits_octal(12, seconds));
        if let Some(seconds) = whole {
            self.octal(136..148, seconds);
        }
        if whole.is_none() || time.nanoseconds != 0 {
            records.insert(b"mtime".to_vec(), pax::format_time(time).into());
        }
        Ok(())
    }

    /// A text, as a record where it is too long or not ASCII (readers differ
    /// in how they decode other bytes in the block itself).
    fn string(
        &mut self,
        at: std::ops::Range<usize>,
        text: &[u8],
        key: &str,
        records: &mut Records,
    ) {
        if text.len() <= at.len() && is_plain(text) {
            self.text(at, text);
        } else {
            records.insert(key.into(), text.to_vec());
            self.text(at.clone(), &cut_for_old_readers(text, at.len()));
        }
    }

    /// The name, split at a slash between prefix and name where that helps.
    fn name(&mut self, name: &[u8], records: &mut Records) {
        if name.len() > 100
            && is_plain(name)
            && let Some(at) = split_point(name)
        {
            self.text(345..500, &name[..at]);
            self.text(0..100, &name[at + 1..]);
        } else {
            self.string(0..100, name, "path", records);
        }
    }

    fn finish(mut self) -> [u8; BLOCK_BYTES] {
        self.0[148..156].fill(b' ');
        let sum: u64 = self.0.iter().map(|&byte| u64::from(byte)).sum();
        self.text(148..156, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii() && *byte != 0)
}

/// The last slash that leaves at most 155 bytes before and 1 to 100 after it.
fn split_point(name: &[u8]) -> Option<usize> {
    let from = name.len().saturating_sub(101);
    let to = name.len().saturating_sub(1).min(156);
    let at = name.get(from..to)?.iter().rposition(|&b| b == b'/')? + from;
    (at > 0).then_some(at)
}
