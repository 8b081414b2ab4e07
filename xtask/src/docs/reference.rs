//! Reference pages that jettison itself knows best: the command line, its man pages and completions, the schemas of its JSON.
//!
//! The hidden subcommand `jettison reference DIR` writes them: `cli.md` and `schema/*` (committed below `docs/`), `man/*.1` and
//! `completions/*` (shipped beside the release binary, not committed).

use std::path::{Path, PathBuf};

use super::Pages;
use crate::{Problem, workspace};

/// The subcommand that writes the pages.
const SUBCOMMAND: &str = "reference";

/// What of it is committed, by its name below `docs/`.
const COMMITTED: &[&str] = &["cli.md", "schema"];

/// The committed pages as they should be.
pub(crate) fn pages(root: &Path) -> Result<Pages, Problem> {
    let mut pages = Pages::new();
    let folder = tempfile::tempdir()?;
    write(root, folder.path())?;
    for name in COMMITTED {
        collect(folder.path(), Path::new(name), &mut pages)?;
    }
    if pages.is_empty() {
        return Err("the reference subcommand wrote none of the pages that are committed".into());
    }
    Ok(pages)
}

/// Has a debug build write everything into `folder`.
pub(crate) fn write(root: &Path, folder: &Path) -> Result<(), Problem> {
    let status = workspace::cargo()
        .args(["run", "--quiet", "--package", "jettison", "--", SUBCOMMAND])
        .arg(folder)
        .current_dir(root)
        .status()?;
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
