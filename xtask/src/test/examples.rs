//! The tests of `examples/`: projects of their own, outside the workspace, tested with the toolchains of this machine.

use std::path::Path;
use std::process::Command;

use super::runner;
use super::tally::Tally;
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
            runner::run(&mut command, tally, |tally, line| {
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
            runner::run(&mut command, tally, |tally, line| {
                tally.read_go(line);
                line.trim_start().starts_with("--- ") || line.starts_with("FAIL")
            })?;
        }
    }
    Ok(without)
}
