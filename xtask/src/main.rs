//! `cargo xtask`: layers, generated docs, the test set-up, cases, benchmarks, the release binary.
//!
//! It stands beside the product: no crate uses it and it uses no crate of the product, so that it builds in seconds and
//! still works when the product does not compile.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool: its output is what it is for"
)]

mod bench;
mod buildkit;
mod cases;
mod conformance;
mod dist;
mod docs;
mod guides;
mod layers;
mod processes;
mod test;
mod upx;
mod workspace;

use std::process::ExitCode;

/// What went wrong, in words for the person at the terminal.
type Problem = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  layers             Check the floors of the crates and the invariants of the sources
  test               Run all tests, with the services that they need
  docs [--check]     Write the generated pages and tables, or fail when they are stale
  cases [NAME…]      Slim real images and check that they still work
  guides [NAME…]     Build the Dockerfiles of published guides, slim, verify, and compare with what they claim
  conformance        Build Dockerfiles and compare with what BuildKit makes of them
  bench [NAME…]      Measure a release build and write docs/results/NAME.json
  dist               Build the release binary, one static file
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let outcome = match command {
        "layers" => layers::run(rest),
        "test" => test::run(rest),
        "docs" => docs::run(rest),
        "cases" => cases::run(rest),
        "guides" => guides::run(rest),
        "conformance" => conformance::run(rest),
        "bench" => bench::run(rest),
        // Parts of the benches that need a process of their own.
        "baseline" => bench::baseline::run(rest),
        "measure" => bench::measure::run(rest),
        "dist" => dist::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no such command: {other}\n\n{HELP}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
