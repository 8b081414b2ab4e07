//! `jettison slim`: from any image to the smallest one that answers alike.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use jettison_engine::slim::{self as engine, SlimError, SlimRequest};
use jettison_engine::transport::Location;
use jettison_plan::{Grain, Plan, Verdict};
use jettison_select::Wish;

use super::build::LayerCompression;
use super::delivery::{Delivery, DeliveryArgs, default_name};
use super::shared::{ExamArgs, Format, FormatArgs, GlobalArgs};
use super::verify;
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;

/// Keep of an image what its programs need, and prove that it still works
///
/// The image is started in a sandbox as Docker would start it and asked: by
/// the probes given, and by what can be found out without any (its pages,
/// ports, HEALTHCHECK, other time zones, a restart). What it touches, what that
/// leads to by loader rules, scripts, modules and packages, and what nothing
/// shows to be superfluous stays; the rest goes. The same questions are then
/// put to the small image and to the original again, and the result is
/// delivered only when every answer is the same.
///
/// Layers are filtered, so owners, modes, capabilities, links and times are
/// the original's; the original is never touched. The plan says why each path
/// stays (jettison why), and can be replayed with --plan. Plan and evidence go
/// where the result goes: into the store, into a registry as its referrers,
/// into the directory of an OCI layout, beside an archive as FILE.plan.json
/// and FILE.evidence.json.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison slim shop:1.2 -t shop:1.2-slim
  jettison slim docker-archive:shop.tar -o docker-archive:small.tar --probe /health
  jettison slim shop --cmd 'migrate --check' --service 'db=postgres:15'
  jettison slim shop --plan jettison.plan.json")]
pub struct SlimArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Take the image for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    #[command(flatten)]
    pub delivery: DeliveryArgs,

    /// Set how much comes along with a file that is needed
    #[arg(long, value_enum, value_name = "GRAIN", default_value_t)]
    pub grain: GrainWord,

    /// Keep a path with all below it, a glob (/usr/share/**/*.html), or a
    /// package; several times
    #[arg(long, value_name = "PATH|GLOB|PACKAGE")]
    pub keep: Vec<String>,

    /// Drop a path with all below it, a glob, or a package, whatever needs it
    #[arg(long, value_name = "PATH|GLOB|PACKAGE")]
    pub drop: Vec<String>,

    /// Replay the plan in FILE instead of making one: no tracing, still proven
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,

    /// Write the plan to FILE
    #[arg(long, value_name = "FILE")]
    pub plan_out: Option<PathBuf>,

    /// Write the evidence to FILE
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,

    /// Put the small image with all that was dropped as one more layer there:
    /// the original's files again, for debugging or undoing
    #[arg(long, value_name = "DEST")]
    pub complement: Option<String>,

    /// Compress layers with; by default gzip for registries and OCI layouts,
    /// and nothing for the store, the Docker engine and its archives
    #[arg(long, value_enum, value_name = "NAME")]
    pub compression: Option<LayerCompression>,

    #[command(flatten)]
    pub exam: ExamArgs,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Slims, proves, reports, and delivers what is whole.
pub fn slim(args: &SlimArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let delivery = Delivery::read(&args.delivery)?;
    let complement = args.complement.as_deref().map(Location::parse).transpose();
    let complement = complement.map_err(flag("--complement"))?;
    delivery.clear_stdout(args.format.format, ui)?;
    let default = args.compression.unwrap_or_default();
    let compression = match complement.as_ref().is_some_and(Location::is_packed) {
        true => default,
        false => delivery.compression(default),
    };
    let compression = args.compression.unwrap_or(compression);
    let request = request(args, complement.is_some(), compression)?;
    let context = settings::context(global, ui)?;
    let slimmed = engine::slim(&request, &context).map_err(failure)?;
    let verdict = slimmed.evidence.verdict;
    if let Some(path) = &args.plan_out {
        let json = serde_json::to_vec_pretty(&slimmed.plan);
        words::write(path, &json.map_err(Failure::new)?)?;
    }
    if let Some(path) = &args.evidence {
        let json = serde_json::to_vec_pretty(&slimmed.evidence);
        words::write(path, &json.map_err(Failure::new)?)?;
    }
    let mut delivered = Vec::new();
    let mut attached = Ok(());
    if verdict == Verdict::Whole {
        let name = default_name(&slim_name(&request.image));
        delivered = delivery.carry_out(&slimmed.image, name, default, &context, ui)?;
        engine::keep_documents(&slimmed, &context).map_err(failure)?;
        let documents = engine::documents(&slimmed).map_err(failure)?;
        attached = super::delivery::attach(&mut delivered, &documents, &context);
        if let (Some(destination), Some(image)) = (&complement, &slimmed.with_complement) {
            delivered.push(super::delivery::write(image, destination, &context)?);
        }
    }
    match args.format.format {
        Format::Text => report::slim::text(&slimmed, &delivered, begun.elapsed(), ui)?,
        Format::Json => report::slim::json(&slimmed, &delivered, ui)?,
    }
    attached.map(|()| verdict.into())
}

fn request(
    args: &SlimArgs,
    complement: bool,
    compression: LayerCompression,
) -> Result<SlimRequest, Failure> {
    let location = Location::parse(&args.image).map_err(flag("IMAGE"))?;
    let plan: Option<Plan> = match &args.plan {
        Some(path) => Some(words::plan(path)?),
        None => None,
    };
    Ok(SlimRequest {
        image: location,
        platform: words::platform(args.platform.as_deref())?,
        exam: verify::request(&args.exam)?,
        grain: args.grain.into(),
        keep: wishes("--keep", &args.keep)?,
        drop: wishes("--drop", &args.drop)?,
        plan,
        complement,
        compression: compression.into(),
    })
}

fn wishes(name: &'static str, words: &[String]) -> Result<Vec<Wish>, Failure> {
    words
        .iter()
        .map(|word| word.parse().map_err(flag(name)))
        .collect()
}

/// What the result is called where nothing is said: after the original.
fn slim_name(original: &Location) -> String {
    let text = original.to_string();
    let last = text.rsplit(['/', ':']).find(|part| !part.is_empty());
    let stem = last.unwrap_or("image").trim_end_matches(".tar");
    format!("{stem}-slim")
}

/// What a failure of the engine means for a person.
pub fn failure(error: SlimError) -> Failure {
    let hint = match &error {
        SlimError::Transport(error) => error.hint(),
        other => other.hint(),
    };
    let exit = match &error {
        SlimError::Exam(error) => verify::exit(error),
        _ => Exit::CouldNotRun,
    };
    let failure = Failure::new(error).with_exit(exit);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// How much comes along with a file that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum GrainWord {
    /// Compiled programs file by file, modules of interpreted languages with
    /// their package, open-ended programs with theirs
    #[default]
    Auto,
    /// Nothing but what is needed itself
    File,
    /// The rest of its package
    Package,
    /// The rest of the layer it came in
    Layer,
}

impl From<GrainWord> for Grain {
    fn from(word: GrainWord) -> Self {
        match word {
            GrainWord::Auto => Self::Auto,
            GrainWord::File => Self::File,
            GrainWord::Package => Self::Package,
            GrainWord::Layer => Self::Layer,
        }
    }
}
