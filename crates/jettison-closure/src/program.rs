//! Everything that one executable's bytes say about it.

use serde::Serialize;

use crate::elf::{ElfError, ElfFacts, ElfFile};
use crate::go::GoBuild;
use crate::rust::{self, RustCrate};

/// An executable, read once.
#[derive(Debug, Clone, Serialize)]
pub struct Program {
    /// What its ELF headers say.
    pub elf: ElfFacts,
    /// How the Go command built it, when it did.
    pub go: Option<GoBuild>,
    /// The crates it is made of, when cargo-auditable recorded them.
    pub crates: Option<Vec<RustCrate>>,
}

impl Program {
    /// Reads an executable.
    pub fn read(data: &[u8]) -> Result<Self, ElfError> {
        let file = ElfFile::parse(data)?;
        Ok(Self {
            elf: ElfFacts::of(&file),
            go: GoBuild::of(&file),
            crates: rust::crates(&file),
        })
    }
}
