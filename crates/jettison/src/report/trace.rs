//! What a program touched, as a document.

use jettison_plan::{FilePath, Trace};
use serde::Serialize;

/// `jettison.trace/1`.
#[derive(Debug, Serialize)]
pub struct Document<'t> {
    schema: &'static str,
    paths: Vec<Touched<'t>>,
    programs: Vec<Program<'t>>,
    lost: u64,
    notes: &'t [String],
}

#[derive(Debug, Serialize)]
struct Touched<'t> {
    path: &'t FilePath,
    done: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Program<'t> {
    path: &'t FilePath,
    argv: &'t [String],
}

impl<'t> Document<'t> {
    /// Of everything that was touched.
    pub fn of(trace: &'t Trace) -> Self {
        let touched = trace.paths.iter().map(|(path, touch)| Touched {
            path,
            done: touch.names().collect(),
        });
        let programs = trace.programs.iter();
        Self {
            schema: "jettison.trace/1",
            paths: touched.collect(),
            programs: programs
                .map(|(path, argv)| Program { path, argv })
                .collect(),
            lost: trace.lost,
            notes: &trace.notes,
        }
    }
}
