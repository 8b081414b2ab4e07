//! `build`: from a project to an image that was started and asked.
//!
//! Detect → compile → what the program needs → compose → write → prove. Each
//! step is a file of this folder; here is only their order.

mod assemble;
mod compile;
mod config;
mod git;
mod include;
mod item;
mod pipeline;
mod source;
mod time;

use std::path::PathBuf;
use std::time::Duration;

use jettison_image::compression::Compression;
use jettison_image::{Error, Image};
use jettison_plan::Probe;
use jettison_recipes::{DetectError, Failure, RecipeError, Target};

use crate::Context;
use crate::prove::{Proof, ProveError, ProveRequest, prove};
use crate::store::StoreError;
use crate::surroundings::Surroundings;

pub use assemble::AssembleError;
pub use compile::CompileError;
pub use include::IncludeError;
pub use source::SourceError;

pub(crate) use config::{exposed_ports, healthcheck_argv};

/// What is to be built, and how.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The project's directory.
    pub project: PathBuf,
    /// Which program, where there are several.
    pub bin: Option<String>,
    /// For which platform; none for this machine's.
    pub target: Option<Target>,
    /// `SRC[:DST]` words.
    pub include: Vec<String>,
    /// `UID[:GID]`.
    pub user: Option<String>,
    /// Absolute path.
    pub working_dir: Option<String>,
    /// Arguments behind the entrypoint.
    pub arguments: Vec<String>,
    /// Variables of the image.
    pub image_env: Vec<(String, String)>,
    /// `PORT[/PROTOCOL]` words.
    pub expose: Vec<String>,
    /// `KEY=VALUE` words.
    pub labels: Vec<String>,
    /// Name or number.
    pub stop_signal: Option<String>,
    /// A command line, split as a shell splits words.
    pub healthcheck: Option<String>,
    /// Of the layers.
    pub compression: Compression,
    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org/specs/source-date-epoch).
    pub source_date_epoch: Option<i64>,
    /// Variables of the caller's environment that change a build.
    pub environment: Vec<(String, String)>,
    /// What must be answered.
    pub probes: Vec<Probe>,
    /// What the program needs around it.
    pub surroundings: Surroundings,
    /// From its start to its last good answer.
    pub timeout: Duration,
}

impl BuildRequest {
    /// The image's date: what the person says, else the commit's.
    fn created(&self, checkout: &git::Checkout) -> i64 {
        self.source_date_epoch.or(checkout.committed).unwrap_or(0)
    }
}

/// A setting that does not have its form.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: `{given}` is not {expected}")]
pub struct SettingsError {
    setting: &'static str,
    given: String,
    expected: &'static str,
}

impl SettingsError {
    fn new(setting: &'static str, given: &str, expected: &'static str) -> Self {
        Self {
            setting,
            given: given.to_owned(),
            expected,
        }
    }
}

/// What came out.
pub struct Built {
    /// The image, in the store without a name.
    pub image: Image,
    /// The program's name.
    pub name: String,
    /// Trouble in the sources that did not stop the build.
    pub warnings: Vec<Failure>,
    /// Decisions of the recipe.
    pub notes: Vec<String>,
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
    /// A setting does not have its form.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The program could not be built.
    #[error(transparent)]
    Compile(#[from] CompileError),
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

impl BuildError {
    fn scratch(source: std::io::Error) -> Self {
        Self::Scratch(source)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Compile(error) => error.hint(),
            Self::Prove(error) => error.hint(),
            Self::Dynamic(failure) => failure.hint.clone(),
            _ => None,
        }
    }
}

/// Builds a project, starts the image and asks it. The image is in the store
/// when this returns, whatever the verdict; naming and sending it is left to
/// the caller, who has seen the verdict.
pub fn build(request: &BuildRequest, context: &Context) -> Result<Built, BuildError> {
    let composed = pipeline::compose(request, context)?;
    let proof = prove(
        &ProveRequest {
            image: &composed.image,
            hardened: true,
            probes: &request.probes,
            surroundings: &request.surroundings,
            timeout: request.timeout,
            own_program: Some(&composed.program),
        },
        context,
    )?;
    Ok(Built {
        name: composed.recipe.name.clone(),
        notes: composed.recipe.notes.clone(),
        image: composed.image,
        warnings: composed.warnings,
        proof,
    })
}
