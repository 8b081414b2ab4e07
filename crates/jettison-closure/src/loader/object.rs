//! What a loader reads of one file before it maps it.

use jettison_image::Node;

use super::Flavour;
use crate::elf::{Dynamic, ElfFile, c_string};
use crate::world::World;

/// The largest file that is read as a program or library. A browser engine has
/// 0.2 GB, a library with code for graphics processors up to 2.
const MOST_BYTES: u64 = 2 << 30;

/// An ELF file as its loader sees it.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) interpreter: Option<String>,
    pub(super) dynamic: Dynamic,
    /// The directories that an interpreter's own text names; see [`super::configuration`].
    pub(super) built_in: Vec<Vec<u8>>,
    /// Its list of libraries, likewise.
    pub(super) cache_file: Option<Vec<u8>>,
}

/// What must be equal in all objects of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) is_64: bool,
    pub(super) little_endian: bool,
    pub(super) machine: u16,
}

impl Object {
    /// None for what no loader maps.
    pub(super) fn read(world: &World<'_>, node: Node<'_>) -> Option<Self> {
        if !node.is_file() {
            return None;
        }
        let data = world.contents.read(node, MOST_BYTES).ok()?;
        let file = ElfFile::parse(&data).ok()?;
        if !matches!(file.file_type, 2 | 3) {
            return None;
        }
        let dynamic = Dynamic::read(&file);
        let interpreter = file
            .segments_of(object::elf::PT_INTERP.0)
            .next()
            .and_then(|segment| c_string(file.segment_bytes(segment)));
        let is_loader = is_loader_name(node.name())
            || dynamic
                .soname
                .as_deref()
                .is_some_and(|name| is_loader_name(name.as_bytes()));
        Some(Self {
            kind: Kind {
                is_64: file.is_64,
                little_endian: file.little_endian,
                machine: file.machine,
            },
            interpreter,
            built_in: if is_loader {
                super::configuration::built_in(&data)
            } else {
                Vec::new()
            },
            cache_file: is_loader
                .then(|| super::configuration::cache_file(&data))
                .flatten(),
            dynamic,
        })
    }

    /// True when the kernel alone can start it, or when it asks for nothing.
    pub(super) fn is_alone(&self) -> bool {
        self.interpreter.is_none() && self.dynamic.needed.is_empty()
    }

    /// By whose rules the object is loaded, as far as it says so itself.
    pub(super) fn flavour(&self) -> Option<Flavour> {
        let is_musl = |name: &[u8]| name.starts_with(b"ld-musl-");
        if let Some(interpreter) = &self.interpreter {
            let name = interpreter.rsplit('/').next().unwrap_or_default();
            return Some(if is_musl(name.as_bytes()) {
                Flavour::Musl
            } else {
                Flavour::Glibc
            });
        }
        self.dynamic
            .needed
            .iter()
            .find_map(|name| match name.as_str() {
                "libc.so" => Some(Flavour::Musl),
                name if name.starts_with("libc.musl-") || is_musl(name.as_bytes()) => {
                    Some(Flavour::Musl)
                }
                name if name.starts_with("libc.so.") => Some(Flavour::Glibc),
                _ => None,
            })
    }

    /// The directories of DT_RPATH that count: glibc ignores it beside a DT_RUNPATH.
    pub(super) fn rpath(&self) -> Option<&str> {
        match self.dynamic.runpath {
            None => self.dynamic.rpath.as_deref(),
            Some(_) => None,
        }
    }
}

/// `ld-linux-x86-64.so.2`, `ld64.so.2`, `ld.so.1`, `ld-2.31.so`.
fn is_loader_name(name: &[u8]) -> bool {
    name.starts_with(b"ld") && memchr::memmem::find(name, b".so").is_some()
}
