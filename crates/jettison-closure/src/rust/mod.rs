//! What cargo-auditable records in a Rust program: `.dep-v0`, a
//! zlib-compressed JSON list of the crates it is made of.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use crate::elf::ElfFile;

/// The format's own readers stop at 8 MiB.
const JSON_BYTES: u64 = 8 << 20;

/// A crate linked into a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RustCrate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it came from: `crates.io`, `git`, `local` or `registry`.
    pub source: String,
    /// It ran while building and is not part of the program.
    pub build_only: bool,
}

#[derive(Deserialize)]
struct Audit {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    kind: Option<String>,
}

/// The recorded crates; none when nothing was recorded or it does not parse.
pub(crate) fn crates(file: &ElfFile<'_>) -> Option<Vec<RustCrate>> {
    let bytes = file.section_bytes(file.section(b".dep-v0")?)?;
    let mut json = Vec::new();
    flate2::read::ZlibDecoder::new(bytes)
        .take(JSON_BYTES)
        .read_to_end(&mut json)
        .ok()?;
    let audit: Audit = serde_json::from_slice(&json).ok()?;
    let crates = audit.packages.into_iter().map(|package| RustCrate {
        build_only: package.kind.as_deref() == Some("build"),
        name: package.name,
        version: package.version,
        source: package.source,
    });
    Some(crates.collect())
}
