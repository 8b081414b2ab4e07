//! The names that a dynamic object asks other objects for: the undefined
//! entries of its dynamic symbol table. A loader finds them without section
//! headers, and so does this.

use std::collections::BTreeSet;

use object::elf;

use super::file::{ElfFile, c_string};

/// Symbols read of one object; the largest libraries have some 100 000.
const MOST: usize = 1_000_000;

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const SHT_DYNSYM: u32 = 11;

/// The undefined symbols by name, without versions.
pub(crate) fn imports(file: &ElfFile<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let Some(segment) = file.segments_of(elf::PT_DYNAMIC.0).next() else {
        return names;
    };
    let word = file.word_bytes();
    let bytes = file.segment_bytes(segment);
    let value = |wanted: u64| {
        bytes.chunks_exact(word * 2).find_map(|entry| {
            let tag = file.word(entry, 0)?;
            (tag == wanted).then(|| file.word(entry, word)).flatten()
        })
    };
    let (Some(table), Some(strings)) = (
        value(DT_SYMTAB).and_then(|at| file.bytes_from(at)),
        value(DT_STRTAB).and_then(|at| file.bytes_from(at)),
    ) else {
        return names;
    };
    let size = if file.is_64 { 24 } else { 16 };
    let count = count(file, size, &value).min(MOST);
    for symbol in table.chunks_exact(size).take(count).skip(1) {
        let section_at = if file.is_64 { 6 } else { 14 };
        if file.u16(symbol, section_at) != Some(0) {
            continue;
        }
        let name = file
            .u32(symbol, 0)
            .and_then(|at| c_string(strings.get(at as usize..)?));
        names.extend(name.filter(|name| !name.is_empty()));
    }
    names
}

/// How many entries to read: what the section says, else the table that the
/// loader searches. GNU's begins where the undefined ones end.
fn count(file: &ElfFile<'_>, size: usize, value: &impl Fn(u64) -> Option<u64>) -> usize {
    let section = file
        .sections
        .iter()
        .find(|section| section.kind == SHT_DYNSYM);
    if let Some(section) = section {
        return usize::try_from(section.size_bytes).unwrap_or(usize::MAX) / size;
    }
    let first = |tag, at| {
        let table = file.bytes_from(value(tag)?)?;
        file.u32(table, at).map(|count| count as usize)
    };
    first(DT_GNU_HASH, 4)
        .into_iter()
        .chain(first(DT_HASH, 4))
        .max()
        .unwrap_or(0)
}
