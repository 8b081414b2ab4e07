//! What all cases came to, as rows and goals of `docs/results/cases.json`.

use serde_json::json;

use super::judge::Tally;
use super::slimmer::{Hints, Slimmed};
use crate::bench::record::Record;

/// One case in one mode.
pub(crate) struct Outcome {
    pub(crate) hints: Hints,
    pub(crate) exit: i32,
    pub(crate) wall_s: f64,
    pub(crate) passed: usize,
    pub(crate) total: usize,
    pub(crate) small_bytes: Option<u64>,
    pub(crate) faults: Vec<String>,
    /// Broken laws.
    pub(crate) broken: Vec<String>,
}

/// One case.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) original_bytes: u64,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Outcome {
    pub(crate) fn new(hints: Hints, slimmed: &Slimmed, tally: Tally) -> Self {
        Self {
            hints,
            exit: slimmed.exit,
            wall_s: slimmed.wall_s,
            passed: tally.passed,
            total: tally.total,
            small_bytes: None,
            faults: tally.faults,
            broken: Vec::new(),
        }
    }

    /// Every check passes and every law holds.
    pub(crate) fn is_whole(&self) -> bool {
        self.small_bytes.is_some() && self.passed == self.total && self.broken.is_empty()
    }

    /// The one thing that must never be.
    pub(crate) fn is_false_success(&self) -> bool {
        self.exit == 0 && !self.is_whole()
    }

    pub(crate) fn verdict(&self) -> &'static str {
        match self.exit {
            0 => "whole",
            1 => "differs",
            2 => "could not run",
            3 => "could not tell",
            124 => "out of time",
            _ => "crashed",
        }
    }

    /// `whole, 18 of 18`.
    fn in_short(&self) -> String {
        let mut text = format!("{}, {} of {}", self.verdict(), self.passed, self.total);
        if !self.broken.is_empty() {
            text.push_str(", laws broken");
        }
        text
    }
}

/// Rows, a line of sums, and the goals.
pub(crate) fn record(rows: &[Row]) -> Record {
    let mut record = Record::new("image");
    for row in rows {
        let mut figures = vec![("original_bytes", json!(row.original_bytes))];
        for outcome in &row.outcomes {
            let names = match outcome.hints {
                Hints::None => ["no_hints", "small_bytes", "took_s"],
                Hints::Full => [
                    "full_traffic",
                    "small_at_full_traffic_bytes",
                    "took_at_full_traffic_s",
                ],
            };
            figures.push((names[0], json!(outcome.in_short())));
            if let Some(bytes) = outcome.small_bytes {
                figures.push((names[1], json!(bytes)));
            }
            figures.push((names[2], json!((outcome.wall_s * 10.0).round() / 10.0)));
        }
        record.row(&row.what, &figures);
    }
    let outcomes = |hints: Hints| {
        rows.iter()
            .flat_map(|row| &row.outcomes)
            .filter(move |outcome| outcome.hints == hints)
    };
    let failed = |hints: Hints| {
        let (mut failed, mut total) = (0, 0);
        outcomes(hints).for_each(|outcome| {
            failed += outcome.total - outcome.passed;
            total += outcome.total;
        });
        100.0 * failed as f64 / (total.max(1)) as f64
    };
    let broken = |hints: Hints| {
        outcomes(hints)
            .filter(|outcome| !outcome.is_whole())
            .count() as f64
    };
    record.goal("checks failed without hints", 5.0, failed(Hints::None), "%");
    record.goal(
        "images not whole without hints",
        (rows.len() as f64 * 2.0 / 13.0).floor(),
        broken(Hints::None),
        "",
    );
    record.goal(
        "checks failed at full traffic",
        0.0,
        failed(Hints::Full),
        "%",
    );
    record.goal(
        "images not whole at full traffic",
        0.0,
        broken(Hints::Full),
        "",
    );
    let lies = rows.iter().flat_map(|row| &row.outcomes);
    let lies = lies.filter(|outcome| outcome.is_false_success()).count();
    record.goal("called whole and failing a check", 0.0, lies as f64, "");
    let before: u64 = rows.iter().map(|row| row.original_bytes).sum();
    let after: u64 = rows
        .iter()
        .map(|row| {
            let full = row
                .outcomes
                .iter()
                .find(|outcome| outcome.hints == Hints::Full);
            // Without a small image the original is what one is left with.
            full.and_then(|outcome| outcome.small_bytes)
                .unwrap_or(row.original_bytes)
        })
        .sum();
    record.goal(
        "size at full traffic, of all originals",
        10.0,
        100.0 * after as f64 / before.max(1) as f64,
        "%",
    );
    let slowest = rows.iter().flat_map(|row| &row.outcomes);
    let slowest = slowest.map(|outcome| outcome.wall_s).fold(0.0, f64::max);
    record.goal(
        "slowest case, its own workload included",
        15.0,
        slowest,
        "s",
    );
    record
}

#[cfg(test)]
mod tests {
    use super::{Hints, Outcome};

    fn check(exit: i32, passed: usize, broken: &[&str], is_false_success: bool) {
        let outcome = Outcome {
            hints: Hints::None,
            exit,
            wall_s: 1.0,
            passed,
            total: 2,
            small_bytes: Some(1),
            faults: Vec::new(),
            broken: broken.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(outcome.is_false_success(), is_false_success);
    }

    #[test]
    fn false_success() {
        check(0, 2, &[], false);
        check(0, 1, &[], true);
        check(0, 2, &["/etc is writable"], true);
        check(3, 0, &[], false);
    }
}
