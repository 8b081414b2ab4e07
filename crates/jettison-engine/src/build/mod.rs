//! `build`: from a project to an image that was started and asked.
//!
//! Detect → compile → what the program needs → compose → write → prove. Each
//! step is a file of this folder; here is only their order.

pub(crate) mod assemble;
mod at_hand;
mod compile;
mod config;
mod explain;
mod foundation;
mod git;
mod include;
mod item;
mod layers;
mod parts;
mod prepare;
mod settings;
mod sizes;
mod source;
mod upx;
mod workshop;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jettison_image::compression::Compression;
use jettison_image::{Error, Image};
use jettison_plan::Probe;
use jettison_recipes::{DetectError, Failure, RecipeError, RuntimeFile, Settings};

use crate::Context;
use crate::base::BaseError;
use crate::prove::{Proof, ProveError, ProveRequest, prove};
use crate::store::StoreError;
use crate::surroundings::{Surroundings, SurroundingsError};
use crate::transport::TransportError;

pub use assemble::AssembleError;
pub use compile::CompileError;
pub use explain::{BaseOption, explain};
pub use include::IncludeError;
pub use parts::{BaseChoice, Decision, part_names};
pub use sizes::{SizeRow, SizeTable};

use layers::{Composed, compose};
use prepare::{Prepared, prepare};
pub use source::SourceError;
pub use workshop::{Toolchain, ToolchainError};

pub(crate) use config::{exposed_ports, healthcheck_argv};
pub(crate) use git::Checkout;
pub(crate) use source::HostSource;

/// What is to be built, and how.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The project's directory.
    pub project: PathBuf,
    /// What a person says on top of the project's `jettison.toml`.
    pub flags: Settings,
    /// Likewise: what must be answered.
    pub probes: Vec<Probe>,
    /// Likewise: what the program needs around it.
    pub surroundings: Surroundings,
    /// From its start to its last good answer.
    pub timeout: Duration,
    /// Of the layers.
    pub compression: Compression,
    /// Pack the program with upx.
    pub upx: bool,
    /// Pins the versions of Debian packages.
    pub lock: Option<PathBuf>,
    /// The Debian release; by default the machine's own.
    pub suite: Option<String>,
    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org/specs/source-date-epoch);
    /// the commit's date when not given.
    pub source_date_epoch: Option<u64>,
    /// The compilers.
    pub toolchain: Toolchain,
    /// Where those of the machine keep what they know, instead of their usual place.
    pub compiler_cache: Option<PathBuf>,
    /// Variables that a sandboxed toolchain is lent; they reach no image.
    pub lent: Vec<(String, String)>,
    /// Files that it is lent: where they are, and where it sees them.
    pub lent_files: Vec<(PathBuf, String)>,
    /// Variables of the caller's environment.
    pub environment: Vec<(String, String)>,
    /// The time now, in seconds since 1970.
    pub now: i64,
}

/// A setting that does not have its form.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: `{given}` is not {expected}")]
pub struct SettingsError {
    setting: &'static str,
    given: String,
    expected: String,
}

impl SettingsError {
    fn new(setting: &'static str, given: &str, expected: impl Into<String>) -> Self {
        Self {
            setting,
            given: given.to_owned(),
            expected: expected.into(),
        }
    }
}

/// What came out.
pub struct Built {
    /// The image, in the store without a name.
    pub image: Image,
    /// The program's name.
    pub name: String,
    /// Which toolchain made it, for which target.
    pub toolchain: String,
    /// Which parts of a base it has, and why.
    pub decisions: Vec<Decision>,
    /// Name and version of each Debian package that gave a file.
    pub packages: Vec<(String, String)>,
    /// Where every byte is.
    pub sizes: SizeTable,
    /// Trouble that did not stop the build.
    pub warnings: Vec<Failure>,
    /// Decisions worth a line each.
    pub notes: Vec<String>,
    /// Files that the sources name and the image lacks.
    pub lacking: Vec<RuntimeFile>,
    /// What was found out by running it.
    pub proof: Proof,
}

/// Why no image came out.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The project cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is nothing to build.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// There is no recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The machine has no toolchain for it.
    #[error(transparent)]
    Toolchain(RecipeError),
    /// The toolchain that was asked for cannot be had.
    #[error(transparent)]
    Workshop(#[from] ToolchainError),
    /// A setting does not have its form.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The program could not be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The project's `jettison.toml` is wrong.
    #[error(transparent)]
    SettingsText(#[from] jettison_recipes::SettingsError),
    /// The project's `jettison.toml` cannot be read.
    #[error("{} cannot be read", path.display())]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A word of the surroundings is not understood.
    #[error(transparent)]
    Surroundings(#[from] SurroundingsError),
    /// The base cannot be composed.
    #[error(transparent)]
    Compose(#[from] BaseError),
    /// The base image's name is none.
    #[error("--base: {0}")]
    Base(String),
    /// The base image cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A file of certificates is none.
    #[error("--ca {}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: jettison_packages::Error,
    },
    /// There is no upx.
    #[error("upx is not on the PATH")]
    NoUpx,
    /// upx failed.
    #[error("upx could not pack the program")]
    Upx(#[source] std::io::Error),
    /// Something cannot be included.
    #[error(transparent)]
    Include(#[from] IncludeError),
    /// A layer could not be written.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image contradicts itself.
    #[error(transparent)]
    Image(#[from] Error),
    /// The image could not be run.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The program that was built cannot be read.
    #[error("{} cannot be read", path.display())]
    Program {
        /// Where it is.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The program that was built is none.
    #[error("{name} is not a program of Linux")]
    NotElf {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: jettison_closure::ElfError,
    },
    /// The program needs libraries that the base does not have.
    #[error("{}", .0.cause)]
    Dynamic(Failure),
    /// There is no room beside the store.
    #[error("no scratch directory can be made beside the store")]
    Scratch(#[source] std::io::Error),
}

/// What needs nothing on the machine.
const COMPOSED: &str =
    "or: --toolchain composed   (Debian's own compilers, in a sandbox; nothing is installed here)";

impl BuildError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Detect(error) => error.hint(),
            Self::Recipe(error) => error.hint(),
            Self::Toolchain(error) => Some(match error.hint() {
                Some(hint) => format!("{hint}\n{COMPOSED}"),
                None => COMPOSED.to_owned(),
            }),
            Self::Compile(error) => error.hint(),
            Self::Prove(error) => error.hint(),
            Self::Dynamic(failure) => failure.hint.clone(),
            Self::Compose(error) => error.hint(),
            Self::NoUpx | Self::Upx(_) => Some("install upx, or leave --upx away".to_owned()),
            _ => None,
        }
    }
}

/// Builds a project, starts the image and asks it. The image is in the store
/// when this returns, whatever the verdict; naming and sending it is left to
/// the caller, who has seen the verdict.
pub fn build(request: &BuildRequest, context: &Context) -> Result<Built, BuildError> {
    if request.upx && !upx::is_there(&request.environment) {
        return Err(BuildError::NoUpx);
    }
    let prepared = prepare(request, context)?;
    let mut notes = prepared.recipe.notes.clone();
    notes.extend(prepared.foundation.notes.iter().cloned());
    let plain = attempt(&prepared, &prepared.program, request, context)?;
    let (composed, sizes, proof) = if request.upx {
        let packed = attempt(&prepared, &upx::pack(&prepared)?, request, context)?;
        let program = layers::program_component(&prepared.recipe);
        notes.extend(upx::compare(
            &program,
            (&plain.1, &plain.2),
            (&packed.1, &packed.2),
        ));
        packed
    } else {
        plain
    };
    Ok(Built {
        name: prepared.recipe.name.clone(),
        toolchain: prepared.recipe.toolchain_target.clone(),
        image: composed.image,
        decisions: prepared.decisions,
        packages: prepared.foundation.packages,
        sizes,
        warnings: prepared.warnings,
        notes,
        lacking: composed.lacking,
        proof,
    })
}

/// Writes, counts and runs the image of one program.
fn attempt(
    prepared: &Prepared,
    program: &Path,
    request: &BuildRequest,
    context: &Context,
) -> Result<(Composed, SizeTable, Proof), BuildError> {
    let composed = compose(prepared, program, request, context)?;
    let sizes = SizeTable::of(&composed.image, &composed.components, context)?;
    let proof = prove(
        &ProveRequest {
            image: &composed.image,
            hardened: true,
            probes: &prepared.said.probes,
            surroundings: &prepared.said.surroundings,
            timeout: request.timeout,
            own_program: Some(program),
        },
        context,
    )?;
    Ok((composed, sizes, proof))
}
