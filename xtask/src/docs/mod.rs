//! `cargo xtask docs`: pages and tables that are derived, written to where they are committed. `--check` writes nothing and
//! fails when one is stale; neither ever measures anything. `--program PATH` is asked instead of a build of jettison.

mod markers;
pub(crate) mod reference;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Problem, workspace};

/// Pages by their path below the root of the workspace.
type Pages = BTreeMap<PathBuf, String>;

/// Generated parts of pages by their name.
type Tables = BTreeMap<String, String>;

/// Writes what has changed, or says what is stale.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    let (mut check, mut program) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => check = true,
            "--program" => {
                program = Some(PathBuf::from(
                    arguments.next().ok_or("--program wants a program")?,
                ));
            }
            _ => return Err("docs takes --check, --program PATH and nothing else".into()),
        }
    }
    let root = workspace::root();
    write(&root, program.as_deref(), check)
}

/// Writes what has changed, or says what is stale when it is to be checked only.
pub(crate) fn write(root: &Path, program: Option<&Path>, check: bool) -> Result<(), Problem> {
    let reference::Reference { mut pages, parts } = reference::read(root, program)?;
    pages.extend(pages_with_tables(root, parts)?);
    let mut stale = Vec::new();
    for (path, text) in &pages {
        let target = root.join(path);
        if std::fs::read_to_string(&target).is_ok_and(|present| present == *text) {
            continue;
        }
        stale.push(path.display().to_string());
        if !check {
            std::fs::create_dir_all(target.parent().unwrap_or(root))?;
            std::fs::write(&target, text)?;
        }
    }
    for path in reference::no_longer_generated(root, &pages)? {
        stale.push(format!(
            "{} (nothing generates it any more)",
            path.display()
        ));
        if !check {
            std::fs::remove_file(root.join(&path))?;
        }
    }
    match (stale.as_slice(), check) {
        ([], _) => println!("docs: {} generated pages are fresh", pages.len()),
        (stale, false) => println!("docs: wrote {}", stale.join(", ")),
        (stale, true) => {
            return Err(format!("stale, run `cargo xtask docs`: {}", stale.join(", ")).into());
        }
    }
    Ok(())
}

/// Every hand-written page that shows a generated table, with the tables as they should be.
fn pages_with_tables(root: &Path, parts: Tables) -> Result<Pages, Problem> {
    let mut tables = tables(&root.join("docs/results"))?;
    tables.extend(parts);
    let mut candidates = vec![PathBuf::from("README.md"), PathBuf::from("ARCHITECTURE.md")];
    if let Ok(entries) = std::fs::read_dir(root.join("docs")) {
        for entry in entries {
            let name = PathBuf::from("docs").join(entry?.file_name());
            if name.extension().is_some_and(|extension| extension == "md") {
                candidates.push(name);
            }
        }
    }
    let mut pages = Pages::new();
    for name in candidates {
        let Ok(text) = std::fs::read_to_string(root.join(&name)) else {
            continue;
        };
        let rendered = markers::fill(&text, &tables)
            .map_err(|problem| format!("{}: {problem}", name.display()))?;
        if let Some(rendered) = rendered {
            pages.insert(name, rendered);
        }
    }
    Ok(pages)
}

/// `NAME` is the table of `docs/results/NAME.json`, `NAME-goals` what it was to reach; or the words of `docs/results/NAME.txt`.
fn tables(folder: &Path) -> Result<Tables, Problem> {
    let mut tables = Tables::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(tables);
    };
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let has_extension = |wanted: &str| path.extension().is_some_and(|own| own == wanted);
        if has_extension("txt") {
            let words = std::fs::read_to_string(&path)?;
            tables.insert(name, format!("```text\n{}\n```", words.trim_end()));
            continue;
        }
        if !has_extension("json") {
            continue;
        }
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let result: Value = serde_json::from_slice(&std::fs::read(&path)?)
            .map_err(|error| wrong(error.to_string()))?;
        tables.insert(
            format!("{name}-goals"),
            table::goals(&result).map_err(wrong)?,
        );
        tables.insert(name, table::figures(&result).map_err(wrong)?);
    }
    Ok(tables)
}
