//! `/etc/ld.so.cache`: which library is where, as ldconfig wrote it down
//! (glibc, `sysdeps/generic/dl-cache.h`). Both formats are read: the new one,
//! alone or behind the old one, and the old one alone.

use std::collections::HashMap;

/// The largest cache that is read; a desktop's has 0.2 MB.
pub(super) const MOST_BYTES: u64 = 16 << 20;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const NEW_HEADER: usize = 48;
const NEW_ENTRY: usize = 24;

/// The libraries of a cache by name, in its order.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Vec<u8>, Vec<Cached>>,
}

/// One library of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cached {
    /// Its absolute path.
    pub(super) path: Vec<u8>,
    /// The kind of ELF file, as ldconfig numbers them.
    pub(super) flags: u32,
    /// It is for processors with certain features only.
    pub(super) is_variant: bool,
}

impl Cache {
    /// What is not a cache has no entries; broken entries are left out.
    pub(super) fn parse(data: &[u8]) -> Self {
        let mut cache = Self::default();
        if data.starts_with(NEW_MAGIC) {
            cache.read_new(data);
        } else if data.starts_with(OLD_MAGIC) {
            let count = number(data, 12).unwrap_or(0) as usize;
            let end = count
                .saturating_mul(OLD_ENTRY)
                .saturating_add(OLD_HEADER)
                .min(data.len());
            // The new format is aligned to the eight bytes of its numbers.
            let behind = &data[end.next_multiple_of(8).min(data.len())..];
            if behind.starts_with(NEW_MAGIC) {
                cache.read_new(behind);
            } else if let Some(entries) = data.get(OLD_HEADER..end) {
                cache.read_entries(entries, OLD_ENTRY, &data[end..]);
            }
        }
        cache
    }

    /// What it has under a name, best first as the loader takes them.
    pub(super) fn get(&self, name: &[u8]) -> &[Cached] {
        self.entries.get(name).map_or(&[], Vec::as_slice)
    }

    fn read_new(&mut self, data: &[u8]) {
        let count = number(data, 20).unwrap_or(0) as usize;
        let end = count
            .saturating_mul(NEW_ENTRY)
            .saturating_add(NEW_HEADER)
            .min(data.len());
        if let Some(entries) = data.get(NEW_HEADER..end) {
            self.read_entries(entries, NEW_ENTRY, data);
        }
    }

    fn read_entries(&mut self, entries: &[u8], size: usize, strings: &[u8]) {
        for entry in entries.chunks_exact(size) {
            let (Some(flags), Some(name), Some(path)) = (
                number(entry, 0),
                text(strings, number(entry, 4)),
                text(strings, number(entry, 8)),
            ) else {
                continue;
            };
            let features = entry.get(16..24).unwrap_or_default();
            self.entries.entry(name.to_vec()).or_default().push(Cached {
                path: path.to_vec(),
                flags,
                is_variant: features.iter().any(|&b| b != 0),
            });
        }
    }
}

/// The flags that ldconfig writes for libraries of a machine
/// (`sysdeps/**/ldconfig.h`, FLAG_ELF_LIBC6 with the required kind); none
/// where this table does not know them.
pub(super) fn flags_of(machine: u16, is_64: bool) -> Option<u32> {
    Some(match (machine, is_64) {
        (62, true) => 0x0303,
        (62, false) => 0x0803,
        (3, _) => 0x0003,
        (183, true) => 0x0a03,
        (22, true) => 0x0403,
        (21, true) => 0x0503,
        _ => return None,
    })
}

/// Caches are written in the byte order of the machine; only those of little
/// endian machines and of s390x are met, and a wrong guess finds no entry.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_le_bytes(raw))
}

fn text(strings: &[u8], offset: Option<u32>) -> Option<&[u8]> {
    const MOST_NAME: usize = 4096;
    let rest = strings.get(offset? as usize..)?;
    let end = memchr::memchr(0, &rest[..rest.len().min(MOST_NAME)])?;
    (end > 0).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::{Cache, Cached};

    fn cache(entries: &[(u32, &str, &str, u64)], with_old_header: bool) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut table = Vec::new();
        let start = 48 + entries.len() * 24;
        for (flags, name, path, features) in entries {
            table.extend(flags.to_le_bytes());
            for text in [name, path] {
                table.extend(((start + strings.len()) as u32).to_le_bytes());
                strings.extend(text.bytes());
                strings.push(0);
            }
            table.extend(0_u32.to_le_bytes());
            table.extend(features.to_le_bytes());
        }
        let mut data = Vec::new();
        if with_old_header {
            data.extend(b"ld.so-1.7.0\0");
            data.extend(0_u32.to_le_bytes());
        }
        data.extend(b"glibc-ld.so.cache1.1");
        data.extend((entries.len() as u32).to_le_bytes());
        data.extend((strings.len() as u32).to_le_bytes());
        data.resize(if with_old_header { 64 } else { 48 }, 0);
        data.extend(table);
        data.extend(strings);
        data
    }

    #[test]
    fn entries_are_read_in_order_and_cut_files_do_not_panic() {
        let entries = [
            (
                0x303,
                "libx.so.1",
                "/lib/glibc-hwcaps/x86-64-v3/libx.so.1",
                1 << 62,
            ),
            (0x303, "libx.so.1", "/lib/libx.so.1", 0),
            (0x3, "liby.so", "/lib32/liby.so", 0),
        ];
        for with_old_header in [false, true] {
            let data = cache(&entries, with_old_header);
            let read = Cache::parse(&data);
            let found: Vec<_> = read
                .get(b"libx.so.1")
                .iter()
                .map(|c| c.is_variant)
                .collect();
            assert_eq!(found, [true, false]);
            assert_eq!(
                read.get(b"liby.so"),
                [Cached {
                    path: b"/lib32/liby.so".to_vec(),
                    flags: 3,
                    is_variant: false
                }]
            );
            assert!(read.get(b"libz.so").is_empty());
            for cut in 0..data.len() {
                Cache::parse(&data[..cut]);
                let mut broken = data.clone();
                broken[cut] ^= 0xff;
                Cache::parse(&broken);
            }
        }
    }
}
