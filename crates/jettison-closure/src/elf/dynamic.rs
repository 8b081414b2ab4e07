//! The dynamic section, read through program headers as a loader reads it
//! (section headers may be gone), and the glibc versions asked for.

use object::elf;

use super::file::{ElfFile, c_string};

/// Entries of one dynamic section; the largest seen in a distribution has about 400.
const ENTRIES: usize = 65_536;
/// DT_NEEDED names; Chromium, the largest known, has about 60.
const NEEDED: usize = 4096;
/// Version records followed; a linked list inside the file could be a loop.
const VERSIONS: usize = 16_384;

/// Its tags (System V gABI, "Dynamic Section"; GNU extensions).
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;
const DF_1_NODEFLIB: u64 = 0x0800;
const DF_1_PIE: u64 = 0x0800_0000;

/// What the dynamic section says; all empty when there is none.
#[derive(Debug, Default)]
pub(crate) struct Dynamic {
    pub(super) is_present: bool,
    pub(super) is_pie: bool,
    /// DF_1_NODEFLIB: the default directories are not searched.
    pub(crate) no_default_directories: bool,
    pub(crate) soname: Option<String>,
    pub(crate) needed: Vec<String>,
    /// DT_FILTER: a library that stands in for this one.
    pub(crate) filters: Vec<String>,
    /// DT_AUXILIARY: the same, where it is there.
    pub(crate) auxiliary: Vec<String>,
    pub(crate) rpath: Option<String>,
    pub(crate) runpath: Option<String>,
    pub(super) glibc_versions: Vec<String>,
}

impl Dynamic {
    /// There is a dynamic section, and it neither names the file nor anything else.
    pub(super) fn is_anonymous(&self) -> bool {
        self.is_present && self.soname.is_none() && self.needed.is_empty()
    }

    pub(crate) fn read(file: &ElfFile<'_>) -> Self {
        let Some(segment) = file.segments_of(elf::PT_DYNAMIC.0).next() else {
            return Self::default();
        };
        let tags = tags(file, file.segment_bytes(segment));
        let value = |tag| tags.iter().find(|&&(t, _)| t == tag).map(|&(_, v)| v);

        let strings = value(DT_STRTAB).and_then(|address| {
            let rest = file.bytes_from(address)?;
            let size = value(DT_STRSZ)
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(usize::MAX);
            Some(&rest[..rest.len().min(size)])
        });
        let text = |offset: u64| c_string(strings?.get(usize::try_from(offset).ok()?..)?);
        let texts = |wanted| {
            tags.iter()
                .filter(|&&(tag, _)| tag == wanted)
                .take(NEEDED)
                .filter_map(|&(_, offset)| text(offset))
                .collect()
        };
        let flags = value(DT_FLAGS_1).unwrap_or(0);

        let mut glibc_versions = Vec::new();
        if let (Some(address), Some(count)) = (value(DT_VERNEED), value(DT_VERNEEDNUM))
            && let Some(records) = file.bytes_from(address)
        {
            glibc_versions = glibc_needs(file, records, count, text);
        }
        Self {
            is_present: true,
            is_pie: flags & DF_1_PIE != 0,
            no_default_directories: flags & DF_1_NODEFLIB != 0,
            soname: value(DT_SONAME).and_then(text),
            needed: texts(DT_NEEDED),
            filters: texts(DT_FILTER),
            auxiliary: texts(DT_AUXILIARY),
            rpath: value(DT_RPATH).and_then(text),
            runpath: value(DT_RUNPATH).and_then(text),
            glibc_versions,
        }
    }
}

fn tags(file: &ElfFile<'_>, bytes: &[u8]) -> Vec<(u64, u64)> {
    let word = file.word_bytes();
    let mut tags = Vec::new();
    for entry in bytes.chunks_exact(word * 2).take(ENTRIES) {
        let (Some(tag), Some(value)) = (file.word(entry, 0), file.word(entry, word)) else {
            break;
        };
        if tag == DT_NULL {
            break;
        }
        tags.push((tag, value));
    }
    tags
}

/// Walks `Elf_Verneed` and `Elf_Vernaux` (the same in both classes): both are
/// lists of relative offsets, so every step is counted.
fn glibc_needs(
    file: &ElfFile<'_>,
    records: &[u8],
    count: u64,
    text: impl Fn(u64) -> Option<String>,
) -> Vec<String> {
    let mut names = Vec::new();
    let mut steps = 0;
    let mut at = 0_usize;
    for _ in 0..count.min(VERSIONS as u64) {
        let (Some(auxiliaries), Some(first), Some(next)) = (
            file.u16(records, at.saturating_add(2)),
            file.u32(records, at.saturating_add(8)),
            file.u32(records, at.saturating_add(12)),
        ) else {
            break;
        };
        let mut aux = at.saturating_add(first as usize);
        for _ in 0..auxiliaries {
            steps += 1;
            if steps > VERSIONS {
                return sorted(names);
            }
            let (Some(name), Some(aux_next)) = (
                file.u32(records, aux.saturating_add(8)),
                file.u32(records, aux.saturating_add(12)),
            ) else {
                break;
            };
            if let Some(name) = text(name.into())
                && name.starts_with("GLIBC_")
            {
                names.push(name);
            }
            if aux_next == 0 {
                break;
            }
            aux = aux.saturating_add(aux_next as usize);
        }
        if next == 0 {
            break;
        }
        at = at.saturating_add(next as usize);
    }
    sorted(names)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_by(|a, b| glibc_number(a).cmp(&glibc_number(b)).then_with(|| a.cmp(b)));
    names.dedup();
    names
}

/// `GLIBC_2.34` as numbers; none for `GLIBC_PRIVATE` and `GLIBC_ABI_*`.
pub(super) fn glibc_number(name: &str) -> Option<(u32, u32)> {
    let (major, rest) = name.strip_prefix("GLIBC_")?.split_once('.')?;
    let minor = rest.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
