//! The originals: built by the Docker engine once for every state of their folder, and asked twice, so that a check that the original fails or answers now so and now otherwise is found to be a defect of the case.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::base;
use super::case::Case;
use super::client::{Client, last_words};
use super::made;
use crate::Problem;

/// Another one where the same folder makes another image.
const FORM: &str = "without case.toml";
/// How long a build may take; the slowest downloads some hundred packages.
const BUILD: Duration = Duration::from_secs(3600);

/// Where images come from and are kept.
pub(crate) struct Workshop<'a> {
    pub(crate) client: &'a Client,
    /// `cases/` of the checkout.
    pub(crate) cases: PathBuf,
    /// Outside the checkout.
    pub(crate) cache: PathBuf,
}

/// An original image.
pub(crate) struct Original {
    pub(crate) tag: String,
    /// Of its sources, and of everything below it.
    pub(crate) hash: String,
}

/// Tags name no version: there is one state of the checkout.
pub(crate) fn companion_tag(image: &str) -> String {
    format!("case-companion-{image}:original")
}

impl Workshop<'_> {
    /// The image of a case, its companions and its base.
    pub(crate) fn original(&self, case: &Case) -> Result<Original, Problem> {
        for companion in &case.companions {
            let folder = self.cases.join("companions").join(&companion.image);
            self.image(&folder, &companion_tag(&companion.image))?;
        }
        let tag = format!("case-{}:original", case.name);
        let hash = self.image(&case.folder, &tag)?;
        Ok(Original { tag, hash })
    }

    /// What `docker save` makes of an original. It is a gigabyte, so it is kept only where that is wanted.
    pub(crate) fn archive(
        &self,
        case: &Case,
        original: &Original,
        keep: bool,
        scratch: &Path,
    ) -> Result<PathBuf, Problem> {
        let name = format!("{}-{}.tar", case.name, original.hash);
        let kept = self.cache.join(&name);
        if kept.is_file() {
            return Ok(kept);
        }
        self.forget_older(&case.name)?;
        let part = scratch.join(&name);
        let path = part.display().to_string();
        self.client
            .demand_within(&["save", "--output", &path, &original.tag], BUILD)?;
        if !keep {
            return Ok(part);
        }
        std::fs::copy(&part, kept.with_extension("part"))?;
        std::fs::remove_file(&part)?;
        std::fs::rename(kept.with_extension("part"), &kept)?;
        Ok(kept)
    }

    /// Where what the original answered is kept: it depends on the checks, too.
    pub(crate) fn answers(&self, case: &Case, original: &Original) -> Result<PathBuf, Problem> {
        let text = std::fs::read(case.folder.join("case.toml"))?;
        let hash = hex::encode(Sha256::digest([original.hash.as_bytes(), &text].concat()));
        Ok(self
            .cache
            .join(format!("{}-answers-{}.json", case.name, &hash[..16])))
    }

    /// Builds a folder unless the engine has its present state, and answers the hash of that state.
    fn image(&self, folder: &Path, tag: &str) -> Result<String, Problem> {
        let dockerfile = std::fs::read_to_string(folder.join("Dockerfile"))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let below = match base_of(&dockerfile) {
            Some(base) if base == base::TAG => {
                base::provide(self.client, &self.cache)?;
                self.id(base)?
            }
            Some(base) => {
                let name = base
                    .strip_prefix("case-")
                    .and_then(|base| base.strip_suffix(":12"));
                let name = name.ok_or_else(|| format!("{base} is no base of the cases"))?;
                self.image(&self.cases.join("bases").join(name), base)?
            }
            None => return Err(format!("{}: no FROM", folder.display()).into()),
        };
        let context = tempfile::Builder::new()
            .prefix("jettison-case-")
            .tempdir_in("/var/tmp")?;
        let hash = hash_of(folder, &below)?;
        let label = format!("jettison.case={hash}");
        let present = self.client.demand(&[
            "images",
            "--quiet",
            "--filter",
            &format!("label={label}"),
            "--filter",
            &format!("reference={tag}"),
        ])?;
        if !present.is_empty() {
            return Ok(hash);
        }
        println!("building {tag}");
        copy_tree(folder, context.path())?;
        // It names what will be asked: an image that holds it would tell the slimmer.
        let case = context.path().join("case.toml");
        if case.exists() {
            std::fs::remove_file(case)?;
        }
        made::provide(&dockerfile, context.path(), &self.cache)?;
        let path = context.path().display().to_string();
        let output = self.client.ask(
            &[
                "build",
                "--force-rm",
                "--tag",
                tag,
                "--label",
                &label,
                &path,
            ],
            None,
            BUILD,
        )?;
        if !output.status.success() {
            return Err(format!("{tag} cannot be built: {}", last_words(&output)).into());
        }
        Ok(hash)
    }

    fn id(&self, tag: &str) -> Result<String, Problem> {
        self.client
            .demand(&["image", "inspect", "--format", "{{.Id}}", tag])
    }

    /// Archives of earlier states of a case.
    fn forget_older(&self, name: &str) -> Result<(), Problem> {
        for entry in std::fs::read_dir(&self.cache)? {
            let entry = entry?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let is_older = file
                .strip_suffix(".tar")
                .or_else(|| file.strip_suffix(".part"))
                .and_then(|stem| stem.rsplit_once('-'))
                .is_some_and(|(stem, _)| stem == name);
            if is_older {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The image of the last FROM.
fn base_of(dockerfile: &str) -> Option<&str> {
    dockerfile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("FROM "))?
        .split_whitespace()
        .next()
}

fn copy_tree(source: &Path, target: &Path) -> Result<(), Problem> {
    let status = std::process::Command::new("cp")
        .arg("--archive")
        .arg(source.join("."))
        .arg(target)
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} cannot be copied", source.display()).into()),
    }
}

/// Names, executable bits and contents, `case.toml` aside: checks do not change an image.
fn hash_of(folder: &Path, below: &str) -> Result<String, Problem> {
    use std::os::unix::fs::PermissionsExt;
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(FORM);
    hash.update(below);
    for path in files {
        let name = path.strip_prefix(folder)?;
        if name == Path::new("case.toml") {
            continue;
        }
        let content = std::fs::read(&path)?;
        let is_executable = std::fs::metadata(&path)?.permissions().mode() & 0o100;
        hash.update(format!(
            "\0{}\0{is_executable}\0{}\0",
            name.display(),
            content.len()
        ));
        hash.update(content);
    }
    Ok(hex::encode(hash.finalize())[..16].to_owned())
}

#[cfg(test)]
mod tests {
    use super::base_of;

    #[test]
    fn bases_of_dockerfiles() {
        assert_eq!(base_of("FROM a AS b\nRUN x\nFROM c:12\n"), Some("c:12"));
        assert_eq!(base_of("# FROM a\n"), None);
    }
}
