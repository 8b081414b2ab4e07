//! One ELF file as plain numbers, whatever its class and byte order: its
//! segments, its sections, and bounded reads by address. Section headers are
//! optional (they are the first thing a packer drops), so a broken section
//! table is taken as none; broken program headers are an error.

use object::Endian as _;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _};

use super::ElfError;

/// A program header table can name 2^32 entries; linkers write about a dozen.
const SEGMENTS: usize = 1024;
/// `-ffunction-sections` objects have some ten thousand sections, programs about 40.
const SECTIONS: usize = 65_536;
/// Longest name, path or version read from a string table (`PATH_MAX`).
const NAME_BYTES: usize = 4096;

/// A parsed header with the bytes it came from.
pub(crate) struct ElfFile<'data> {
    pub(crate) data: &'data [u8],
    pub(crate) is_64: bool,
    pub(crate) little_endian: bool,
    pub(crate) file_type: u16,
    pub(crate) machine: u16,
    pub(crate) entry: u64,
    pub(crate) segments: Vec<Segment>,
    pub(crate) sections: Vec<Section<'data>>,
}

/// One program header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) writable: bool,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_bytes: u64,
}

/// One section header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'data> {
    pub(crate) name: &'data [u8],
    pub(crate) kind: u32,
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) size_bytes: u64,
}

impl<'data> ElfFile<'data> {
    pub(crate) fn parse(data: &'data [u8]) -> Result<Self, ElfError> {
        if !data.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf);
        }
        match data.get(4) {
            Some(1) => Self::read::<elf::FileHeader32<object::Endianness>>(data),
            Some(2) => Self::read::<elf::FileHeader64<object::Endianness>>(data),
            _ => Err(ElfError::Malformed("header: unknown class")),
        }
    }

    fn read<H: FileHeader<Endian = object::Endianness>>(
        data: &'data [u8],
    ) -> Result<Self, ElfError> {
        let header = H::parse(data).map_err(|_| ElfError::Malformed("header"))?;
        let endian = header
            .endian()
            .map_err(|_| ElfError::Malformed("header: unknown byte order"))?;
        let headers = header
            .program_headers(endian, data)
            .map_err(|_| ElfError::Malformed("program header table"))?;
        if headers.len() > SEGMENTS {
            return Err(ElfError::Malformed(
                "program header table: too many entries",
            ));
        }
        let segments = headers
            .iter()
            .map(|h| Segment {
                kind: h.p_type(endian).0,
                writable: h.p_flags(endian).0 & 2 != 0,
                offset: h.p_offset(endian).into(),
                address: h.p_vaddr(endian).into(),
                file_bytes: h.p_filesz(endian).into(),
            })
            .collect();

        let mut sections = Vec::new();
        if let Ok(table) = header.sections(endian, data)
            && table.len() <= SECTIONS
        {
            for section in table.iter() {
                sections.push(Section {
                    name: table.section_name(endian, section).unwrap_or_default(),
                    kind: section.sh_type(endian).0,
                    address: section.sh_addr(endian).into(),
                    offset: section.sh_offset(endian).into(),
                    size_bytes: section.sh_size(endian).into(),
                });
            }
        }
        Ok(Self {
            data,
            is_64: header.is_type_64(),
            little_endian: endian.is_little_endian(),
            file_type: header.e_type(endian).0,
            machine: header.e_machine(endian).0,
            entry: header.e_entry(endian).into(),
            segments,
            sections,
        })
    }

    pub(crate) fn segments_of(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(move |segment| segment.kind == kind)
    }

    pub(crate) fn section(&self, name: &[u8]) -> Option<&Section<'data>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The bytes of a section in the file; none when it has none or they lie outside.
    pub(crate) fn section_bytes(&self, section: &Section<'data>) -> Option<&'data [u8]> {
        const SHT_NOBITS: u32 = 8;
        if section.kind == SHT_NOBITS {
            return None;
        }
        slice(self.data, section.offset, section.size_bytes)
    }

    /// The bytes of a segment that are in the file, cut where the file ends.
    pub(crate) fn segment_bytes(&self, segment: &Segment) -> &'data [u8] {
        let start = usize::try_from(segment.offset)
            .unwrap_or(usize::MAX)
            .min(self.data.len());
        let length = usize::try_from(segment.file_bytes).unwrap_or(usize::MAX);
        let end = start.saturating_add(length).min(self.data.len());
        &self.data[start..end]
    }

    /// Everything in the file from a mapped address to the end of its segment.
    pub(crate) fn bytes_from(&self, address: u64) -> Option<&'data [u8]> {
        self.segments_of(elf::PT_LOAD.0).find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            if inside >= segment.file_bytes {
                return None;
            }
            self.segment_bytes(segment)
                .get(usize::try_from(inside).ok()?..)
        })
    }

    /// `length` bytes at a mapped address.
    pub(crate) fn bytes_at(&self, address: u64, length: u64) -> Option<&'data [u8]> {
        self.bytes_from(address)?
            .get(..usize::try_from(length).ok()?)
    }

    pub(crate) fn u16(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little_endian {
            u16::from_le_bytes(raw)
        } else {
            u16::from_be_bytes(raw)
        })
    }

    pub(crate) fn u32(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little_endian {
            u32::from_le_bytes(raw)
        } else {
            u32::from_be_bytes(raw)
        })
    }

    fn u64(&self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw: [u8; 8] = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self.little_endian {
            u64::from_le_bytes(raw)
        } else {
            u64::from_be_bytes(raw)
        })
    }

    /// A number of the class' word size.
    pub(crate) fn word(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if self.is_64 {
            self.u64(bytes, at)
        } else {
            self.u32(bytes, at).map(u64::from)
        }
    }

    pub(crate) fn word_bytes(&self) -> usize {
        if self.is_64 { 8 } else { 4 }
    }
}

/// `length` bytes of the file at `offset`, if all of them are there.
pub(crate) fn slice(data: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    data.get(start..end)
}

/// The bytes before the first NUL, as text. Bytes that are not UTF-8 are
/// replaced: such a name never matches a file, which is what its loader would find.
pub(crate) fn c_string(bytes: &[u8]) -> Option<String> {
    let within = &bytes[..bytes.len().min(NAME_BYTES)];
    let end = within.iter().position(|&b| b == 0)?;
    Some(String::from_utf8_lossy(&within[..end]).into_owned())
}
