//! Starts containers and further commands in them, and keeps what belongs to
//! a container.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::diagnostics::Diagnostics;
use super::enter::below;
use super::netlink::Changes;
use super::trace::{hooks, watch_newborn};
use super::watch::Watch;
use super::{Role, Supervisor};
use crate::cgroup::Group;
use crate::exit::{Exit, ExitReason};
use crate::init::{self, Created, Place};
use crate::remove::remove_tree;
use crate::snapshot::{FILES, WORK};
use crate::spec::Network;
use crate::sys;
use crate::tier::Tier;
use crate::wire::{Channel, ExecRequest, Failure, FromChild, StartRequest, Started, encode};

/// What the supervisor knows of a container.
pub(crate) struct Contained {
    pub(crate) request: StartRequest,
    pub(crate) pid: Option<Pid>,
    pub(crate) running: bool,
    pub(crate) directory: PathBuf,
    pub(crate) group: Group,
    pub(crate) watch: Option<Watch>,
    /// Its program was executed.
    pub(crate) started: bool,
    /// Its own layer.
    pub(crate) upper: PathBuf,
    /// What we made in it for our mounts.
    pub(crate) created: Created,
    /// Who looks on; ends when this is closed.
    pub(crate) tracer: Option<Channel>,
    /// Who knows its listening sockets, once somebody has asked.
    pub(crate) diagnostics: Option<Diagnostics>,
}

impl Contained {
    /// The first program is gone: frees what it alone held.
    pub(crate) fn ended(&mut self) {
        self.running = false;
        self.pid = None;
        self.group.remove();
        // It keeps the network namespace there.
        self.diagnostics = None;
        // Its link goes with its network namespace. Removing it here would
        // wait for a grace period of the kernel, some 10 ms.
    }
}

impl Supervisor<'_> {
    pub(crate) fn root_directory(&self, id: u64) -> PathBuf {
        let name = format!("roots/{id}");
        let on_disk = self.layout.disk.as_ref().map(|disk| disk.join(&name));
        on_disk
            .filter(|path| path.is_dir())
            .unwrap_or_else(|| self.layout.base.join(&name))
    }

    /// The layers of a root, lowest first.
    pub(crate) fn layers(&self, root: u64) -> Vec<PathBuf> {
        match self.stacks.get(&root) {
            Some(layers) => layers.clone(),
            None => vec![self.root_directory(root)],
        }
    }

    /// Where an ended container's volumes lie: in its own directory, or in that
    /// of the one whose volumes it took over.
    pub(crate) fn volumes(&self, container: u64) -> Result<PathBuf, Failure> {
        let mut id = container;
        // Each took over from one that was started before it.
        loop {
            let contained = self.containers.get(&id).ok_or_else(Failure::ended)?;
            if contained.running && id == container {
                let busy = io::Error::from_raw_os_error(libc::EBUSY);
                return Err(Failure::step(
                    "taking over the volumes of a container",
                    busy,
                ));
            }
            match contained.request.volumes_of {
                Some(before) if before < id => id = before,
                _ => return Ok(contained.directory.clone()),
            }
        }
    }

    pub(crate) fn start(
        &mut self,
        mut request: StartRequest,
        fds: Vec<OwnedFd>,
    ) -> Result<(Started, Option<OwnedFd>), Failure> {
        let id = request.container;
        let [stdin, stdout, stderr, status] = four(fds)?;
        let namespaces = self.setup.tier.has_namespaces();
        self.check(&request)?;
        let private = namespaces && request.network == Network::Private;
        if private && request.address.is_none() {
            let address = self.addresses.next(false);
            request.address = Some(address.map_err(|e| Failure::step("taking an address", e))?);
        }
        let directory = self.layout.base.join(format!("containers/{id}"));
        let group = self.control_group(&request);
        let upper = request.upper.as_ref();
        let upper = upper.map(|upper| below(&self.layout.host, upper));
        let place = Place {
            root: request.root.map(|root| self.layers(root)),
            upper: upper.clone(),
            directory: directory.clone(),
            volumes: request.volumes_of.map(|id| self.volumes(id)).transpose()?,
            host: self.layout.host.clone(),
            tier: self.setup.tier,
        };
        let (ours, theirs) =
            Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
        let tracer = self.tracer(&request)?;
        let hooks = hooks(&request, tracer.as_ref())?;
        let hook = hooks.as_ref().map(|(hook, _)| hook);
        let flags = if namespaces {
            let network = if request.network == Network::Host {
                0
            } else {
                libc::CLONE_NEWNET
            };
            (libc::CLONE_NEWNS
                | libc::CLONE_NEWPID
                | libc::CLONE_NEWIPC
                | libc::CLONE_NEWUTS
                | libc::CLONE_NEWCGROUP
                | network) as u64
        } else {
            0
        };
        if let Err(failure) = self.relay(&request, &directory) {
            self.end_relays(id, &directory, request.mounts.len());
            return Err(failure);
        }
        let pid = sys::fork_into(flags, || {
            init::first(&request, &place, &theirs, hook, [&stdin, &stdout, &stderr])
        })
        .map_err(|e| Failure::step("creating the container's namespaces", e));
        if pid.is_err() {
            self.end_relays(id, &directory, request.mounts.len());
        }
        let pid = pid?;
        watch_newborn(tracer.as_ref(), hooks, pid)?;
        drop((theirs, stdin, stdout, stderr));
        let mut contained = Contained {
            request,
            pid: Some(pid),
            running: true,
            directory,
            watch: None,
            group: Group::default(),
            upper: match upper {
                Some(upper) => upper.join(FILES),
                None => place.directory.join("upper"),
            },
            started: false,
            created: Created::default(),
            tracer,
            diagnostics: None,
        };
        self.adopt(pid, Role::Main(id), None, contained.request.time)?;
        let result = self.see_through(&mut contained, group, &ours, private);
        let terminal = match result {
            Ok(terminal) => terminal,
            Err(failure) => {
                self.containers.insert(id, contained);
                let _ = self.remove(id);
                return Err(failure);
            }
        };
        let started = Started {
            pid: pid.as_raw_nonzero().get(),
            address: contained.request.address,
            limits_by: match (&contained.watch, contained.group.is_empty()) {
                (Some(_), _) => 2,
                (None, false) => 1,
                (None, true) => 0,
            },
        };
        self.containers.insert(id, contained);
        let process = self.processes.iter_mut().find(|p| p.role == Role::Main(id));
        match process {
            Some(process) => process.status = Some(status),
            None => {
                let exit = Exit {
                    code: -1,
                    signal: None,
                    reason: ExitReason::Ended,
                };
                let _ = rustix::io::write(status, &encode(&exit));
            }
        }
        Ok((started, terminal))
    }

    /// From the birth of the first process to the execution of the program.
    fn see_through(
        &mut self,
        contained: &mut Contained,
        group: Option<Group>,
        ours: &Channel,
        private: bool,
    ) -> Result<Option<OwnedFd>, Failure> {
        let pid = contained.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        match group {
            Some(group) => match group.add(pid) {
                Ok(()) => contained.group = group,
                Err(_) => {
                    group.remove();
                    contained.watch = watch(&contained.request);
                }
            },
            None => contained.watch = watch(&contained.request),
        }
        if private && let Some(address) = contained.request.address {
            self.links += 1;
            let link = self.links;
            let joined = Changes::new()
                .pair(link, pid, address)
                .up(link)
                .neighbour_route(link, address)
                .apply();
            if let Err(e) = joined {
                // A child that has failed meanwhile knows better why.
                let failed = Failure::step("joining the container's network (veth)", e);
                return Err(self.follow(ours).err().unwrap_or(failed));
            }
        }
        // It waits for this before it touches its network.
        let _ = ours.send(&0_u8, &[]);
        let (created, terminal) = self.follow(ours)?;
        contained.created = created;
        contained.started = true;
        Ok(terminal)
    }

    /// Waits until the child has executed its program; an error of its own
    /// comes back as ours. Also ends when the library is gone.
    fn follow(&self, ours: &Channel) -> Result<(Created, Option<OwnedFd>), Failure> {
        let mut created = Created::default();
        let mut terminal = None;
        let until = Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let mut fds = [
                PollFd::new(ours, PollFlags::IN),
                // Only its hanging up counts here.
                PollFd::new(self.channel, PollFlags::empty()),
            ];
            let timeout = until.saturating_duration_since(Instant::now());
            match poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()) {
                Ok(0) => {
                    let late = io::Error::from_raw_os_error(libc::ETIMEDOUT);
                    return Err(Failure::step("setting up the container", late));
                }
                Ok(_) if !fds[1].revents().is_empty() => return Err(Failure::ended()),
                Ok(_) | Err(rustix::io::Errno::INTR) if fds[0].revents().is_empty() => continue,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Failure::step("waiting for the container", e)),
            }
            match ours.receive::<FromChild>() {
                Ok(Some((FromChild::Ready { created: paths }, mut fds))) => {
                    created = paths;
                    terminal = fds.pop();
                }
                Ok(Some((FromChild::Failed(failure), _))) => return Err(failure),
                // Closed by the execution of the program.
                Ok(None) => return Ok((created, terminal)),
                Err(e) => return Err(Failure::step("listening to the container", e)),
            }
        }
    }

    fn check(&self, request: &StartRequest) -> Result<(), Failure> {
        let unfit = |problem: &str| {
            Err(Failure::step(
                problem.to_owned(),
                io::Error::from_raw_os_error(libc::ENOTSUP),
            ))
        };
        if self.containers.contains_key(&request.container) {
            return unfit("starting a container twice");
        }
        if request.root.is_none() && self.setup.tier != Tier::Unisolated {
            return unfit("starting a program without a root file system");
        }
        if request.upper.is_some() && !self.setup.tier.keeps_snapshots() {
            return unfit("keeping what a container writes");
        }
        if !self.setup.tier.has_namespaces() {
            return Ok(());
        }
        match (request.network, self.setup.host_network) {
            (Network::Host, false) => unfit("using the machine's network in a sandbox of its own"),
            (Network::Private, true) => unfit("a network of its own in the machine's network"),
            _ => Ok(()),
        }
    }

    fn control_group(&self, request: &StartRequest) -> Option<Group> {
        if request.memory_bytes.is_none() && request.processes.is_none() {
            return Some(Group::default());
        }
        if self.setup.cgroups.is_empty() {
            return None;
        }
        let name = format!("{}-{}", self.setup.name, request.container);
        let see = |path: &Path| below(&self.layout.host, path);
        let (memory, processes) = (request.memory_bytes, request.processes);
        Group::create(&self.setup.cgroups, &name, memory, processes, see).ok()
    }

    /// Ends a container and forgets what it wrote, or leaves of it a snapshot.
    pub(crate) fn remove(&mut self, id: u64) -> Result<(), Failure> {
        if let Some(process) = self.main_process(id) {
            let _ = sys::signal_pidfd(process.pidfd.as_fd(), libc::SIGKILL);
            // The first program of a pid namespace does not end before all that is in it is reaped,
            // and further commands are children of ours.
            for role in [Role::Exec(id), Role::Main(id)] {
                while let Some(index) = self.processes.iter().position(|p| p.role == role) {
                    let _ = sys::signal_pidfd(self.processes[index].pidfd.as_fd(), libc::SIGKILL);
                    self.ended(index);
                }
            }
        }
        if let Some(mut contained) = self.containers.remove(&id) {
            contained.ended();
            let mounts = contained.request.mounts.len();
            self.end_relays(id, &contained.directory, mounts);
            if contained.request.root.is_some() {
                let _ = remove_tree(&contained.directory);
            }
            // Of one that never started the directory may be another's.
            if let Some(upper) = contained
                .request
                .upper
                .as_ref()
                .filter(|_| contained.started)
            {
                let failed =
                    |e: io::Error| Failure::step(format!("tidying {}", upper.display()), e);
                remove_tree(&below(&self.layout.host, upper).join(WORK)).map_err(failed)?;
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let files = rustix::fs::open(&contained.upper, flags, Mode::empty());
                let marks = self.setup.tier.overlay_attributes();
                files
                    .and_then(|files| contained.created.clean(&files, marks))
                    .map_err(|e| failed(e.into()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn add_host(
        &mut self,
        container: u64,
        name: &str,
        address: Ipv4Addr,
    ) -> Result<(), Failure> {
        let contained = self
            .containers
            .get_mut(&container)
            .ok_or_else(Failure::ended)?;
        contained.request.hosts.push((name.to_owned(), address));
        let text = init::files::hosts(&contained.request);
        // Written in place: the container sees this very file.
        std::fs::write(contained.directory.join("hosts"), text)
            .map_err(|e| Failure::step("adding a name to /etc/hosts", e))
    }

    pub(crate) fn exec(
        &mut self,
        request: ExecRequest,
        fds: Vec<OwnedFd>,
    ) -> Result<(Started, Option<OwnedFd>), Failure> {
        let [stdin, stdout, stderr, status] = four(fds)?;
        let contained = self
            .containers
            .get(&request.container)
            .ok_or_else(Failure::ended)?;
        let target = contained
            .pid
            .filter(|_| contained.running)
            .ok_or_else(Failure::ended)?;
        let (ours, theirs) =
            Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
        let namespaces = self.setup.tier.has_namespaces();
        let first = &contained.request;
        let place = Place {
            root: first.root.map(|root| self.layers(root)),
            upper: None,
            directory: contained.directory.clone(),
            volumes: None,
            host: self.layout.host.clone(),
            tier: self.setup.tier,
        };
        let hooks = hooks(first, contained.tracer.as_ref())?;
        let hook = hooks.as_ref().map(|(hook, _)| hook);
        let fork = || {
            sys::fork_into(0, || {
                init::further(
                    first,
                    &request,
                    target,
                    &place,
                    &theirs,
                    hook,
                    [&stdin, &stdout, &stderr],
                )
            })
        };
        let pid = if namespaces {
            in_pid_namespace(target, fork)
        } else {
            fork()
        };
        let pid = pid.map_err(|e| Failure::step("starting a process in the container", e))?;
        watch_newborn(contained.tracer.as_ref(), hooks, pid)?;
        drop((theirs, stdin, stdout, stderr));
        let group = contained.group.add(pid.as_raw_nonzero().get());
        group.map_err(|e| Failure::step("moving a process into the container's group", e))?;
        self.adopt(
            pid,
            Role::Exec(request.container),
            Some(status),
            request.time,
        )?;
        let _ = ours.send(&0_u8, &[]);
        let (_, terminal) = self.follow(&ours)?;
        let pid = pid.as_raw_nonzero().get();
        Ok((
            Started {
                pid,
                address: None,
                limits_by: 0,
            },
            terminal,
        ))
    }
}

/// Children are born into the pid namespace of `target` while `fork` runs.
fn in_pid_namespace(target: Pid, fork: impl FnOnce() -> io::Result<Pid>) -> io::Result<Pid> {
    let open = |path: String| {
        rustix::fs::open(
            path,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )
    };
    let own = open("/proc/self/ns/pid".to_owned())?;
    let theirs = open(format!("/proc/{}/ns/pid", target.as_raw_nonzero()))?;
    let kind = Some(LinkNameSpaceType::ProcessID);
    move_into_link_name_space(theirs.as_fd(), kind)?;
    let result = fork();
    move_into_link_name_space(own.as_fd(), kind)?;
    result
}

fn watch(request: &StartRequest) -> Option<Watch> {
    let (memory_bytes, processes) = (request.memory_bytes, request.processes);
    (memory_bytes.is_some() || processes.is_some()).then(|| Watch {
        memory_bytes,
        processes,
        next: Instant::now(),
    })
}

fn four(fds: Vec<OwnedFd>) -> Result<[OwnedFd; 4], Failure> {
    fds.try_into().map_err(|_| {
        Failure::step(
            "starting a program",
            io::Error::from_raw_os_error(libc::EBADF),
        )
    })
}
