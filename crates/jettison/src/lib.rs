//! The command line: words in, words out. The deeds themselves are in
//! `jettison-engine`.

#![expect(
    unreachable_pub,
    reason = "a program offers nothing to others; `pub` says what its modules offer each other"
)]

mod cli;
mod commands;
mod exit;
mod failure;
mod report;
mod settings;
mod ui;

use std::process::ExitCode;

use cli::Command;
use commands::dockerfile::ProgressMode;
use commands::{
    bake, build, compare, completions, copy, doctor, inspect, plan, reference, run, slim, store,
    verify, why,
};
use jettison_sandbox::shield_own_program;
use ui::Ui;

/// The definition of the command line, from which help, man pages and
/// completions are made.
pub fn command() -> clap::Command {
    cli::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let cli = match cli::parse(&words) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let shown = match &cli.command {
        Command::Build(args) => args.dockerfile.progress,
        _ => ProgressMode::Auto,
    };
    let ui = Ui::new(cli.global.quiet, shown);
    if matches!(
        cli.command,
        Command::Build(_)
            | Command::Run(_)
            | Command::Slim(_)
            | Command::Verify(_)
            | Command::Compare(_)
    ) {
        // The images that are run must not reach the file of this program.
        let shielded = shield_own_program(std::env::args_os(), std::env::vars_os());
        if let Err(error) = shielded {
            ui.warn(&format!(
                "this program cannot run from a copy in memory ({error}): \
                 root of a container could reach its file"
            ));
        }
    }
    let ended = match &cli.command {
        Command::Build(args) => build::build(args, &cli.global, &ui),
        Command::Slim(args) => slim::slim(args, &cli.global, &ui),
        Command::Why(args) => why::why(args, &cli.global, &ui),
        Command::Plan(args) => plan::plan(args, &cli.global, &ui),
        Command::Run(args) => run::run(args, &cli.global, &ui),
        Command::Verify(args) => verify::verify(args, &cli.global, &ui),
        Command::Inspect(args) => inspect::inspect(args, &cli.global, &ui),
        Command::Compare(args) => compare::compare(args, &cli.global, &ui),
        Command::Copy(args) => copy::copy(args, &cli.global, &ui),
        Command::Bake(args) => bake::bake(args, &ui),
        Command::Store(args) => store::store(args, &cli.global, &ui),
        Command::Doctor(args) => doctor::doctor(args, &cli.global, &ui),
        Command::Completions(args) => completions::completions(args, &ui),
        Command::Reference(args) => reference::reference(args),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let failure = settings::with_room(failure, &cli.global);
            ui.fail(&failure);
            failure.exit.into()
        }
    }
}
