//! The library's side: opening a sandbox, talking to its supervisor.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::cgroup;
use crate::container::Container;
use crate::error::Error;
use crate::root::{Root, RootWriter};
use crate::spec::{ContainerSpec, Network};
use crate::supervisor::enter::{Setup, guard};
use crate::sys;
use crate::tier::Tier;
use crate::wire::{Channel, Reply, Request};
use crate::{ids, scratch};

/// How a sandbox is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// By default the strongest that this machine allows and that contains
    /// programs of strangers.
    pub tier: Option<Tier>,
    /// Whether containers share the machine's network; by default each has
    /// one of its own.
    pub network: Network,
    /// Where roots go that do not fit into memory, and where the weaker tiers
    /// keep their copies. The directory is created; each sandbox locks a
    /// directory of its own in it, and removes those whose owner was killed.
    pub scratch_dir: Option<PathBuf>,
    /// The most that roots and what containers write may take in memory; by
    /// default half of what is available.
    pub memory_bytes: Option<u64>,
}

/// A place in which roots are prepared and containers run. When it is
/// dropped, or its process is killed, everything in it ends: processes,
/// mounts, networks.
#[derive(Debug)]
pub struct Sandbox {
    link: Arc<Link>,
}

/// The connection to the supervisor, shared by all that lives in the sandbox.
#[derive(Debug)]
pub(crate) struct Link {
    channel: Mutex<Option<Channel>>,
    guard: Pid,
    ids: AtomicU64,
    pub(crate) tier: Tier,
    pub(crate) name: String,
    pub(crate) memory_bytes: u64,
    scratch: Option<scratch::Scratch>,
}

impl Sandbox {
    /// Opens a sandbox.
    pub fn open(options: &Options) -> Result<Self, Error> {
        match options.tier {
            Some(_) => Self::open_with(options, false),
            None => crate::detect::open_strongest(options),
        }
    }

    /// `self_test`: the supervisor tries first what it will have to do.
    pub(crate) fn open_with(options: &Options, self_test: bool) -> Result<Self, Error> {
        let tier = options.tier.unwrap_or(Tier::Root);
        let name = format!(
            "jettison-{}-{}",
            rustix::process::getpid().as_raw_nonzero(),
            number()
        );
        let scratch = match &options.scratch_dir {
            Some(directory) => Some(scratch::Scratch::create(directory, &name)?),
            None => None,
        };
        if !tier.has_namespaces() && tier != Tier::Unisolated && scratch.is_none() {
            return Err(Error::Unavailable {
                tier,
                reason: "it needs a scratch directory".to_owned(),
                hint: None,
            });
        }
        let cgroups = cgroup::writable_parents();
        cgroup::reap(&cgroups);
        let memory_bytes = options
            .memory_bytes
            .unwrap_or_else(|| available_memory() / 2);
        let setup = Setup {
            tier,
            host_network: options.network == Network::Host,
            memory_bytes,
            scratch: scratch.as_ref().map(|s| s.path().to_owned()),
            cgroups,
            name: name.clone(),
            abandoned: scratch
                .as_ref()
                .map(scratch::Scratch::abandoned)
                .unwrap_or_default(),
            self_test,
        };
        crate::seccomp::warm();
        crate::trace::warm();
        let (ours, theirs) =
            Channel::pair().map_err(|e| Error::step("creating a socket pair", e))?;
        let guard = sys::fork(|| guard(&setup, &theirs))
            .map_err(|e| Error::step("forking the supervisor", e))?;
        drop(theirs);
        let mut link = Link {
            channel: Mutex::new(Some(ours)),
            guard,
            ids: AtomicU64::new(1),
            tier,
            name,
            memory_bytes,
            scratch,
        };
        link.welcome()?;
        if let Some(scratch) = &mut link.scratch {
            scratch.forget_abandoned();
        }
        Ok(Self {
            link: Arc::new(link),
        })
    }

    /// How programs are contained here.
    pub fn tier(&self) -> Tier {
        self.link.tier
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Starts a new root, empty.
    pub fn new_root(&self) -> Result<RootWriter, Error> {
        RootWriter::new(Arc::clone(&self.link), false)
    }

    /// Starts a container on a root. The root stays as it is: what the
    /// program writes goes into a layer of its own.
    pub fn start(&self, root: &Root, spec: &ContainerSpec) -> Result<Container, Error> {
        Container::start(&self.link, Some(root), spec)
    }

    /// Starts a program of the machine as a plain child process. Only in a
    /// sandbox of tier [`Tier::Unisolated`]; `profile`, `user`, `mounts` and
    /// `network` of the specification have no meaning there.
    pub fn start_unisolated(&self, spec: &ContainerSpec) -> Result<Container, Error> {
        Container::start(&self.link, None, spec)
    }

    /// Takes an address for a container that will be started later, so that
    /// others can be told.
    pub fn reserve_address(&self) -> Result<Ipv4Addr, Error> {
        self.link.address(false)
    }

    /// Takes an address of our own, at which [`Sandbox::listen`] can serve
    /// containers under a name.
    pub fn service_address(&self) -> Result<Ipv4Addr, Error> {
        self.link.address(true)
    }

    /// Listens in the sandbox's network, where containers can connect to.
    pub fn listen(&self, address: Ipv4Addr, port: u16) -> Result<TcpListener, Error> {
        let (_, fds) = self.link.call(&Request::Listen { address, port }, &[])?;
        fds.into_iter()
            .next()
            .map(TcpListener::from)
            .ok_or(Error::Gone)
    }
}

impl Link {
    fn welcome(&self) -> Result<(), Error> {
        loop {
            let message = {
                let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
                let channel = channel.as_ref().ok_or(Error::Gone)?;
                let message = channel.receive::<Reply>();
                message.map_err(|e| Error::step("listening to the supervisor", e))?
            };
            match message.map(|(reply, _)| reply) {
                Some(Reply::Ready) => return Ok(()),
                Some(Reply::MapIds) => {
                    ids::map(self.guard, self.tier)?;
                    let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
                    let channel = channel.as_ref().ok_or(Error::Gone)?;
                    channel
                        .send(&Request::Socket, &[])
                        .map_err(|e| Error::step("talking to the supervisor", e))?;
                }
                Some(Reply::Failed(failure)) => return Err(Error::from_failure(failure)),
                _ => return Err(Error::Gone),
            }
        }
    }

    pub(crate) fn has_scratch(&self) -> bool {
        self.scratch.is_some()
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// One request and its answer.
    pub(crate) fn call(
        &self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Reply, Vec<OwnedFd>), Error> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channel.as_ref().ok_or(Error::Gone)?;
        channel.send(request, fds).map_err(|_| Error::Gone)?;
        match channel.receive::<Reply>().map_err(|_| Error::Gone)? {
            Some((Reply::Failed(failure), _)) => Err(Error::from_failure(failure)),
            Some(answer) => Ok(answer),
            None => Err(Error::Gone),
        }
    }

    fn address(&self, service: bool) -> Result<Ipv4Addr, Error> {
        match self.call(&Request::Address { service }, &[])? {
            (Reply::Address(address), _) => Ok(address),
            _ => Err(Error::Gone),
        }
    }

    /// An unconnected TCP socket in the sandbox's network.
    pub(crate) fn socket(&self) -> Result<OwnedFd, Error> {
        let (_, fds) = self.call(&Request::Socket, &[])?;
        fds.into_iter().next().ok_or(Error::Gone)
    }
}

impl Drop for Link {
    /// Hangs up, which ends the sandbox, and waits for its end.
    fn drop(&mut self) {
        let channel = self
            .channel
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(channel.take());
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match waitpid(Some(self.guard), WaitOptions::NOHANG) {
                Ok(None) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_micros(300))
                }
                Ok(None) => {
                    let _ = kill_process(self.guard, Signal::KILL);
                    let _ = waitpid(Some(self.guard), WaitOptions::empty());
                    break;
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(Some(_)) | Err(_) => break,
            }
        }
        drop(self.scratch.take());
    }
}

/// Tells the sandboxes of one process apart.
fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// `MemAvailable` of the machine; a modest guess where it is not told.
pub(crate) fn available_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(512 << 20, |kib| kib.saturating_mul(1024))
}

/// A pipe, both ends close-on-exec.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| Error::step("creating a pipe", io::Error::from(e)))
}

/// Our own standard stream.
pub(crate) fn own_stream(number: usize) -> Result<OwnedFd, Error> {
    let number = i32::try_from(number).expect("there are three streams");
    sys::borrow_fd(number)
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| Error::step("sharing a standard stream", e))
}
