//! `--engine buildkit`: another executes the Dockerfile, the rest goes on here.

use std::path::Path;

use jettison_engine::Context;
use jettison_engine::buildkit::{self, BuildKitError, BuildKitRequest};
use jettison_engine::dockerfile::DockerfileBuilt;

use super::args::{DockerfileArgs, EngineChoice, NetworkMode, ProgressMode};
use super::handed::build_args;
use crate::commands::build::{BuildArgs, source_date_epoch};
use crate::commands::words::platform;
use crate::failure::Failure;
use crate::ui::Ui;

/// What only one of the engines knows is refused for the other.
pub fn check(args: &BuildArgs, has_dockerfile: bool) -> Result<(), Failure> {
    let words = &args.dockerfile;
    if let Some(flag) = only_of_dockerfiles(words).filter(|_| !has_dockerfile) {
        let hint = "-f names one; without it the project is compiled by its recipe";
        let problem = format!("{flag} is about a Dockerfile, and there is none");
        return Err(Failure::new(problem).with_hint(hint));
    }
    if let Some((flag, instead)) = only_of_recipes(args).filter(|_| has_dockerfile) {
        let problem = format!("{flag} is about a recipe, and there is a Dockerfile");
        return Err(Failure::new(problem).with_hint(instead));
    }
    match words.engine {
        EngineChoice::Buildkit if !has_dockerfile => Err(Failure::new(
            "--engine buildkit executes a Dockerfile, and there is none",
        )
        .with_hint("-f names one; a recipe is compiled here")),
        EngineChoice::Embedded if words.builder.is_some() => Err(Failure::new(
            "--builder names a BuildKit, and the embedded engine builds",
        )
        .with_hint("add --engine buildkit")),
        EngineChoice::Buildkit if words.trust_host_ca => Err(Failure::new(
            "--trust-host-ca lends files of this machine, which BuildKit does not take",
        )
        .with_hint("hand them over with --secret id=ca,src=FILE")),
        _ => Ok(()),
    }
}

/// The first flag that says nothing to a recipe.
fn only_of_dockerfiles(words: &DockerfileArgs) -> Option<&'static str> {
    let given = [
        ("--target", words.target.is_some()),
        ("--build-arg", !words.build_arg.is_empty()),
        ("--build-context", !words.build_context.is_empty()),
        ("--secret", !words.secret.is_empty()),
        ("--ssh", !words.ssh.is_empty()),
        ("--cache-from", !words.cache_from.is_empty()),
        ("--cache-to", !words.cache_to.is_empty()),
        ("--iidfile", words.iidfile.is_some()),
        ("--metadata-file", words.metadata_file.is_some()),
    ];
    given
        .iter()
        .find(|(_, is_given)| *is_given)
        .map(|(flag, _)| *flag)
}

/// The first flag that says nothing to a Dockerfile, and what says it there.
fn only_of_recipes(args: &BuildArgs) -> Option<(&'static str, &'static str)> {
    const BASE: &str = "its FROM says what the image stands on";
    const FILES: &str = "its COPY and RUN say what is in the image";
    const CONFIG: &str = "write the instruction of that name into the Dockerfile";
    let given = [
        ("--bin", args.bin.is_some(), FILES),
        ("--include", !args.include.is_empty(), FILES),
        ("--base", args.base.is_some(), BASE),
        ("--keep", !args.keep.is_empty(), FILES),
        ("--drop", !args.drop.is_empty(), FILES),
        ("--ca", !args.ca.is_empty(), FILES),
        ("--suite", args.suite.is_some(), BASE),
        ("--lock", args.lock.is_some(), BASE),
        ("--user", args.user.is_some(), CONFIG),
        ("--expose", !args.expose.is_empty(), CONFIG),
        ("--healthcheck", args.healthcheck.is_some(), CONFIG),
        ("--workdir", args.workdir.is_some(), CONFIG),
        ("--stop-signal", args.stop_signal.is_some(), CONFIG),
        ("--toolchain", args.toolchain.is_some(), BASE),
        ("--upx", args.upx, FILES),
        ("--explain", args.explain, BASE),
    ];
    let first = given.into_iter().find(|(_, is_given, _)| *is_given);
    first.map(|(flag, _, instead)| (flag, instead))
}

/// The image as BuildKit makes it.
pub(super) fn built(
    args: &BuildArgs,
    file: &Path,
    context: &Context,
    ui: &Ui,
) -> Result<DockerfileBuilt, Failure> {
    let words = &args.dockerfile;
    let pair = |label: &String| match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (label.clone(), String::new()),
    };
    let request = BuildKitRequest {
        directory: args.path.clone(),
        file: file.to_owned(),
        target: words.target.clone(),
        build_args: build_args(&words.build_arg),
        contexts: words.build_context.clone(),
        secrets: words.secret.clone(),
        ssh: words.ssh.clone(),
        labels: args.label.iter().map(pair).collect(),
        platform: platform(args.platform.as_deref())?,
        no_cache: words.no_cache,
        pull: words.pull,
        network: match words.network {
            NetworkMode::Default => None,
            NetworkMode::Host => Some("host"),
            NetworkMode::None => Some("none"),
        },
        cache_from: words.cache_from.clone(),
        cache_to: words.cache_to.clone(),
        progress: match words.progress {
            ProgressMode::Auto => None,
            ProgressMode::Plain => Some("plain"),
            ProgressMode::Tty => Some("tty"),
            ProgressMode::Quiet => Some("quiet"),
            ProgressMode::Rawjson => Some("rawjson"),
        },
        builder: words.builder.clone(),
        compression: args.compression.into(),
        epoch: source_date_epoch()?,
    };
    let (image, builder) = buildkit::build(&request, ui.is_quiet(), context).map_err(failure)?;
    ui.say(&format!("built by {}", builder.name()));
    Ok(DockerfileBuilt {
        image,
        stages: Vec::new(),
        warnings: Vec::new(),
    })
}

fn failure(error: BuildKitError) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
