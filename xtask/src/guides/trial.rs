//! One Dockerfile of a guide on trial: built as it is, slimmed and proved by `jettison build`, measured by `jettison inspect`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bases::Kind;
use super::guide::{self, Guide, Recipe};
use crate::cases::client::{limited, output};
use crate::{Problem, workspace};

/// How long one build may take; the slowest downloads a compiler.
const PATIENCE: Duration = Duration::from_secs(900);

/// How large the store may be when a build begins: the bases, what a build adds and its images fit on an ordinary disk with it.
const STORE_BYTES: u64 = 1_500_000_000;

/// What all trials share.
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    pub(crate) projects: &'a Path,
    pub(crate) bases: &'a BTreeMap<Kind, PathBuf>,
    pub(crate) scratch: &'a Path,
}

/// What became of a Dockerfile.
pub(crate) enum Outcome {
    /// It built; sizes in bytes.
    Built {
        build_s: f64,
        original: Size,
        small: Option<Size>,
        verdict: String,
        /// What jettison said where it is not whole.
        said: String,
    },
    /// It cannot build, and this is what was said.
    Refused { said: String },
}

#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// All files of all layers, as Docker prints it and as guides claim it: what a later layer removes is shipped all the same.
    pub(crate) unpacked: u64,
    pub(crate) wire: u64,
}

/// Builds it, whole way.
pub(crate) fn run(place: &Place<'_>, guide: &Guide, recipe: &Recipe) -> Result<Outcome, Problem> {
    let scratch = place
        .scratch
        .join(format!("{}-{}", guide.name, recipe.name()));
    let context = scratch.join("context");
    std::fs::create_dir_all(&scratch)?;
    let project = place.projects.join(&recipe.project);
    let copied = Command::new("cp")
        .arg("-r")
        .arg(&project)
        .arg(&context)
        .status()?;
    if !copied.success() {
        return Err(format!("{} cannot be copied", project.display()).into());
    }
    if recipe.compiled {
        compile(&context)?;
    }
    let original = scratch.join("original");
    let begun = Instant::now();
    let built = asked(place, guide, recipe, &context)?
        .arg("--no-slim")
        .arg("-o")
        .arg(format!("oci:{}", original.display()))
        .said()?;
    let build_s = begun.elapsed().as_secs_f64();
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr).trim().to_owned();
        return match built.status.code() {
            Some(2) => Ok(Outcome::Refused { said }),
            _ => Err(format!("{}: {said}", built.status).into()),
        };
    }
    let small = scratch.join("small");
    let mut ask = asked(place, guide, recipe, &context)?;
    for probe in &recipe.probes {
        ask.args(["--probe", probe]);
    }
    let slimmed = ask
        .args(["--format", "json", "-o"])
        .arg(format!("oci:{}", small.display()))
        .said()?;
    let said = String::from_utf8_lossy(&slimmed.stderr).trim().to_owned();
    if !slimmed.status.success() {
        return Err(format!("the second build: {}: {said}", slimmed.status).into());
    }
    let document: Value = serde_json::from_slice(&slimmed.stdout)?;
    let verdict = document["verdict"]
        .as_str()
        .unwrap_or("not slimmed")
        .replace('-', " ");
    let outcome = Outcome::Built {
        build_s,
        original: size(place.program, &original)?,
        small: match document["is_slimmed"].as_bool() {
            Some(true) => Some(size(place.program, &small)?),
            _ => None,
        },
        verdict,
        said,
    };
    std::fs::remove_dir_all(&scratch)?;
    Ok(outcome)
}

/// Empties the store when it has become large; the next build begins cold.
pub(crate) fn tidy(place: &Place<'_>) -> Result<(), Problem> {
    let store = place.scratch.join("store");
    if bytes_below(&store) <= STORE_BYTES {
        return Ok(());
    }
    let mut prune = limited(place.program.as_os_str(), PATIENCE);
    prune
        .args(["store", "prune", "--all", "--store"])
        .arg(&store);
    let pruned = output(&mut prune, None)?;
    match pruned.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&pruned.stderr);
            Err(format!("jettison store prune: {}", said.trim()).into())
        }
    }
}

/// Sizes of files; what cannot be read is none.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// `jettison build` with everything but what is to become of the image.
fn asked(
    place: &Place<'_>,
    guide: &Guide,
    recipe: &Recipe,
    context: &Path,
) -> Result<Asked, Problem> {
    let file = guide.folder.join(&recipe.file);
    let mut command = limited(place.program.as_os_str(), PATIENCE);
    command.arg("build").arg(context).arg("-f").arg(&file);
    command.arg("--store").arg(place.scratch.join("store"));
    command.arg("--trust-host-ca");
    for name in guide::bases(&std::fs::read_to_string(&file)?) {
        // The four that cannot build name stages that are not there; those are no bases.
        if let Some(layout) = Kind::of(&name).ok().and_then(|kind| place.bases.get(&kind)) {
            let layout = layout.display();
            command
                .arg("--build-context")
                .arg(format!("{name}=oci-layout://{layout}"));
        }
    }
    Ok(Asked(command))
}

struct Asked(Command);

impl Asked {
    fn arg(&mut self, word: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        self.0.arg(word);
        self
    }

    fn args(&mut self, words: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> &mut Self {
        self.0.args(words);
        self
    }

    fn said(&mut self) -> Result<Output, Problem> {
        output(&mut self.0, None)
    }
}

/// The program that a Dockerfile copies from its context.
fn compile(context: &Path) -> Result<(), Problem> {
    let go = workspace::find_program("go").ok_or("no go on this machine")?;
    let output = Command::new(go)
        .args(["build", "-o", "myapp", "."])
        .env("CGO_ENABLED", "0")
        .current_dir(context)
        .output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("go build: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn size(program: &Path, layout: &Path) -> Result<Size, Problem> {
    let output = Command::new(program)
        .args(["inspect", "--format", "json"])
        .arg(format!("oci:{}", layout.display()))
        .output()?;
    let document: Value = serde_json::from_slice(&output.stdout)?;
    let total = |name: &str| {
        let total = document["totals"][name].as_u64();
        total.ok_or_else(|| format!("inspect says no {name}"))
    };
    Ok(Size {
        unpacked: total("unpacked_bytes")? + total("wasted_bytes")?,
        wire: total("wire_bytes")?,
    })
}
