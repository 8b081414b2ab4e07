//! The life of a container's process from its birth to the execution of the
//! program: mounts, network, root, user, privileges. Runs in a fork of the
//! supervisor, as pid 1 of the container, and becomes the program itself, as
//! docker does it, so that signals mean what they mean there.

mod created;
mod devices;
pub(crate) mod files;
mod kernel;
mod mounts;
mod overlay;
mod privileges;
mod program;
pub(crate) mod resolve;
mod terminal;
mod user;

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::process::{Pid, Resource, Rlimit, setrlimit, setsid};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::spec::Network;
use crate::supervisor::netlink::{CONTAINER_LINK, Changes, LOOPBACK};
use crate::supervisor::network::GATEWAY;
use crate::sys;
use crate::tier::Tier;
use crate::trace::Hook;
use crate::wire::{Channel, ExecRequest, Failure, FromChild, StartRequest};
pub(crate) use created::Created;
pub(crate) use overlay::Overlay;
use program::Program;
pub(crate) use program::c_strings;

/// Where a container's things lie, as the supervisor sees them.
pub(crate) struct Place {
    /// The layers of the root, lowest first.
    pub(crate) root: Option<Vec<PathBuf>>,
    /// Where what is written stays.
    pub(crate) upper: Option<PathBuf>,
    /// The container's own directory.
    pub(crate) directory: PathBuf,
    /// Of another container, whose volumes it takes over.
    pub(crate) volumes: Option<PathBuf>,
    /// The machine's root.
    pub(crate) host: PathBuf,
    pub(crate) tier: Tier,
}

/// The first process of a container. Returns only when it fails.
pub(crate) fn first(
    request: &StartRequest,
    place: &Place,
    supervisor: &Channel,
    hook: Option<&Hook>,
    stdio: [&OwnedFd; 3],
) -> i32 {
    fail(supervisor, set_up(request, place, supervisor, hook, stdio))
}

/// A further process in a container. Returns only when it fails.
pub(crate) fn further(
    first: &StartRequest,
    request: &ExecRequest,
    target: Pid,
    place: &Place,
    supervisor: &Channel,
    hook: Option<&Hook>,
    stdio: [&OwnedFd; 3],
) -> i32 {
    fail(
        supervisor,
        join(first, request, target, place, supervisor, hook, stdio),
    )
}

fn fail(supervisor: &Channel, result: Result<std::convert::Infallible, Failure>) -> i32 {
    let Err(failure) = result;
    let _ = supervisor.send(&FromChild::Failed(failure), &[]);
    125
}

fn set_up(
    request: &StartRequest,
    place: &Place,
    supervisor: &Channel,
    hook: Option<&Hook>,
    stdio: [&OwnedFd; 3],
) -> Result<std::convert::Infallible, Failure> {
    begin(place.tier)?;
    let mut created = Created::default();
    let namespaces = place.tier.has_namespaces();
    let root = match &place.root {
        Some(root) if namespaces => Some(mounts::overlay(root, place)?),
        Some(root) => match root.last() {
            Some(root) => Some(mounts::copy(root, place)?),
            None => return Err(Failure::ended()),
        },
        None => None,
    };
    if let Some(root) = &root {
        if namespaces {
            kernel::standard(root, request, place, &mut created)?;
            mounts::asked_for(root, request, place, &mut created)?;
        } else {
            mounts::without_mounting(root, request, place, &mut created)?;
        }
        mounts::working_directory(root, request, &mut created)?;
    }
    wait_for_go(supervisor)?;
    if namespaces {
        network(request)?;
        rustix::system::sethostname(request.hostname.as_bytes())
            .map_err(|e| Failure::step("setting the host name", e))?;
    }
    if let Some(root) = &root {
        if namespaces {
            mounts::enter(root, request)?;
        } else {
            mounts::change_root(root)?;
        }
    }
    let resolved = match &root {
        Some(_) => user::resolve(&request.user, &request.profile)?,
        None => user::unchanged(),
    };
    let (master, stdio) = terminal::streams(request.terminal, stdio, true)?;
    let ready = FromChild::Ready { created };
    let fds: Vec<_> = master.iter().map(AsFd::as_fd).collect();
    supervisor
        .send(&ready, &fds)
        .map_err(|e| Failure::step("reporting to the supervisor", e))?;
    drop(master);
    if let Some(processes) = request.processes
        && !namespaces
    {
        let most = Rlimit {
            current: Some(processes.into()),
            maximum: Some(processes.into()),
        };
        let _ = setrlimit(Resource::Nproc, most);
    }
    execute(Program {
        args: &request.args,
        env: program::environment(request, &resolved, &[]),
        working_dir: &request.working_dir,
        user: &resolved,
        profile: place.root.is_some().then_some(&request.profile),
        tier: place.tier,
        supervisor,
        hook,
        stdio,
    })
}

fn join(
    first: &StartRequest,
    request: &ExecRequest,
    target: Pid,
    place: &Place,
    supervisor: &Channel,
    hook: Option<&Hook>,
    stdio: [&OwnedFd; 3],
) -> Result<std::convert::Infallible, Failure> {
    begin(place.tier)?;
    wait_for_go(supervisor)?;
    if place.tier.has_namespaces() {
        enter_namespaces(target)?;
    } else if place.root.is_some() {
        mounts::change_root(&mounts::open_copy(place)?)?;
    }
    let user = request.user.as_ref().unwrap_or(&first.user);
    let resolved = match place.root {
        Some(_) => user::resolve(user, &first.profile)?,
        None => user::unchanged(),
    };
    let (master, stdio) = terminal::streams(request.terminal, stdio, false)?;
    let fds: Vec<_> = master.iter().map(AsFd::as_fd).collect();
    let ready = FromChild::Ready {
        created: Created::default(),
    };
    supervisor
        .send(&ready, &fds)
        .map_err(|e| Failure::step("reporting to the supervisor", e))?;
    drop(master);
    execute(Program {
        args: &request.args,
        env: program::environment(first, &resolved, &request.env),
        working_dir: request.working_dir.as_ref().unwrap_or(&first.working_dir),
        user: &resolved,
        profile: place.root.is_some().then_some(&first.profile),
        tier: place.tier,
        supervisor,
        hook,
        stdio,
    })
}

/// Away from everything the supervisor is, and out of reach of everything that
/// runs in the container already: our descriptors and our program are not its
/// to open through `/proc` (CVE-2016-9962). Execution lifts that.
fn begin(tier: Tier) -> Result<(), Failure> {
    // Who is not dumpable cannot map ids, which a single user still has to do.
    if tier != Tier::SingleUser {
        let hidden = rustix::process::DumpableBehavior::NotDumpable;
        rustix::process::set_dumpable_behavior(hidden)
            .map_err(|e| Failure::step("hiding from the container", e))?;
    }
    sys::reset_signals();
    setsid().map_err(|e| Failure::step("starting a session", e))?;
    // Without a pid namespace this is all that ends it with the supervisor.
    let signal = Some(rustix::process::Signal::KILL);
    let _ = rustix::process::set_parent_process_death_signal(signal);
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    Ok(())
}

fn wait_for_go(supervisor: &Channel) -> Result<(), Failure> {
    match supervisor.receive::<u8>() {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Failure::ended()),
        Err(e) => Err(Failure::step("waiting for the supervisor", e)),
    }
}

fn network(request: &StartRequest) -> Result<(), Failure> {
    let changes = match (request.network, request.address) {
        (Network::Host, _) => return Ok(()),
        (Network::Private, Some(address)) => Changes::new()
            .up(LOOPBACK)
            .up(CONTAINER_LINK)
            .address(CONTAINER_LINK, address)
            .neighbour_route(CONTAINER_LINK, GATEWAY)
            .default_route(CONTAINER_LINK, GATEWAY),
        _ => Changes::new().up(LOOPBACK),
    };
    changes
        .apply()
        .map_err(|e| Failure::step("setting up the container's network", e))
}

/// Everything of the first process but its pid namespace, in which we were born.
fn enter_namespaces(target: Pid) -> Result<(), Failure> {
    let kinds = [
        ("cgroup", LinkNameSpaceType::ControlGroup),
        ("ipc", LinkNameSpaceType::InterProcessCommunication),
        ("uts", LinkNameSpaceType::HostNameAndNISDomainName),
        ("net", LinkNameSpaceType::Network),
        ("mnt", LinkNameSpaceType::Mount),
    ];
    let mut open = Vec::new();
    for (name, kind) in kinds {
        let path = format!("/proc/{}/ns/{name}", target.as_raw_nonzero());
        let fd = rustix::fs::open(
            path,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
        .map_err(|_| Failure::ended())?;
        open.push((name, kind, fd));
    }
    for (name, kind, fd) in open {
        move_into_link_name_space(fd.as_fd(), Some(kind))
            .map_err(|e| Failure::step(format!("entering the container's {name} namespace"), e))?;
    }
    Ok(())
}

fn execute(program: Program<'_>) -> Result<std::convert::Infallible, Failure> {
    for (number, fd) in program.stdio.iter().enumerate() {
        let number = i32::try_from(number).expect("three streams");
        // Above the three, so that placing one does not overwrite another.
        let fd = rustix::io::fcntl_dupfd_cloexec(fd, 10)
            .map_err(|e| Failure::step("placing the standard streams", e))?;
        sys::place_fd(fd.as_fd(), number)
            .map_err(|e| Failure::step("placing the standard streams", e))?;
    }
    sys::close_from(3, true);
    program.enter_working_dir()?;
    let start = program.start()?;
    privileges::drop_all(&program, &start)?;
    Err(program.execute(&start))
}
