//! `cargo xtask cases`: real images in ordinary bloated style, built and judged by the Docker engine, each with checks that go
//! deeper than what the slimmer is told. `cases/README.md` says how a case is written.

mod answer;
pub(crate) mod base;
mod case;
pub(crate) mod client;
mod deeds;
mod judge;
mod laws;
mod made;
mod original;
mod plans;
mod result;
mod scene;
mod slimmer;
mod step;
mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use case::Case;
use client::Client;
use judge::Answers;
use original::{Original, Workshop};
use result::{Outcome, Row};
use slimmer::{Hints, Job};
use tree::Tree;

use crate::test::docker::Engine;
use crate::test::tally::Tally;
use crate::{Problem, processes, workspace};

const HELP: &str = "\
Usage: cargo xtask cases [NAME…] [--hints none|full] [--fast] [--keep] [--laws] [--originals] [--sabotage] [--list]

Builds the cases' images, asks the originals, slims them, and asks the small images the same. A run of all cases in both
modes is written to docs/results/cases.json.
  --hints MODE   Only with no hints, or only at full traffic
  --fast         Only the cases that are small and quick
  --keep         Keep small images, plans, evidence and the originals' archives
  --laws         Also replay each plan, which must give the same image, restore the original from its complement, and trace
                 once more, which must give the same plan but for what only one tracing touched
  --slimmer PATH Another program with the command line of jettison, instead of a release build of it
  --originals    Only build and ask the originals
  --sabotage     Instead of slimming, take one file away that matters, and see that the checks notice
  --list         List the cases
";

/// What is done with a case once its original is known to be good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Slim,
    Sabotage,
    Nothing,
}

struct Options {
    names: Vec<String>,
    modes: Vec<Hints>,
    fast: bool,
    keep: bool,
    laws: bool,
    deed: Deed,
    slimmer: Option<PathBuf>,
}

/// Runs the cases; an error when one is not as it should be.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let root = workspace::root();
    let Some(options) = read_options(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    let mut cases = Case::all(&root.join("cases"))?;
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|case| {
            println!(
                "{:12} {:3} checks  {}",
                case.name,
                case.checks.len(),
                case.what
            );
        });
        return Ok(());
    }
    if let Some(name) = options
        .names
        .iter()
        .find(|name| !cases.iter().any(|case| case.name == **name))
    {
        return Err(format!("no such case: {name}").into());
    }
    let of_all = cases.len();
    cases.retain(|case| options.names.is_empty() || options.names.contains(&case.name));
    cases.retain(|case| !options.fast || case.fast);
    processes::watch_interrupts()?;
    let program = match options.deed {
        Deed::Slim => Some(match &options.slimmer {
            Some(program) => program.clone(),
            None => slimming_jettison(&root, "release")?.ok_or(NO_SLIM)?,
        }),
        Deed::Sabotage | Deed::Nothing => None,
    };
    // What is committed is jettison's own, and of one run.
    let is_everything =
        cases.len() == of_all && options.modes.len() == 2 && options.slimmer.is_none();
    let folder = scratch()?;
    let engine = Engine::provide(folder.path())?;
    let client = Client::new(&engine.host);
    let done = all(
        &client,
        &root,
        &cases,
        &options,
        program.as_deref(),
        folder.path(),
    )?;
    drop(engine);
    if options.deed == Deed::Slim {
        let record = result::record(&done.rows);
        print!("\n{record}");
        if is_everything && done.wrong.is_empty() {
            record.write(&root.join("docs/results/cases.json"), 1)?;
            crate::docs::run(&[])?;
        }
    }
    match [done.wrong, done.lies].concat().as_slice() {
        [] => Ok(()),
        wrong => Err(format!("not as it should be: {}", wrong.join(", ")).into()),
    }
}

/// The small cases among the tests, slimmed without hints; answers what could not be had.
pub(crate) fn run_fast(root: &Path, host: &str, tally: &mut Tally) -> Result<Vec<String>, Problem> {
    let mut cases = Case::all(&root.join("cases"))?;
    cases.retain(|case| case.fast);
    let Some(program) = slimming_jettison(root, "debug")? else {
        return Ok(vec![format!("cases ({NO_SLIM})")]);
    };
    let options = Options {
        names: Vec::new(),
        modes: vec![Hints::None],
        fast: true,
        keep: false,
        laws: false,
        deed: Deed::Slim,
        slimmer: None,
    };
    let folder = scratch()?;
    let done = all(
        &Client::new(host),
        root,
        &cases,
        &options,
        Some(&program),
        folder.path(),
    )?;
    // A case that cannot be built here for want of a network or a package is no failed test, a lie is.
    tally.add(
        (done.rows.len() - done.lies.len()) as u64,
        done.lies.len() as u64,
    );
    Ok(done
        .wrong
        .iter()
        .map(|name| format!("case {name} (see above)"))
        .collect())
}

/// What became of the cases.
#[derive(Default)]
struct Done {
    rows: Vec<Row>,
    /// Cases that are defects themselves, or could not be built.
    wrong: Vec<String>,
    /// Called whole, and not so.
    lies: Vec<String>,
}

fn all(
    client: &Client,
    root: &Path,
    cases: &[Case],
    options: &Options,
    program: Option<&Path>,
    folder: &Path,
) -> Result<Done, Problem> {
    let workshop = Workshop {
        client,
        cases: root.join("cases"),
        cache: workspace::cache("jettison-cases")?,
    };
    let results = match options.keep {
        true => workshop.cache.join("results"),
        false => folder.join("results"),
    };
    std::fs::create_dir_all(&results)?;
    let mut done = Done::default();
    for case in cases {
        match one(&workshop, case, options, program, &results) {
            Ok(Some(row)) => {
                if row.outcomes.iter().any(Outcome::is_false_success) {
                    done.lies.push(format!("{} (false success)", case.name));
                }
                done.rows.push(row);
            }
            Ok(None) => {}
            Err(problem) => {
                processes::go_on()?;
                println!("  DEFECT {problem}");
                done.wrong.push(case.name.clone());
            }
        }
    }
    Ok(done)
}

/// Not under /tmp, which may be in memory.
fn scratch() -> Result<tempfile::TempDir, Problem> {
    Ok(tempfile::Builder::new()
        .prefix("jettison-cases-")
        .tempdir_in("/var/tmp")?)
}

/// One case from its sources to its rows.
fn one(
    workshop: &Workshop<'_>,
    case: &Case,
    options: &Options,
    program: Option<&Path>,
    results: &Path,
) -> Result<Option<Row>, Problem> {
    println!("\n{}: {}", case.name, case.what);
    let client = workshop.client;
    let begun = Instant::now();
    let original = workshop.original(case)?;
    let built_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let kept = workshop.answers(case, &original)?;
    let answers = judge::answers_of_original(client, case, &original.tag, &kept)?;
    let tree = Tree::export(client, &original.tag)?;
    println!(
        "  original: {:.0} MB, all {} checks pass ({built_s:.1} s to have it, {:.1} s to ask it)",
        tree.size_bytes() as f64 / 1e6,
        case.checks.len(),
        begun.elapsed().as_secs_f64(),
    );
    match (options.deed, program) {
        (Deed::Sabotage, _) => sabotage(client, case, &original, &answers).map(|()| None),
        (Deed::Slim, Some(program)) => {
            let mut row = Row {
                what: case.what.clone(),
                original_bytes: tree.size_bytes(),
                outcomes: Vec::new(),
            };
            let archive = workshop.archive(case, &original, options.keep, results)?;
            for hints in &options.modes {
                let job = Job {
                    program,
                    client,
                    case,
                    archive: &archive,
                    hints: *hints,
                    folder: results,
                };
                let slimmed = job.slim()?;
                let mut outcome = ask_small(client, case, *hints, &slimmed, &answers, &tree)?;
                if let Some(tag) = slimmed.tag.as_ref().filter(|_| options.laws) {
                    outcome.broken.extend(job.replay(tag, &tree)?);
                    outcome.broken.extend(job.retrace()?);
                }
                show(&outcome, &slimmed.last_words);
                if let (Some(tag), false) = (&slimmed.tag, options.keep) {
                    client.succeeds(&["image", "rm", "--force", tag]);
                    std::fs::remove_file(&slimmed.archive)?;
                }
                row.outcomes.push(outcome);
            }
            if archive.starts_with(results) {
                std::fs::remove_file(archive)?;
            }
            Ok(Some(row))
        }
        _ => Ok(None),
    }
}

/// A small image that is not there has passed nothing.
fn ask_small(
    client: &Client,
    case: &Case,
    hints: Hints,
    slimmed: &slimmer::Slimmed,
    answers: &Answers,
    original: &Tree,
) -> Result<Outcome, Problem> {
    let Some(tag) = &slimmed.tag else {
        let tally = judge::Tally {
            passed: 0,
            total: case.checks.len(),
            faults: Vec::new(),
        };
        return Ok(Outcome::new(hints, slimmed, tally));
    };
    let (tally, _) = judge::judge(client, case, tag, Some(answers))?;
    let tree = Tree::export(client, tag)?;
    let mut outcome = Outcome::new(hints, slimmed, tally);
    outcome.small_bytes = Some(tree.size_bytes());
    outcome.broken = laws::broken(original, &tree, &slimmed.rewritten);
    outcome.broken.extend(slimmed.left.iter().cloned());
    Ok(outcome)
}

fn show(outcome: &Outcome, last_words: &str) {
    let size = outcome.small_bytes.map_or_else(
        || "no image".to_owned(),
        |bytes| format!("{:.1} MB", bytes as f64 / 1e6),
    );
    println!(
        "  {:4} hints: {} ({}), {} of {} checks, {size}, {:.1} s{}",
        outcome.hints.name(),
        outcome.verdict(),
        outcome.exit,
        outcome.passed,
        outcome.total,
        outcome.wall_s,
        if outcome.is_false_success() {
            "  FALSE SUCCESS"
        } else {
            ""
        },
    );
    for fault in &outcome.faults {
        println!("      {fault}");
    }
    for law in &outcome.broken {
        println!("      law: {law}");
    }
    if outcome.exit != 0 {
        println!("      it said: {last_words}");
    }
}

/// Takes one path away after the other. Checks that do not notice are a defect.
fn sabotage(
    client: &Client,
    case: &Case,
    original: &Original,
    answers: &Answers,
) -> Result<(), Problem> {
    if case.sabotage.is_empty() {
        return Err("nothing is said that could be taken away".into());
    }
    let mut unnoticed = Vec::new();
    for (number, path) in case.sabotage.iter().enumerate() {
        let tag = slimmer::saboteur(client, original, case, path, number)?;
        let judged = judge::judge(client, case, &tag, Some(answers));
        client.succeeds(&["image", "rm", "--force", &tag]);
        let (tally, _) = judged?;
        println!(
            "  without {path}: {} of {} checks",
            tally.passed, tally.total
        );
        for fault in &tally.faults {
            println!("      {fault}");
        }
        if tally.is_whole() {
            unnoticed.push(path.as_str());
        }
    }
    match unnoticed.as_slice() {
        [] => Ok(()),
        paths => Err(format!("no check notices that there is no {}", paths.join(", ")).into()),
    }
}

/// Why there is nothing to try.
const NO_SLIM: &str = "jettison does not know `slim`; --originals and --sabotage need no slimmer";

/// A build that knows `slim`.
fn slimming_jettison(root: &Path, profile: &str) -> Result<Option<PathBuf>, Problem> {
    let mut command = workspace::cargo();
    command.args(["build", "--quiet", "--locked", "--package", "jettison"]);
    if profile == "release" {
        command.arg("--release");
    }
    if !command.current_dir(root).status()?.success() {
        return Err("jettison does not build".into());
    }
    let program = workspace::target_dir(root)?.join(profile).join("jettison");
    Ok(knows_slim(&program).then_some(program))
}

fn knows_slim(program: &Path) -> bool {
    Command::new(program)
        .args(["slim", "--help"])
        .output()
        .is_ok_and(|output| output.status.success())
}

fn read_options(arguments: &[String]) -> Result<Option<Options>, Problem> {
    let mut options = Options {
        names: Vec::new(),
        modes: vec![Hints::None, Hints::Full],
        fast: false,
        keep: false,
        laws: false,
        deed: Deed::Slim,
        slimmer: None,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--hints" => {
                options.modes = match arguments.next().map(String::as_str) {
                    Some("none") => vec![Hints::None],
                    Some("full") => vec![Hints::Full],
                    _ => return Err("--hints wants none or full".into()),
                }
            }
            "--fast" => options.fast = true,
            "--keep" => options.keep = true,
            "--laws" => options.laws = true,
            "--slimmer" => {
                let program = arguments.next().ok_or("--slimmer wants a program")?;
                options.slimmer = Some(program.into());
            }
            "--originals" => options.deed = Deed::Nothing,
            "--sabotage" => options.deed = Deed::Sabotage,
            "--list" => {}
            "--help" | "-h" => return Ok(None),
            option if option.starts_with('-') => {
                return Err(format!("cases: no such option: {option}\n\n{HELP}").into());
            }
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(Some(options))
}
