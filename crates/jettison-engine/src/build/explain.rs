//! Why this base and not another: the choices side by side, sizes measured now.

use jettison_packages::base::{Part, Selection};
use serde::Serialize;

use super::at_hand::{self, Found, look};
use super::parts::{BaseChoice, Decision};
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

/// What was measured.
struct Measured {
    /// Bytes of the base that the image has.
    own: u64,
    /// Bytes of the static base, or why they are not known.
    everything: Result<u64, String>,
    /// What the image has, where it stands on another that nobody here knows.
    found: Option<Found>,
}

/// Compares the bases that a static program could stand on.
pub fn explain(
    request: &BuildRequest,
    built: &Built,
    context: &Context,
) -> Result<Vec<BaseOption>, BuildError> {
    let settings = said(request)?.settings;
    let choice = BaseChoice::parse(settings.base.as_deref().unwrap_or_default());
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
    let measured = Measured {
        own: base_bytes(built),
        everything: everything
            .map(|composed| composed.base.size_bytes())
            .map_err(|error| error.to_string()),
        found: match choice {
            BaseChoice::Image(_) => Some(look(&built.image, context)?),
            _ => None,
        },
    };
    let mut options = options(&choice, &built.decisions, &measured);
    // Last what others are, the one that was chosen aside.
    let platform = built.image.config.platform();
    let others = at_hand::options(&platform, context);
    let is_known = |other: &BaseOption| options.iter().any(|option| option.name == other.name);
    let others: Vec<BaseOption> = others
        .into_iter()
        .filter(|other| !is_known(other))
        .collect();
    options.extend(others);
    Ok(options)
}

fn base_bytes(built: &Built) -> u64 {
    let is_base = |component: &str| {
        Part::ALL.iter().any(|part| part.as_str() == component) || component == "base image"
    };
    let rows = built.sizes.rows.iter();
    rows.filter(|row| is_base(&row.component))
        .map(|row| row.unpacked_bytes)
        .sum()
}

/// What the program would miss is what it asks for, whatever the image has.
fn options(choice: &BaseChoice, decisions: &[Decision], measured: &Measured) -> Vec<BaseOption> {
    let names = |wanted: fn(&Decision) -> bool| -> Vec<&str> {
        let wanted = decisions.iter().filter(|decision| wanted(decision));
        wanted.map(|decision| decision.part).collect()
    };
    let needed = names(|decision| decision.needed);
    let kept = names(|decision| decision.kept);
    let mut options = vec![scratch(
        &needed,
        *choice == BaseChoice::Scratch || (*choice == BaseChoice::Auto && kept.is_empty()),
    )];
    let own = |name: &str, found: &Found, remarks| BaseOption {
        name: name.to_owned(),
        unpacked_bytes: Some(measured.own),
        ca_certificates: found.ca_certificates,
        time_zones: found.time_zones,
        shell: found.shell,
        chosen: true,
        remarks,
    };
    if *choice == BaseChoice::Auto && !kept.is_empty() {
        let found = Found {
            unpacked_bytes: measured.own,
            ca_certificates: kept.contains(&"ca-certificates"),
            time_zones: kept.contains(&"tzdata"),
            shell: false,
        };
        let remarks = format!("has {} and nothing else", kept.join(", "));
        options.push(own("what the program needs", &found, remarks));
    }
    options.push(everything(measured, *choice == BaseChoice::Static));
    if let (BaseChoice::Image(name), Some(found)) = (choice, &measured.found) {
        let remarks = "as you said; what it has beside the program is in `jettison inspect`";
        options.push(own(name, found, remarks.to_owned()));
    }
    options
}

fn scratch(needed: &[&str], chosen: bool) -> BaseOption {
    BaseOption {
        name: "scratch".to_owned(),
        unpacked_bytes: Some(0),
        ca_certificates: false,
        time_zones: false,
        shell: false,
        chosen,
        remarks: match needed.is_empty() {
            true => "nothing is needed beside the program".to_owned(),
            false => format!("the program would miss {}", needed.join(", ")),
        },
    }
}

fn everything(measured: &Measured, chosen: bool) -> BaseOption {
    BaseOption {
        name: "static".to_owned(),
        unpacked_bytes: measured.everything.as_ref().ok().copied(),
        ca_certificates: true,
        time_zones: true,
        shell: false,
        chosen,
        remarks: match &measured.everything {
            Ok(_) => "everything a static program may need, no shell, no libraries".to_owned(),
            Err(error) => format!("not measured: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseChoice, Decision, Measured, options};

    /// Of a program that asks for `os-release` and for nothing else.
    #[track_caller]
    fn check(base: &str, kept: &[&str], expected: &[&str]) {
        let decision = |part: &'static str| Decision {
            part,
            needed: part == "os-release",
            kept: kept.contains(&part),
            reason: String::new(),
        };
        let decisions = ["ca-certificates", "os-release"].map(decision);
        let measured = Measured {
            own: 1,
            everything: Ok(2),
            found: None,
        };
        let line = |option: super::BaseOption| {
            let chosen = if option.chosen { " (chosen)" } else { "" };
            format!("{}{chosen}: {}", option.name, option.remarks)
        };
        let options = options(&BaseChoice::parse(base), &decisions, &measured);
        let found: Vec<String> = options.into_iter().map(line).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_would_be_missed_is_what_the_program_asks_for() {
        let missed = "scratch: the program would miss os-release";
        let everything = "static: everything a static program may need, no shell, no libraries";
        check(
            "scratch",
            &[],
            &[
                "scratch (chosen): the program would miss os-release",
                everything,
            ],
        );
        let chosen = everything.replace("static:", "static (chosen):");
        check(
            "static",
            &["ca-certificates", "os-release"],
            &[missed, &chosen],
        );
        let own = "what the program needs (chosen): has os-release and nothing else";
        check("auto", &["os-release"], &[missed, own, everything]);
    }
}
