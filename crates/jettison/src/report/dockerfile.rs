//! What became of a Dockerfile: its stages, the image, and whether it could be
//! slimmed.

use std::time::Duration;

use jettison_dockerfile::outline::{Outline, Targets};
use jettison_engine::dockerfile::{DockerfileBuilt, StageReport};
use jettison_engine::slim::Slimmed;
use jettison_image::Image;
use jettison_plan::{Comparison, Verdict};
use serde::Serialize;

use crate::commands::delivery::Delivered;
use crate::commands::dockerfile::result;
use crate::failure::Failure;
use crate::ui::units::{bytes, count};
use crate::ui::{Table, Ui};

/// For a person.
pub fn text(
    built: &DockerfileBuilt,
    slimmed: Option<&Slimmed>,
    delivered: &[Delivered],
    ui: &Ui,
) -> Result<(), Failure> {
    for warning in &built.warnings {
        ui.warn(warning);
    }
    // BuildKit tells of its stages itself.
    if !built.stages.is_empty() {
        ui.answer(&stages(&built.stages))?;
    }
    match slimmed {
        Some(slimmed) => {
            let took = Duration::from_millis(slimmed.elapsed_ms);
            super::slim::text(slimmed, delivered, took, ui)?
        }
        None => super::build::places(delivered, ui)?,
    }
    if let Some(slimmed) = slimmed.filter(|slimmed| slimmed.evidence.verdict != Verdict::Whole)
        && !delivered.is_empty()
    {
        ui.warn(&format!(
            "the image is delivered as the Dockerfile makes it, not slimmed: {}\n\
             hint: --probe says what must keep working; --require-slim makes this a failure",
            match slimmed.evidence.verdict {
                Verdict::Differs => "the small one answers differently",
                _ => "it could not be told whether the small one is whole",
            }
        ));
    }
    let image = result(built, slimmed);
    let layers = image.layers.len() as u64;
    ui.answer(&format!(
        "{}, {}\n",
        image.manifest_digest,
        count(layers, "layer")
    ))
}

/// For a script: the image's id alone, as `docker build -q` gives it.
pub fn id(built: &DockerfileBuilt, image: &Image, ui: &Ui) -> Result<(), Failure> {
    for warning in &built.warnings {
        ui.warn(warning);
    }
    ui.answer(&format!("{}\n", image.manifest.config.digest))
}

fn stages(stages: &[StageReport]) -> String {
    let mut table = Table::new(&[
        "stage",
        "base",
        ">steps",
        ">from the cache",
        ">of the base",
        ">its own layers",
        ">handed on",
        ">left behind",
    ]);
    for stage in stages {
        table.row([
            stage.name.clone(),
            stage.base.clone(),
            stage.steps.to_string(),
            stage.cached.to_string(),
            stage.base_bytes.map(bytes).unwrap_or_default(),
            bytes(stage.size_bytes),
            match (stage.handed_bytes, stage.is_mounted) {
                (0, true) => "mounted".to_owned(),
                (handed, _) => bytes(handed),
            },
            stage.discarded_bytes.map(bytes).unwrap_or_default(),
        ]);
    }
    table.render()
}

/// For a program.
pub fn json(
    built: &DockerfileBuilt,
    slimmed: Option<&Slimmed>,
    delivered: &[Delivered],
    ui: &Ui,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        original: String,
        manifest: String,
        config: String,
        is_slimmed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        verdict: Option<Verdict>,
        stages: &'a [StageReport],
        warnings: &'a [String],
        delivered: &'a [Delivered],
        #[serde(skip_serializing_if = "Option::is_none")]
        evidence: Option<&'a Comparison>,
    }
    let image = result(built, slimmed);
    ui.document(&Document {
        schema: "jettison.build-dockerfile/1",
        original: built.image.manifest_digest.to_string(),
        manifest: image.manifest_digest.to_string(),
        config: image.manifest.config.digest.to_string(),
        is_slimmed: image.manifest_digest != built.image.manifest_digest,
        verdict: slimmed.map(|slimmed| slimmed.evidence.verdict),
        stages: &built.stages,
        warnings: &built.warnings,
        delivered,
        evidence: slimmed.map(|slimmed| &slimmed.evidence),
    })
}

/// `--call targets`.
pub fn targets(found: &Targets, ui: &Ui) -> Result<(), Failure> {
    let mut table = Table::new(&["target", "base", "what it is"]);
    for (number, target) in found.targets.iter().enumerate() {
        let name = match target.name.as_str() {
            "" => number.to_string(),
            name => name.to_owned(),
        };
        let default = if target.default { " (default)" } else { "" };
        table.row([
            format!("{name}{default}"),
            target.base.clone(),
            target.description.clone(),
        ]);
    }
    ui.answer(&table.render())
}

/// `--call outline`.
pub fn outline(found: &Outline, ui: &Ui) -> Result<(), Failure> {
    let mut arguments = Table::new(&["argument", "value", "what it is"]);
    for argument in &found.args {
        let (name, value) = (argument.name.clone(), argument.value.clone());
        arguments.row([name, value, argument.description.clone()]);
    }
    ui.answer(&arguments.render())?;
    let mut handed = Table::new(&["handed over", "kind", "required"]);
    let all = [(&found.secrets, "secret"), (&found.ssh, "ssh")];
    for (mounts, kind) in all {
        for mount in mounts {
            let required = if mount.required { "yes" } else { "no" };
            handed.row([mount.name.as_str(), kind, required].map(str::to_owned));
        }
    }
    if !(found.secrets.is_empty() && found.ssh.is_empty()) {
        ui.answer(&handed.render())?;
    }
    let mut stages = Table::new(&["stage", "base", ">instructions"]);
    for stage in &found.stages {
        let name = match stage.name.as_str() {
            "" => stage.index.to_string(),
            name => name.to_owned(),
        };
        let instructions = stage.instructions.len().to_string();
        stages.row([name, stage.base.clone(), instructions]);
    }
    ui.answer(&stages.render())
}
