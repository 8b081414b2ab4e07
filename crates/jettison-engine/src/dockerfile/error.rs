//! Why a Dockerfile could not be built, and at which of its lines.

use std::path::PathBuf;

use jettison_dockerfile::ParseError;
use jettison_dockerfile::outline::OutlineError;
use jettison_image::Error;

use super::add::AddError;
use super::context::ContextError;
use super::copy::CopyError;
use super::state::StateError;
use crate::build::AssembleError;
use crate::spool::SpoolError;
use crate::store::StoreError;
use crate::transport::TransportError;

/// What to do with what only BuildKit has.
const ELSEWHERE: &str =
    "--engine buildkit hands the build to a BuildKit and goes on with its result";

/// Why no image came out.
#[derive(Debug, thiserror::Error)]
pub enum DockerfileError {
    /// The Dockerfile cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The Dockerfile is none.
    #[error("{file}:{}: {}", error.line, error.kind)]
    Syntax {
        /// The file.
        file: String,
        /// What BuildKit would say.
        error: ParseError,
    },
    /// The target is none, or a word above the first stage cannot be expanded.
    #[error("{file}: {error}")]
    Graph {
        /// The file.
        file: String,
        /// Why.
        error: OutlineError,
    },
    /// A foreign frontend is asked for.
    #[error("{file} asks for the frontend {frontend}, which only BuildKit can run")]
    Frontend {
        /// The file.
        file: String,
        /// The frontend.
        frontend: String,
    },
    /// An instruction failed.
    #[error("{file}:{line}: {instruction}")]
    Step {
        /// The file.
        file: String,
        /// The first line of the instruction.
        line: usize,
        /// The instruction, shortened.
        instruction: String,
        /// Why.
        #[source]
        source: Box<StepError>,
        /// What the Dockerfile lacks, where that can be told.
        hint: Option<String>,
    },
    /// The image contradicts itself.
    #[error(transparent)]
    Image(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A cache cannot be written.
    #[error(
        "--cache-to: {place} does not take the steps; nothing is delivered, and the store has the steps"
    )]
    Cache {
        /// Where it should go.
        place: String,
        /// Why it does not.
        #[source]
        source: TransportError,
    },
    /// A flag that cannot be.
    #[error("{0}")]
    Flag(String),
}

/// Why an instruction failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Its words.
    #[error(transparent)]
    State(#[from] StateError),
    /// A base or a source image cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An image cannot be read.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A layer cannot be written.
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The build context cannot be read.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// Files cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Files cannot be had, or not be unpacked.
    #[error(transparent)]
    Add(#[from] AddError),
    /// An image is not what it says.
    #[error(transparent)]
    Image(#[from] Error),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] jettison_sandbox::Error),
    /// A command ended badly.
    #[error("{how}{}", shown(output))]
    Command {
        /// How it ended.
        how: String,
        /// What it wrote last.
        output: String,
    },
    /// A stage, image or context of this name is not there, or comes later.
    #[error("{0}")]
    Source(String),
    /// A name that is no stage, and no image that can be had.
    #[error("no stage is called `{name}`, and there is no such image")]
    Unknown {
        /// The name.
        name: String,
        /// The stages that have a name.
        stages: Vec<String>,
        /// Why there is no image.
        #[source]
        source: Box<StepError>,
    },
    /// A base that `--pull` wants from its registry.
    #[error("{name} cannot be pulled, and --pull wants it from its registry")]
    Pull {
        /// The image.
        name: String,
        /// Why not.
        #[source]
        source: TransportError,
    },
    /// A file of the context that the ignore file leaves out.
    #[error("\"{path}\": not found: it is in the build context, but {file} leaves it out")]
    Ignored {
        /// Its path.
        path: String,
        /// The ignore file.
        file: String,
    },
    /// A secret that must be there is not.
    #[error("the secret `{0}` is required; hand it over with --secret id={0},src=FILE")]
    Secret(String),
    /// A file of the host failed.
    #[error("{what}")]
    Host {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another stage, which a trigger of the base copies from.
    #[error(transparent)]
    Stage(Box<DockerfileError>),
    /// A trigger that a base left is no instruction.
    #[error("the base's ONBUILD trigger `{trigger}`: {error}")]
    Trigger {
        /// The trigger.
        trigger: String,
        /// Why.
        error: String,
    },
}

impl StepError {
    pub(crate) fn host(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Host { what, source }
    }
}

fn shown(output: &str) -> String {
    match output.trim_end() {
        "" => String::new(),
        output => format!("; its last lines:\n{output}"),
    }
}

impl DockerfileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cache { .. } => Some("ignore-error=true makes it a warning".to_owned()),
            Self::Frontend { .. } => Some(ELSEWHERE.to_owned()),
            Self::Step {
                hint: Some(hint), ..
            } => Some(hint.clone()),
            Self::Step { source, .. } => match &**source {
                StepError::State(StateError::BuildKit(_)) => Some(ELSEWHERE.to_owned()),
                StepError::Sandbox(jettison_sandbox::Error::User(_)) => Some(
                    "make the user in a RUN above, or name one by number, as in USER 65532"
                        .to_owned(),
                ),
                StepError::Sandbox(error) => error.hint(),
                StepError::Unknown { name, stages, .. } => {
                    let stages = match stages.as_slice() {
                        [] => format!(
                            "no stage of this Dockerfile has a name; is a stage that begins with \
                             FROM … AS {name} missing above?"
                        ),
                        stages => format!("its stages are {}", stages.join(", ")),
                    };
                    let context = format!("--build-context {name}=… names another source");
                    let sign = if stages.ends_with('?') { "" } else { ";" };
                    Some(format!("{stages}{sign} {context}"))
                }
                StepError::Pull { .. } => Some(
                    "without --pull the local store and the Docker engine are asked first"
                        .to_owned(),
                ),
                StepError::Transport(error) => error.hint(),
                StepError::Add(AddError::Git { what, .. }) => Some(format!(
                    "git runs as you, with your keys and known hosts: git ls-remote {what}"
                )),
                StepError::Ignored { path, file } => {
                    let path = path.trim_start_matches('/');
                    Some(format!("add a line !{path} to {file}"))
                }
                StepError::Copy(CopyError::NotFound(_))
                | StepError::Add(AddError::Copy(CopyError::NotFound(_))) => Some(
                    "sources are paths of the build context, the directory that the command names, \
                     or of what --from names"
                        .to_owned(),
                ),
                _ => None,
            },
            _ => None,
        }
    }
}
