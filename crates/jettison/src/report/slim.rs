//! What `slim` made: before and after, what stayed and went, how it answered.

use std::time::Duration;

use jettison_engine::slim::{PackageRow, Sizes, Slimmed};
use jettison_plan::{Comparison, Plan, Verdict};
use serde::Serialize;

use super::{plan, verify, words};
use crate::commands::delivery::Delivered;
use crate::failure::Failure;
use crate::ui::units::{bytes, milliseconds, share};
use crate::ui::{Table, Ui};

/// Rows of the table of packages.
const ROWS: usize = 15;
/// Rows of the table of what stays.
const STAYING: usize = 8;
/// Columns of a package's name.
const WIDTH: usize = 40;

/// For a person.
pub fn text(
    slimmed: &Slimmed,
    delivered: &[Delivered],
    took: Duration,
    ui: &Ui,
) -> Result<(), Failure> {
    for note in &slimmed.plan.notes {
        ui.say(&format!("note: {note}"));
    }
    ui.answer(&packages(&slimmed.packages))?;
    ui.answer(&staying(&slimmed.packages))?;
    ui.answer(&plan::doubts(&slimmed.plan))?;
    ui.answer(&sizes(slimmed))?;
    verify::text(&slimmed.evidence, ui)?;
    super::build::places(delivered, ui)?;
    ui.answer(&summary(slimmed, delivered, took))
}

/// For a program.
pub fn json(slimmed: &Slimmed, delivered: &[Delivered], ui: &Ui) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        original: String,
        manifest: String,
        verdict: Verdict,
        before: &'a Sizes,
        after: &'a Sizes,
        packages: &'a [PackageRow],
        rounds: usize,
        elapsed_ms: u64,
        plan: &'a Plan,
        delivered: &'a [Delivered],
        evidence: &'a Comparison,
    }
    ui.document(&Document {
        schema: "jettison.slim/1",
        original: slimmed.original.manifest_digest.to_string(),
        manifest: slimmed.image.manifest_digest.to_string(),
        verdict: slimmed.evidence.verdict,
        before: &slimmed.before,
        after: &slimmed.after,
        packages: &slimmed.packages,
        rounds: slimmed.rounds,
        elapsed_ms: slimmed.elapsed_ms,
        plan: &slimmed.plan,
        delivered,
        evidence: &slimmed.evidence,
    })
}

fn name(row: &PackageRow) -> String {
    match &row.package {
        Some(name) => words::beginning(name, WIDTH),
        None => "(no package)".to_owned(),
    }
}

/// What stays most, biggest first: where to look for what could still go.
fn staying(rows: &[PackageRow]) -> String {
    let mut rows: Vec<&PackageRow> = rows.iter().filter(|row| row.after_bytes > 0).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.after_bytes));
    let mut table = Table::new(&["stays", ">of", ">left"]);
    for row in rows.into_iter().take(STAYING) {
        table.row([name(row), bytes(row.before_bytes), bytes(row.after_bytes)]);
    }
    format!("{}\n", table.render())
}

/// What shrank most, biggest first.
fn packages(rows: &[PackageRow]) -> String {
    let mut table = Table::new(&["package", ">before", ">after", ">gone"]);
    for row in rows.iter().take(ROWS) {
        table.row([
            name(row),
            bytes(row.before_bytes),
            bytes(row.after_bytes),
            bytes(row.before_bytes - row.after_bytes),
        ]);
    }
    let rest = rows.iter().skip(ROWS);
    let (before, after) = rest.fold((0, 0), |(before, after), row| {
        (before + row.before_bytes, after + row.after_bytes)
    });
    if before > 0 {
        table.row([
            "others".to_owned(),
            bytes(before),
            bytes(after),
            bytes(before - after),
        ]);
    }
    format!("{}\n", table.render())
}

fn sizes(slimmed: &Slimmed) -> String {
    let mut table = Table::new(&["", ">before", ">after", ">of the original"]);
    let (before, after) = (&slimmed.before, &slimmed.after);
    table.row([
        "unpacked".to_owned(),
        bytes(before.unpacked_bytes),
        bytes(after.unpacked_bytes),
        share(after.unpacked_bytes, before.unpacked_bytes),
    ]);
    // What a registry would hold is known once it was packed for one.
    if before.is_packed && after.is_packed {
        table.row([
            "on the wire".to_owned(),
            bytes(before.wire_bytes),
            bytes(after.wire_bytes),
            share(after.wire_bytes, before.wire_bytes),
        ]);
    }
    table.row([
        "files".to_owned(),
        before.files.to_string(),
        after.files.to_string(),
        share(after.files, before.files),
    ]);
    format!("{}\n", table.render())
}

fn summary(slimmed: &Slimmed, delivered: &[Delivered], took: Duration) -> String {
    let (before, after) = (&slimmed.before, &slimmed.after);
    let time = milliseconds(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let became = format!(
        "{} became {} unpacked",
        bytes(before.unpacked_bytes),
        bytes(after.unpacked_bytes)
    );
    match slimmed.evidence.verdict {
        Verdict::Whole => {
            let name = delivered.first().and_then(|place| place.names.first());
            let next =
                name.map(|name| format!("\nwhy a path stayed or went: jettison why {name} PATH"));
            format!("whole: {became}, in {time}{}\n", next.unwrap_or_default())
        }
        Verdict::Differs => format!(
            "differs: {became}, but it does not answer as the original does; nothing was delivered\n\
             keep what it lacks with --keep PATH|GLOB|PACKAGE, or ask for it with --probe\n"
        ),
        Verdict::CouldNotTell => format!(
            "could not tell: {became}, but nothing proves that it works; nothing was delivered\n"
        ),
    }
}
