//! `jettison compare --approaches`: a project, packed in every way that guides
//! show.

use std::path::{Path, PathBuf};

use clap::Args;
use jettison_engine::compare::{
    self as engine, Approaches, ApproachesError, ApproachesRequest, CompareRequest,
};

use super::build::{BuildArgs, request as own_request};
use super::compare::failure as compare_failure;
use super::dockerfile::{dockerfile_request, slim_request};
use super::shared::{ProbeArgs, SurroundingsArgs};
use crate::failure::Failure;
use crate::settings::{self, variable};
use crate::ui::Ui;

use super::shared::GlobalArgs;

/// What the builds of `--approaches` are given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Approaches")]
pub struct ApproachArgs {
    /// Instead of images: build the project in PATH naively, in several
    /// stages, for scratch, and by jettison, and compare
    ///
    /// Go and Rust projects are built on golang and rust, debian:stable-slim,
    /// alpine, distroless and scratch, as far as those are at hand, with UPX
    /// where this machine has it, and by jettison's own recipe. A Dockerfile
    /// in PATH is built, too, and slimmed. Each is built three times, from a
    /// copy and in a store that is thrown away: cold, unchanged, and after a
    /// line of the sources was changed.
    #[arg(long, value_name = "PATH", conflicts_with = "images")]
    pub approaches: Option<PathBuf>,

    /// Use another base under a name, as in golang=oci-layout://DIR; several
    /// times
    #[arg(long, value_name = "NAME=VALUE", requires = "approaches")]
    pub build_context: Vec<String>,

    /// Set a build argument of the project's own Dockerfile
    #[arg(long, value_name = "NAME[=VALUE]", requires = "approaches")]
    pub build_arg: Vec<String>,

    /// Lend RUN steps this machine's CA bundle and proxy variables
    #[arg(long, requires = "approaches")]
    pub trust_host_ca: bool,

    /// The program, where the project has several
    #[arg(long, value_name = "NAME", requires = "approaches")]
    pub bin: Option<String>,
}

/// Builds and compares. `compare` says all but the images.
pub fn carry_out(
    args: &ApproachArgs,
    project: &Path,
    exam: (&ProbeArgs, &SurroundingsArgs),
    compare: CompareRequest,
    global: &GlobalArgs,
    ui: &Ui,
) -> Result<Approaches, Failure> {
    let mut build = BuildArgs {
        path: project.to_owned(),
        bin: args.bin.clone(),
        probes: exam.0.clone(),
        surroundings: exam.1.clone(),
        ..BuildArgs::default()
    };
    build
        .dockerfile
        .build_context
        .clone_from(&args.build_context);
    build.dockerfile.build_arg.clone_from(&args.build_arg);
    build.dockerfile.trust_host_ca = args.trust_host_ca;
    let request = ApproachesRequest {
        own: own_request(&build)?,
        dockerfile: dockerfile_request(&build, Path::new("Dockerfile"))?,
        slim: slim_request(&build)?,
        upx: upx(),
        compare,
    };
    let context = settings::context(global, ui)?;
    engine::approaches(&request, &context).map_err(failure)
}

/// The directory of this machine's upx.
fn upx() -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path).find(|directory| directory.join("upx").is_file())
}

fn failure(error: ApproachesError) -> Failure {
    match error {
        ApproachesError::Compare(error) => compare_failure(error),
        ApproachesError::Nothing(_) => Failure::new(error).with_hint(
            "give the bases with --build-context, as in golang=oci-layout://DIR, or a project in \
             Go, in Rust, or with a Dockerfile",
        ),
        other => Failure::new(other),
    }
}
