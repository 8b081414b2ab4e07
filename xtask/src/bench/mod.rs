//! `cargo xtask bench`: measures a release build against peers and plain baselines, all in one run, and commits to
//! `docs/results/NAME.json` what was found, whether it flatters or not. `cargo xtask docs` renders it.

pub(crate) mod baseline;
mod dockerfile;
mod first_build;
mod image_sizes;
mod input;
mod inspect;
mod layout;
mod machine;
pub(crate) mod measure;
mod peers;
mod rebuild;
pub(crate) mod record;
mod tar_walk;
mod tracing;

use std::path::{Path, PathBuf};
use std::process::Command;

use record::Record;

use crate::{Problem, workspace};

const HELP: &str = "\
Usage: cargo xtask bench [--runs N] [--list] [NAME…]

Runs all benches, or those named, and writes docs/results/NAME.json, or NAME.txt where words are shown.
  --runs N   How often each command is measured [default: 5]
  --list     List the benches
";

type Bench = fn(&Context) -> Result<Record, Problem>;

/// Every bench by the name of its result.
const BENCHES: &[(&str, &str, Bench)] = &[
    (
        "image-sizes",
        "what is in an image beside the program, unpacked and on the wire",
        image_sizes::run,
    ),
    (
        "rebuild",
        "a build when the compiler has nothing to do, and one after a one-line change",
        rebuild::run,
    ),
    (
        "dockerfile",
        "Dockerfiles executed, beside BuildKit and buildah",
        dockerfile::run,
    ),
    (
        "tracing",
        "what it costs a program to be traced",
        tracing::run,
    ),
    (
        "inspect-docker-archive",
        "inspect of an uncompressed archive of 1.2 GB",
        inspect::docker_archive,
    ),
    (
        "inspect-oci-layout",
        "inspect of the same image as a gzip layout",
        inspect::oci_layout,
    ),
];

type Show = fn(&Context) -> Result<String, Problem>;

/// What is shown as it was said, by the name of its result.
const SHOWN: &[(&str, &str, Show)] = &[(
    "first-build",
    "what the first command of the README answers",
    first_build::run,
)];

/// What every bench is handed.
pub(crate) struct Context {
    root: PathBuf,
    /// Inputs and results that are too large to keep with the sources.
    folder: PathBuf,
    jettison: PathBuf,
    /// This program as a release build, for the baselines and for measuring.
    xtask: PathBuf,
    runs: usize,
}

/// Runs the benches; an error when one of them could not measure.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let mut runs = 5;
    let mut names = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => {
                let number = arguments.next().and_then(|number| number.parse().ok());
                runs = number
                    .filter(|number| *number > 0)
                    .ok_or("--runs wants a number above 0")?;
            }
            "--list" => {
                BENCHES
                    .iter()
                    .map(|(name, what, _)| (name, what))
                    .chain(SHOWN.iter().map(|(name, what, _)| (name, what)))
                    .for_each(|(name, what)| println!("{name:24} {what}"));
                return Ok(());
            }
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            name if is_known(name) => names.push(name),
            other => {
                return Err(format!("bench: no such bench or option: {other}\n\n{HELP}").into());
            }
        }
    }
    let context = Context::prepare(runs)?;
    let is_wanted = |name: &&str| names.is_empty() || names.contains(name);
    let results = context.root.join("docs/results");
    let mut failed = Vec::new();
    for (name, what, show) in SHOWN.iter().filter(|(name, ..)| is_wanted(name)) {
        println!("\n{name}: {what}");
        match show(&context) {
            Ok(words) => std::fs::write(results.join(format!("{name}.txt")), words)?,
            Err(problem) => {
                println!("could not be shown: {problem}");
                failed.push(*name);
            }
        }
    }
    for (name, what, bench) in BENCHES.iter().filter(|(name, ..)| is_wanted(name)) {
        println!("\n{name}: {what}");
        match bench(&context) {
            Ok(record) => {
                print!("{record}");
                record.write(&results.join(format!("{name}.json")), runs)?;
            }
            Err(problem) => {
                println!("could not measure: {problem}");
                failed.push(*name);
            }
        }
    }
    match failed.as_slice() {
        [] => crate::docs::run(&[]),
        failed => Err(format!("could not measure {}", failed.join(", ")).into()),
    }
}

fn is_known(name: &str) -> bool {
    let benches = BENCHES.iter().map(|(known, ..)| known);
    let shown = SHOWN.iter().map(|(known, ..)| known);
    benches.chain(shown).any(|known| *known == name)
}

impl Context {
    fn prepare(runs: usize) -> Result<Self, Problem> {
        let root = workspace::root();
        let built = workspace::cargo()
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "jettison",
                "--package",
                "xtask",
            ])
            .current_dir(&root)
            .status()?;
        if !built.success() {
            return Err("the release build failed".into());
        }
        let target = workspace::target_dir(&root)?;
        let folder = target.join("bench");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            jettison: target.join("release/jettison"),
            xtask: target.join("release/xtask"),
            root,
            folder,
            runs,
        })
    }

    /// jettison with a cache that a run cannot share with the one before.
    fn jettison(&self) -> Command {
        let mut command = Command::new(&self.jettison);
        command.env("XDG_CACHE_HOME", self.cache());
        command
    }

    fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    /// One of the plain programs that do the least that must be done.
    fn baseline(&self, what: &str, path: &Path) -> Command {
        let mut command = Command::new(&self.xtask);
        command.args(["baseline", what]).arg(path);
        command
    }
}
