//! Starts an image and asks it what it was asked to answer.

mod asking;
mod container;
mod http;
mod judge;
#[cfg(test)]
mod judge_tests;
mod root;
mod running;
mod services;
mod spec;
mod symptoms;
mod tcp;
mod verdict;

use std::path::Path;
use std::time::Duration;

use jettison_image::{Image, Platform};
use jettison_plan::{Evidence, Isolation, Observation, Probe, Subject, Verdict};
use jettison_sandbox::{ContainerSpec, Options, Profile, Sandbox, Tier};

use crate::Context;
use crate::build::{exposed_ports, healthcheck_argv};
use crate::surroundings::{Service, ServiceKind, Surroundings};
pub(crate) use container::SandboxRunner;
use container::signal_number;
use judge::{Judgement, Questions, judge};
use root::prepare_root;
use services::Services;

pub(crate) use asking::{MOST_PORTS, changes, guess_port, open_ports, shell};
pub(crate) use container::signal_number as stop_signal;
pub(crate) use http::exchange;
pub(crate) use judge::{POLL, SETTLE, State, connection, sandbox as run_error, settle};
pub(crate) use root::{prepare_root as prepare, read_tree};
pub use running::RunError;
pub(crate) use running::{Output, Runner, Running};
pub(crate) use services::{PreparedServices, Services as Companions, join};
pub(crate) use spec::container_spec;
pub use symptoms::Symptom;
pub(crate) use symptoms::recognise;
pub(crate) use tcp::{accepted, converse};
pub(crate) use verdict::problem;

/// What is to be proven of an image.
pub struct ProveRequest<'a> {
    /// The image.
    pub image: &'a Image,
    /// Nothing writable, no capabilities, not root: for images that recipes
    /// build. Else as Docker would run it.
    pub hardened: bool,
    /// What must be answered.
    pub probes: &'a [Probe],
    /// What the program needs around it.
    pub surroundings: &'a Surroundings,
    /// From the start to the last good answer.
    pub timeout: Duration,
    /// The image's program on this machine, when it was just built from the
    /// person's own sources: it may run without a sandbox where there is none.
    pub own_program: Option<&'a Path>,
}

/// What was found out.
#[derive(Debug)]
pub struct Proof {
    /// The document.
    pub evidence: Evidence,
    /// Everything the program said, last words at the end.
    pub output: String,
    /// What its last words mean, where they are known.
    pub symptom: Option<&'static Symptom>,
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] jettison_sandbox::Error),
    /// The image cannot be read.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// Something could not be run for a reason of our own.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A companion does not run.
    #[error("service {name}: {problem}")]
    Service {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ProveError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sandbox(error) => error.hint(),
            Self::Service { .. } => Some(
                "check --service: NAME=tcp:HOST:PORT for a server that is there, \
                 'NAME=IMAGE [COMMAND…]' for a companion; --service-env NAME:VARIABLE=VALUE"
                    .to_owned(),
            ),
            Self::Image(_) | Self::Run(_) => None,
        }
    }
}

/// Runs the image and asks.
pub fn prove(request: &ProveRequest<'_>, context: &Context) -> Result<Proof, ProveError> {
    let platform = request.image.config.platform();
    if let Some(reason) = foreign(&platform) {
        return Ok(unrun(request, &platform, reason));
    }
    let options = Options {
        scratch_dir: context.scratch().ok(),
        ..Options::default()
    };
    let sandbox = match Sandbox::open(&options) {
        Ok(sandbox) if sandbox.tier().contains_strangers() => sandbox,
        other => return without_sandbox(request, &platform, &options, other),
    };
    let item = context.progress.begin("preparing the container", None);
    let root = prepare_root(&sandbox, request.image, context.limits())?;
    drop(item);
    let services = Services::start(&sandbox, request.surroundings, context)?;
    let mut spec = spec(request);
    spec.hosts.extend(services.hosts.clone());
    let runner = SandboxRunner {
        sandbox: &sandbox,
        root: Some(&root),
        spec,
        stop_signal: signal_number(request.image.config.run.stop_signal.as_deref()),
    };
    let item = context.progress.begin("asking the running program", None);
    let mut judgement = judge(&runner, &questions(request))?;
    drop(item);
    for name in services.ended() {
        judgement.notes.push(format!(
            "companion container {name} ended while it was needed"
        ));
    }
    let isolation = Isolation::Sandbox {
        tier: sandbox.tier().to_string(),
        profile: profile_name(request).to_owned(),
    };
    Ok(proof(request, &platform, isolation, judgement))
}

/// The person's own program as a plain child; anybody else's not at all.
fn without_sandbox(
    request: &ProveRequest<'_>,
    platform: &Platform,
    options: &Options,
    opened: Result<Sandbox, jettison_sandbox::Error>,
) -> Result<Proof, ProveError> {
    let reason = match opened {
        Ok(sandbox) => format!("only {} is possible here", sandbox.tier()),
        Err(error) => error.to_string(),
    };
    let Some(program) = request.own_program else {
        let reason = format!("no sandbox for other people's programs: {reason}");
        return Ok(unrun(request, platform, reason));
    };
    let services = &request.surroundings.services;
    let companion = |service: &&Service| matches!(service.kind, ServiceKind::Image { .. });
    if let Some(service) = services.iter().find(companion) {
        let name = &service.name;
        let reason =
            format!("service {name} is other people's program, with no sandbox for it: {reason}");
        return Ok(unrun(request, platform, reason));
    }
    let options = Options {
        tier: Some(Tier::Unisolated),
        ..options.clone()
    };
    let sandbox = Sandbox::open(&options)?;
    let mut spec = spec(request);
    spec.mounts.clear();
    let arguments = spec.args.split_off(spec.args.len().min(1));
    spec.args = std::iter::once(program.as_os_str().to_owned())
        .chain(arguments)
        .collect();
    let runner = SandboxRunner {
        sandbox: &sandbox,
        root: None,
        spec,
        stop_signal: signal_number(request.image.config.run.stop_signal.as_deref()),
    };
    let mut judgement = judge(&runner, &questions(request))?;
    for service in services {
        judgement.notes.push(format!(
            "service {} is not known under that name to a program that runs unisolated",
            service.name
        ));
    }
    Ok(proof(
        request,
        platform,
        Isolation::Unisolated { reason },
        judgement,
    ))
}

fn proof(
    request: &ProveRequest<'_>,
    platform: &Platform,
    isolation: Isolation,
    judgement: Judgement,
) -> Proof {
    let evidence = Evidence {
        schema: Evidence::SCHEMA.to_owned(),
        subject: subject(request, platform),
        isolation,
        ready_after_ms: judgement.ready_after.map(|time| time.as_millis() as u64),
        observations: judgement.observations,
        notes: judgement.notes,
        verdict: judgement.verdict,
    };
    Proof {
        evidence,
        output: judgement.output,
        symptom: judgement.symptom,
    }
}

fn unrun(request: &ProveRequest<'_>, platform: &Platform, reason: String) -> Proof {
    let evidence = Evidence {
        schema: Evidence::SCHEMA.to_owned(),
        subject: subject(request, platform),
        isolation: Isolation::NotRun { reason },
        ready_after_ms: None,
        observations: Vec::<Observation>::new(),
        notes: Vec::new(),
        verdict: Verdict::CouldNotTell,
    };
    Proof {
        evidence,
        output: String::new(),
        symptom: None,
    }
}

fn subject(request: &ProveRequest<'_>, platform: &Platform) -> Subject {
    Subject {
        manifest: request.image.manifest_digest.to_string(),
        platform: platform.to_string(),
    }
}

/// Why a platform cannot be run here.
pub(crate) fn foreign(platform: &Platform) -> Option<String> {
    let host = Platform::host();
    if platform.os != host.os {
        return Some(format!("it is for {platform}, this machine is {host}"));
    }
    let is_native = platform.architecture == host.architecture
        // The kernel of the one runs programs of the other.
        || (host.architecture == "amd64" && platform.architecture == "386");
    if is_native {
        return None;
    }
    let machine = match platform.architecture.as_str() {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i386",
        other => other,
    };
    match jettison_sandbox::emulator(machine) {
        Some(emulator) if emulator.in_containers => None,
        Some(emulator) => Some(format!(
            "it is for {platform}, and {} is registered without the flag F that lets it work in containers",
            emulator.interpreter.display()
        )),
        None => Some(format!(
            "it is for {platform}, this machine is {host} and has no emulator for it; \
             qemu-user-static with binfmt-support brings one"
        )),
    }
}

fn spec(request: &ProveRequest<'_>) -> ContainerSpec {
    let run = &request.image.config.run;
    container_spec(run, profile(request), request.surroundings)
}

fn questions(request: &ProveRequest<'_>) -> Questions {
    let config = &request.image.config;
    Questions {
        probes: request.probes.to_vec(),
        exposed: exposed_ports(config),
        healthcheck: healthcheck_argv(config),
        timeout: request.timeout,
    }
}

/// Somebody who says `--user 0` means it: a root without rights would prove
/// nothing about a root that has them.
fn profile(request: &ProveRequest<'_>) -> Profile {
    match (request.hardened, runs_as_root(request)) {
        (false, _) => Profile::AS_SHIPPED,
        (true, false) => Profile::HARDENED,
        (true, true) => Profile {
            read_only_root: true,
            ..Profile::AS_SHIPPED
        },
    }
}

fn profile_name(request: &ProveRequest<'_>) -> &'static str {
    match (request.hardened, runs_as_root(request)) {
        (false, _) => "as shipped",
        (true, false) => "hardened",
        (true, true) => "as root on a read-only file system",
    }
}

fn runs_as_root(request: &ProveRequest<'_>) -> bool {
    let user = &request.image.config.run.user;
    matches!(user.split(':').next(), None | Some("" | "0" | "root"))
}
