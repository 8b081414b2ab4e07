//! What `build` made: where every byte is, why it is there, and how it answered.

use jettison_engine::build::{BaseOption, Built, Decision, SizeTable};
use jettison_plan::{Evidence, Isolation, Observation, Origin, Outcome, Verdict};
use serde::Serialize;

use crate::commands::delivery::Delivered;
use crate::failure::Failure;
use crate::ui::units::{bytes, count, milliseconds, share};
use crate::ui::{Table, Ui};

/// Lines of a failed program's output that are shown.
const LAST_LINES: usize = 20;

/// For a person.
pub fn text(
    built: &Built,
    explained: Option<&[BaseOption]>,
    delivered: &[Delivered],
    good: bool,
    ui: &Ui,
) -> Result<(), Failure> {
    for warning in &built.warnings {
        let hint = warning.hint.as_ref().map(|hint| format!("\nhint: {hint}"));
        ui.warn(&format!("{}{}", warning.cause, hint.unwrap_or_default()));
    }
    for note in &built.notes {
        ui.say(&format!("note: {note}"));
    }
    for file in &built.lacking {
        ui.warn(&format!(
            "{}:{} names {}, which the image does not have\nhint: bring it with --include {}",
            file.named_in, file.line, file.written, file.written
        ));
    }
    ui.answer(&decisions(&built.decisions))?;
    if let Some(options) = explained {
        ui.answer(&base_options(options))?;
    }
    ui.answer(&sizes(&built.sizes))?;
    ui.answer(&evidence(&built.proof.evidence))?;
    if built.proof.evidence.verdict != Verdict::Whole {
        explain_failure(built, ui)?;
    }
    places(delivered, ui)?;
    ui.answer(&summary(built, good))
}

/// Where the result is now.
pub(super) fn places(delivered: &[Delivered], ui: &Ui) -> Result<(), Failure> {
    for place in delivered {
        let names = if place.names.is_empty() {
            String::new()
        } else {
            format!(": {}", place.names.join(", "))
        };
        let shared = match place.shared_blobs {
            0 => String::new(),
            shared => format!(
                " ({} moved, {} there already)",
                bytes(place.moved_bytes),
                count(shared as u64, "blob")
            ),
        };
        ui.answer(&format!("in {}{names}{shared}\n", place.place))?;
        for document in &place.documents {
            ui.answer(&format!("  {} in {}\n", document.kind, document.place))?;
        }
        for conversion in &place.conversions {
            ui.say(&format!("note: {conversion}"));
        }
    }
    Ok(())
}

/// For a program.
pub fn json(
    built: &Built,
    explained: Option<&[BaseOption]>,
    delivered: &[Delivered],
    ui: &Ui,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        name: &'a str,
        manifest: String,
        config: String,
        platform: String,
        target: &'a str,
        verdict: Verdict,
        sizes: &'a SizeTable,
        layers: Vec<Layer>,
        decisions: &'a [Decision],
        packages: Vec<Package<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base_options: Option<&'a [BaseOption]>,
        warnings: Vec<&'a str>,
        notes: &'a [String],
        delivered: &'a [Delivered],
        evidence: &'a Evidence,
    }
    #[derive(Serialize)]
    struct Layer {
        digest: String,
        diff_id: String,
        wire_bytes: u64,
        created_by: Option<String>,
    }
    #[derive(Serialize)]
    struct Package<'a> {
        name: &'a str,
        version: &'a str,
    }
    let image = &built.image;
    ui.document(&Document {
        schema: "jettison.build/1",
        name: &built.name,
        manifest: image.manifest_digest.to_string(),
        config: image.manifest.config.digest.to_string(),
        platform: image.config.platform().to_string(),
        target: &built.toolchain,
        verdict: built.proof.evidence.verdict,
        sizes: &built.sizes,
        layers: image
            .layers
            .iter()
            .map(|layer| Layer {
                digest: layer.descriptor.digest.to_string(),
                diff_id: layer.diff_id.to_string(),
                wire_bytes: layer.descriptor.size_bytes,
                created_by: layer.created_by.clone(),
            })
            .collect(),
        decisions: &built.decisions,
        packages: built
            .packages
            .iter()
            .map(|(name, version)| Package { name, version })
            .collect(),
        base_options: explained,
        warnings: built
            .warnings
            .iter()
            .map(|warning| warning.cause.as_str())
            .collect(),
        notes: &built.notes,
        delivered,
        evidence: &built.proof.evidence,
    })
}

fn decisions(decisions: &[Decision]) -> String {
    let mut table = Table::new(&["part of the base", "", "because"]);
    for decision in decisions {
        let kept = if decision.kept { "kept" } else { "left out" };
        table.row([decision.part, kept, &decision.reason]);
    }
    format!("{}\n", table.render())
}

fn base_options(options: &[BaseOption]) -> String {
    let mut table = Table::new(&[
        "base",
        ">unpacked",
        "CA bundle",
        "time zones",
        "shell",
        "remarks",
    ]);
    let mark = |has: bool| if has { "yes" } else { "no" };
    for option in options {
        let name = if option.chosen {
            format!("{} (chosen)", option.name)
        } else {
            option.name.clone()
        };
        let size = option.unpacked_bytes.map_or_else(|| "?".to_owned(), bytes);
        table.row([
            name.as_str(),
            &size,
            mark(option.ca_certificates),
            mark(option.time_zones),
            mark(option.shell),
            &option.remarks,
        ]);
    }
    format!("{}\n", table.render())
}

fn sizes(sizes: &SizeTable) -> String {
    let mut table = Table::new(&["component", ">files", ">unpacked", ">share", ">on the wire"]);
    for row in &sizes.rows {
        let files = if row.files == 0 {
            String::new()
        } else {
            row.files.to_string()
        };
        table.row([
            row.component.clone(),
            files,
            bytes(row.unpacked_bytes),
            share(row.unpacked_bytes, sizes.unpacked_bytes),
            bytes(row.wire_bytes),
        ]);
    }
    let files: u64 = sizes.rows.iter().map(|row| row.files).sum();
    table.total([
        "total".to_owned(),
        files.to_string(),
        bytes(sizes.unpacked_bytes),
        "100.0 %".to_owned(),
        bytes(sizes.wire_bytes),
    ]);
    format!("{}\n", table.render())
}

fn evidence(evidence: &Evidence) -> String {
    let mut table = Table::new(&["probe", "asked by", "answer", ">after", "verdict"]);
    for observation in &evidence.observations {
        let origin = match observation.probe.origin {
            Origin::Asked => "you",
            Origin::Image => "the image",
            Origin::Free => "jettison",
        };
        let judged = match (&observation.answer.problem, observation.probe.origin) {
            (None, _) => "good".to_owned(),
            (Some(problem), _) => problem.clone(),
        };
        table.row([
            observation.probe.to_string(),
            origin.to_owned(),
            answer(observation),
            milliseconds(observation.answer.elapsed_ms),
            judged,
        ]);
    }
    let how = match &evidence.isolation {
        Isolation::Sandbox { tier, profile } => format!("run {profile} in a sandbox ({tier})"),
        Isolation::Unisolated { reason } => {
            format!("run unisolated, as a plain child process: {reason}")
        }
        Isolation::NotRun { reason } => format!("not run: {reason}"),
    };
    let ready = match evidence.ready_after_ms {
        Some(time) => format!(", first good answer after {}", milliseconds(time)),
        None => String::new(),
    };
    let notes: String = evidence
        .notes
        .iter()
        .map(|note| format!("note: {note}\n"))
        .collect();
    let table = if evidence.observations.is_empty() {
        String::new()
    } else {
        table.render()
    };
    format!("{table}{how}{ready}\n{notes}\n")
}

fn answer(observation: &Observation) -> String {
    match &observation.answer.outcome {
        Outcome::Http { status, body, .. } => format!("{status}, {}", bytes(body.size_bytes)),
        Outcome::Connected => "connected".to_owned(),
        Outcome::Replied { bytes: reply } => format!("replied, {}", bytes(reply.size_bytes)),
        Outcome::Exited { code, stdout, .. } if stdout.size_bytes > 0 => {
            format!("exit code {code}, {} of output", bytes(stdout.size_bytes))
        }
        Outcome::Exited { code, .. } => format!("exit code {code}"),
        Outcome::Running => "runs".to_owned(),
        Outcome::Silent { .. } => "none".to_owned(),
    }
}

fn explain_failure(built: &Built, ui: &Ui) -> Result<(), Failure> {
    let output = &built.proof.output;
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    if !lines.is_empty() {
        let shown = lines[from..].join("\n  ");
        ui.answer(&format!("last words of {}:\n  {shown}\n\n", built.name))?;
    }
    if let Some(symptom) = built.proof.symptom {
        ui.answer(&format!(
            "cause: {}\nhint: {}\n\n",
            symptom.cause, symptom.remedy
        ))?;
    }
    if let Isolation::NotRun { .. } = built.proof.evidence.isolation {
        ui.answer("hint: keep an image that could not be run here with --allow-unrun\n\n")?;
    }
    Ok(())
}

/// The last line: what a person came for.
fn summary(built: &Built, good: bool) -> String {
    let sizes = &built.sizes;
    let verdict = match built.proof.evidence.verdict {
        Verdict::Whole => "whole: every probe was answered well",
        Verdict::Differs => "differs: a probe was answered badly; nothing was delivered",
        Verdict::CouldNotTell if good => "not run; kept as you said",
        Verdict::CouldNotTell => "could not tell; nothing was delivered",
    };
    format!(
        "{}: {} unpacked, {} on the wire, {}\n{}\nverdict: {verdict}\n",
        built.name,
        bytes(sizes.unpacked_bytes),
        bytes(sizes.wire_bytes),
        count(built.image.layers.len() as u64, "layer"),
        built.image.manifest_digest,
    )
}
