//! Who makes the small image: jettison, or a stand-in that shows whether the checks can tell good from bad.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::case::Case;
use super::client::{Client, last_words, limited, output};
use super::laws;
use super::original::{Original, companion_tag};
use super::scene::Scene;
use super::tree;
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
}

/// Runs `jettison slim` and loads what it writes.
pub(crate) fn jettison(
    program: &Path,
    client: &Client,
    case: &Case,
    archive: &Path,
    hints: Hints,
    folder: &Path,
) -> Result<Slimmed, Problem> {
    let path = |name: &str| folder.join(format!("{}-{}-{name}", case.name, hints.name()));
    let (small, plan) = (path("small.tar"), path("plan.json"));
    let store = path("store");
    let tag = format!("case-{}:small-{}", case.name, hints.name());
    let mut command = limited(program.as_os_str(), PATIENCE);
    command
        .arg("slim")
        // Neither its caches nor the engine may know of an earlier run.
        .arg("--store")
        .arg(&store)
        .arg("--no-load")
        .arg(format!("docker-archive:{}", archive.display()))
        .arg("-o")
        .arg(format!("docker-archive:{}", small.display()))
        .args(["-t", &tag])
        .arg("--plan-out")
        .arg(&plan)
        .arg("--evidence")
        .arg(path("evidence.json"));
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
    if hints == Hints::Full {
        let probes = path("probes");
        std::fs::write(&probes, &case.slim.probes)?;
        command.arg("--probes").arg(&probes).args(&case.slim.full);
    }
    let begun = Instant::now();
    let output = output(&mut command, None)?;
    let wall_s = begun.elapsed().as_secs_f64();
    std::fs::write(
        path("log"),
        [output.stdout.as_slice(), &output.stderr].concat(),
    )?;
    // It holds as much again as the image.
    let _ = std::fs::remove_dir_all(&store);
    let tag = match small.is_file() {
        true => {
            client.demand_within(&["load", "--input", &small.display().to_string()], PATIENCE)?;
            Some(tag)
        }
        false => None,
    };
    let rewritten = match std::fs::read(&plan) {
        Ok(text) => laws::rewritten(&serde_json::from_slice(&text)?),
        Err(_) => BTreeSet::new(),
    };
    Ok(Slimmed {
        exit: output.status.code().unwrap_or(-1),
        wall_s,
        tag,
        archive: small,
        rewritten,
        last_words: last_words(&output),
    })
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
