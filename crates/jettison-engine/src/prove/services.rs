//! Companions of the program that is judged: containers of other images, and
//! doors to servers that are already there.

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use jettison_sandbox::{Container, ContainerSpec, Mount, MountSource, Profile, Root, Sandbox};

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
    containers: Vec<(Container, Root)>,
}

impl Services {
    /// Starts every companion and waits until each accepts connections.
    pub(crate) fn start(
        sandbox: &Sandbox,
        surroundings: &Surroundings,
        context: &Context,
    ) -> Result<Self, ProveError> {
        let mut services = Self {
            hosts: Vec::new(),
            containers: Vec::new(),
        };
        for service in &surroundings.services {
            let item = context
                .progress
                .begin(&format!("starting service {}", service.name), None);
            let address = match &service.kind {
                ServiceKind::Tcp { host, port } => door(sandbox, service, host, *port)?,
                ServiceKind::Image { image, command } => {
                    services.companion(sandbox, service, image, command, surroundings, context)?
                }
            };
            drop(item);
            services.hosts.push((service.name.clone(), address));
        }
        Ok(services)
    }

    fn companion(
        &mut self,
        sandbox: &Sandbox,
        service: &Service,
        image: &str,
        command: &[String],
        surroundings: &Surroundings,
        context: &Context,
    ) -> Result<Ipv4Addr, ProveError> {
        let failed = |problem: String| ProveError::Service {
            name: service.name.clone(),
            problem,
        };
        let opened = Location::parse(image)
            .map_err(|error| failed(error.to_string()))
            .and_then(|location| {
                let opened = context.transports.open(&location, None);
                opened.map_err(|error| failed(error.to_string()))
            })?;
        context
            .transports
            .fetch(&opened)
            .map_err(|error| failed(error.to_string()))?;
        let image = opened.image;
        let root = prepare_root(sandbox, &image, context.limits())?;
        let run = &image.config.run;
        let mut args = run.entrypoint.clone();
        args.extend(if command.is_empty() {
            run.cmd.clone()
        } else {
            command.to_vec()
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
            hosts: self.hosts.clone(),
            mounts: run.volumes.iter().map(volume).collect(),
            limits: limits(surroundings.memory_bytes, surroundings.processes),
            ..ContainerSpec::default()
        };
        let container = sandbox
            .start(&root, &spec)
            .map_err(|error| failed(error.to_string()))?;
        let address = container
            .address()
            .ok_or_else(|| failed("it has no address of its own in this sandbox".to_owned()))?;
        wait_for(&container).map_err(failed)?;
        self.containers.push((container, root));
        Ok(address)
    }

    /// Companions that have ended while the program was asked.
    pub(crate) fn ended(&self) -> Vec<String> {
        let ended =
            |(container, _): &&(Container, Root)| matches!(container.try_wait(), Ok(Some(_)));
        self.containers
            .iter()
            .filter(ended)
            .map(|(c, _)| c.name().to_owned())
            .collect()
    }
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
    let failed = |problem: String| ProveError::Service {
        name: service.name.clone(),
        problem,
    };
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
