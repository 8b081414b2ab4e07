//! The functions linked into a Go program, by the names that its own stack
//! traces use (`.gopclntab`, runtime/symtab.go): present however stripped. The
//! linker leaves out what cannot be reached, so a name that is there is code
//! that may run; names of inlined functions are there as well.

use std::collections::HashSet;

use crate::elf::ElfFile;

/// Layout since Go 1.20 and since 1.18; both have the same header.
const MAGIC_1_20: u32 = 0xffff_fff1;
const MAGIC_1_18: u32 = 0xffff_fff0;
/// Kubernetes' largest programs have about 200 000 functions.
const FUNCTIONS: u64 = 4_000_000;
const SEARCH_BYTES: usize = 512 << 20;
/// Longer names, of generic code, are left out; a table without an end would
/// be read through once for every function.
const NAME_BYTES: usize = 4096;

/// The functions of a Go program.
#[derive(Debug, Clone)]
pub(crate) struct GoFunctions<'data> {
    names: HashSet<&'data str>,
    /// Offset of the entry from the start of the code, and the name; by offset.
    entries: Vec<(u32, &'data str)>,
    /// Address of the start of the code, where it is known.
    pub(super) text_address: Option<u64>,
}

impl<'data> GoFunctions<'data> {
    /// Reads them; none when there is no table, or one of before Go 1.18.
    pub(crate) fn of(file: &ElfFile<'data>) -> Option<Self> {
        let table = table(file)?;
        let word = usize::from(*table.get(7)?);
        if word != file.word_bytes() {
            return None;
        }
        let number = |index: usize| file.word(table, 8 + index * word);
        let (count, text_start) = (number(0)?, number(2)?);
        if count > FUNCTIONS {
            return None;
        }
        let part = |index: usize| table.get(usize::try_from(number(index)?).ok()?..);
        let (names, compile_units, functions) = (part(3)?, number(4)?, part(7)?);
        let names_end = usize::try_from(compile_units.checked_sub(number(3)?)?).ok()?;
        let names = names.get(..names_end)?;

        let name_at = |offset: usize| {
            let rest = names.get(offset..)?;
            let end = memchr::memchr(0, &rest[..rest.len().min(NAME_BYTES)])?;
            std::str::from_utf8(&rest[..end]).ok()
        };
        let mut entries = Vec::new();
        for index in 0..usize::try_from(count).ok()? {
            // A pair of the entry's offset and that of its description, which
            // begins with the entry again and the offset of the name.
            let (Some(entry), Some(at)) = (
                file.u32(functions, index * 8),
                file.u32(functions, index * 8 + 4),
            ) else {
                break;
            };
            let name = file
                .u32(functions, (at as usize).saturating_add(4))
                .and_then(|offset| name_at(offset as usize));
            entries.push((entry, name.unwrap_or_default()));
        }
        if !entries.is_sorted_by_key(|&(entry, _)| entry) {
            return None;
        }
        let text_address = Some(text_start)
            .filter(|&address| address != 0)
            .or_else(|| {
                // The header's own field is 0 in position-independent programs and
                // since Go 1.26. There the code begins where the section does,
                // unless C code was linked in front of it: then the program does
                // not start in Go.
                let section = file.section(b".text")?.address;
                let start = u32::try_from(file.entry.checked_sub(section)?).ok()?;
                let at = entries
                    .binary_search_by_key(&start, |&(entry, _)| entry)
                    .ok()?;
                entries[at].1.starts_with("_rt0_").then_some(section)
            });
        Some(Self {
            names: names
                .split(|&b| b == 0)
                .filter_map(|name| std::str::from_utf8(name).ok())
                .collect(),
            entries,
            text_address,
        })
    }

    /// True when a function of exactly this name is linked, possibly inlined.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// True when any function of this package is linked.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        self.names.iter().any(|name| {
            name.strip_prefix(package)
                .is_some_and(|rest| rest.starts_with('.') && !rest.contains('/'))
        })
    }

    /// Address of a function that has code of its own.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        let (offset, _) = self.entries.iter().find(|(_, known)| *known == name)?;
        self.text_address?.checked_add((*offset).into())
    }

    /// The function that the code at an offset belongs to.
    pub(super) fn at(&self, offset: u32) -> &'data str {
        let after = self.entries.partition_point(|&(entry, _)| entry <= offset);
        after
            .checked_sub(1)
            .map_or("", |index| self.entries[index].1)
    }
}

fn table<'d>(file: &ElfFile<'d>) -> Option<&'d [u8]> {
    let named = [&b".gopclntab"[..], b".data.rel.ro.gopclntab"]
        .into_iter()
        .find_map(|name| file.section(name))
        .and_then(|section| file.section_bytes(section));
    if let Some(bytes) = named
        && is_header(file, bytes)
    {
        return Some(bytes);
    }
    const PT_LOAD: u32 = 1;
    // Segments may lie over each other; together they are searched so far.
    let mut left = SEARCH_BYTES;
    file.segments_of(PT_LOAD).find_map(|segment| {
        let bytes = file.segment_bytes(segment);
        let end = bytes.len().min(left);
        left -= end;
        let at = (0..end)
            .step_by(16)
            .find(|&at| is_header(file, &bytes[at..]))?;
        Some(&bytes[at..])
    })
}

/// Magic, two zeroes, the instruction size quantum and the pointer size.
fn is_header(file: &ElfFile<'_>, bytes: &[u8]) -> bool {
    matches!(file.u32(bytes, 0), Some(MAGIC_1_20 | MAGIC_1_18))
        && matches!(bytes.get(4..8), Some([0, 0, 1 | 2 | 4, 4 | 8]))
}
