//! `cargo xtask layers`: a crate uses lower floors only, and the invariants that the sources themselves show hold.

mod edges;
mod floors;
mod hosts;
mod sources;
mod tokens;

use std::path::Path;

use crate::{Problem, workspace};

/// Checks the workspace; an error lists everything that is wrong.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    if let Some(argument) = arguments.first() {
        return Err(format!("layers takes no argument: {argument}").into());
    }
    let root = workspace::root();
    let metadata = workspace::metadata(&root)?;
    let mut wrong = edges::check(&metadata);
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for package in packages {
        let (Some(name), Some(folder)) = (
            package["name"].as_str(),
            package["manifest_path"]
                .as_str()
                .and_then(|manifest| Path::new(manifest).parent()),
        ) else {
            continue;
        };
        let shown = folder
            .strip_prefix(&root)
            .unwrap_or(folder)
            .display()
            .to_string();
        wrong.extend(
            sources::check(name, folder)?
                .into_iter()
                .map(|line| format!("{shown}/{line}")),
        );
    }
    wrong.extend(hosts::check(&root)?);
    if wrong.is_empty() {
        println!(
            "layers: {} crates, every edge points down, every invariant holds",
            packages.len()
        );
        return Ok(());
    }
    Err(format!("layers: {} broken\n  {}", wrong.len(), wrong.join("\n  ")).into())
}
