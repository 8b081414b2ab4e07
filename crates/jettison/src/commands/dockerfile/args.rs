//! The words of `build` that are about a Dockerfile.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jettison_engine::dockerfile as engine;

/// How a Dockerfile is executed; the words are docker's.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Dockerfile")]
pub struct DockerfileArgs {
    /// Execute this Dockerfile [default: PATH/Dockerfile, where it is there]
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Compile the project although it has a Dockerfile
    #[arg(long, conflicts_with = "file")]
    pub recipe: bool,

    /// Say who executes the Dockerfile: this program, or a BuildKit
    #[arg(long, value_enum, value_name = "ENGINE", default_value_t)]
    pub engine: EngineChoice,

    /// Use this BuildKit: a name that buildx knows, or an address for buildctl
    #[arg(long, value_name = "NAME|ADDRESS")]
    pub builder: Option<String>,

    /// Build this stage instead of the last
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,

    /// Set an ARG; NAME alone takes the value from the environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub build_arg: Vec<String>,

    /// Say what a name after FROM or --from stands for: a directory,
    /// oci-layout://DIR, docker-image://REF, a place in jettison's words, or
    /// debian:SUITE?packages=A,B, composed of signed Debian packages
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_context: Vec<String>,

    /// Hand a secret to RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=NAME
    #[arg(long, value_name = "SECRET")]
    pub secret: Vec<String>,

    /// Hand an SSH agent to RUN --mount=type=ssh
    #[arg(long, value_name = "ID[=SOCKET]")]
    pub ssh: Vec<String>,

    /// Take bases from their registries, whatever is in the local store and
    /// the Docker engine
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true"
    )]
    pub pull: bool,

    /// Run every step anew
    #[arg(long)]
    pub no_cache: bool,

    /// Take steps that are known there: type=local,src=DIR or
    /// type=registry,ref=REF; several times
    #[arg(long, value_name = "CACHE")]
    pub cache_from: Vec<String>,

    /// Keep the steps there too: type=local,dest=DIR or type=registry,ref=REF,
    /// mode=max (all stages) or min (what is in the image); several times
    #[arg(long, value_name = "CACHE")]
    pub cache_to: Vec<String>,

    /// Network of RUN steps
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub network: NetworkMode,

    /// Keep the caches of compilers and package managers between builds, out of
    /// the layers of RUN steps, where no instruction could notice [default]
    #[arg(long, overrides_with = "no_auto_cache")]
    pub auto_cache: bool,

    /// Keep only the caches that RUN --mount asks for
    #[arg(long)]
    pub no_auto_cache: bool,

    /// Lend RUN steps, and compilers in a sandbox, this machine's CA bundle and
    /// proxy variables; neither reaches the image
    #[arg(long)]
    pub trust_host_ca: bool,

    /// Stop after the build: deliver the image as the Dockerfile makes it
    #[arg(long)]
    pub no_slim: bool,

    /// Fail when the slimmed image is not whole, instead of delivering the
    /// image as the Dockerfile makes it
    #[arg(long, conflicts_with = "no_slim")]
    pub require_slim: bool,

    /// Write the digest of the image's config to FILE
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,

    /// Write what became of the image to FILE, as JSON under buildx's keys
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,

    /// Show progress so
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub progress: ProgressMode,

    /// Build nothing: say which targets the file has, or what one asks for
    #[arg(long, value_enum, value_name = "METHOD")]
    pub call: Option<Call>,
}

/// Who executes a Dockerfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum EngineChoice {
    /// This program, without a daemon
    #[default]
    Embedded,
    /// docker buildx, else buildctl, else the builder of dockerd
    Buildkit,
}

/// What `--call` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Call {
    /// The stages that can be built
    Targets,
    /// Stages, arguments, secrets of one target
    Outline,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ProgressMode {
    /// Drawn on a terminal, one line a step elsewhere
    #[default]
    Auto,
    /// One line a step, and every line that a RUN writes
    Plain,
    /// Drawn, or refused where standard error is no terminal
    Tty,
    /// Not at all, as --quiet
    #[value(alias = "none")]
    Quiet,
    /// Not here: --format json gives the result as a document
    #[value(hide = true)]
    Rawjson,
}

/// The network of RUN steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum NetworkMode {
    /// The machine's
    #[default]
    Default,
    /// The machine's
    Host,
    /// None
    None,
}

impl DockerfileArgs {
    /// The Dockerfile to execute, if any.
    pub fn find(&self, directory: &Path) -> Option<PathBuf> {
        match &self.file {
            Some(file) => Some(file.clone()),
            None if self.recipe => None,
            None => engine::find(directory),
        }
    }
}
