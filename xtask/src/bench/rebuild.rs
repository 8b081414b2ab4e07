//! What a build costs beside the compiler, and what a small change moves.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::Context;
use super::image_sizes::example;
use super::layout;
use super::measure::{self, Contestant, in_turns};
use super::record::Record;
use crate::Problem;

/// Compiler caches warm, the Go service unchanged; then with one line more.
pub(crate) fn run(context: &Context) -> Result<Record, Problem> {
    let folder = tempfile::tempdir_in(&context.folder)?;
    let project = folder.path().join("devops-info-go");
    copy(&example(context, "devops-info-go")?, &project)?;
    let built = folder.path().join("layout");
    let build = |to: &Path| {
        let mut command = context.jettison();
        command
            .arg("build")
            .arg(&project)
            .arg("-o")
            .arg(format!("oci:{}", to.display()));
        command
    };
    // A build links anew each time; Go leaves a program alone that is up to date.
    let linked = folder.path().join("linked");
    let mut compiler = Command::new("go");
    compiler
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(linked.join(""))
        .arg(".");
    compiler.current_dir(&project).env("CGO_ENABLED", "0");
    let contestants = [
        Contestant {
            name: "jettison build",
            command: build(&built),
            fresh: Some(&built),
            once: false,
        },
        Contestant {
            name: "go build alone",
            command: compiler,
            fresh: Some(&linked),
            once: false,
        },
    ];
    let usages = in_turns(context, &contestants)?;
    let mut record = Record::new("warm rebuild");
    for (contestant, usage) in contestants.iter().zip(&usages) {
        record.usage(contestant.name, *usage);
    }
    let [ours, compiler] = usages.as_slice() else {
        return Err("a contestant was lost".into());
    };
    record.goal(
        "CPU time beside the compiler",
        1.0,
        ours.cpu_s - compiler.cpu_s,
        "s",
    );

    let before = layout::sizes(&built)?;
    change(&project)?;
    let changed = folder.path().join("changed");
    measure::once(context, &build(&changed))?;
    let after = layout::sizes(&changed)?;
    let moved = after
        .layers
        .iter()
        .filter(|layer| !before.layers.contains(layer))
        .count();
    record.row("layers in all", &[("layers", json!(after.layers.len()))]);
    record.row(
        "layers that a one-line change moves",
        &[("layers", json!(moved))],
    );
    record.goal(
        "layers that a one-line change moves",
        1.0,
        moved as f64,
        "layers",
    );
    if moved == 0 {
        return Err("the one-line change did not reach the image".into());
    }
    Ok(record)
}

/// One more line in the program, and one that the linker cannot drop.
fn change(project: &Path) -> Result<(), Problem> {
    let mut sources: Vec<PathBuf> = std::fs::read_dir(project)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    sources.sort();
    for source in sources {
        let is_go = source
            .extension()
            .is_some_and(|extension| extension == "go");
        if !is_go || source.to_string_lossy().ends_with("_test.go") {
            continue;
        }
        let text = std::fs::read_to_string(&source)?;
        if text.lines().any(|line| line.trim() == "package main") {
            std::fs::write(
                &source,
                text + "\nfunc init() { println(\"one line more\") }\n",
            )?;
            return Ok(());
        }
    }
    Err("the example has no source of package main at its top".into())
}

fn copy(from: &Path, to: &Path) -> Result<(), Problem> {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("cp: {status}").into()),
    }
}
