//! `jettison plan`: shows a plan, or what is different between two.

use std::path::Path;

use clap::{Args, Subcommand};
use jettison_engine::slim as engine;
use jettison_plan::Plan;

use super::shared::{Format, FormatArgs, GlobalArgs};
use super::{why, words};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::ui::Ui;

/// Show the plan of a small image, or compare two
///
/// A plan is the document that `jettison slim` writes: the kept paths with
/// their reasons, what went and why, what was kept in doubt.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(subcommand)]
    pub command: PlanCommand,
}

/// What is done with plans.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Show a plan: what stayed, what went, what was kept in doubt
    Show {
        /// A small image, or the file of a plan
        #[arg(value_name = "IMAGE|FILE")]
        plan: String,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Compare two plans: paths that only one of them keeps, and reasons that
    /// differ; exit code 1 when the kept paths are not the same
    Diff {
        /// A small image, or the file of a plan
        #[arg(value_name = "OLD")]
        old: String,
        /// A small image, or the file of a plan
        #[arg(value_name = "NEW")]
        new: String,
        #[command(flatten)]
        format: FormatArgs,
    },
}

/// Shows or compares.
pub fn plan(args: &PlanArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    match &args.command {
        PlanCommand::Show { plan, format } => {
            let plan = find(plan, global, ui)?;
            match format.format {
                Format::Text => ui.answer(&report::plan::text(&plan))?,
                Format::Json => ui.document(&plan)?,
            }
            Ok(Exit::Fine)
        }
        PlanCommand::Diff { old, new, format } => {
            let diff = engine::diff(&find(old, global, ui)?, &find(new, global, ui)?);
            match format.format {
                Format::Text => ui.answer(&report::plan::diff(&diff))?,
                Format::Json => ui.document(&diff)?,
            }
            let same = diff.added.is_empty() && diff.removed.is_empty();
            Ok(if same { Exit::Fine } else { Exit::Findings })
        }
    }
}

/// The plan of a file, where there is one of that name, or of an image.
fn find(word: &str, global: &GlobalArgs, ui: &Ui) -> Result<Plan, Failure> {
    match Path::new(word).is_file() {
        true => words::plan(Path::new(word)),
        false => why::of_image(word, global, ui),
    }
}
