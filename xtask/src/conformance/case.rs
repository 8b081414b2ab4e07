//! A case as its `case.toml` says it: how it is built, how it must fail, and where jettison's answer may differ and why. What the
//! file does not know is refused with its line, so that a misspelt expectation cannot pass for one that holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::failure::Class;
use crate::Problem;

/// One Dockerfile with its context.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    /// The name of its folder.
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// What it shows, in one line.
    pub(crate) title: String,
    /// The section of the Dockerfile reference manual.
    pub(crate) manual: String,
    /// The Dockerfile, seen from the case's folder.
    #[serde(default = "dockerfile")]
    pub(crate) file: String,
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) build_args: BTreeMap<String, String>,
    /// Secrets by name: files of the case's folder.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, String>,
    /// Named contexts beside the bases: folders of the case's folder.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, String>,
    /// The class of failure, for a case that must not build.
    pub(crate) fails: Option<Class>,
    /// Words that the message of the failure must have, BuildKit's and jettison's alike.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Paths whose time of modification counts.
    #[serde(default)]
    pub(crate) times: Vec<String>,
    #[serde(default)]
    pub(crate) differs: Vec<Exception>,
}

/// A difference that is meant to be.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    /// A path of the image, or what is compared beside paths: `config.Env`, `author`, `outcome`, `message`.
    pub(crate) path: String,
    pub(crate) because: String,
}

impl Case {
    fn read(folder: &Path) -> Result<Self, Problem> {
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("the folder of a case has a name in UTF-8")?;
        let wrong = |problem: String| format!("{name}/case.toml: {problem}");
        let text = std::fs::read_to_string(folder.join("case.toml"))
            .map_err(|error| wrong(error.to_string()))?;
        let mut case = Self::parse(&text).map_err(wrong)?;
        case.name = name.to_owned();
        case.folder = folder.to_path_buf();
        Ok(case)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let case: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if case.fails.is_none() && !case.says.is_empty() {
            return Err("`says` without `fails`".to_owned());
        }
        if case.differs.iter().any(|one| one.because.trim().is_empty()) {
            return Err("a difference without its reason".to_owned());
        }
        Ok(case)
    }

    /// Every case below a folder, in the order of their names.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, Problem> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, std::io::Error>>()?;
        folders.retain(|folder| folder.join("case.toml").is_file());
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }
}

fn dockerfile() -> String {
    "Dockerfile".to_owned()
}

#[cfg(test)]
mod tests {
    use super::Case;

    fn check(text: &str, expected: Result<(), &str>) {
        let found = Case::parse(&format!("title = 'x'\nmanual = 'RUN'\n{text}"));
        match (found, expected) {
            (Ok(_), Ok(())) => {}
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
            (found, expected) => panic!("{text}: {:?}, not {expected:?}", found.err()),
        }
    }

    #[test]
    fn cases_are_read() {
        check("", Ok(()));
        check("build-args = { A = 'b' }\ntimes = ['/a']", Ok(()));
        check("fails = 'exit-code'\nsays = ['7']", Ok(()));
    }

    #[test]
    fn what_would_never_fail_is_refused() {
        check("buildargs = {}", Err("buildargs"));
        check("says = ['x']", Err("without `fails`"));
        check("fails = 'somehow'", Err("somehow"));
        check(
            "differs = [{ path = '/a', because = ' ' }]",
            Err("without its reason"),
        );
    }
}
