//! `cargo xtask guides`: the Dockerfiles of published guides to small images, built by jettison on stand-ins for the bases that they
//! name, slimmed, proved, and tabled beside the sizes that the guides claim. `guides/README.md` says what is there.

mod alpine;
mod archive;
mod bases;
mod guide;
mod packages;
mod trial;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use bases::Kind;
use guide::{Guide, Recipe};
use packages::Packages;
use trial::{Outcome, Place};

use crate::bench::record::Record;
use crate::conformance::jettison::Jettison;
use crate::conformance::server::Server;
use crate::test::tally::Tally;
use crate::{Problem, processes, workspace};

const HELP: &str = "\
Usage: cargo xtask guides [NAME…] [--fast] [--program PATH] [--list]

Builds the Dockerfiles of guides/ on stand-ins for their bases, slims and proves what comes out, and compares with the sizes that
the guides claim. A run of all of them is written to docs/results/guides.json. NAME is GUIDE, or GUIDE/DOCKERFILE.
  --fast           Only those that are small and quick
  --program PATH   Another program with the command line of jettison, instead of a build of it
  --list           List the Dockerfiles, and what the guides say twice and differently
";

#[derive(Default)]
struct Options {
    names: Vec<String>,
    is_fast: bool,
    is_listing: bool,
    program: Option<PathBuf>,
}

/// Runs them; an error when one is not as it should be.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let Some(options) = read_options(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    let root = workspace::root();
    let guides = Guide::all(&root.join("guides"))?;
    if options.is_listing {
        guides.iter().for_each(list);
        return Ok(());
    }
    let chosen = chosen(&guides, &options)?;
    processes::watch_interrupts()?;
    let program = match &options.program {
        Some(program) => program.clone(),
        None => Jettison::compile(&root, PathBuf::new())?.program,
    };
    let rows = all(&root, &chosen, &program)?;
    let record = record(&guides, &rows);
    print!("\n{record}");
    let wrong: Vec<&str> = rows
        .iter()
        .filter(|row| !row.is_well)
        .map(|row| row.name.as_str())
        .collect();
    // One that is wrong is in the table as such: what is published must not look better than what was found.
    if options.names.is_empty() && !options.is_fast {
        record.write(&root.join("docs/results/guides.json"), 1)?;
        crate::docs::write(&root, options.program.as_deref(), false)?;
    }
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(format!("not as it should be: {}", wrong.join(", ")).into()),
    }
}

/// The quick ones among the tests; answers what could not be had.
pub(crate) fn run_fast(root: &Path, tally: &mut Tally) -> Result<Vec<String>, Problem> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(vec!["guides (not root, whom RUN needs here)".to_owned()]);
    }
    if workspace::find_program("go").is_none() || workspace::find_program("apt-get").is_none() {
        return Ok(vec!["guides (no go, or no apt-get)".to_owned()]);
    }
    let guides = Guide::all(&root.join("guides"))?;
    let options = Options {
        is_fast: true,
        ..Options::default()
    };
    let program = Jettison::compile(root, PathBuf::new())?.program;
    println!("guides");
    let rows = match all(root, &chosen(&guides, &options)?, &program) {
        Ok(rows) => rows,
        Err(problem) => {
            processes::go_on()?;
            return Ok(vec![format!("guides ({problem})")]);
        }
    };
    let failed = rows.iter().filter(|row| !row.is_well).count() as u64;
    tally.add(rows.len() as u64 - failed, failed);
    Ok(Vec::new())
}

/// A Dockerfile and what became of it.
struct Row {
    guide: String,
    recipe: Recipe,
    name: String,
    outcome: Result<Outcome, Problem>,
    is_well: bool,
}

fn chosen<'a>(
    guides: &'a [Guide],
    options: &Options,
) -> Result<Vec<(&'a Guide, &'a Recipe)>, Problem> {
    let all = guides.iter().flat_map(|guide| {
        let recipes = guide.dockerfiles.iter();
        recipes.map(move |recipe| (guide, recipe))
    });
    let mut chosen: Vec<_> = all.collect();
    let is_meant = |name: &str, (guide, recipe): &(&Guide, &Recipe)| {
        name == guide.name || name == format!("{}/{}", guide.name, recipe.name())
    };
    let mut names = options.names.iter();
    if let Some(name) = names.find(|name| !chosen.iter().any(|one| is_meant(name, one))) {
        return Err(format!("no such guide or Dockerfile: {name}").into());
    }
    chosen.retain(|one| {
        options.names.is_empty() || options.names.iter().any(|name| is_meant(name, one))
    });
    chosen.retain(|(_, recipe)| !options.is_fast || recipe.fast);
    Ok(chosen)
}

fn all(root: &Path, chosen: &[(&Guide, &Recipe)], program: &Path) -> Result<Vec<Row>, Problem> {
    let folder = tempfile::Builder::new()
        .prefix("jettison-guides-")
        .tempdir_in("/var/tmp")?;
    let packages = Packages::new()?;
    let server = Server::start(folder.path().join("served"))?;
    let repository = folder.path().join("served/apk/served");
    std::fs::create_dir_all(&repository)?;
    let mut kinds = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for (guide, recipe) in chosen {
        let text = std::fs::read_to_string(guide.folder.join(&recipe.file))?;
        for name in guide::bases(&text) {
            kinds.insert(Kind::of(&name)?);
        }
        if text.contains("apk add") {
            let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '-');
            wanted.extend(
                words.filter_map(|word| alpine::NAMES.into_iter().find(|name| *name == word)),
            );
        }
    }
    for name in wanted {
        alpine::publish(name, &packages, &bases::go_root()?, &repository)?;
    }
    let scripts = root.join("guides/bases/alpine");
    let bases = bases::make(
        kinds,
        &packages,
        &scripts,
        &server.of("apk"),
        &folder.path().join("bases"),
    )?;
    let place = Place {
        program,
        projects: &root.join("guides/projects"),
        bases: &bases,
        scratch: folder.path(),
    };
    let mut rows = Vec::new();
    for (guide, recipe) in chosen {
        processes::go_on()?;
        trial::tidy(&place)?;
        let outcome = trial::run(&place, guide, recipe);
        let is_well = is_well(recipe, &outcome);
        let name = format!("{}/{}", guide.name, recipe.name());
        println!("{}", in_short(&name, is_well, &outcome));
        rows.push(Row {
            guide: guide.name.clone(),
            recipe: (*recipe).clone(),
            name,
            outcome,
            is_well,
        });
    }
    Ok(rows)
}

/// What can build is slimmed and whole; what cannot says why.
fn is_well(recipe: &Recipe, outcome: &Result<Outcome, Problem>) -> bool {
    match outcome {
        Ok(Outcome::Built { verdict, .. }) => recipe.fails.is_empty() && verdict == "whole",
        Ok(Outcome::Refused { said }) => {
            !recipe.fails.is_empty()
                && recipe
                    .fails
                    .iter()
                    .all(|words| said.contains(words.as_str()))
        }
        Err(_) => false,
    }
}

fn in_short(name: &str, is_well: bool, outcome: &Result<Outcome, Problem>) -> String {
    let word = if is_well { "well " } else { "WRONG" };
    let mb = |bytes: u64| bytes as f64 / 1e6;
    match outcome {
        Ok(Outcome::Built {
            build_s,
            original,
            small,
            verdict,
            said,
        }) => {
            let small = small.map_or_else(
                || "none".to_owned(),
                |small| format!("{:.2} MB", mb(small.unpacked)),
            );
            let said = if is_well {
                String::new()
            } else {
                format!("\n      {}", said.replace('\n', "\n      "))
            };
            format!(
                "{word} {name:36} {build_s:5.1} s  {:.2} MB → {small}, {verdict}{said}",
                mb(original.unpacked)
            )
        }
        Ok(Outcome::Refused { said }) => {
            format!(
                "{word} {name:36} cannot build:\n      {}",
                said.replace('\n', "\n      ")
            )
        }
        Err(problem) => format!("{word} {name:36} {problem}"),
    }
}

fn record(guides: &[Guide], rows: &[Row]) -> Record {
    let mut record = Record::new("Dockerfile");
    for row in rows {
        let mut figures = vec![("line", json!(row.recipe.line))];
        if let Some(claim) = row.recipe.claim_mb {
            figures.push(("claimed_bytes", json!((claim * 1e6) as u64)));
        }
        match &row.outcome {
            Ok(Outcome::Built {
                original,
                small,
                verdict,
                ..
            }) => {
                figures.push(("built_bytes", json!(original.unpacked)));
                if let Some(small) = small {
                    figures.push(("slimmed_bytes", json!(small.unpacked)));
                    figures.push(("slimmed_on_the_wire_bytes", json!(small.wire)));
                }
                figures.push(("verdict", json!(verdict)));
            }
            Ok(Outcome::Refused { .. }) if row.is_well => {
                let fails = row.recipe.fails.join("; ");
                figures.push(("verdict", json!(format!("cannot build: {fails}"))));
            }
            // What was said names places of this machine.
            Ok(Outcome::Refused { .. }) => figures.push(("verdict", json!("stopped"))),
            Err(_) => figures.push(("verdict", json!("not tried to the end"))),
        }
        if !row.recipe.unproven.is_empty() {
            figures.push(("unproven", json!(row.recipe.unproven.join("; "))));
        }
        record.row(&format!("{}/{}", row.guide, row.recipe.name()), &figures);
    }
    let wrong = rows.iter().filter(|row| !row.is_well).count();
    record.goal("Dockerfiles not as they should be", 0.0, wrong as f64, "");
    for guide in guides {
        for contradiction in guide.contradictions() {
            record.without(format!("agreement within {}: {contradiction}", guide.name));
        }
    }
    record
}

fn list(guide: &Guide) {
    for recipe in &guide.dockerfiles {
        let claim = recipe
            .claim_mb
            .map_or_else(String::new, |mb| format!("{mb} MB"));
        println!(
            "{:40} line {:4} {claim}",
            format!("{}/{}", guide.name, recipe.name()),
            recipe.line
        );
    }
    for contradiction in guide.contradictions() {
        println!("{:40} contradicts itself: {contradiction}", guide.name);
    }
}

fn read_options(arguments: &[String]) -> Result<Option<Options>, Problem> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--fast" => options.is_fast = true,
            "--list" => options.is_listing = true,
            "--program" => {
                let program = arguments.next().ok_or("--program wants a program")?;
                options.program = Some(program.into());
            }
            "--help" | "-h" => return Ok(None),
            option if option.starts_with('-') => {
                return Err(format!("guides: no such option: {option}\n\n{HELP}").into());
            }
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(Some(options))
}
