//! `jettison verify`: the same questions to two images, and how the answers
//! compare.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jettison_engine::Context;
use jettison_engine::exam::{ExamError, ExamRequest, Examiner, Held, Traced};
use jettison_engine::transport::{Location, Opened};
use jettison_image::Platform;

use super::copy;
use super::shared::{ExamArgs, Format, FormatArgs, GlobalArgs};
use super::words;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;

/// Compare what two images do, by asking both the same
///
/// OLD says what is right. Without any hint it is started, asked on every port
/// over HTTP and HTTPS, its pages' links are followed and the operations of
/// its OpenAPI document asked (GET alone), its HEALTHCHECK and `--help` are
/// run, in another time zone, language and as another user where it bears
/// that; probes come on top. NEW gets the same questions, OLD again: what
/// differs between OLD's own runs is noise, anything else is a difference.
/// Both run as Docker would run them, in a sandbox without a way out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison verify shop:1.2 shop:1.2-slim
  jettison verify docker-archive:old.tar oci:new --probe '/cart -> 200'
  jettison verify tool:1 tool:2 --cmd 'convert in.png out.jpg' -v ./in.png:/in.png")]
pub struct VerifyArgs {
    /// The image that says what is right: oci:DIR[:TAG], oci-archive:FILE,
    /// docker-archive:FILE, docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "OLD")]
    pub old: String,

    /// The image that is held against it
    #[arg(value_name = "NEW")]
    pub new: String,

    /// Take the images for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Write the evidence to FILE
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,

    #[command(flatten)]
    pub exam: ExamArgs,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Compares, reports, and ends with the verdict.
pub fn verify(args: &VerifyArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let request = request(&args.exam)?;
    let platform = words::platform(args.platform.as_deref())?;
    let context = settings::context(global, ui)?;
    let old = open(&args.old, platform.as_ref(), &context)?;
    let new = open(&args.new, platform.as_ref(), &context)?;
    let examiner = Examiner::open(request, &context).map_err(failure)?;
    let original = examiner.admit(&old.image).map_err(failure)?;
    let candidate = examiner.admit(&new.image).map_err(failure)?;
    let (schedule, first) = examiner.discover(&original, Traced::No).map_err(failure)?;
    let held = Held {
        originals: &mut vec![first],
        candidate: None,
    };
    let comparison = examiner
        .compare(&schedule, &original, &candidate, held)
        .map_err(failure)?;
    if let Some(path) = &args.evidence {
        words::write(
            path,
            &serde_json::to_vec_pretty(&comparison).map_err(Failure::new)?,
        )?;
    }
    match args.format.format {
        Format::Text => report::verify::text(&comparison, ui)?,
        Format::Json => ui.document(&comparison)?,
    }
    Ok(comparison.verdict.into())
}

/// Finds an image and fetches its blobs.
fn open(name: &str, platform: Option<&Platform>, context: &Context) -> Result<Opened, Failure> {
    let location = Location::parse(name).map_err(Failure::new)?;
    let opened = context
        .transports
        .open(&location, platform)
        .map_err(copy::failure)?;
    context.transports.fetch(&opened).map_err(copy::failure)?;
    Ok(opened)
}

/// What a person wants examined.
pub fn request(args: &ExamArgs) -> Result<ExamRequest, Failure> {
    Ok(ExamRequest {
        probes: words::probes(&args.probes)?,
        commands: words::commands(&args.cmd)?,
        script: args.probe_script.as_deref().map(words::read).transpose()?,
        surroundings: words::surroundings(&args.surroundings)?,
        timeout: Duration::from_secs(args.probes.timeout),
    })
}

/// An examination that could not be held.
pub fn failure(error: ExamError) -> Failure {
    let hint = error.hint();
    let exit = exit(&error);
    let failure = Failure::new(error).with_exit(exit);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

/// Where nothing contains a stranger's program there is no verdict either way.
pub fn exit(error: &ExamError) -> Exit {
    match error.is_for_want_of_a_sandbox() {
        true => Exit::CouldNotTell,
        false => Exit::CouldNotRun,
    }
}
