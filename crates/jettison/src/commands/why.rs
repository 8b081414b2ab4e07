//! `jettison why`: why a path stayed in a small image, or went.

use std::path::PathBuf;

use clap::Args;
use jettison_engine::slim as engine;
use jettison_plan::{FilePath, Plan};

use super::shared::{Format, FormatArgs, GlobalArgs};
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;

/// Say why a path is in a small image, or why it is not
///
/// The answer comes from the plan that `jettison slim` kept with its result:
/// for a path that stayed the whole chain of reasons, from the probe or the
/// command it begins with; for one that went why it could go, and what would
/// keep it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison why shop:1.2-slim /usr/lib/x86_64-linux-gnu/libssl.so.3
  jettison why --plan jettison.plan.json /bin/bash")]
pub struct WhyArgs {
    /// The small image, and the path; with --plan the path alone
    #[arg(value_name = "IMAGE PATH", num_args = 1..=2, required = true)]
    pub words: Vec<String>,

    /// Read the plan from FILE instead of the image's own
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Finds the plan and asks it.
pub fn why(args: &WhyArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let (plan, path) = match (&args.plan, &args.words[..]) {
        (Some(file), [path]) => (words::plan(file)?, path),
        (None, [image, path]) => (of_image(image, global, ui)?, path),
        (Some(_), _) => return Err(Failure::new("with --plan, a path alone is expected")),
        (None, _) => {
            return Err(Failure::new("an image and a path are expected")
                .with_hint("jettison why IMAGE PATH, or jettison why --plan FILE PATH"));
        }
    };
    let path: FilePath = path.parse().map_err(flag("PATH"))?;
    let answer = engine::why(&plan, &path);
    match args.format.format {
        Format::Text => ui.answer(&report::why::text(&answer))?,
        Format::Json => ui.document(&answer)?,
    }
    Ok(match answer {
        engine::Why::Unknown { .. } => Exit::Findings,
        _ => Exit::Fine,
    })
}

/// The plan that was kept with an image.
pub fn of_image(image: &str, global: &GlobalArgs, ui: &Ui) -> Result<Plan, Failure> {
    let location = jettison_engine::transport::Location::parse(image).map_err(flag("IMAGE"))?;
    let context = settings::context(global, ui)?;
    engine::plan_of(&location, &context).map_err(super::slim::failure)
}
