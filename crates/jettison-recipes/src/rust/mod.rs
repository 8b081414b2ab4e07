//! Rust: Cargo packages and workspaces. Cargo itself builds; here is found
//! which programs there are, and which of the project's own settings a static
//! build has to be reconciled with.

mod config;
mod failures;
mod manifest;
mod recipe;
pub(crate) mod syntax;

pub(crate) use self::failures::{dynamic, explain};
pub(crate) use self::recipe::executable;

use self::config::CargoConfig;
use self::manifest::{Manifest, Workspace};
use crate::project::{Binary, DetectError};
use crate::recipe::PackageFacts;
use crate::source::{self, Source};

/// Packages of one workspace that are looked at; the largest known have about 1 500.
const MEMBERS: usize = 10_000;

/// A Cargo project with at least one program.
#[derive(Debug, Clone)]
pub struct RustProject {
    pub(crate) programs: Vec<RustProgram>,
    /// `default-run` of the package at hand.
    pub(crate) default_run: Option<String>,
    config: CargoConfig,
}

/// One `[[bin]]`.
#[derive(Debug, Clone)]
pub(crate) struct RustProgram {
    pub(crate) binary: Binary,
    /// The name cargo knows it by (the binary's own is made unique).
    bin: String,
    required_features: Vec<String>,
    package: PackageFacts,
}

impl RustProject {
    /// The programs of the package or workspace at `directory`, which has a Cargo.toml.
    pub(crate) fn detect(source: &dyn Source, directory: &str) -> Result<Self, DetectError> {
        let manifest = Manifest::read(source, directory)?;
        let workspace = enclosing_workspace(source, directory, &manifest)?;
        let mut programs = Vec::new();
        if manifest.package.is_some() {
            programs.extend(programs_of(
                source,
                directory,
                &manifest,
                workspace.as_ref(),
                false,
            ));
        }
        if let Some(own) = &manifest.workspace {
            let members = own.members(source, directory);
            for member in members
                .into_iter()
                .take(MEMBERS)
                .filter(|member| member != directory)
            {
                let member_manifest = Manifest::read(source, &member)?;
                // Beside a package at the root, `cargo build` leaves the other members alone.
                let is_secondary = match &own.default_members {
                    Some(_) => !own.is_default(source, directory, &member),
                    None => manifest.package.is_some(),
                };
                programs.extend(programs_of(
                    source,
                    &member,
                    &member_manifest,
                    Some(own),
                    is_secondary,
                ));
            }
        }
        if programs.is_empty() {
            let directory = if directory.is_empty() { "." } else { directory };
            return Err(DetectError::NoProgram {
                directory: directory.into(),
                language: "Rust",
            });
        }
        name_apart(&mut programs);
        Ok(Self {
            default_run: manifest.default_run().map(str::to_owned),
            config: CargoConfig::read(source, directory),
            programs,
        })
    }
}

/// The workspace that a package belongs to: its own, or the nearest one above
/// that does not exclude it.
fn enclosing_workspace(
    source: &dyn Source,
    directory: &str,
    manifest: &Manifest,
) -> Result<Option<Workspace>, DetectError> {
    if let Some(own) = &manifest.workspace {
        return Ok(Some(own.clone()));
    }
    for above in source::ancestors(directory).skip(1) {
        if !source::has(source, &manifest::path(above)) {
            continue;
        }
        if let Some(workspace) = Manifest::read(source, above)?.workspace {
            return Ok((!workspace.excludes(above, directory)).then_some(workspace));
        }
    }
    Ok(None)
}

fn programs_of(
    source: &dyn Source,
    directory: &str,
    manifest: &Manifest,
    workspace: Option<&Workspace>,
    is_secondary: bool,
) -> Vec<RustProgram> {
    let facts = manifest.facts(workspace);
    let in_examples = directory
        .split('/')
        .any(|part| matches!(part, "examples" | "xtask" | "benches" | "fuzz"));
    manifest
        .bins(source, directory)
        .into_iter()
        .map(|bin| RustProgram {
            binary: Binary {
                name: bin.name.clone(),
                directory: directory.to_owned(),
                is_secondary: is_secondary
                    || (in_examples && workspace.is_some_and(|w| w.has_members())),
            },
            bin: bin.name,
            required_features: bin.required_features,
            package: facts.clone(),
        })
        .collect()
}

/// Programs of one name in several packages are told apart by their directories.
fn name_apart(programs: &mut [RustProgram]) {
    let names: Vec<String> = programs.iter().map(|program| program.bin.clone()).collect();
    for program in programs {
        let alike = names.iter().filter(|name| **name == program.bin).count();
        if alike > 1 && !program.binary.directory.is_empty() {
            program.binary.name = format!("{}/{}", program.binary.directory, program.bin);
        }
    }
}
