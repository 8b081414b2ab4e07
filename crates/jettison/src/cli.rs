//! The command line, in one definition: help, man pages and completions come
//! from it.

use clap::{Parser, Subcommand};

use crate::commands::build::BuildArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::copy::CopyArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::inspect::InspectArgs;
use crate::commands::run::RunArgs;
use crate::commands::shared::GlobalArgs;
use crate::commands::store::StoreArgs;
use crate::exit::Exit;

/// Ship the app, throw the rest overboard: minimal container images that
/// provably still work, without a daemon
#[derive(Debug, Parser)]
#[command(name = "jettison", version, after_long_help = Exit::HELP, propagate_version = false)]
#[command(max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,

    #[command(subcommand)]
    pub command: Command,
}

/// Every deed.
#[derive(Debug, Subcommand)]
pub enum Command {
    Build(Box<BuildArgs>),
    Run(Box<RunArgs>),
    Inspect(InspectArgs),
    Copy(CopyArgs),
    Store(StoreArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
}
