//! Companions of the program that is judged: containers of other images, and
//! doors to servers that are already there.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use jettison_image::RunConfig;
use jettison_sandbox::{
    Container, ContainerSpec, Mount, MountSource, Profile, ResourceLimits, Root, Sandbox,
};

use super::ProveError;
use super::container::limits;
use super::root::prepare_root;
use crate::Context;
use crate::surroundings::{Service, ServiceKind, Surroundings};
use crate::transport::Location;

/// A companion may take as long as a database that initialises itself.
const READY: Duration = Duration::from_secs(60);

/// Companions that run until this is dropped.
pub(crate) struct Services {
    /// Names for the program's `/etc/hosts`.
    pub(crate) hosts: Vec<(String, Ipv4Addr)>,
    containers: Vec<Container>,
}

/// Companions whose images are in the sandbox: each start gives new ones that
/// know nothing of those before.
pub(crate) struct PreparedServices {
    services: Vec<Prepared>,
    limits: ResourceLimits,
}

struct Prepared {
    service: Service,
    what: What,
}

enum What {
    /// A server behind this address.
    Door(Ipv4Addr),
    Image(Box<RunConfig>, Root),
}

impl Services {
    /// Starts every companion and waits until each accepts connections.
    pub(crate) fn start(
        sandbox: &Sandbox,
        surroundings: &Surroundings,
        context: &Context,
    ) -> Result<Self, ProveError> {
        PreparedServices::prepare(sandbox, surroundings, context)?.start(sandbox, context)
    }

    /// Companions that have ended while the program was asked.
    pub(crate) fn ended(&self) -> Vec<String> {
        let ended = |container: &&Container| matches!(container.try_wait(), Ok(Some(_)));
        let ended = self.containers.iter().filter(ended);
        ended.map(|container| container.name().to_owned()).collect()
    }
}

impl PreparedServices {
    /// Fetches and unpacks images, and opens the doors to servers that are there.
    pub(crate) fn prepare(
        sandbox: &Sandbox,
        surroundings: &Surroundings,
        context: &Context,
    ) -> Result<Self, ProveError> {
        let mut services = Vec::new();
        for service in &surroundings.services {
            let what = match &service.kind {
                ServiceKind::Tcp { host, port } => What::Door(door(sandbox, service, host, *port)?),
                ServiceKind::Image { image, .. } => {
                    let what = format!("preparing service {}", service.name);
                    let _item = context.progress.begin(&what, None);
                    unpack(sandbox, service, image, context)?
                }
            };
            services.push(Prepared {
                service: service.clone(),
                what,
            });
        }
        Ok(Self {
            services,
            limits: limits(surroundings.memory_bytes, surroundings.processes),
        })
    }

    /// True where every start has companions of its own: none is a server that
    /// is there already.
    pub(crate) fn are_new_each_time(&self) -> bool {
        let is_door = |prepared: &Prepared| matches!(prepared.what, What::Door(_));
        !self.services.iter().any(is_door)
    }

    /// Starts every companion and waits until each accepts connections.
    pub(crate) fn start(
        &self,
        sandbox: &Sandbox,
        context: &Context,
    ) -> Result<Services, ProveError> {
        let mut services = Services {
            hosts: Vec::new(),
            containers: Vec::new(),
        };
        for Prepared { service, what } in &self.services {
            let address = match what {
                What::Door(address) => *address,
                What::Image(run, root) => {
                    let what = format!("starting service {}", service.name);
                    let _item = context.progress.begin(&what, None);
                    let container = self.companion(sandbox, service, run, root, &services.hosts)?;
                    let address = container.address().ok_or_else(|| {
                        let problem = "it has no address of its own in this sandbox".to_owned();
                        failed(service, problem)
                    })?;
                    services.containers.push(container);
                    address
                }
            };
            services.hosts.push((service.name.clone(), address));
        }
        Ok(services)
    }

    fn companion(
        &self,
        sandbox: &Sandbox,
        service: &Service,
        run: &RunConfig,
        root: &Root,
        hosts: &[(String, Ipv4Addr)],
    ) -> Result<Container, ProveError> {
        let mut args = run.entrypoint.clone();
        args.extend(match &service.kind {
            ServiceKind::Image { command, .. } if !command.is_empty() => command.clone(),
            _ => run.cmd.clone(),
        });
        let mut env = run.clone();
        for (name, value) in &service.env {
            env.set_env(name, value);
        }
        let volume = |path: &String| Mount {
            source: MountSource::ImageVolume,
            target: path.into(),
            read_only: false,
        };
        let spec = ContainerSpec {
            profile: Profile::AS_SHIPPED,
            args: args.iter().map(OsString::from).collect(),
            env: env.env.iter().map(OsString::from).collect(),
            user: run.user.clone(),
            working_dir: run.working_dir.clone().into(),
            hosts: hosts.to_vec(),
            mounts: run.volumes.iter().map(volume).collect(),
            limits: self.limits.clone(),
            ..ContainerSpec::default()
        };
        let container = sandbox
            .start(root, &spec)
            .map_err(|error| failed(service, error.to_string()))?;
        wait_for(&container).map_err(|problem| failed(service, problem))?;
        Ok(container)
    }
}

fn failed(service: &Service, problem: String) -> ProveError {
    ProveError::Service {
        name: service.name.clone(),
        problem,
    }
}

fn unpack(
    sandbox: &Sandbox,
    service: &Service,
    image: &str,
    context: &Context,
) -> Result<What, ProveError> {
    let opened = Location::parse(image)
        .map_err(|error| failed(service, error.to_string()))
        .and_then(|location| {
            let opened = context.transports.open(&location, None);
            opened.map_err(|error| failed(service, error.to_string()))
        })?;
    context
        .transports
        .fetch(&opened)
        .map_err(|error| failed(service, error.to_string()))?;
    let root = prepare_root(sandbox, &opened.image, context.limits())?;
    Ok(What::Image(Box::new(opened.image.config.run.clone()), root))
}

/// Until it accepts connections from outside itself, for a while: a companion
/// that never does is told from one that ended.
fn wait_for(container: &Container) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        if let Ok(Some(exit)) = container.try_wait() {
            let output = container.stderr().to_text() + &container.stdout().to_text();
            let last: Vec<&str> = output.lines().rev().take(10).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            return Err(format!(
                "it ended with code {}\n  {}",
                exit.code,
                last.join("\n  ")
            ));
        }
        match container.listeners() {
            Ok(listeners) if listeners.iter().any(|listener| !listener.loopback_only) => {
                return Ok(());
            }
            _ if begin.elapsed() > READY => {
                return Err(format!(
                    "it accepts no connection after {} s",
                    READY.as_secs()
                ));
            }
            _ => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// An address inside the sandbox behind which a server of this machine, or one
/// that it reaches, answers.
fn door(
    sandbox: &Sandbox,
    service: &Service,
    host: &str,
    port: u16,
) -> Result<Ipv4Addr, ProveError> {
    let failed = |problem: String| failed(service, problem);
    let target = (host, port);
    TcpStream::connect_timeout(
        &target
            .to_socket_addrs()
            .map_err(|error| failed(format!("{host}: {error}")))?
            .next()
            .ok_or_else(|| failed(format!("{host} has no address")))?,
        Duration::from_secs(5),
    )
    .map_err(|error| failed(format!("{host}:{port} does not answer: {error}")))?;
    let address = sandbox.service_address()?;
    let listener = sandbox.listen(address, port)?;
    let target = (host.to_owned(), port);
    thread::spawn(move || serve_door(&listener, &target));
    Ok(address)
}

/// Ends when the sandbox does, since its listener dies with its network.
fn serve_door(listener: &TcpListener, target: &(String, u16)) {
    while let Ok((inside, _)) = listener.accept() {
        let target = target.clone();
        thread::spawn(move || {
            if let Ok(outside) = TcpStream::connect((target.0.as_str(), target.1)) {
                join(inside, outside).ok();
            }
        });
    }
}

/// Carries bytes both ways until both ends have said all.
pub(crate) fn join(left: TcpStream, right: TcpStream) -> io::Result<()> {
    let (mut left_in, mut right_out) = (left.try_clone()?, right.try_clone()?);
    let forth = thread::spawn(move || {
        let result = io::copy(&mut left_in, &mut right_out);
        right_out.shutdown(Shutdown::Write).ok();
        result
    });
    let (mut right_in, mut left_out) = (right, left);
    io::copy(&mut right_in, &mut left_out)?;
    left_out.shutdown(Shutdown::Write).ok();
    forth
        .join()
        .map_err(|_| io::Error::other("copying stopped"))??;
    Ok(())
}
