//! Why this base and not another: the choices side by side, sizes measured now.

use jettison_packages::base::{Part, Selection};
use serde::Serialize;

use super::parts::BaseChoice;
use super::settings::said;
use super::{BuildError, BuildRequest, Built};
use crate::Context;
use crate::base::{BaseRequest, compose_base};

/// One base that the program could stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseOption {
    /// Its name.
    pub name: String,
    /// What it adds to the program; none where it could not be measured.
    pub unpacked_bytes: Option<u64>,
    /// It has a CA bundle.
    pub ca_certificates: bool,
    /// It has time zones.
    pub time_zones: bool,
    /// It has a shell.
    pub shell: bool,
    /// This image stands on it.
    pub chosen: bool,
    /// For and against.
    pub remarks: String,
}

/// Compares the bases that a static program could stand on.
pub fn explain(
    request: &BuildRequest,
    built: &Built,
    context: &Context,
) -> Result<Vec<BaseOption>, BuildError> {
    let settings = said(request)?.settings;
    let choice = BaseChoice::parse(settings.base.as_deref().unwrap_or_default());
    let kept = |part: &str| built.decisions.iter().any(|d| d.part == part && d.kept);
    let needed: Vec<&str> = built
        .decisions
        .iter()
        .filter(|d| d.kept)
        .map(|d| d.part)
        .collect();
    let is_base = |component: &str| {
        Part::ALL.iter().any(|part| part.as_str() == component) || component == "base image"
    };
    let own: u64 = built
        .sizes
        .rows
        .iter()
        .filter(|row| is_base(&row.component))
        .map(|row| row.unpacked_bytes)
        .sum();
    let everything = compose_base(
        &BaseRequest {
            selection: Selection::everything(),
            architecture: built.image.config.architecture.clone(),
            mirror: settings.mirror.clone(),
            suite: request.suite.clone(),
            keyring: settings.keyring.iter().map(Into::into).collect(),
            lock: None,
            now: request.now,
        },
        context,
    );
    let static_remarks = match &everything {
        Ok(_) => "everything a static program may need, no shell, no libraries".to_owned(),
        Err(error) => format!("not measured: {error}"),
    };
    let mut options = vec![
        BaseOption {
            name: "scratch".to_owned(),
            unpacked_bytes: Some(0),
            ca_certificates: false,
            time_zones: false,
            shell: false,
            chosen: choice == BaseChoice::Scratch
                || (choice == BaseChoice::Auto && needed.is_empty()),
            remarks: if needed.is_empty() {
                "nothing is needed beside the program".to_owned()
            } else {
                format!("the program would miss {}", needed.join(", "))
            },
        },
        BaseOption {
            name: "static".to_owned(),
            unpacked_bytes: everything.ok().map(|composed| composed.base.size_bytes()),
            ca_certificates: true,
            time_zones: true,
            shell: false,
            chosen: choice == BaseChoice::Static,
            remarks: static_remarks,
        },
    ];
    if choice == BaseChoice::Auto && !needed.is_empty() {
        options.insert(
            1,
            BaseOption {
                name: "what the program needs".to_owned(),
                unpacked_bytes: Some(own),
                ca_certificates: kept("ca-certificates"),
                time_zones: kept("tzdata"),
                shell: false,
                chosen: true,
                remarks: format!("has {} and nothing else", needed.join(", ")),
            },
        );
    }
    if let BaseChoice::Image(name) = &choice {
        options.push(BaseOption {
            name: name.clone(),
            unpacked_bytes: Some(own),
            ca_certificates: kept("ca-certificates"),
            time_zones: kept("tzdata"),
            shell: true,
            chosen: true,
            remarks: "as you said; what it has beside the program is in `jettison inspect`"
                .to_owned(),
        });
    }
    Ok(options)
}
