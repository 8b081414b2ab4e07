//! The command line, in one definition: help, man pages and completions come
//! from it.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::commands::bake::BakeArgs;
use crate::commands::build::BuildArgs;
use crate::commands::compare::CompareArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::copy::CopyArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::plan::PlanArgs;
use crate::commands::reference::ReferenceArgs;
use crate::commands::run::RunArgs;
use crate::commands::shared::GlobalArgs;
use crate::commands::slim::SlimArgs;
use crate::commands::store::StoreArgs;
use crate::commands::verify::VerifyArgs;
use crate::commands::why::WhyArgs;
use crate::exit::Exit;

/// Ship the app, throw the rest overboard: minimal container images that
/// provably still work, without a daemon
#[derive(Debug, Parser)]
#[command(name = "jettison", version, propagate_version = false)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", Exit::HELP))]
#[command(max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,

    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  jettison build . --probe /health
  jettison build . -t registry.example/shop:1.2 --push
  jettison slim shop:1.2 -t shop:1.2-slim
  jettison run shop --port 8080:8080
  jettison verify shop:1.2 shop:1.2-slim
  jettison inspect shop
  jettison compare shop:1.2 shop:1.2-slim";

/// The definition, each command's long help ended by the exit codes.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        let examples = command.get_after_help().map(|text| format!("{text}\n\n"));
        command.after_long_help(format!("{}{}", examples.unwrap_or_default(), Exit::HELP))
    })
}

/// Reads the command line of this process; ends it for help and for mistakes.
pub fn parse() -> Cli {
    Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|error| error.exit())
}

/// Every deed.
#[derive(Debug, Subcommand)]
pub enum Command {
    Build(Box<BuildArgs>),
    Slim(Box<SlimArgs>),
    Why(WhyArgs),
    Plan(PlanArgs),
    Run(Box<RunArgs>),
    Verify(Box<VerifyArgs>),
    Inspect(InspectArgs),
    Compare(Box<CompareArgs>),
    Copy(CopyArgs),
    Bake(BakeArgs),
    Store(StoreArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    Reference(ReferenceArgs),
}
