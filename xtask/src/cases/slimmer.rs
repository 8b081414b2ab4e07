//! Who makes the small image: jettison, or a stand-in that shows whether the checks can tell good from bad.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::case::Case;
use super::client::{Client, last_words, limited, output};
use super::laws;
use super::original::{Original, companion_tag};
use super::plans;
use super::scene::Scene;
use super::tree::{self, Tree};
use crate::Problem;

/// How long one image may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the slimmer is told beside what the image cannot be started without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hints {
    None,
    Full,
}

impl Hints {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Full => "full",
        }
    }
}

/// What came of it.
pub(crate) struct Slimmed {
    pub(crate) exit: i32,
    pub(crate) wall_s: f64,
    /// Absent where there is no small image.
    pub(crate) tag: Option<String>,
    /// What was loaded into the engine.
    pub(crate) archive: PathBuf,
    pub(crate) rewritten: BTreeSet<tree::Path>,
    pub(crate) last_words: String,
    /// What it left behind and should not have.
    pub(crate) left: Vec<String>,
}

/// One image that is to be slimmed.
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Path,
    pub(crate) client: &'a Client,
    pub(crate) case: &'a Case,
    /// The original.
    pub(crate) archive: &'a Path,
    pub(crate) hints: Hints,
    /// Where everything goes that is written.
    pub(crate) folder: &'a Path,
}

impl Job<'_> {
    fn path(&self, name: &str) -> PathBuf {
        let (case, hints) = (&self.case.name, self.hints.name());
        self.folder.join(format!("{case}-{hints}-{name}"))
    }

    fn tag(&self, name: &str) -> String {
        format!("case-{}:{name}-{}", self.case.name, self.hints.name())
    }

    /// Runs `jettison slim` and loads what it writes.
    pub(crate) fn slim(&self) -> Result<Slimmed, Problem> {
        let plan = self.path("plan.json");
        let mut ran = self.run("small", |command| {
            command.arg("--plan-out").arg(&plan);
            command.arg("--evidence").arg(self.path("evidence.json"));
        })?;
        std::fs::write(
            self.path("log"),
            [ran.output.stdout.as_slice(), &ran.output.stderr].concat(),
        )?;
        let rewritten = match std::fs::read(&plan) {
            Ok(text) => laws::rewritten(&serde_json::from_slice(&text)?),
            Err(_) => BTreeSet::new(),
        };
        Ok(Slimmed {
            exit: ran.output.status.code().unwrap_or(-1),
            wall_s: ran.wall_s,
            tag: ran.tag.take(),
            archive: ran.archive,
            rewritten,
            last_words: last_words(&ran.output),
            left: ran.left,
        })
    }

    /// The plan of the small image, replayed, and the original made of it again; every law that is broken.
    pub(crate) fn replay(&self, small: &str, original: &Tree) -> Result<Vec<String>, Problem> {
        let complement = self.path("complement.tar");
        let ran = self.run("again", |command| {
            command.arg("--plan").arg(self.path("plan.json"));
            let destination = format!("docker-archive:{}", complement.display());
            command.args(["--complement", &destination]);
        })?;
        let mut broken = ran.left;
        let Some(again) = ran.tag else {
            broken.push(format!("a replayed plan: {}", last_words(&ran.output)));
            return Ok(broken);
        };
        let id = |tag: &str| self.client.demand(&["inspect", "--format", "{{.Id}}", tag]);
        if id(small)? != id(&again)? {
            broken.push("the same image and plan gave another image".to_owned());
        }
        let path = complement.display().to_string();
        let loaded = self
            .client
            .demand_within(&["load", "--input", &path], PATIENCE)?;
        let restored = loaded.rsplit(' ').next().unwrap_or_default().trim();
        broken.extend(laws::restored(
            original,
            &Tree::export(self.client, restored)?,
        ));
        for tag in [restored, &again] {
            self.client.succeeds(&["image", "rm", "--force", tag]);
        }
        for file in [complement, ran.archive] {
            std::fs::remove_file(file)?;
        }
        Ok(broken)
    }

    /// Another tracing; every law that is broken.
    pub(crate) fn retrace(&self) -> Result<Vec<String>, Problem> {
        let plan = self.path("second-plan.json");
        let ran = self.run("second", |command| {
            command.arg("--plan-out").arg(&plan);
        })?;
        let mut broken = ran.left;
        let Some(tag) = ran.tag else {
            broken.push(format!("a second tracing: {}", last_words(&ran.output)));
            return Ok(broken);
        };
        self.client.succeeds(&["image", "rm", "--force", &tag]);
        std::fs::remove_file(ran.archive)?;
        let read = |path: &Path| -> Result<Value, Problem> {
            Ok(serde_json::from_slice(&std::fs::read(path)?)?)
        };
        let parted = plans::parted(&read(&self.path("plan.json"))?, &read(&plan)?);
        println!(
            "      a second tracing: {} paths are in one plan only",
            parted.paths
        );
        if let Some(first) = parted.unexplained.first() {
            broken.push(format!(
                "{} paths that a second tracing does not explain: {first}",
                parted.unexplained.len()
            ));
        }
        Ok(broken)
    }

    fn run(&self, name: &str, more: impl FnOnce(&mut Command)) -> Result<Ran, Problem> {
        let (case, client) = (self.case, self.client);
        let archive = self.path(&format!("{name}.tar"));
        let store = self.path("store");
        let tag = self.tag(name);
        let mut command = limited(self.program.as_os_str(), PATIENCE);
        command
            .arg("slim")
            // Neither its caches nor the engine may know of an earlier run.
            .arg("--store")
            .arg(&store)
            .arg("--no-load")
            .arg(format!("docker-archive:{}", self.archive.display()))
            .arg("-o")
            .arg(format!("docker-archive:{}", archive.display()))
            .args(["-t", &tag]);
        for (name, value) in &case.run.env {
            command.args(["--env", &format!("{name}={value}")]);
        }
        for (source, target) in &case.run.files {
            let source = case.folder.join(source);
            command.args(["--volume", &format!("{}:{target}:ro", source.display())]);
        }
        if !case.run.command.is_empty() {
            command.args(["--cmd", &in_words(&case.run.command)]);
        }
        // Companions of its own: what it leaves behind in them must not be what the checks find.
        let surroundings = match case.companions.iter().all(|companion| companion.fresh) {
            true => None,
            false => Some(Scene::surroundings(client, case)?),
        };
        for (name, door) in surroundings
            .iter()
            .map(Scene::doors)
            .collect::<Result<Vec<_>, _>>()?
            .concat()
        {
            command.args(["--service", &format!("{name}=tcp:{door}")]);
        }
        for companion in case.companions.iter().filter(|companion| companion.fresh) {
            let image = companion_tag(&companion.image);
            let service = format!("{}=docker-daemon:{image}", companion.name);
            command.args(["--service", &service]);
        }
        command.args(&case.slim.always);
        if self.hints == Hints::Full {
            let probes = self.path("probes");
            std::fs::write(&probes, &case.slim.probes)?;
            command.arg("--probes").arg(&probes).args(&case.slim.full);
        }
        more(&mut command);
        let begun = Instant::now();
        let output = output(&mut command, None)?;
        let wall_s = begun.elapsed().as_secs_f64();
        let left = laws::left_behind(&store);
        // It holds as much again as the image.
        let _ = std::fs::remove_dir_all(&store);
        let is_there = archive.is_file();
        if is_there {
            client.demand_within(
                &["load", "--input", &archive.display().to_string()],
                PATIENCE,
            )?;
        }
        Ok(Ran {
            output,
            wall_s,
            tag: is_there.then_some(tag),
            archive,
            left,
        })
    }
}

/// One run of the program.
struct Ran {
    output: Output,
    wall_s: f64,
    /// Absent where it made no image.
    tag: Option<String>,
    archive: PathBuf,
    left: Vec<String>,
}

/// The original under another name, without one of its paths: a slimmer that took too much and says that all is well.
pub(crate) fn saboteur(
    client: &Client,
    original: &Original,
    case: &Case,
    path: &str,
    number: usize,
) -> Result<String, Problem> {
    let tag = format!("case-{}:sabotaged-{number}", case.name);
    let user = client.demand(&["inspect", "--format", "{{.Config.User}}", &original.tag])?;
    // As root, whatever the image's user is.
    let dockerfile = format!(
        "FROM {}\nUSER 0\nRUN [\"/bin/sh\", \"-c\", \"rm -rf {path}\"]\nUSER {}\n",
        original.tag,
        if user.is_empty() { "0" } else { &user }
    );
    let output = client.ask(
        &["build", "--force-rm", "--tag", &tag, "-"],
        Some(&dockerfile),
        PATIENCE,
    )?;
    match output.status.success() {
        true => Ok(tag),
        false => Err(format!("{path} cannot be removed: {}", last_words(&output)).into()),
    }
}

/// A command line whose words are those.
fn in_words(command: &[String]) -> String {
    let quoted: Vec<String> = command
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect();
    quoted.join(" ")
}
