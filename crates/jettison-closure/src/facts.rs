//! What companions and names are derived from: one compiled file, read once.

use std::collections::BTreeSet;

use jettison_image::{ImagePath, Node};

use crate::elf::{ElfFacts, ElfFile, Linkage, are_known, constants, imports};
use crate::go::{GoBuild, GoFunctions};
use crate::needs::{Need, needs};

/// One ELF file: a program or a library, each for itself. What a library asks
/// for is asked for by the programs that load it.
pub struct ProgramFacts<'d> {
    /// The file's own path, no link.
    pub path: ImagePath,
    /// What its headers say.
    pub elf: ElfFacts,
    /// Undefined symbols: the functions that it calls in other objects. None
    /// are known of static programs.
    pub imports: BTreeSet<String>,
    /// A program of the Go linker.
    pub is_go: bool,
    /// A program or library with Rust's standard library in it.
    pub is_rust: bool,
    /// What the companions of a linked program are, by its own bytes.
    pub needs: Vec<Need>,
    /// Go's functions, where it is a Go program.
    pub(crate) go_functions: Option<GoFunctions<'d>>,
    /// The parts of the file in which texts lie.
    pub(crate) texts: Vec<&'d [u8]>,
    /// Texts that the code of a Go or Rust program refers to with their length;
    /// none where that cannot be told.
    pub(crate) constants: Option<Vec<&'d [u8]>>,
    /// `.note.dlopen` and `.note` segments.
    pub(crate) notes: Vec<&'d [u8]>,
}

impl<'d> ProgramFacts<'d> {
    /// None for what is no ELF file that a process maps.
    pub fn read(node: Node<'_>, data: &'d [u8]) -> Option<Self> {
        let file = ElfFile::parse(data).ok()?;
        let elf = ElfFacts::of(&file);
        if elf.linkage == Linkage::Other {
            return None;
        }
        let may_be_go = may_be_go(&file);
        let go_functions = may_be_go.then(|| GoFunctions::of(&file)).flatten();
        let is_go = go_functions.is_some() || (may_be_go && GoBuild::of(&file).is_some());
        let texts = texts(&file);
        let holds = |text: &[u8]| {
            let finder = memchr::memmem::Finder::new(text);
            texts.iter().any(|part| finder.find(part).is_some())
        };
        let is_rust = holds(b"/rustc/") || holds(b"RUST_BACKTRACE");
        // A library says by its imports what it asks for; a program that is
        // whole in itself has none to tell.
        let needs = if elf.linkage.is_static() || is_go || is_rust {
            needs(data).unwrap_or_default()
        } else {
            Vec::new()
        };
        Some(Self {
            path: node.path(),
            imports: imports(&file),
            is_go,
            is_rust,
            needs,
            go_functions,
            constants: ((is_go || is_rust) && are_known(&file)).then(|| constants(&file)),
            texts,
            notes: notes(&file),
            elf,
        })
    }

    /// The last component of the path.
    pub(crate) fn name(&self) -> &[u8] {
        self.path.file_name()
    }

    /// True when it calls one of these functions.
    pub(crate) fn calls(&self, functions: &[&str]) -> bool {
        functions.iter().any(|name| self.imports.contains(*name))
    }

    /// Texts that end with a NUL, as C's do.
    pub(crate) fn c_texts(&self) -> impl Iterator<Item = &'d [u8]> + use<'_, 'd> {
        self.texts
            .iter()
            .flat_map(|part| part.split(|&b| b == 0))
            .filter(|text| !text.is_empty())
    }

    /// True when a text stands anywhere in the data.
    pub(crate) fn holds(&self, text: &[u8]) -> bool {
        let finder = memchr::memmem::Finder::new(text);
        self.texts.iter().any(|part| finder.find(part).is_some())
    }
}

/// A search through the whole file for what Go's linker leaves is for files
/// whose sections do not tell.
fn may_be_go(file: &ElfFile<'_>) -> bool {
    let is_gos = |name: &[u8]| {
        [b"gopclntab".as_slice(), b"go.buildinfo", b"note.go"]
            .iter()
            .any(|part| memchr::memmem::find(name, part).is_some())
    };
    file.sections.is_empty() || file.sections.iter().any(|section| is_gos(section.name))
}

/// Sections that are mapped and hold data; the segments where there are no sections.
fn texts<'d>(file: &ElfFile<'d>) -> Vec<&'d [u8]> {
    const SHT_PROGBITS: u32 = 1;
    const OTHER: &[&[u8]] = &[
        b".text",
        b".init",
        b".fini",
        b".plt",
        b".eh_frame",
        b".gcc_except_table",
        b".gopclntab",
        b".got",
        b".interp",
        b".note",
    ];
    let parts: Vec<&[u8]> = file
        .sections
        .iter()
        .filter(|section| section.kind == SHT_PROGBITS && section.address != 0)
        .filter(|section| !OTHER.iter().any(|other| section.name.starts_with(other)))
        .filter_map(|section| file.section_bytes(section))
        .collect();
    // Sections over each other would be read once for each of them.
    let total: usize = parts.iter().map(|part| part.len()).sum();
    if parts.is_empty() || total > file.data.len() {
        return vec![file.data];
    }
    parts
}

fn notes<'d>(file: &ElfFile<'d>) -> Vec<&'d [u8]> {
    let segments = file
        .segments_of(object::elf::PT_NOTE.0)
        .map(|segment| file.segment_bytes(segment));
    let section = file
        .section(b".note.dlopen")
        .and_then(|section| file.section_bytes(section));
    segments.chain(section).take(64).collect()
}
