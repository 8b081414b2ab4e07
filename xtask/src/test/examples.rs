//! The tests of `examples/`: projects of their own, outside the workspace, tested with the toolchains of this machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::tally::Tally;
use crate::processes::Foreground;
use crate::{Problem, workspace};

/// Runs them all and answers which toolchains could not be had.
pub(crate) fn run(root: &Path, tally: &mut Tally) -> Result<Vec<String>, Problem> {
    let folder = root.join("examples");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut projects: Vec<_> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    projects.sort();
    let mut without = Vec::new();
    for project in projects {
        let name = project
            .strip_prefix(root)
            .unwrap_or(&project)
            .display()
            .to_string();
        if project.join("Cargo.toml").is_file() {
            println!("testing {name}");
            let target = workspace::target_dir(root)?.join("examples");
            let mut command = workspace::cargo();
            command
                .args(["test", "--quiet", "--locked", "--", "--show-output"])
                .current_dir(&project)
                .env("CARGO_TARGET_DIR", target);
            read_lines(&mut command, tally, |tally, line| {
                tally.read_libtest(line).is_some()
            })?;
        } else if project.join("go.mod").is_file() {
            if workspace::find_program("go").is_none() {
                without.push(format!(
                    "go (no toolchain on this machine): the tests of {name}"
                ));
                continue;
            }
            println!("testing {name}");
            let mut command = Command::new("go");
            command.args(["test", "-v", "./..."]).current_dir(&project);
            read_lines(&mut command, tally, |tally, line| {
                tally.read_go(line);
                line.trim_start().starts_with("--- ") || line.starts_with("FAIL")
            })?;
        }
    }
    Ok(without)
}

/// Runs a test runner, hands its lines to `read`, and prints those that `read` says are worth it.
pub(crate) fn read_lines(
    command: &mut Command,
    tally: &mut Tally,
    mut read: impl FnMut(&mut Tally, &str) -> bool,
) -> Result<(), Problem> {
    let mut runner = Foreground::start(command.stdout(Stdio::piped()))?;
    let failed_before = tally.failed();
    if let Some(output) = runner.child().stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches(['\n', '\r']);
            if read(tally, text) {
                println!("{text}");
            }
            line.clear();
        }
    }
    let status = runner.wait()?;
    if !status.success() && tally.failed() == failed_before {
        tally.runner_failed();
        println!("the test runner failed: {status}");
    }
    Ok(())
}
