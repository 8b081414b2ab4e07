//! A case as its `case.toml` says it: how the image is run, what the slimmer is told, and the checks that go deeper. What the
//! file does not know is refused with its line, so that a misspelt expectation cannot pass for one that holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::step::{Step, Steps};
use crate::Problem;

/// One image with its checks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Case {
    /// The name of its folder.
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    /// What it is, in the first column of the table.
    pub(crate) what: String,
    /// Small and quick enough for every `cargo xtask test`.
    #[serde(default)]
    pub(crate) fast: bool,
    #[serde(default)]
    pub(crate) run: Run,
    /// Containers that stand beside it.
    #[serde(default, rename = "companion")]
    pub(crate) companions: Vec<Companion>,
    #[serde(default)]
    pub(crate) slim: Slim,
    #[serde(rename = "check")]
    pub(crate) checks: Vec<Check>,
    /// Each of these paths, missing from the image, must be noticed by a check.
    #[serde(default)]
    pub(crate) sabotage: Vec<String>,
}

/// How the container is started.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Run {
    /// Instead of the image's CMD.
    pub(crate) command: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Published ports; the first is the one that requests go to.
    pub(crate) ports: Vec<u16>,
    /// Paths of named volumes, empty at the start, kept over restarts.
    pub(crate) volumes: Vec<String>,
    /// Files of the case's folder and where the container sees them, read-only.
    pub(crate) files: BTreeMap<String, String>,
    /// Further options of `docker run`.
    pub(crate) options: Vec<String>,
    /// What must hold before anything is asked. Without it nothing is started: a command-line image.
    pub(crate) ready: Option<Step>,
}

/// Another image of `cases/companions/`, reachable under its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Companion {
    pub(crate) name: String,
    pub(crate) image: String,
    /// Where it listens.
    pub(crate) port: u16,
    /// The slimmer starts one of its own for every start of the program, since what is asked changes what it holds.
    #[serde(default)]
    pub(crate) fresh: bool,
}

/// What the slimmer is told beside what the image cannot be started without.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Slim {
    /// Arguments in both modes: what a person has to say for it to run at all.
    pub(crate) always: Vec<String>,
    /// Arguments at full traffic.
    pub(crate) full: Vec<String>,
    /// Probes at full traffic, one a line.
    pub(crate) probes: String,
}

/// Something that the image must still do.
#[derive(Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

impl Case {
    /// Reads `FOLDER/case.toml`.
    pub(crate) fn read(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join("case.toml");
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("the folder of a case has a name in UTF-8")?;
        let wrong = |problem: String| format!("{name}/case.toml: {problem}");
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let mut case = Self::parse(&text).map_err(wrong)?;
        case.name = name.to_owned();
        case.folder = folder.to_path_buf();
        Ok(case)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let case: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut names: Vec<&str> = case
            .checks
            .iter()
            .map(|check| check.name.as_str())
            .collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two checks are called `{}`", pair[0]));
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

impl TryFrom<toml::Table> for Check {
    type Error = String;

    /// A check is one step, written without a table of its own, or several under `do`.
    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let name = match table.remove("name") {
            Some(toml::Value::String(name)) => name,
            _ => return Err("a check without a name".to_owned()),
        };
        let named = |error: toml::de::Error| format!("check `{name}`: {}", error.message());
        let steps = match table.remove("do") {
            Some(_) if !table.is_empty() => {
                return Err(format!("check `{name}`: `do` stands alone"));
            }
            Some(steps) => steps.try_into::<Steps>().map_err(named)?.0,
            None => vec![
                toml::Value::Table(table)
                    .try_into::<Step>()
                    .map_err(named)?,
            ],
        };
        if steps.is_empty() {
            return Err(format!("check `{name}`: does nothing"));
        }
        Ok(Self { name, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::Case;

    fn check(text: &str, expected: Result<usize, &str>) {
        let found = Case::parse(&format!("what = 'x'\n{text}")).map(|case| case.checks.len());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(expected)) => {
                assert!(found.contains(expected), "{text}: {found}");
            }
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn checks_are_read() {
        check("check = [{ name = 'a', http = '/' }]", Ok(1));
        check(
            "check = [{ name = 'a', do = [{ signal = 'HUP' }, { http = '/', status = 404 }] }]",
            Ok(1),
        );
    }

    #[test]
    fn what_would_never_fail_is_refused() {
        check(
            "check = [{ name = 'a', http = '/', statsu = 1 }]",
            Err("statsu"),
        );
        check("check = [{ http = '/' }]", Err("without a name"));
        check("check = [{ name = 'a' }]", Err("one of"));
        check("check = [{ name = 'a', do = [] }]", Err("does nothing"));
        check(
            "check = [{ name = 'a', http = '/', exec = ['x'] }]",
            Err("one of"),
        );
        check(
            "check = [{ name = 'a', http = '/' }, { name = 'a', http = '/' }]",
            Err("two checks"),
        );
    }
}
