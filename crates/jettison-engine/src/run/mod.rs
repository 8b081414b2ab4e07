//! `run`: an image started for a person to try, the way a judge would start
//! it. The program's streams are the caller's; nothing here reads or prints.

mod debug;
mod failure;
mod ports;

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use jettison_image::{Digest, Platform, RunConfig};
use jettison_plan::Trace;
use jettison_sandbox::{
    Container, ContainerSpec, Exit, LimitsBy, Options, Profile, Root, Sandbox, Stdio, Tier, survey,
};

pub use debug::DebugShell;
pub use failure::RunFailure;
pub use jettison_sandbox::{Error as SandboxError, ExitReason, Network, TerminalSize, Tracing};
pub use ports::{PortError, PublishedPort};

use crate::Context;
use crate::prove::{Companions, container_spec, foreign, prepare, stop_signal};
use crate::surroundings::Surroundings;
use crate::transport::{Location, Origin};
use ports::Door;

/// What is to be run, and how.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The image.
    pub image: Location,
    /// Which of several; this machine's when not given.
    pub platform: Option<Platform>,
    /// In the place of the image's CMD, when not empty.
    pub command: Vec<String>,
    /// In the place of the image's ENTRYPOINT, whose CMD then counts no more;
    /// an empty text is none at all.
    pub entrypoint: Option<String>,
    /// In the place of the image's user.
    pub user: Option<String>,
    /// In the place of the image's working directory.
    pub workdir: Option<String>,
    /// Read-only root, no capabilities, not root.
    pub hardened: bool,
    /// Which network the program sees.
    pub network: Network,
    /// Ports of the program that this machine gets.
    pub ports: Vec<PublishedPort>,
    /// What the program needs around it.
    pub surroundings: Surroundings,
    /// A terminal for the program instead of the caller's streams.
    pub terminal: Option<TerminalSize>,
    /// The program gets the caller's standard input.
    pub interactive: bool,
    /// Whether what it touches is recorded, and by what.
    pub tracing: Tracing,
    /// A shell in the program's place.
    pub debug: Option<DebugShell>,
    /// Without namespaces, a copy and `chroot` will do.
    pub allow_chroot: bool,
}

/// What a person wants to know before the program speaks.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where the image was found.
    pub origin: Origin,
    /// Its manifest.
    pub digest: Digest,
    /// What it is for.
    pub platform: String,
    /// How it is contained.
    pub tier: Tier,
    /// What runs.
    pub argv: Vec<String>,
    /// What could not be done as it was asked for, and what is worth knowing.
    pub notes: Vec<String>,
}

/// An image that is ready to be started.
pub struct Prepared {
    /// What there is to say.
    pub facts: Facts,
    /// Where this machine listens for the program.
    pub published: Vec<PublishedPort>,
    doors: Vec<Door>,
    stop_signal: i32,
    spec: ContainerSpec,
    services: Companions,
    root: Root,
    sandbox: Sandbox,
    context: Context,
}

/// A running image. When it is dropped, everything in it ends.
pub struct RunningImage {
    container: Arc<Container>,
    stop_signal: i32,
    // Dropped in this order: doors, companions, files, sandbox.
    _doors: Vec<Door>,
    _services: Companions,
    _root: Root,
    _sandbox: Sandbox,
}

/// Finds the image, unpacks it into a sandbox, starts its companions and takes
/// its ports.
pub fn prepare_run(request: &RunRequest, context: &Context) -> Result<Prepared, RunFailure> {
    let opened = context
        .transports
        .open(&request.image, request.platform.as_ref())?;
    let image = &opened.image;
    let platform = image.config.platform();
    if let Some(reason) = foreign(&platform) {
        let platform = Box::new(platform);
        return Err(RunFailure::Foreign { platform, reason });
    }
    let mut notes = Vec::new();
    // Before anything is fetched or unpacked: what cannot be had costs least now.
    let shell = request.debug.as_ref().map(DebugShell::find).transpose()?;
    let run = asked_for(request, &image.config.run);
    if run.argv().is_empty() && shell.is_none() {
        return Err(RunFailure::NoProgram);
    }
    let sandbox = open_sandbox(request, context)?;
    let own_network = request.network == Network::Private && sandbox.tier().has_namespaces();
    if !own_network && !request.surroundings.services.is_empty() {
        return Err(RunFailure::NoNetwork("--service"));
    }
    let (doors, published) = match (request.network, own_network) {
        (Network::None, _) if !request.ports.is_empty() => {
            return Err(RunFailure::NoNetwork("--port"));
        }
        (_, true) => ports::open(&request.ports)?,
        _ => (Vec::new(), Vec::new()),
    };
    if !own_network && !request.ports.is_empty() {
        notes.push("--port changes nothing: the program uses this machine's network".to_owned());
    }
    context.transports.fetch(&opened)?;
    let item = context.progress.begin("preparing the container", None);
    let root = prepare(&sandbox, image, context.limits())?;
    drop(item);
    let services = Companions::start(&sandbox, &request.surroundings, context)?;

    let profile = match request.hardened {
        true => Profile::HARDENED,
        false => Profile::AS_SHIPPED,
    };
    let mut spec = container_spec(&run, profile, &request.surroundings);
    spec.hosts.extend(services.hosts.clone());
    spec.network = request.network;
    spec.terminal = request.terminal;
    spec.trace = request.tracing;
    spec.stdin = match request.interactive {
        true => Stdio::Inherit,
        false => Stdio::Null,
    };
    (spec.stdout, spec.stderr) = (Stdio::Inherit, Stdio::Inherit);
    if let Some(shell) = &shell {
        notes.push(shell.announcement(&run));
        shell.take_the_place_of(&mut spec, &request.command);
    }
    if sandbox.tier() == Tier::Chroot {
        notes.push(
            "contained weakly, by chroot alone: it shares network and processes with this machine"
                .to_owned(),
        );
    }
    Ok(Prepared {
        facts: Facts {
            origin: opened.origin.clone(),
            digest: image.manifest_digest,
            platform: platform.to_string(),
            tier: sandbox.tier(),
            argv: run.argv(),
            notes,
        },
        published,
        doors,
        stop_signal: stop_signal(run.stop_signal.as_deref()),
        spec,
        services,
        root,
        sandbox,
        context: context.clone(),
    })
}

impl Prepared {
    /// Starts the program.
    pub fn start(self) -> Result<RunningImage, RunFailure> {
        let container = self.sandbox.start(&self.root, &self.spec)?;
        let container = Arc::new(container);
        for door in &self.doors {
            door.lead_to(&container, &self.context.progress);
        }
        Ok(RunningImage {
            container,
            stop_signal: self.stop_signal,
            _doors: self.doors,
            _services: self.services,
            _root: self.root,
            _sandbox: self.sandbox,
        })
    }
}

impl RunningImage {
    /// Waits until the program ends; none when `timeout` is over before.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Option<Exit>, RunFailure> {
        Ok(self.container.wait(timeout)?)
    }

    /// Sends a signal to the program. One that has ended hears nothing.
    pub fn signal(&self, number: i32) -> Result<(), RunFailure> {
        match self.container.signal(number) {
            Ok(()) | Err(jettison_sandbox::Error::Ended) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends the image's stop signal, and kills what still runs after `grace`.
    pub fn stop(&self, grace: Duration) -> Result<Exit, RunFailure> {
        Ok(self.container.stop(self.stop_signal, grace)?)
    }

    /// What its programs have touched, where that is recorded; also when they
    /// have ended.
    pub fn take_trace(&self) -> Result<Trace, RunFailure> {
        Ok(self.container.take_trace()?)
    }

    /// The other end of the program's terminal, if it has one.
    pub fn terminal(&self) -> std::io::Result<Option<OwnedFd>> {
        self.container
            .terminal()
            .map(|fd| fd.as_fd().try_clone_to_owned())
            .transpose()
    }

    /// True when its bounds are only looked after now and then.
    pub fn is_watched(&self) -> bool {
        self.container.limits_by() == LimitsBy::Watching
    }
}

/// The image's config with what the person says in its place.
fn asked_for(request: &RunRequest, config: &RunConfig) -> RunConfig {
    let mut run = config.clone();
    if let Some(entrypoint) = &request.entrypoint {
        run.entrypoint = Some(entrypoint.clone())
            .filter(|program| !program.is_empty())
            .into_iter()
            .collect();
        run.cmd.clear();
    }
    if !request.command.is_empty() && request.debug.is_none() {
        run.cmd.clone_from(&request.command);
    }
    if let Some(user) = &request.user {
        run.user.clone_from(user);
    }
    if let Some(workdir) = &request.workdir {
        run.working_dir.clone_from(workdir);
    }
    run
}

fn open_sandbox(request: &RunRequest, context: &Context) -> Result<Sandbox, RunFailure> {
    let options = Options {
        network: request.network,
        scratch_dir: context.scratch().ok(),
        ..Options::default()
    };
    match Sandbox::open(&options) {
        Ok(sandbox) => Ok(sandbox),
        Err(_) if request.allow_chroot => Ok(Sandbox::open(&Options {
            tier: Some(Tier::Chroot),
            ..options
        })?),
        Err(lacks) => Err(RunFailure::Uncontained {
            lacks,
            chroot: chroot_is_possible(context),
        }),
    }
}

fn chroot_is_possible(context: &Context) -> bool {
    let tiers = context.scratch().map(|scratch| survey(&scratch));
    let tiers = tiers.unwrap_or_default();
    tiers
        .iter()
        .any(|support| support.tier == Tier::Chroot && support.missing.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RunRequest {
        RunRequest {
            image: Location::Name("app".to_owned()),
            platform: None,
            command: Vec::new(),
            entrypoint: None,
            user: None,
            workdir: None,
            hardened: false,
            network: Network::Private,
            ports: Vec::new(),
            surroundings: Surroundings::default(),
            terminal: None,
            interactive: false,
            tracing: Tracing::Off,
            debug: None,
            allow_chroot: false,
        }
    }

    #[test]
    fn words_stand_in_the_place_of_the_images_as_docker_has_it() {
        let config = RunConfig {
            entrypoint: vec!["/app".to_owned()],
            cmd: vec!["serve".to_owned()],
            ..RunConfig::default()
        };
        let check = |entrypoint: Option<&str>, command: &[&str], expected: &[&str]| {
            let request = RunRequest {
                entrypoint: entrypoint.map(str::to_owned),
                command: command.iter().map(|&word| word.to_owned()).collect(),
                ..request()
            };
            assert_eq!(asked_for(&request, &config).argv(), expected);
        };
        check(None, &[], &["/app", "serve"]);
        check(None, &["--version"], &["/app", "--version"]);
        check(Some("/bin/sh"), &[], &["/bin/sh"]);
        check(Some("/bin/sh"), &["-c", "id"], &["/bin/sh", "-c", "id"]);
        check(Some(""), &["/tool"], &["/tool"]);
        check(Some(""), &[], &[]);
    }
}
