//! Reference pages that jettison itself knows best: the command line, its man pages and completions, the schemas of its JSON.
//!
//! The hidden subcommand `jettison reference DIR` writes them: `cli.md` and `schema/*` (committed below `docs/`), `man/*.1` and
//! `completions/*` (shipped beside the release binary, not committed), and `parts/NAME.md`: the table that a page written by
//! hand shows between the markers of NAME.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Pages, Tables};
use crate::{Problem, workspace};

/// The subcommand that writes the pages.
const SUBCOMMAND: &str = "reference";

/// What of it is committed, by its name below `docs/`.
const COMMITTED: &[&str] = &["cli.md", "schema"];

/// What is committed of it.
pub(crate) struct Reference {
    /// The pages as they should be.
    pub(super) pages: Pages,
    /// Parts of other pages.
    pub(super) parts: Tables,
}

/// Has everything written, by a program or a debug build, and reads what is committed.
pub(crate) fn read(root: &Path, program: Option<&Path>) -> Result<Reference, Problem> {
    let mut pages = Pages::new();
    let folder = tempfile::tempdir()?;
    match program {
        Some(program) => {
            let mut command = Command::new(program);
            succeed(command.arg(SUBCOMMAND).arg(folder.path()))?;
        }
        None => write(root, folder.path())?,
    }
    for name in COMMITTED {
        collect(folder.path(), Path::new(name), &mut pages)?;
    }
    if pages.is_empty() {
        return Err("the reference subcommand wrote none of the pages that are committed".into());
    }
    let mut parts = Tables::new();
    for entry in std::fs::read_dir(folder.path().join("parts"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        parts.insert(name.into_owned(), std::fs::read_to_string(&path)?);
    }
    Ok(Reference { pages, parts })
}

/// Has a debug build write everything into `folder`.
pub(crate) fn write(root: &Path, folder: &Path) -> Result<(), Problem> {
    let mut command = workspace::cargo();
    command.args(["run", "--quiet", "--package", "jettison", "--", SUBCOMMAND]);
    succeed(command.arg(folder).current_dir(root))
}

fn succeed(command: &mut Command) -> Result<(), Problem> {
    let status = command.status()?;
    if !status.success() {
        return Err(format!("jettison {SUBCOMMAND}: {status}").into());
    }
    Ok(())
}

/// Committed pages below the generated folders that nothing writes now.
pub(crate) fn no_longer_generated(root: &Path, pages: &Pages) -> Result<Vec<PathBuf>, Problem> {
    let mut present = Pages::new();
    for name in COMMITTED {
        collect(&root.join("docs"), Path::new(name), &mut present)?;
    }
    Ok(present
        .into_keys()
        .filter(|path| !pages.contains_key(path))
        .collect())
}

fn collect(folder: &Path, name: &Path, pages: &mut Pages) -> Result<(), Problem> {
    let path = folder.join(name);
    if path.is_dir() {
        for entry in std::fs::read_dir(&path)? {
            collect(folder, &name.join(entry?.file_name()), pages)?;
        }
    } else if path.is_file() {
        pages.insert(
            Path::new("docs").join(name),
            std::fs::read_to_string(&path)?,
        );
    }
    Ok(())
}
