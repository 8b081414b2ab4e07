//! `jettison build` where there is a Dockerfile: execute, slim, prove, deliver.

mod args;
mod cache;
mod engine;
mod handed;
mod metadata;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use jettison_dockerfile::{outline, parse};
use jettison_engine::Context;
use jettison_engine::base::ArchiveOptions;
use jettison_engine::dockerfile::{
    self as deeds, DockerfileBuilt, DockerfileError, DockerfileRequest, NamedContext,
};
use jettison_engine::slim::{self, SlimError, SlimRequest, Slimmed};
use jettison_engine::transport::Location;
use jettison_image::Image;
use jettison_plan::{Grain, Verdict};

use super::build::{BuildArgs, epoch, source_date_epoch};
use super::delivery::{Delivery, default_name};
use super::shared::{ExamArgs, Format, GlobalArgs};
use super::words::{self, flag};
use super::{slim as slim_command, verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;
use args::{Call, EngineChoice, NetworkMode};
pub use args::{DockerfileArgs, ProgressMode};
pub use engine::check;
pub use handed::lent;
use handed::{agent, build_args, secret};

/// Executes, slims, reports, and delivers.
pub fn build(
    args: &BuildArgs,
    file: PathBuf,
    global: &GlobalArgs,
    ui: &Ui,
) -> Result<Exit, Failure> {
    if let Some(call) = args.dockerfile.call {
        return describe(args, &file, call, ui);
    }
    check(args, true)?;
    if args.dockerfile.engine == EngineChoice::Embedded {
        check_progress(args.dockerfile.progress)?;
    }
    let delivery = Delivery::read(&args.delivery)?;
    delivery.clear_stdout(args.format.format, ui)?;
    let built_by = match args.dockerfile.engine {
        EngineChoice::Embedded => Some(dockerfile_request(args, &file)?),
        EngineChoice::Buildkit => None,
    };
    let mut context = settings::context(global, ui)?;
    context.transports.use_archives(ArchiveOptions {
        mirror: args.mirror.clone(),
        keyring: args.keyring.iter().cloned().collect(),
        now: None,
    });
    ui.say(&format!("building {}", file.display()));
    let built = match &built_by {
        Some(request) => deeds::build(request, &context).map_err(failure)?,
        None => engine::built(args, &file, &context, ui)?,
    };
    // Whoever asks for files means all of them.
    let no_slim =
        args.dockerfile.no_slim || (delivery.is_files_only() && !args.dockerfile.require_slim);
    let slimmed = match no_slim {
        true => None,
        false => slimmed(args, &built.image, &delivery, &context, ui)?,
    };
    let verdict = slimmed.as_ref().map(|slimmed| slimmed.evidence.verdict);
    let small = slimmed.as_ref().filter(|_| verdict == Some(Verdict::Whole));
    let refused = args.dockerfile.require_slim && small.is_none();
    let image = small.map_or(&built.image, |small| &small.image);
    let mut delivered = Vec::new();
    let mut attached = Ok(());
    if !refused {
        let name = default_name(&name_of(&args.path));
        delivered = delivery.carry_out(image, name, args.compression, &context, ui)?;
        if let Some(small) = small {
            slim::keep_documents(small, &context).map_err(slim_command::failure)?;
            let documents = slim::documents(small).map_err(slim_command::failure)?;
            attached = super::delivery::attach(&mut delivered, &documents, &context);
        }
        if let Some(path) = &args.dockerfile.iidfile {
            words::write(path, image.manifest.config.digest.to_string().as_bytes())?;
        }
        if let Some(path) = &args.dockerfile.metadata_file {
            let document = metadata::document(image, &delivered, &delivery.all_names());
            words::write(
                path,
                &serde_json::to_vec_pretty(&document).map_err(Failure::new)?,
            )?;
        }
    }
    if let (Some(path), Some(slimmed)) = (&args.evidence, &slimmed) {
        let evidence = serde_json::to_vec_pretty(&slimmed.evidence).map_err(Failure::new)?;
        words::write(path, &evidence)?;
    }
    match args.format.format {
        Format::Text if ui.is_quiet() && !refused => {
            report::dockerfile::id(&built, image, ui)?;
        }
        Format::Text => report::dockerfile::text(&built, slimmed.as_ref(), &delivered, ui)?,
        Format::Json => report::dockerfile::json(&built, slimmed.as_ref(), &delivered, ui)?,
    }
    attached.map(|()| match (refused, verdict) {
        (true, Some(verdict)) => verdict.into(),
        (true, None) => Exit::CouldNotTell,
        (false, _) => Exit::Fine,
    })
}

/// What cannot be shown is said before anything is done.
fn check_progress(mode: ProgressMode) -> Result<(), Failure> {
    match mode {
        ProgressMode::Tty if !std::io::stderr().is_terminal() => Err(Failure::new(
            "--progress tty: standard error is no terminal",
        )
        .with_hint("--progress plain goes anywhere")),
        ProgressMode::Rawjson => Err(Failure::new(
            "--progress rawjson: progress is for people here",
        )
        .with_hint(
            "--format json gives the result as a document, --metadata-file writes buildx's",
        )),
        _ => Ok(()),
    }
}

/// The small image and how it answered; none where it could not be found out,
/// which is said aloud.
fn slimmed(
    args: &BuildArgs,
    image: &Image,
    delivery: &Delivery,
    context: &Context,
    ui: &Ui,
) -> Result<Option<Slimmed>, Failure> {
    let mut request = slim_request(args)?;
    request.compression = delivery.compression(args.compression).into();
    match slim::slim_image(image, &request, context) {
        Ok(slimmed) => Ok(Some(slimmed)),
        Err(error) => {
            let hint = match error {
                SlimError::NoCommand => {
                    Some("give it a CMD or ENTRYPOINT, or build with --no-slim".to_owned())
                }
                ref other => other.hint(),
            };
            let hint = hint.map(|hint| format!("\nhint: {hint}"));
            ui.warn(&format!(
                "the image is not slimmed: {}{}",
                jettison_engine::one_line(&error),
                hint.unwrap_or_default()
            ));
            Ok(None)
        }
    }
}

/// How the image is slimmed.
pub(super) fn slim_request(args: &BuildArgs) -> Result<SlimRequest, Failure> {
    let exam = verify::request(&ExamArgs {
        probes: args.probes.clone(),
        surroundings: args.surroundings.clone(),
        ..ExamArgs::default()
    })?;
    Ok(SlimRequest {
        image: Location::Name(String::new()),
        platform: None,
        exam,
        grain: Grain::Auto,
        keep: Vec::new(),
        drop: Vec::new(),
        plan: None,
        complement: false,
        compression: args.compression.into(),
    })
}

/// What the Dockerfile is executed with.
pub(super) fn dockerfile_request(
    args: &BuildArgs,
    file: &Path,
) -> Result<DockerfileRequest, Failure> {
    let words = &args.dockerfile;
    let mut labels = BTreeMap::new();
    for label in &args.label {
        let (key, value) = label.split_once('=').unwrap_or((label, ""));
        labels.insert(key.to_owned(), value.to_owned());
    }
    let contexts = words.build_context.iter();
    let contexts = contexts.map(|pair| NamedContext::parse(pair).map_err(failure));
    let (lent, lent_files) = match words.trust_host_ca {
        true => lent()?,
        false => Default::default(),
    };
    Ok(DockerfileRequest {
        directory: args.path.clone(),
        file: file.to_owned(),
        target: words.target.clone(),
        build_args: build_args(&words.build_arg),
        contexts: contexts.collect::<Result<_, _>>()?,
        secrets: words
            .secret
            .iter()
            .map(|text| secret(text))
            .collect::<Result<_, _>>()?,
        agents: words
            .ssh
            .iter()
            .map(|text| agent(text))
            .collect::<Result<_, _>>()?,
        labels,
        platform: args
            .platform
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(flag("--platform"))?,
        cache_from: words
            .cache_from
            .iter()
            .map(|text| cache::from(text))
            .collect::<Result<_, _>>()?,
        cache_to: words
            .cache_to
            .iter()
            .map(|text| cache::to(text, args.compression.into()))
            .collect::<Result<_, _>>()?,
        no_cache: words.no_cache,
        pull: words.pull,
        is_offline: words.network == NetworkMode::None,
        auto_cache: !words.no_auto_cache,
        lent,
        lent_files,
        epoch: match words.build_arg.iter().find_map(|word| epoch_of(word)) {
            Some(given) => Some(epoch(given)?),
            None => source_date_epoch()?,
        },
        committed: deeds::committed(&args.path),
    })
}

/// `--build-arg SOURCE_DATE_EPOCH=N`, as BuildKit takes it.
fn epoch_of(build_arg: &str) -> Option<&str> {
    build_arg.strip_prefix("SOURCE_DATE_EPOCH=")
}

/// `--call`.
fn describe(args: &BuildArgs, file: &Path, call: Call, ui: &Ui) -> Result<Exit, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
    let (tree, errors) = parse(&bytes);
    if let Some(error) = errors.into_iter().min_by_key(|error| error.phase()) {
        let (line, kind) = (error.line, error.kind);
        return Err(Failure::new(format!("{}:{line}: {kind}", file.display())));
    }
    match call {
        Call::Targets => {
            let targets = outline::targets(&tree);
            match args.format.format {
                Format::Text => report::dockerfile::targets(&targets, ui)?,
                Format::Json => ui.document(&targets)?,
            }
        }
        Call::Outline => {
            let target = args.dockerfile.target.as_ref().map(String::as_bytes);
            let build_args = build_args(&args.dockerfile.build_arg);
            let outline = outline::outline(&tree, target, &BTreeMap::new(), &build_args);
            let named = |error| Failure::new(format!("{}: {error}", file.display()));
            let outline = outline.map_err(named)?;
            match args.format.format {
                Format::Text => report::dockerfile::outline(&outline, ui)?,
                Format::Json => ui.document(&outline)?,
            }
        }
    }
    Ok(Exit::Fine)
}

/// What the image is called where nothing is said: after the directory.
fn name_of(directory: &Path) -> String {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let canonical = absolute.canonicalize().unwrap_or(absolute);
    let name = canonical.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn failure(error: DockerfileError) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// The image that a build is about, for its report.
pub fn result<'a>(built: &'a DockerfileBuilt, slimmed: Option<&'a Slimmed>) -> &'a Image {
    match slimmed.filter(|slimmed| slimmed.evidence.verdict == Verdict::Whole) {
        Some(slimmed) => &slimmed.image,
        None => &built.image,
    }
}
