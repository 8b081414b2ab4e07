//! How programs can be contained here.

use std::path::Path;

use jettison_image::Platform;
use jettison_recipes::Target;
use jettison_sandbox::{Tier, TierSupport, control_groups, emulator, survey};

use super::{DoctorRequest, Row, State};
use crate::run::DebugShell;

const AREA: &str = "sandbox";

pub(super) fn rows(request: &DoctorRequest<'_>) -> Vec<Row> {
    let scratch = match &request.context {
        Ok(context) => context.scratch().ok(),
        Err(_) => None,
    };
    let scratch = scratch.unwrap_or_else(|| "/tmp".into());
    let support = survey(&scratch);
    let best = support.iter().find(|tier| tier.missing.is_none());
    let best = best.map(|support| support.tier);
    let mut rows: Vec<Row> = support.iter().map(|support| tier(support, best)).collect();
    rows.push(network(best));
    rows.push(groups());
    rows.extend(emulators());
    rows.push(shell(request));
    rows
}

fn tier(support: &TierSupport, best: Option<Tier>) -> Row {
    let row = |state, detail: &str| Row::new(AREA, support.tier.to_string(), state, detail.into());
    let Some(missing) = &support.missing else {
        let contains = support.tier.contains_strangers();
        return match (best == Some(support.tier), contains) {
            (true, true) => row(State::Ok, "used"),
            (false, true) => row(State::Ok, "possible"),
            (true, false) => row(State::Limited, weak(support.tier)),
            (false, false) => row(State::Ok, "possible, used on demand only"),
        };
    };
    // Some way to run what was just built is all that the main job needs.
    let state = match best {
        Some(_) => State::Missing,
        None => State::Needed,
    };
    let found = row(state, &missing.reason);
    match &missing.hint {
        Some(hint) => found.hint(hint),
        None => found,
    }
}

/// What a tier is good for that contains no strangers.
fn weak(tier: Tier) -> &'static str {
    match tier {
        Tier::Chroot => {
            "only programs just built here are run; images of others with `run --allow-chroot`"
        }
        _ => "only programs just built here are run, and no images of others",
    }
}

fn network(best: Option<Tier>) -> Row {
    let what = "a network for each container";
    match best.is_some_and(Tier::has_namespaces) {
        true => Row::new(
            AREA,
            what,
            State::Ok,
            "veth pairs in a network namespace".into(),
        ),
        false => Row::new(
            AREA,
            what,
            State::Limited,
            "programs share this machine's network: a server on 127.0.0.1 only is not found out"
                .into(),
        ),
    }
}

fn groups() -> Row {
    let version = if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        "version 2"
    } else if Path::new("/sys/fs/cgroup/memory").exists() {
        "version 1"
    } else {
        "none mounted"
    };
    let what = "control groups";
    if control_groups().is_empty() {
        let detail = format!("{version}, not writable: memory and processes are watched instead");
        return Row::new(AREA, what, State::Limited, detail)
            .hint("systemd-run --user --scope -p Delegate=yes jettison …");
    }
    Row::new(AREA, what, State::Ok, format!("{version}, writable"))
}

fn emulators() -> Vec<Row> {
    let host = Platform::host().architecture;
    let foreign = Target::ALL
        .into_iter()
        .filter(|target| target.architecture() != host);
    foreign
        .map(|target| {
            let what = format!("programs for {target}");
            match emulator(target.triple_architecture()) {
                Some(found) if found.in_containers => {
                    Row::new(AREA, what, State::Ok, found.interpreter.display().to_string())
                }
                Some(found) => {
                    let detail = format!(
                        "{} is not held open by the kernel (flag F), so images would need it inside",
                        found.interpreter.display()
                    );
                    Row::new(AREA, what, State::Limited, detail)
                        .hint("apt-get install qemu-user-static binfmt-support")
                }
                None => Row::new(AREA, what, State::Missing, "no user-mode emulator".into())
                    .hint("apt-get install qemu-user-static binfmt-support"),
            }
        })
        .collect()
}

fn shell(request: &DoctorRequest<'_>) -> Row {
    let what = "a static shell for run --debug";
    let wanted = DebugShell {
        shell: None,
        search: request.shells.to_vec(),
    };
    match wanted.find() {
        Ok(found) => Row::new(AREA, what, State::Ok, found.path().display().to_string()),
        Err(error) => {
            let row = Row::new(AREA, what, State::Missing, error.to_string());
            match error.hint() {
                Some(hint) => row.hint(hint),
                None => row,
            }
        }
    }
}
