//! A guide as its `guide.toml` says it: its Dockerfiles, what sizes it claims, and which of its claims contradict each other.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Problem;

/// Claims of one subject agree when they are this close: guides round.
const AGREE_RATIO: f64 = 1.1;

/// One guide.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Guide {
    /// The name of its folder.
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default, rename = "dockerfile")]
    pub(crate) dockerfiles: Vec<Recipe>,
    #[serde(default, rename = "claim")]
    pub(crate) claims: Vec<Claim>,
}

/// One Dockerfile of a guide.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    /// Beside `guide.toml`.
    pub(crate) file: String,
    /// Where it begins in the guide.
    pub(crate) line: usize,
    /// What is built: a folder of `guides/projects`.
    pub(crate) project: String,
    /// The program is compiled on the machine first, since the file copies it from the context.
    #[serde(default)]
    pub(crate) compiled: bool,
    /// The size that the guide promises for the image.
    pub(crate) claim_mb: Option<f64>,
    /// What must keep working, in the words of `--probe`.
    #[serde(default)]
    pub(crate) probes: Vec<String>,
    /// Words of the message, of a file that cannot build.
    #[serde(default)]
    pub(crate) fails: Vec<String>,
    /// What a stand-in for its bases cannot prove.
    #[serde(default)]
    pub(crate) unproven: Vec<String>,
    /// It is small and quick enough for every run of the tests.
    #[serde(default)]
    pub(crate) fast: bool,
}

/// A size that a guide says something has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) line: usize,
    pub(crate) what: String,
    pub(crate) mb: f64,
}

impl Guide {
    /// Every guide below a folder, in the order of their names.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, Problem> {
        let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, std::io::Error>>()?;
        folders.retain(|folder| folder.join("guide.toml").is_file());
        folders.sort();
        folders.iter().map(|folder| Self::read(folder)).collect()
    }

    fn read(folder: &Path) -> Result<Self, Problem> {
        let path = folder.join("guide.toml");
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let mut guide: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        guide.name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        guide.folder = folder.to_path_buf();
        Ok(guide)
    }

    /// One sentence for each subject of which the guide says two sizes.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (number, claim) in self.claims.iter().enumerate() {
            let mut before = self.claims[..number].iter();
            let Some(first) = before.find(|first| first.what == claim.what) else {
                continue;
            };
            let (low, high) = (first.mb.min(claim.mb), first.mb.max(claim.mb));
            if high > low * AGREE_RATIO {
                found.push(format!(
                    "{}: {} MB in line {}, {} MB in line {}",
                    claim.what, first.mb, first.line, claim.mb, claim.line
                ));
            }
        }
        found
    }
}

impl Recipe {
    /// `alpine` of `01-alpine.Dockerfile`.
    pub(crate) fn name(&self) -> &str {
        self.file.trim_end_matches(".Dockerfile")
    }
}

/// The images that a Dockerfile stands on: what FROM names and no stage is called.
pub(crate) fn bases(dockerfile: &str) -> Vec<String> {
    let (mut stages, mut found) = (Vec::new(), Vec::new());
    for line in dockerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let &["FROM", base, ref rest @ ..] = words.as_slice() else {
            continue;
        };
        if base != "scratch" && !stages.contains(&base) && !found.iter().any(|name| name == base) {
            found.push(base.to_owned());
        }
        if let &["AS", name] = rest {
            stages.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Guide, bases};
    use crate::workspace;

    #[test]
    fn all_of_them() {
        let guides = Guide::all(&workspace::root().join("guides")).expect("guides");
        let all: Vec<_> = guides.iter().flat_map(|guide| &guide.dockerfiles).collect();
        assert_eq!(all.len(), 31);
        assert_eq!(all.iter().filter(|one| !one.fails.is_empty()).count(), 4);
        for guide in &guides {
            for one in &guide.dockerfiles {
                let text = std::fs::read_to_string(guide.folder.join(&one.file));
                assert!(text.expect(&one.file).contains("FROM "), "{}", one.file);
            }
        }
    }

    #[test]
    fn contradictions() {
        let check = |claims: &[(&str, f64)], expected: usize| {
            let mut text = "title = 'x'\nsource = 'y'\n".to_owned();
            for (what, mb) in claims {
                text.push_str(&format!(
                    "[[claim]]\nline = 1\nwhat = '{what}'\nmb = {mb:?}\n"
                ));
            }
            let guide: Guide = toml::from_str(&text).expect("a guide");
            assert_eq!(guide.contradictions().len(), expected, "{claims:?}");
        };
        check(&[("a", 1.0), ("b", 2.0)], 0);
        check(&[("a", 13.0), ("a", 13.2)], 0);
        check(&[("a", 2.0), ("a", 14.0)], 1);
    }

    #[test]
    fn what_a_dockerfile_stands_on() {
        let text = "FROM a:1 AS b\nFROM scratch\nFROM b\nFROM c\nFROM a:1\n";
        assert_eq!(bases(text), ["a:1", "c"]);
    }
}
