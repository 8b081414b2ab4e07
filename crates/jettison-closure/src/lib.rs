//! Which files a program needs: ELF facts, Go build information, companions.
//!
//! Everything is read from bytes that are handed in; nothing here opens a file
//! or runs a program (`ldd` does, which is why it is not used on foreign files).

pub mod companions;
pub mod compiled;
pub mod config;
mod edge;
mod elf;
mod facts;
pub mod glob;
mod go;
mod guess;
pub mod languages;
pub mod loader;
pub mod locales;
mod needs;
pub mod node;
mod open_end;
pub mod own;
mod program;
pub mod python;
mod rust;
pub mod scripts;
mod world;

pub use edge::{Edge, How};
pub use elf::{ElfError, ElfFacts, Linkage, Machine};
pub use facts::ProgramFacts;
pub use go::{GoBuild, GoModule};
pub use needs::{Companion, Need, NeedState, needs};
pub use open_end::{is_known_to_load, loads_code};
pub use program::Program;
pub use rust::RustCrate;
pub use world::{Memo, World};
