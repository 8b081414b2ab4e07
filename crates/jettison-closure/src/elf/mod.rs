//! What one ELF file says about itself: for which machine it is, how it is
//! linked, what it asks the loader for and what can be stripped from it. It
//! follows no name to another file; that is the closure's business.

mod constants;
mod dynamic;
mod file;
mod symbols;

use object::elf;
use serde::Serialize;

pub(crate) use self::constants::{are_known, constants};
pub(crate) use self::dynamic::Dynamic;
pub(crate) use self::file::{ElfFile, c_string, slice};
pub(crate) use self::symbols::imports;

/// Why bytes are not usable as an ELF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The magic number is missing: a script, an archive, anything else.
    #[error("not an ELF file")]
    NotElf,
    /// The named part contradicts itself or lies outside the file.
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
}

/// What an ELF file says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElfFacts {
    /// 64 or 32.
    pub class_bits: u8,
    /// The byte order.
    pub little_endian: bool,
    /// The processor it is for.
    pub machine: Machine,
    /// How it is linked.
    pub linkage: Linkage,
    /// PT_INTERP: the loader the kernel starts.
    pub interpreter: Option<String>,
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_NEEDED, in the file's order.
    pub needed: Vec<String>,
    /// DT_RPATH, unsplit.
    pub rpath: Option<String>,
    /// DT_RUNPATH, unsplit.
    pub runpath: Option<String>,
    /// Versions asked of glibc (`GLIBC_2.34`), sorted by version, without repetition.
    pub glibc_versions: Vec<String>,
    /// No symbol table (`.symtab`) is left.
    pub stripped: bool,
    /// Bytes of debug information that `strip --strip-debug` would remove.
    pub debug_bytes: u64,
    /// Packed by UPX: nothing but the header can be trusted to describe the program.
    pub upx: bool,
}

/// How an ELF file is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linkage {
    /// An executable at a fixed address that needs no loader.
    Static,
    /// A position-independent executable that relocates itself: `DYN` without
    /// PT_INTERP and without DT_NEEDED, yet a main program.
    StaticPie,
    /// An executable that the loader in PT_INTERP starts.
    Dynamic,
    /// A shared library or plug-in.
    Library,
    /// A relocatable object, a core dump or something newer.
    Other,
}

impl Linkage {
    /// True when a kernel alone can start it.
    pub fn is_static(self) -> bool {
        matches!(self, Self::Static | Self::StaticPie)
    }
}

/// The processor of an ELF file (`e_machine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
    /// 32-bit ARM.
    Arm,
    /// 32-bit x86.
    I386,
    /// 64-bit RISC-V (or 32-bit: see the class).
    Riscv,
    /// IBM Z.
    S390x,
    /// 64-bit POWER.
    Ppc64,
    /// LoongArch.
    Loong,
    /// Any other number.
    Other(u16),
}

impl Machine {
    fn from_number(number: u16) -> Self {
        match number {
            62 => Self::Amd64,
            183 => Self::Arm64,
            40 => Self::Arm,
            3 => Self::I386,
            243 => Self::Riscv,
            22 => Self::S390x,
            21 => Self::Ppc64,
            258 => Self::Loong,
            other => Self::Other(other),
        }
    }

    /// The word that OCI image configs use for it (Go's GOARCH); none for
    /// machines that Go does not know or that need the byte order as well.
    pub fn oci_architecture(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => Some("amd64"),
            Self::Arm64 => Some("arm64"),
            Self::Arm => Some("arm"),
            Self::I386 => Some("386"),
            Self::S390x => Some("s390x"),
            Self::Riscv | Self::Ppc64 | Self::Loong | Self::Other(_) => None,
        }
    }
}

impl ElfFacts {
    /// Reads the facts. Malformed files give an error or fewer facts, never a
    /// panic; the work is bounded by the size of the file's own tables.
    pub fn read(data: &[u8]) -> Result<Self, ElfError> {
        Ok(Self::of(&ElfFile::parse(data)?))
    }

    pub(crate) fn of(file: &ElfFile<'_>) -> Self {
        let dynamic = Dynamic::read(file);
        let interpreter = file
            .segments_of(elf::PT_INTERP.0)
            .next()
            .and_then(|segment| c_string(file.segment_bytes(segment)));
        let linkage = linkage(file, &dynamic, interpreter.is_some());
        Self {
            class_bits: if file.is_64 { 64 } else { 32 },
            little_endian: file.little_endian,
            machine: Machine::from_number(file.machine),
            linkage,
            interpreter,
            soname: dynamic.soname,
            needed: dynamic.needed,
            rpath: dynamic.rpath,
            runpath: dynamic.runpath,
            glibc_versions: dynamic.glibc_versions,
            stripped: file.section(b".symtab").is_none(),
            debug_bytes: debug_bytes(file),
            upx: is_upx(file),
        }
    }

    /// The highest glibc version asked for, as `(major, minor)`; none for
    /// static files and other C libraries.
    pub fn glibc_required(&self) -> Option<(u32, u32)> {
        self.glibc_versions.iter().rev().find_map(|name| {
            let (major, minor) = dynamic::glibc_number(name)?;
            Some((major, minor))
        })
    }
}

fn linkage(file: &ElfFile<'_>, dynamic: &Dynamic, has_interpreter: bool) -> Linkage {
    match file.file_type {
        _ if has_interpreter && matches!(file.file_type, 2 | 3) => Linkage::Dynamic,
        // An executable with NEEDED but no loader cannot start; call it what it asks for.
        2 if !dynamic.needed.is_empty() => Linkage::Dynamic,
        2 => Linkage::Static,
        // DF_1_PIE marks a main program. Linkers before 2016 do not set it; there
        // a library is told by its SONAME, by depending on something, or by
        // having nowhere to start.
        3 if dynamic.is_pie => Linkage::StaticPie,
        3 if dynamic.is_anonymous() && file.entry != 0 => Linkage::StaticPie,
        3 => Linkage::Library,
        _ => Linkage::Other,
    }
}

/// `.debug_*` and the compressed `.zdebug_*` of older toolchains.
fn debug_bytes(file: &ElfFile<'_>) -> u64 {
    file.sections
        .iter()
        .filter(|section| {
            section.name.starts_with(b".debug_") || section.name.starts_with(b".zdebug_")
        })
        .filter(|section| slice(file.data, section.offset, section.size_bytes).is_some())
        .fold(0, |sum, section| sum.saturating_add(section.size_bytes))
}

/// UPX writes its magic right behind the program headers and again in its
/// trailer at the end of the file.
fn is_upx(file: &ElfFile<'_>) -> bool {
    const HEAD: usize = 512;
    let head = &file.data[..file.data.len().min(HEAD)];
    let tail = &file.data[file.data.len().saturating_sub(HEAD)..];
    let has = |bytes: &[u8]| bytes.windows(4).any(|window| window == b"UPX!");
    has(head) && has(tail)
}
