//! Which files a program needs: ELF facts, Go build information, companions.
//!
//! Everything is read from bytes that are handed in; nothing here opens a file
//! or runs a program (`ldd` does, which is why it is not used on foreign files).

mod elf;

pub use elf::{ElfError, ElfFacts, Linkage, Machine};
