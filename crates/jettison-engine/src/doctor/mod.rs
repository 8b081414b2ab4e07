//! `doctor`: what this machine allows, and how to get what is missing.
//!
//! Everything is tried or looked at, nothing is changed, and nothing is asked
//! over a network: an engine is spoken to when it listens on this machine.

mod packages;
mod places;
mod registries;
mod sandbox;
mod tools;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Context;
use crate::transport::Environment;

/// What is to be looked at.
pub struct DoctorRequest<'a> {
    /// Where the store is, or would be.
    pub store: &'a Path,
    /// What deeds work with, or why it cannot be had.
    pub context: Result<&'a Context, String>,
    /// The caller's environment.
    pub environment: &'a Environment,
    /// Certificate authorities that the person named.
    pub ca_files: &'a [PathBuf],
    /// Directories in which a static shell is looked for.
    pub shells: &'a [PathBuf],
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// Whether a project of this machine can be built and proven here.
    pub ready: bool,
    /// One thing each, grouped by area.
    pub rows: Vec<Row>,
}

/// One thing of the machine.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What it belongs to: `sandbox`, `toolchains`, `engines`, …
    pub area: &'static str,
    /// What it is.
    pub what: String,
    /// How it is.
    pub state: State,
    /// The version, the path, the reason.
    pub detail: String,
    /// How to get what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There, and in order.
    Ok,
    /// There, with something to know about it.
    Limited,
    /// Not there, and the main job can do without.
    Missing,
    /// Not there, and nothing can be built without it.
    Needed,
}

impl Row {
    fn new(area: &'static str, what: impl Into<String>, state: State, detail: String) -> Self {
        Self {
            area,
            what: what.into(),
            state,
            detail,
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Looks at everything.
pub fn examine(request: &DoctorRequest<'_>) -> Examination {
    let mut rows = sandbox::rows(request);
    rows.extend(tools::rows(request));
    rows.extend(registries::rows(request));
    rows.extend(packages::rows(request));
    rows.extend(places::rows(request));
    Examination {
        ready: rows.iter().all(|row| row.state != State::Needed),
        rows,
    }
}
