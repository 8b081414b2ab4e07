//! How two images answered the same questions: what differs first, then counts.

use jettison_plan::{ComparedProbe, Comparison, Outcome, Probe, Verdict};

use super::words::beginning;
use crate::failure::Failure;
use crate::ui::units::count;
use crate::ui::{Table, Ui};

/// Differences that are shown in full.
const SHOWN: usize = 5;
/// Characters of a difference in a line.
const WIDTH: usize = 160;

/// For a person.
pub fn text(comparison: &Comparison, ui: &Ui) -> Result<(), Failure> {
    ui.answer(&starts(comparison))?;
    for note in &comparison.notes {
        ui.answer(&format!("note: {note}\n"))?;
    }
    ui.answer(&differences(comparison))?;
    if let Some(estimate) = &comparison.estimate {
        ui.answer(&format!(
            "asked the same once more, about {:.2} % of what it touches would be new ({} runs)\n",
            estimate.unseen_share * 100.0,
            estimate.runs
        ))?;
    }
    ui.answer(&summary(comparison))
}

/// A row a start: a person wants to know what was exercised, not each of forty
/// pages.
fn starts(comparison: &Comparison) -> String {
    let mut table = Table::new(&["start", ">probes", ">agreed", ">differed", ">with noise"]);
    let differs = |probe: &&ComparedProbe| !probe.differences.is_empty();
    let noisy = |probe: &&ComparedProbe| !probe.noise.is_empty();
    let row = |probes: &[ComparedProbe]| {
        let differed = probes.iter().filter(differs).count();
        [
            probes.len(),
            probes.len() - differed,
            differed,
            probes.iter().filter(noisy).count(),
        ]
    };
    let mut total = [0; 4];
    for start in &comparison.starts {
        let numbers = row(&start.probes);
        for (sum, number) in total.iter_mut().zip(numbers) {
            *sum += number;
        }
        let label = std::iter::once(beginning(&start.label, 60));
        table.row(label.chain(numbers.iter().map(usize::to_string)));
    }
    let label = std::iter::once("total".to_owned());
    table.total(label.chain(total.iter().map(usize::to_string)));
    format!("{}\n", table.render())
}

fn differences(comparison: &Comparison) -> String {
    let mut text = String::new();
    let mut shown = 0;
    let mut left = 0;
    for start in &comparison.starts {
        for probe in &start.probes {
            for difference in &probe.differences {
                if shown == SHOWN {
                    left += 1;
                    continue;
                }
                shown += 1;
                text.push_str(&format!(
                    "differs: {} ({}), {}\n  old: {}\n  new: {}\n",
                    shown_probe(&probe.probe),
                    beginning(&start.label, 60),
                    difference.part,
                    beginning(&difference.original, WIDTH),
                    beginning(&difference.candidate, WIDTH),
                ));
            }
        }
    }
    if left > 0 {
        text.push_str(&format!(
            "and {} more; --format json has them all\n",
            count(left, "difference")
        ));
    }
    text
}

/// A script is many lines; the first is enough to know it by.
fn shown_probe(probe: &Probe) -> String {
    beginning(probe.to_string().lines().next().unwrap_or_default(), 100)
}

/// The last line: what a person came for.
fn summary(comparison: &Comparison) -> String {
    let verdict = match comparison.verdict {
        Verdict::Whole => "whole: every answer is the original's".to_owned(),
        Verdict::Differs => match comparison.first_difference() {
            Some((_, probe)) => format!("differs: first at {}", shown_probe(&probe.probe)),
            None => "differs".to_owned(),
        },
        Verdict::CouldNotTell => "could not tell".to_owned(),
    };
    let silent = |probe: &&ComparedProbe| matches!(probe.original.outcome, Outcome::Silent { .. });
    let silent = comparison.probes().filter(silent).count();
    let unanswered = match silent {
        0 => String::new(),
        some => format!(", {some} of them unanswered by the original"),
    };
    format!(
        "{}{unanswered}; the original ran {}\nverdict: {verdict}\n",
        count(comparison.probes().count() as u64, "probe"),
        count(u64::from(comparison.original_runs), "time"),
    )
}
