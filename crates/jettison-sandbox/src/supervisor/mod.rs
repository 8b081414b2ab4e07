//! The supervisor: one process without threads that owns everything in the
//! sandbox and does what the library asks for over a socket.
//!
//! It never waits for anything but its descriptors, so that it notices at
//! once when the library's process is gone; then it ends, and its pid, mount
//! and network namespaces end with it.

mod diagnostics;
pub(crate) mod enter;
mod listeners;
pub(crate) mod netlink;
pub(crate) mod network;
pub(crate) mod reap;
pub(crate) mod relay;
mod start;
mod trace;
mod watch;
mod written;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, WaitOptions, pidfd_open, waitpid};

use crate::exit::{Exit, ExitReason};
use crate::sys;
use crate::wire::{Channel, Failure, Reply, Request, encode};
use enter::{Layout, Setup};
use network::Addresses;
use start::Contained;

/// How often limits are looked after that no control group looks after.
const WATCH: Duration = Duration::from_millis(50);

pub(crate) struct Supervisor<'a> {
    setup: Setup,
    layout: Layout,
    channel: &'a Channel,
    addresses: Addresses,
    containers: BTreeMap<u64, Contained>,
    /// Roots made of snapshots: their directories, lowest first.
    pub(crate) stacks: BTreeMap<u64, Vec<PathBuf>>,
    processes: Vec<Process>,
    links: u32,
}

/// A child of ours whose end somebody waits for.
pub(crate) struct Process {
    pidfd: OwnedFd,
    pid: rustix::process::Pid,
    /// Takes the [`Exit`].
    status: Option<OwnedFd>,
    deadline: Option<Instant>,
    /// Set by whoever kills it.
    reason: ExitReason,
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The container's first program.
    Main(u64),
    /// A further command in it.
    Exec(u64),
    /// Looks on at a container.
    Tracer(u64),
    /// Passes connections of a container on.
    Relay(u64),
    /// Fills a root, or makes a list.
    Worker,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(setup: Setup, layout: Layout, channel: &'a Channel) -> Self {
        Self {
            setup,
            layout,
            channel,
            addresses: Addresses::default(),
            containers: BTreeMap::new(),
            stacks: BTreeMap::new(),
            processes: Vec::new(),
            links: 100,
        }
    }

    /// Serves until the library is gone. Returns the exit code.
    pub(crate) fn serve(mut self) -> i32 {
        if self.channel.send(&Reply::Ready, &[]).is_err() {
            return 0;
        }
        loop {
            let timeout = self.timeout();
            let ready: Vec<bool> = {
                let mut fds = vec![PollFd::new(self.channel, PollFlags::IN)];
                fds.extend(
                    self.processes
                        .iter()
                        .map(|p| PollFd::new(&p.pidfd, PollFlags::IN)),
                );
                match poll(&mut fds, timeout.as_ref()) {
                    Ok(_) => {}
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(_) => return 1,
                }
                fds.iter().map(|fd| !fd.revents().is_empty()).collect()
            };
            // From the back: an ended process is taken out of the list.
            for index in (1..ready.len()).rev() {
                if ready[index] {
                    self.ended(index - 1);
                }
            }
            self.enforce();
            if ready[0] && !self.request() {
                break;
            }
        }
        self.leave();
        0
    }

    /// Answers one request; false when the library is gone.
    fn request(&mut self) -> bool {
        let (request, fds) = match self.channel.receive::<Request>() {
            Ok(Some(message)) => message,
            _ => return false,
        };
        let (reply, fd) = match self.answer(request, fds) {
            Ok(answer) => answer,
            Err(failure) => (Reply::Failed(failure), None),
        };
        let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
        self.channel.send(&reply, &fds).is_ok()
    }

    fn answer(
        &mut self,
        request: Request,
        fds: Vec<OwnedFd>,
    ) -> Result<(Reply, Option<OwnedFd>), Failure> {
        let failed = |step: &str| {
            let step = step.to_owned();
            move |e: io::Error| Failure::step(step, e)
        };
        match request {
            Request::NewRoot { id, on_disk } => {
                Ok((Reply::Done, Some(self.new_root(id, on_disk)?)))
            }
            Request::NewSnapshot { directory } => {
                Ok((Reply::Done, Some(self.new_snapshot(&directory)?)))
            }
            Request::Stack { id, directories } => {
                self.stack(id, &directories)?;
                Ok((Reply::Done, None))
            }
            Request::Discard { directory } => Ok((Reply::Done, Some(self.discard(&directory)?))),
            Request::MakeDirectory {
                directory,
                mode,
                uid,
                gid,
            } => {
                self.make_directory(&directory, mode, (uid, gid))?;
                Ok((Reply::Done, None))
            }
            Request::Export {
                id,
                directory,
                below,
            } => Ok((Reply::Done, Some(self.export(id, &directory, &below)?))),
            Request::DropRoot { id } => {
                self.drop_root(id);
                Ok((Reply::Done, None))
            }
            Request::Start(request) => {
                let (started, terminal) = self.start(*request, fds)?;
                Ok((Reply::Started(started), terminal))
            }
            Request::Exec(request) => {
                let (started, terminal) = self.exec(*request, fds)?;
                Ok((Reply::Started(started), terminal))
            }
            Request::Signal { container, number } => {
                let process = self.main_process(container).ok_or_else(Failure::ended)?;
                sys::signal_pidfd(process.pidfd.as_fd(), number)
                    .map_err(failed("sending a signal"))?;
                Ok((Reply::Done, None))
            }
            Request::Remove { container } => {
                self.remove(container)?;
                Ok((Reply::Done, None))
            }
            Request::Socket => {
                let socket = network::tcp_socket().map_err(failed("creating a socket"))?;
                Ok((Reply::Done, Some(socket)))
            }
            Request::Listen { address, port } => {
                let listener = self.addresses.listen(address, port);
                let listener =
                    listener.map_err(failed(&format!("listening on {address}:{port}")))?;
                Ok((Reply::Done, Some(listener)))
            }
            Request::Address { service } => {
                let address = self
                    .addresses
                    .next(service)
                    .map_err(failed("taking an address"))?;
                Ok((Reply::Address(address), None))
            }
            Request::AddHost {
                container,
                name,
                address,
            } => {
                self.add_host(container, &name, address)?;
                Ok((Reply::Done, None))
            }
            Request::Listeners { container } => {
                Ok((Reply::Listeners(self.listeners(container)?), None))
            }
            Request::Trace { container } => Ok((Reply::Done, Some(self.take_trace(container)?))),
            Request::Written { container } => {
                Ok((Reply::Done, Some(self.list_written(container)?)))
            }
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn tier(&self) -> crate::tier::Tier {
        self.setup.tier
    }

    fn main_process(&mut self, container: u64) -> Option<&mut Process> {
        self.processes
            .iter_mut()
            .find(|p| p.role == Role::Main(container))
    }

    /// Takes note of a new child.
    pub(crate) fn adopt(
        &mut self,
        pid: rustix::process::Pid,
        role: Role,
        status: Option<OwnedFd>,
        time: Option<Duration>,
    ) -> Result<(), Failure> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())
            .map_err(|e| Failure::step("watching a process (pidfd_open)", e))?;
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        let reason = ExitReason::Ended;
        self.processes.push(Process {
            pidfd,
            pid,
            status,
            deadline,
            reason,
            role,
        });
        Ok(())
    }

    /// A child has ended: tells who waits.
    fn ended(&mut self, index: usize) {
        let process = self.processes.swap_remove(index);
        let status = loop {
            match waitpid(Some(process.pid), WaitOptions::empty()) {
                Ok(status) => break status.map(|(_, status)| status),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => break None,
            }
        };
        let signal = status.and_then(|s| s.terminating_signal());
        let code = match signal {
            Some(signal) => 128 + signal,
            None => status.and_then(|s| s.exit_status()).unwrap_or(-1),
        };
        let mut reason = process.reason;
        if let Role::Main(id) = process.role
            && signal == Some(libc::SIGKILL)
            && self
                .containers
                .get(&id)
                .is_some_and(|c| c.group.ran_out_of_memory())
        {
            reason = ExitReason::Memory;
        }
        if let Some(pipe) = process.status {
            let exit = Exit {
                code,
                signal,
                reason,
            };
            let _ = rustix::io::write(pipe, &encode(&exit));
        }
        if let Role::Tracer(id) = process.role {
            self.lost_tracer(id);
        }
        if let Role::Main(id) = process.role
            && let Some(container) = self.containers.get_mut(&id)
        {
            if !self.setup.tier.has_namespaces() {
                sys::signal_group(process.pid, libc::SIGKILL);
            }
            container.ended();
            // What runs in a container does not outlive its first program;
            // with a pid namespace the kernel has seen to it already.
            for exec in self.processes.iter().filter(|p| p.role == Role::Exec(id)) {
                let _ = sys::signal_pidfd(exec.pidfd.as_fd(), libc::SIGKILL);
            }
        }
    }

    /// Until when nothing has to be looked after.
    fn timeout(&self) -> Option<Timespec> {
        let now = Instant::now();
        let next = self.processes.iter().filter_map(|p| p.deadline).min();
        let mut wait = next.map(|next| next.saturating_duration_since(now));
        if self.containers.values().any(Contained::is_watched) {
            wait = Some(wait.unwrap_or(WATCH).min(WATCH));
        }
        // A millisecond more than asked for: never woken a moment too early.
        wait.and_then(|wait| Timespec::try_from(wait + Duration::from_millis(1)).ok())
    }

    /// Kills what has used more time, memory or processes than allowed.
    fn enforce(&mut self) {
        let now = Instant::now();
        for process in &mut self.processes {
            if process.deadline.is_some_and(|deadline| deadline <= now) {
                process.deadline = None;
                process.reason = ExitReason::Time;
                let _ = sys::signal_pidfd(process.pidfd.as_fd(), libc::SIGKILL);
            }
        }
        let over: Vec<(u64, ExitReason)> = self
            .containers
            .iter_mut()
            .filter(|(_, container)| container.is_watched())
            .filter_map(|(&id, container)| Some((id, container.over_limit(now)?)))
            .collect();
        for (id, reason) in over {
            if let Some(process) = self.main_process(id) {
                process.reason = reason;
                let _ = sys::signal_pidfd(process.pidfd.as_fd(), libc::SIGKILL);
            }
        }
    }

    /// Orderly end: with namespaces the kernel does it all.
    fn leave(&mut self) {
        for process in &self.processes {
            let _ = sys::signal_pidfd(process.pidfd.as_fd(), libc::SIGKILL);
        }
        if !self.setup.tier.has_namespaces() {
            reap::kill_descendants();
        }
        if let Some(disk) = &self.layout.disk {
            // Owners of files are ids of our user namespace: nobody outside
            // could remove them.
            remove_tree_below(disk);
        }
    }
}

/// Empties a directory that is itself a mount point or the guard's to remove.
fn remove_tree_below(path: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if std::fs::remove_dir_all(&path).is_err() {
            let _ = std::fs::remove_file(&path);
        }
    }
}
