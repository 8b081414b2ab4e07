//! What a bench found, as the committed JSON has it: rows of figures, goals, and the machine in general terms. No path, no host
//! name and no date, so that a new run changes figures only.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::machine;
use super::measure::Usage;
use crate::Problem;

/// Rows and goals, in the order in which they are shown.
pub(crate) struct Record {
    /// What the rows are: the heading of the first column.
    subject: &'static str,
    rows: Vec<Map<String, Value>>,
    goals: Vec<Goal>,
    /// What could not be had, said in the result as well.
    without: Vec<String>,
}

struct Goal {
    what: &'static str,
    limit: f64,
    measured: f64,
    unit: &'static str,
}

impl Goal {
    fn is_met(&self) -> bool {
        self.measured <= self.limit
    }
}

impl Record {
    pub(crate) fn new(subject: &'static str) -> Self {
        Self {
            subject,
            rows: Vec::new(),
            goals: Vec::new(),
            without: Vec::new(),
        }
    }

    /// A row of figures whose units are the ends of their names.
    pub(crate) fn row(&mut self, what: &str, figures: &[(&str, Value)]) {
        let mut row = Map::new();
        row.insert("what".to_owned(), what.into());
        row.extend(
            figures
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        self.rows.push(row);
    }

    /// A row of what a command took.
    pub(crate) fn usage(&mut self, what: &str, usage: Usage) {
        self.row(
            what,
            &[
                ("cpu_s", thousandths(usage.cpu_s)),
                ("wall_s", thousandths(usage.wall_s)),
                ("peak_bytes", json!(usage.peak_bytes as u64)),
            ],
        );
    }

    /// Something that is to be at most so much.
    pub(crate) fn goal(
        &mut self,
        what: &'static str,
        limit: f64,
        measured: f64,
        unit: &'static str,
    ) {
        self.goals.push(Goal {
            what,
            limit,
            measured,
            unit,
        });
    }

    /// Something that would have been measured too.
    pub(crate) fn without(&mut self, what: String) {
        self.without.push(what);
    }

    /// Writes the result for the docs.
    pub(crate) fn write(&self, path: &Path, runs: usize) -> Result<(), Problem> {
        let goals: Vec<Value> = self
            .goals
            .iter()
            .map(|goal| {
                json!({
                    "what": goal.what, "limit": goal.limit, "measured": thousandths(goal.measured),
                    "unit": goal.unit, "met": goal.is_met(),
                })
            })
            .collect();
        let result = json!({
            "subject": self.subject,
            "runs": runs,
            "machine": machine::facts()?,
            "rows": self.rows,
            "goals": goals,
            "without": self.without,
        });
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::write(path, serde_json::to_string_pretty(&result)? + "\n")?;
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            let figures: Vec<String> = row
                .iter()
                .skip(1)
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            let what = row.get("what").and_then(Value::as_str).unwrap_or_default();
            writeln!(out, "  {what:44} {}", figures.join("  "))?;
        }
        for goal in &self.goals {
            let word = if goal.is_met() { "reached" } else { "MISSED " };
            writeln!(
                out,
                "  {word}  {}: {:.3} of at most {} {}",
                goal.what, goal.measured, goal.limit, goal.unit
            )?;
        }
        for what in &self.without {
            writeln!(out, "  could not have: {what}")?;
        }
        Ok(())
    }
}

/// More digits than a median means would only make every run look new.
fn thousandths(figure: f64) -> Value {
    json!((figure * 1000.0).round() / 1000.0)
}
