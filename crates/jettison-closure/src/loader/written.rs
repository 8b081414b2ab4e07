//! Writes `/etc/ld.so.cache` as ldconfig does (glibc, `elf/cache.c`): the new
//! format alone. The loader searches it by halves, so the order of the names
//! is its own: descending, numbers in them by their value.

use std::cmp::Ordering;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// `cache_file_new_flags_endian_little`.
const LITTLE: u8 = 2;
/// `cache_extension_magic`.
const EXTENSION: u32 = 0xeaa4_2174;

/// A library to be found by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedLibrary {
    /// As programs ask for it.
    pub name: String,
    /// Where it is, absolute.
    pub path: String,
}

/// The kind of libraries that a machine's programs load, as ldconfig numbers
/// them; none for machines whose number is not known here.
pub fn cache_flags(machine: &str) -> Option<u32> {
    // glibc, sysdeps/generic/ldconfig.h.
    Some(match machine {
        "amd64" => 0x0303,
        "arm64" => 0x0a03,
        "i386" => 0x0003,
        "armhf" => 0x0903,
        "ppc64el" => 0x0503,
        _ => return None,
    })
}

/// The file's content. Of several libraries of one name the first counts.
pub fn write_cache(libraries: &[CachedLibrary], flags: u32) -> Vec<u8> {
    let mut sorted: Vec<&CachedLibrary> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for library in libraries {
        if seen.insert(&library.name) {
            sorted.push(library);
        }
    }
    sorted.sort_by(|a, b| compare(b.name.as_bytes(), a.name.as_bytes()));
    let start = HEADER + sorted.len() * ENTRY;
    let (mut entries, mut strings) = (Vec::new(), Vec::new());
    for library in &sorted {
        // The name is the end of the path, unless a link is called otherwise.
        let path = (start + strings.len()) as u32;
        strings.extend_from_slice(library.path.as_bytes());
        strings.push(0);
        let name = match library.path.strip_suffix(&library.name) {
            Some(folder) => path + folder.len() as u32,
            None => {
                let at = (start + strings.len()) as u32;
                strings.extend_from_slice(library.name.as_bytes());
                strings.push(0);
                at
            }
        };
        for number in [flags, name, path, 0] {
            entries.extend_from_slice(&number.to_le_bytes());
        }
        entries.extend_from_slice(&0u64.to_le_bytes());
    }
    let end = start + strings.len();
    let extension = end.next_multiple_of(4);
    let generator = b"jettison";
    let mut file = MAGIC.to_vec();
    file.extend_from_slice(&(sorted.len() as u32).to_le_bytes());
    file.extend_from_slice(&(strings.len() as u32).to_le_bytes());
    file.extend_from_slice(&[LITTLE, 0, 0, 0]);
    file.extend_from_slice(&(extension as u32).to_le_bytes());
    file.resize(HEADER, 0);
    file.extend(entries);
    file.extend(strings);
    file.resize(extension, 0);
    // One section: who wrote it (cache_extension_tag_generator).
    let text = (extension + 8 + 16) as u32;
    for number in [EXTENSION, 1, 0, 0, text, generator.len() as u32] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    file.extend_from_slice(generator);
    file
}

/// `_dl_cache_libcmp`.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let number = |text: &[u8]| {
        let end = text.iter().position(|byte| !byte.is_ascii_digit());
        let end = end.unwrap_or(text.len());
        let value = text[..end].iter().fold(0u64, |sum, digit| {
            sum.saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        });
        (value, end)
    };
    while let Some(&first) = a.first() {
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        if is_digit(Some(&first)) {
            if !is_digit(b.first()) {
                return Ordering::Greater;
            }
            let ((left, skip_a), (right, skip_b)) = (number(a), number(b));
            if left != right {
                return left.cmp(&right);
            }
            (a, b) = (&a[skip_a..], &b[skip_b..]);
        } else if is_digit(b.first()) {
            return Ordering::Less;
        } else if b.first() != Some(&first) {
            return match b.first() {
                Some(other) => (first as i8).cmp(&(*other as i8)),
                None => Ordering::Greater,
            };
        } else {
            (a, b) = (&a[1..], &b[1..]);
        }
    }
    match b.is_empty() {
        true => Ordering::Equal,
        false => Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::cache::Cache;
    use super::*;

    fn library(name: &str, path: &str) -> CachedLibrary {
        CachedLibrary {
            name: name.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let all = [
            library("libc.so.6", "/lib/libc.so.6"),
            library("libz.so.1", "/usr/lib/libz.so.1"),
            library("libz.so", "/usr/lib/other"),
            library("libc.so.6", "/elsewhere/libc.so.6"),
        ];
        let cache = Cache::parse(&write_cache(&all, 0x303));
        for one in &all[..3] {
            assert_eq!(cache.get(one.name.as_bytes())[0].path, one.path.as_bytes());
        }
        assert_eq!(cache.get(b"libc.so.6").len(), 1);
    }

    /// ldconfig reads our file, and lists in our order what it lists in its own.
    #[test]
    fn as_ldconfig_reads_it() {
        let own = Command::new("ldconfig").arg("-p").output();
        let Some(own) = own.ok().filter(|output| output.status.success()) else {
            println!("skipped: no ldconfig here");
            return;
        };
        let parse = |text: &[u8]| -> Vec<CachedLibrary> {
            let text = String::from_utf8_lossy(text).into_owned();
            let lines = text.lines().filter(|line| line.contains("x86-64"));
            lines
                .filter_map(|line| {
                    let (left, path) = line.split_once(" => ")?;
                    Some(library(left.trim().split(' ').next()?, path))
                })
                .collect()
        };
        let mut all = parse(&own.stdout);
        let mut seen = std::collections::HashSet::new();
        all.retain(|one| seen.insert(one.name.clone()));
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|one| one.path.bytes().rev().collect::<Vec<_>>());
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("cache");
        std::fs::write(&path, write_cache(&shuffled, 0x303)).unwrap();
        let theirs = Command::new("ldconfig")
            .arg("-p")
            .arg("-C")
            .arg(&path)
            .output()
            .unwrap();
        assert_eq!(parse(&theirs.stdout), all);
    }
}
