//! `cargo xtask test`: sees to what the tests need, runs them all, stops what it started, and says what it could not have.
//!
//! Tests learn of the services through the environment:
//! `JETTISON_TEST_DOCKER_HOST` (`unix://…`), `JETTISON_TEST_REGISTRY` (`127.0.0.1:PORT`, plain HTTP),
//! `JETTISON_TEST_POSTGRES_BIN` (the folder of `initdb` and `pg_ctl`), `BUILDKIT_HOST` and `JETTISON_BUILDCTL`. Without a variable the service is not there, and the
//! test prints `skipped: why`.

pub(crate) mod docker;
mod examples;
mod needs;
mod registry;
mod runner;
pub(crate) mod tally;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use docker::Engine;
use registry::Registry;
use tally::Tally;

use crate::buildkit::BuildKit;
use crate::processes::{self, Foreground};
use crate::{Problem, cases, conformance, guides, upx, workspace};

const HELP: &str = "\
Usage: cargo xtask test [--no-install] [--minutes N] [-- CARGO-TEST-ARGUMENTS]

Runs all tests, or those that the arguments after -- choose, as in: cargo xtask test -- -p jettison-image
  --no-install   Install nothing, even as root
  --minutes N    Give up after so many minutes [default: 60]
";

struct Options {
    may_install: bool,
    minutes: u64,
    chosen: Vec<String>,
}

/// Runs the tests; an error when one failed.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let Some(options) = read_options(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    processes::watch_interrupts()?;
    let root = workspace::root();
    let mut tally = Tally::default();
    // What does not compile is found out before anything is installed or started.
    let mut build = workspace::cargo();
    build
        .args(["test", "--no-run"])
        .args(choice(&options.chosen))
        .current_dir(&root);
    if !Foreground::start(&mut build)?.wait()?.success() {
        return Err("the tests do not compile".into());
    }
    let mut without = needs::provide(options.may_install)?;
    give_up_after(Duration::from_secs(options.minutes.saturating_mul(60)));
    let outcome = run_with_services(&root, &options, &mut tally, &mut without);
    println!();
    for reason in tally.reasons() {
        println!("skipped: {reason}");
    }
    for what in &without {
        println!("could not have: {what}");
    }
    println!("{}", tally.closing_line());
    outcome?;
    match tally.failed() {
        0 => Ok(()),
        _ => Err("tests failed".into()),
    }
}

/// Everything that was started is stopped when this returns, however it does.
fn run_with_services(
    root: &Path,
    options: &Options,
    tally: &mut Tally,
    without: &mut Vec<String>,
) -> Result<(), Problem> {
    // Not under /tmp, which may be in memory: an engine's data can be gigabytes.
    let folder = tempfile::Builder::new()
        .prefix("jettison-test-")
        .tempdir_in("/var/tmp")?;
    let engine = had("docker engine", Engine::provide(folder.path()), without);
    let registry = had("registry", Registry::start(folder.path()), without);
    let buildkit = had("BuildKit", BuildKit::start(folder.path()), without);
    processes::go_on()?;

    let mut command = workspace::cargo();
    command
        .args(["test", "--no-fail-fast"])
        .args(choice(&options.chosen))
        .args(["--", "--show-output"]);
    command.current_dir(root);
    for variable in [
        "JETTISON_TEST_DOCKER_HOST",
        "JETTISON_TEST_REGISTRY",
        "JETTISON_TEST_POSTGRES_BIN",
        "BUILDKIT_HOST",
        "JETTISON_BUILDCTL",
    ] {
        command.env_remove(variable);
    }
    let mut programs = Vec::new();
    programs.extend(had_program(upx::provide(folder.path()), without));
    if let Some(buildkit) = &buildkit {
        buildkit.show_to(&mut command);
        programs.extend(buildkit.programs());
    }
    command.env("PATH", workspace::path_with(&programs));
    if let Some(engine) = &engine {
        command.env("JETTISON_TEST_DOCKER_HOST", &engine.host);
    }
    if let Some(registry) = &registry {
        command.env("JETTISON_TEST_REGISTRY", &registry.address);
    }
    if let Some(bin) = needs::postgres_bin() {
        command.env("JETTISON_TEST_POSTGRES_BIN", bin);
    }
    // Cargo tells its children where its own workspace is; the tests are told anew.
    leave_no_trace_of_cargo_run(&mut command);
    runner::run(&mut command, tally, |tally, line| {
        tally.read_libtest(line).is_some()
    })?;
    if options.chosen.is_empty() {
        without.extend(examples::run(root, tally)?);
        without.extend(conformance::run_all(root, tally)?);
        without.extend(guides::run_fast(root, tally)?);
        if let Some(engine) = &engine {
            without.extend(cases::run_fast(root, &engine.host, tally)?);
        }
    }

    drop((engine, registry, buildkit));
    let path = folder.path().to_path_buf();
    if let Err(error) = folder.close() {
        println!("{} is left behind: {error}", path.display());
    }
    Ok(())
}

/// `cargo run` sets variables of the package that runs; left in place they would be the tests' idea of theirs.
fn leave_no_trace_of_cargo_run(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(name);
        }
    }
}

fn had<T>(what: &str, provided: Result<T, Problem>, without: &mut Vec<String>) -> Option<T> {
    provided
        .map_err(|problem| without.push(format!("{what} ({problem})")))
        .ok()
}

fn had_program(provided: Result<PathBuf, String>, without: &mut Vec<String>) -> Option<PathBuf> {
    provided
        .map_err(|reason| without.push(format!("{reason}: build --upx")))
        .ok()
}

fn choice(chosen: &[String]) -> Vec<&str> {
    match chosen {
        [] => vec!["--workspace"],
        chosen => chosen.iter().map(String::as_str).collect(),
    }
}

/// A test that hangs must not hang whoever waits for all of them.
fn give_up_after(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        eprintln!("no end after {} minutes, giving up", limit.as_secs() / 60);
        processes::interrupt();
    });
}

fn read_options(arguments: &[String]) -> Result<Option<Options>, Problem> {
    let mut options = Options {
        may_install: true,
        minutes: 60,
        chosen: Vec::new(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--no-install" => options.may_install = false,
            "--minutes" => {
                let minutes = arguments.next().ok_or("--minutes wants a number")?;
                options.minutes = minutes
                    .parse()
                    .map_err(|_| format!("--minutes wants a number, not {minutes}"))?;
            }
            "--help" | "-h" => return Ok(None),
            "--" => options.chosen = arguments.by_ref().cloned().collect(),
            other => return Err(format!("test: no such option: {other}\n\n{HELP}").into()),
        }
    }
    Ok(Some(options))
}
