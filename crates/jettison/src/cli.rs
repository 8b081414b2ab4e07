//! The command line, in one definition: help, man pages and completions come
//! from it.

use std::ffi::OsString;
use std::process::ExitCode;

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

/// Reads a command line. Help, which is printed, and mistakes, which are
/// told, come back as the code to end with.
pub fn parse(words: &[OsString]) -> Result<Cli, ExitCode> {
    let read = command()
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    read.map_err(|told| {
        // Where nobody reads what is printed, the code still tells.
        let _ = told.print();
        exit(&told, words).into()
    })
}

/// 0 for help; for a mistake 2, or 125 in a command line of `run`, as docker
/// has it: the codes below are the program's.
fn exit(told: &clap::Error, words: &[OsString]) -> Exit {
    if !told.use_stderr() {
        return Exit::Fine;
    }
    let lenient = command().ignore_errors(true).try_get_matches_from(words);
    let is_run = lenient.is_ok_and(|matches| matches.subcommand_name() == Some("run"));
    match is_run {
        true => Exit::Program(125),
        false => Exit::CouldNotRun,
    }
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{command, exit};
    use crate::exit::Exit;

    #[test]
    fn mistakes_of_run_end_as_dockers_do() {
        let check = |line: &str, expected: Exit| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let told = command().try_get_matches_from(&words);
            assert_eq!(exit(&told.expect_err(line), &words), expected, "{line}");
        };
        check("jettison run", Exit::Program(125));
        check("jettison run --nothing box", Exit::Program(125));
        check("jettison run box --network some", Exit::Program(125));
        check("jettison --store run run", Exit::Program(125));
        check("jettison run --help", Exit::Fine);
        check("jettison --version", Exit::Fine);
        check("jettison build run --nothing", Exit::CouldNotRun);
        check("jettison --store run slim", Exit::CouldNotRun);
        check("jettison", Exit::CouldNotRun);
        check("jettison --nothing", Exit::CouldNotRun);
    }
}
