//! Plans for a person: what stayed, what went, what was kept in doubt.

use std::collections::BTreeMap;

use jettison_engine::slim::PlanDiff;
use jettison_plan::{Plan, ReasonKind};

use super::why::because;
use super::words;
use crate::ui::units::{bytes, count};
use crate::ui::{Table, escape};

/// Rows of each table.
const ROWS: usize = 20;
/// Columns of a text from an image.
const WIDTH: usize = 70;

/// A whole plan.
pub fn text(plan: &Plan) -> String {
    let mut text = format!(
        "for {} ({}), grain {}\n\n",
        plan.image.manifest,
        plan.image.platform,
        serde_word(&plan.grain)
    );
    let mut kinds: BTreeMap<ReasonKind, u64> = BTreeMap::new();
    for kept in &plan.kept {
        *kinds.entry(kept.reason.kind).or_default() += 1;
    }
    let mut table = Table::new(&["kept because it is", ">paths"]);
    for (kind, paths) in &kinds {
        table.row([kind.to_string(), paths.to_string()]);
    }
    text.push_str(&format!("{}\n", table.render()));
    text.push_str(&dropped(plan));
    text.push_str(&doubts(plan));
    for note in &plan.notes {
        text.push_str(&escape::line(&format!("note: {note}")));
        text.push('\n');
    }
    text
}

/// What went, biggest first.
pub(super) fn dropped(plan: &Plan) -> String {
    let mut table = Table::new(&["what went", "package", ">files", ">unpacked"]);
    for group in plan.dropped.iter().take(ROWS) {
        let package = group.package.as_deref().unwrap_or("-");
        table.row([
            group.class.clone(),
            words::beginning(package, WIDTH / 2),
            group.files.to_string(),
            bytes(group.size_bytes),
        ]);
    }
    let rest = plan.dropped.iter().skip(ROWS);
    let (files, size) = rest.fold((0u64, 0u64), |(files, size), group| {
        (
            files.saturating_add(group.files),
            size.saturating_add(group.size_bytes),
        )
    });
    if files > 0 {
        table.row([
            "other groups".to_owned(),
            String::new(),
            files.to_string(),
            bytes(size),
        ]);
    }
    if plan.dropped.is_empty() {
        return String::new();
    }
    format!("{}\n", table.render())
}

/// What was kept beyond what is known to be needed.
pub(super) fn doubts(plan: &Plan) -> String {
    if plan.generosities.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["kept in doubt", ">unpacked", "saved by", "because"]);
    for doubt in plan.generosities.iter().take(ROWS) {
        table.row([
            words::beginning(&doubt.what, WIDTH),
            bytes(doubt.size_bytes),
            doubt.saved_by.clone().unwrap_or_default(),
            words::beginning(&doubt.because, WIDTH),
        ]);
    }
    format!("{}\n", table.render())
}

/// What differs between two plans.
pub fn diff(diff: &PlanDiff) -> String {
    let mut text = String::new();
    for kept in &diff.added {
        text.push_str(&format!("+ {} {}\n", kept.path, because(&kept.reason)));
    }
    for kept in &diff.removed {
        text.push_str(&format!("- {} {}\n", kept.path, because(&kept.reason)));
    }
    text.push_str(&format!(
        "{} added, {} removed, {} kept for another reason\n",
        count(diff.added.len() as u64, "path"),
        count(diff.removed.len() as u64, "path"),
        count(diff.changed.len() as u64, "path"),
    ));
    escape::lines(&text).into_owned()
}

/// The word that documents use for a value.
fn serde_word(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}
