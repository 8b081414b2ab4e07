//! `cargo xtask conformance`: Dockerfiles built by jettison, compared with what a real BuildKit makes of them. BuildKit's answers
//! are data (`conformance/NAME/expected.json`), so that the comparison needs neither BuildKit nor Go.

mod answer;
mod bases;
mod case;
mod compare;
mod failure;
pub(crate) mod jettison;
mod judge;
pub(crate) mod layout;
mod scratch;
pub(crate) mod server;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::buildkit::BuildKit;
use answer::Answer;
use bases::Base;
use case::Case;
use compare::Difference;
use jettison::Jettison;
use server::Server;

use crate::test::tally::Tally;
use crate::{Problem, processes, workspace};

const HELP: &str = "\
Usage: cargo xtask conformance [NAME…] [--judge] [--again] [--program PATH] [--bases FOLDER] [--list]

Builds the cases of conformance/ with jettison and compares them with BuildKit's answers. NAME may end in *.
  --judge          Ask BuildKit (root, runc, Go) and write its answers
  --again          Ask BuildKit and compare with the answers that are written down
  --program PATH   Another program with the command line of jettison, instead of a build of it
  --bases FOLDER   Only make the bases, OCI layouts, below that folder
  --list           List the cases
";

#[derive(Default)]
struct Options {
    names: Vec<String>,
    is_judging: bool,
    is_asking_again: bool,
    is_listing: bool,
    program: Option<PathBuf>,
    bases: Option<PathBuf>,
}

/// What all cases share.
struct Place {
    bases: Vec<Base>,
    server: Server,
    /// The folder of the cases' copies.
    scratch: PathBuf,
}

/// Who builds.
enum Builder {
    BuildKit(Box<BuildKit>),
    Jettison(Jettison),
}

impl Builder {
    fn build(&self, case: &Case, scratch: &Path, bases: &[Base]) -> Result<Answer, Problem> {
        match self {
            Self::BuildKit(builder) => judge::build(builder, case, scratch, bases),
            Self::Jettison(builder) => builder.build(case, scratch, bases),
        }
    }
}

/// Runs the cases; an error when one differs without a reason.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let Some(options) = read_options(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    if let Some(folder) = &options.bases {
        for base in bases::make(folder)? {
            println!("{} {}", base.folder.display(), base.digest);
        }
        return Ok(());
    }
    let root = workspace::root();
    let mut cases = Case::all(&root.join("conformance"))?;
    if let Some(name) = options
        .names
        .iter()
        .find(|name| !cases.iter().any(|case| is_meant(name, &case.name)))
    {
        return Err(format!("no such case: {name}").into());
    }
    cases.retain(|case| {
        options.names.is_empty() || options.names.iter().any(|name| is_meant(name, &case.name))
    });
    if options.is_listing {
        for case in &cases {
            println!("{:32} {:22} {}", case.name, case.manual, case.title);
        }
        return Ok(());
    }
    processes::watch_interrupts()?;
    let folder = workplace()?;
    let builder = if options.is_judging || options.is_asking_again {
        Builder::BuildKit(Box::new(BuildKit::start(folder.path())?))
    } else {
        let store = folder.path().join("store");
        let jettison = match options.program {
            Some(program) => Jettison { program, store },
            None => Jettison::compile(&root, store)?,
        };
        if !jettison.knows_dockerfiles() {
            return Err(NO_DOCKERFILES.into());
        }
        Builder::Jettison(jettison)
    };
    let wrong = all(&cases, &builder, options.is_judging, folder.path())?;
    drop(builder);
    println!(
        "\n{} of {} cases as they should be",
        cases.len() - wrong.len(),
        cases.len()
    );
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(format!("not as it should be: {}", wrong.join(", ")).into()),
    }
}

/// All cases among the tests; answers what could not be had.
pub(crate) fn run_all(root: &Path, tally: &mut Tally) -> Result<Vec<String>, Problem> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(vec![
            "conformance (not root, whom the cases need for owners of files)".to_owned(),
        ]);
    }
    let cases = Case::all(&root.join("conformance"))?;
    let folder = workplace()?;
    let jettison = Jettison::compile(root, folder.path().join("store"))?;
    if !jettison.knows_dockerfiles() {
        return Ok(vec![format!("conformance ({NO_DOCKERFILES})")]);
    }
    println!("conformance with BuildKit");
    let wrong = all(&cases, &Builder::Jettison(jettison), false, folder.path())?;
    tally.add((cases.len() - wrong.len()) as u64, wrong.len() as u64);
    Ok(Vec::new())
}

/// Why there is nothing to compare.
const NO_DOCKERFILES: &str = "jettison build does not know --build-context and --target";

/// Names of the cases that are not as they should be. As many are built at a time as there are processors.
fn all(
    cases: &[Case],
    builder: &Builder,
    is_judging: bool,
    folder: &Path,
) -> Result<Vec<String>, Problem> {
    let place = Place {
        bases: bases::make(&folder.join("bases"))?,
        server: Server::start(folder.join("cases"))?,
        scratch: folder.join("cases"),
    };
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if processes::go_on().is_err() {
                return;
            }
            let begun = Instant::now();
            let outcome = one(case, builder, is_judging, &place);
            let _ = std::fs::remove_dir_all(place.scratch.join(&case.name));
            let (is_well, lines) = report(case, &outcome, begun.elapsed().as_secs_f64());
            // In one piece: others write, too.
            print!("{lines}");
            if !is_well && let Ok(mut wrong) = wrong.lock() {
                wrong.push(case.name.clone());
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    processes::go_on()?;
    let mut wrong = wrong.into_inner().map_err(|_| "a case ended in a panic")?;
    wrong.sort();
    Ok(wrong)
}

fn report(case: &Case, outcome: &Result<Vec<Difference>, Problem>, took_s: f64) -> (bool, String) {
    let line =
        |verdict: &str, more: &str| format!("{verdict:7} {:36} {took_s:4.1} s{more}\n", case.name);
    match outcome {
        Ok(differences) if differences.is_empty() => (true, line("same", "")),
        Ok(differences) => {
            let mut lines = line("DIFFERS", &format!("  {}", case.title));
            for difference in differences {
                lines.push_str(&format!("        {difference}\n"));
            }
            (false, lines)
        }
        Err(problem) => (false, line("DEFECT", &format!("  {problem}"))),
    }
}

fn one(
    case: &Case,
    builder: &Builder,
    is_judging: bool,
    place: &Place,
) -> Result<Vec<Difference>, Problem> {
    let (scratch, bases) = (place.scratch.join(&case.name), &place.bases);
    scratch::prepare(case, &scratch)?;
    let mut asked = case.clone();
    if scratch.join("served").is_dir() {
        let address = place.server.of(&case.name);
        asked.build_args.insert("SERVER".to_owned(), address);
    }
    let found = builder.build(&asked, &scratch, bases)?;
    let found = found.in_other_words(|text| place.server.mask(text));
    if is_judging {
        found.save(&case.folder)?;
    }
    let expected = Answer::load(&case.folder)?;
    let all = compare::differences(&expected, &found, &case.says, bases, &case.times)?;
    Ok(match builder {
        // What jettison does otherwise is no matter of the judge's.
        Builder::BuildKit(_) => all,
        Builder::Jettison(_) => compare::unexplained(all, &case.differs),
    })
}

/// Not under /tmp, which may be in memory, or be mounted without what images need.
fn workplace() -> Result<tempfile::TempDir, Problem> {
    Ok(tempfile::Builder::new()
        .prefix("jettison-conformance-")
        .tempdir_in("/var/tmp")?)
}

fn is_meant(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

fn read_options(arguments: &[String]) -> Result<Option<Options>, Problem> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut path = |what: &str| {
            let path = arguments.next().map(PathBuf::from);
            path.ok_or_else(|| format!("{argument} wants {what}"))
        };
        match argument.as_str() {
            "--judge" => options.is_judging = true,
            "--again" => options.is_asking_again = true,
            "--list" => options.is_listing = true,
            "--program" => options.program = Some(path("a program")?),
            "--bases" => options.bases = Some(path("a folder")?),
            "--help" | "-h" => return Ok(None),
            option if option.starts_with('-') => {
                return Err(format!("conformance: no such option: {option}\n\n{HELP}").into());
            }
            name => options.names.push(name.to_owned()),
        }
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Case, workspace};

    /// What is in git can be read, and every case has an answer of its kind, written by the judge and nobody else.
    #[test]
    fn cases_have_answers() {
        let cases = Case::all(&workspace::root().join("conformance")).expect("cases");
        assert!(cases.len() >= 120);
        for case in cases {
            let answer = Answer::load(&case.folder).expect(&case.name);
            let class = match &answer {
                Answer::Failed { fails, .. } => Some(*fails),
                Answer::Built(_) => None,
            };
            assert_eq!(class, case.fails, "{}", case.name);
            let written = std::fs::read_to_string(case.folder.join("expected.json"));
            assert_eq!(answer.text().ok(), written.ok(), "{}", case.name);
        }
    }
}
