//! `jettison doctor`: what this machine allows, and how to get what is missing.

use clap::Args;
use jettison_engine::doctor::{DoctorRequest, Examination, Row, State, examine};
use jettison_engine::transport::Environment;
use serde::Serialize;

use super::run::shell_directories;
use super::shared::{Format, FormatArgs, GlobalArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::ui::{Table, Ui};

/// Say what this machine allows, and how to get what is missing
///
/// Nothing is changed, and nothing is asked over a network. The exit code is 0
/// when a project can be built and proven here, 1 when something is missing
/// that this needs.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub format: FormatArgs,
}

/// Looks, and says.
pub fn doctor(args: &DoctorArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let context = settings::context(global, ui);
    let found = examine(&DoctorRequest {
        store: &settings::store_path(global)?,
        context: context
            .as_ref()
            .map_err(|failure| failure.error.to_string()),
        environment: &Environment::new(std::env::vars_os()),
        ca_files: &settings::ca_files(global),
        shells: &shell_directories(),
    });
    match args.format.format {
        Format::Text => text(&found, ui)?,
        Format::Json => json(&found, ui)?,
    }
    Ok(match found.ready {
        true => Exit::Fine,
        false => Exit::Findings,
    })
}

fn text(found: &Examination, ui: &Ui) -> Result<(), Failure> {
    for group in found.rows.chunk_by(|a, b| a.area == b.area) {
        let mut table = Table::new(&[group[0].area, "", ""]);
        for row in group {
            table.row([row.what.as_str(), word(row.state), &row.detail]);
        }
        let hints: String = group.iter().filter_map(hint).collect();
        ui.answer(&format!("{}{hints}\n", table.render()))?;
    }
    ui.answer(match found.ready {
        true => "a Go or Rust project can be built and proven here\n",
        false => "something is needed before a project can be built here\n",
    })
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Limited => "limited",
        State::Missing => "missing",
        State::Needed => "NEEDED",
    }
}

fn hint(row: &Row) -> Option<String> {
    let hint = row.hint.as_ref()?;
    Some(format!("hint: {}: {hint}\n", row.what))
}

fn json(found: &Examination, ui: &Ui) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        #[serde(flatten)]
        found: &'a Examination,
    }
    ui.document(&Document {
        schema: "jettison.doctor/1",
        found,
    })
}
