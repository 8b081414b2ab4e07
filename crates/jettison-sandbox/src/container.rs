//! A running container, as the library sees it.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jettison_plan::Trace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use crate::error::Error;
use crate::exit::Exit;
use crate::listener::Listener;
use crate::output::{Capture, Output};
use crate::root::{Prepared, Root};
use crate::sandbox::{Link, own_stream, pipe};
use crate::snapshot;
use crate::spec::{ContainerSpec, ExecSpec, Mount, MountSource, Stdio};
use crate::wire::{ExecRequest, Reply, Request, StartRequest, Started, decode};
use crate::written::Written;

/// Kept of each captured stream.
const OUTPUT_BYTES: usize = 1 << 20;
/// Docker's default.
const SHM_BYTES: u64 = 64 << 20;
/// How long the end of an ended program's output is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// A container: its first program, and everything it wrote. Usable from
/// several threads; when dropped, it is killed and what it wrote is freed.
#[derive(Debug)]
pub struct Container {
    link: Arc<Link>,
    id: u64,
    name: String,
    address: Option<Ipv4Addr>,
    limits: LimitsBy,
    running: Running,
    output_bytes: usize,
    /// What the overlay stands on.
    _root: Option<Arc<Prepared>>,
}

/// A further command in a container; not killed when dropped.
#[derive(Debug)]
pub struct Command {
    running: Running,
}

/// How memory and processes of a container are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitsBy {
    /// No bounds were asked for.
    Nothing,
    /// The kernel keeps them (control groups).
    ControlGroup,
    /// We look now and then, and kill: a short excess goes unnoticed.
    Watching,
}

#[derive(Debug)]
struct Running {
    pid: i32,
    status: OwnedFd,
    exit: Mutex<Option<Exit>>,
    stdout: Option<Capture>,
    stderr: Option<Capture>,
    terminal: Option<OwnedFd>,
}

impl Container {
    pub(crate) fn start(
        link: &Arc<Link>,
        root: Option<&Root>,
        spec: &ContainerSpec,
    ) -> Result<Self, Error> {
        if spec.upper.is_some() {
            snapshot::check_tier(link.tier)?;
        }
        let id = link.next_id();
        let name = short_id(&link.name, id);
        let output_bytes = spec.limits.output_bytes.unwrap_or(OUTPUT_BYTES);
        let request = StartRequest {
            container: id,
            root: root.map(|root| root.prepared.id),
            profile: spec.profile.clone(),
            args: spec.args.clone(),
            env: spec.env.clone(),
            user: spec.user.clone(),
            working_dir: spec.working_dir.clone(),
            hostname: spec.hostname.clone().unwrap_or_else(|| name.clone()),
            network: spec.network,
            address: spec.address,
            hosts: spec.hosts.clone(),
            mounts: spec
                .mounts
                .iter()
                .map(seen_mount)
                .collect::<Result<_, _>>()?,
            upper: spec.upper.as_deref().map(snapshot::seen).transpose()?,
            memory_bytes: spec.limits.memory_bytes,
            processes: spec.limits.processes,
            time: spec.limits.time,
            shm_bytes: spec.limits.shm_bytes.unwrap_or(SHM_BYTES),
            terminal: spec.terminal,
            trace: spec.trace,
            volumes_of: spec.volumes_of,
            host_resolv_conf: Some(PathBuf::from("/etc/resolv.conf")),
        };
        let streams = [&spec.stdin, &spec.stdout, &spec.stderr];
        let request = Request::Start(Box::new(request));
        let (started, running) = run(link, &request, streams, output_bytes)?;
        let limits = match started.limits_by {
            1 => LimitsBy::ControlGroup,
            2 => LimitsBy::Watching,
            _ => LimitsBy::Nothing,
        };
        let address = started.address;
        Ok(Self {
            link: Arc::clone(link),
            id,
            name,
            address,
            limits,
            running,
            output_bytes,
            _root: root.map(|root| Arc::clone(&root.prepared)),
        })
    }

    /// Its number in the sandbox.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Twelve hexadecimal digits; also the default host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address in the sandbox's network, if it has one.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.address
    }

    /// How its memory and processes are bounded.
    pub fn limits_by(&self) -> LimitsBy {
        self.limits
    }

    /// The first program's number in the sandbox.
    pub fn pid(&self) -> i32 {
        self.running.pid
    }

    /// Waits until the first program ends; none when `timeout` is over before.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Option<Exit>, Error> {
        self.running.wait(timeout)
    }

    /// The exit of the first program, if it has ended.
    pub fn try_wait(&self) -> Result<Option<Exit>, Error> {
        self.running.wait(Some(Duration::ZERO))
    }

    /// Sends a signal to the first program.
    pub fn signal(&self, number: i32) -> Result<(), Error> {
        self.link
            .call(
                &Request::Signal {
                    container: self.id,
                    number,
                },
                &[],
            )
            .map(|_| ())
    }

    /// Asks to end with a signal, kills when that takes longer than `grace`,
    /// as `docker stop` does.
    pub fn stop(&self, signal: i32, grace: Duration) -> Result<Exit, Error> {
        match self.signal(signal) {
            Ok(()) | Err(Error::Ended) => {}
            Err(e) => return Err(e),
        }
        if let Some(exit) = self.wait(Some(grace))? {
            return Ok(exit);
        }
        match self.signal(libc::SIGKILL) {
            Ok(()) | Err(Error::Ended) => {}
            Err(e) => return Err(e),
        }
        self.wait(None)?.ok_or(Error::Gone)
    }

    /// Connects to a TCP port of the container, from outside, as to a
    /// published port: a server that listens on 127.0.0.1 only is not reached.
    pub fn connect(&self, port: u16, timeout: Duration) -> io::Result<TcpStream> {
        match self.address {
            Some(address) => {
                let socket = self.link.socket().map_err(io::Error::other)?;
                connect(socket, SocketAddrV4::new(address, port), timeout)
            }
            None => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                TcpStream::connect_timeout(&address, timeout)
            }
        }
    }

    /// Runs a further command in the container, with the same profile.
    pub fn exec(&self, spec: &ExecSpec) -> Result<Command, Error> {
        let request = ExecRequest {
            container: self.id,
            args: spec.args.clone(),
            env: spec.env.clone(),
            user: spec.user.clone(),
            working_dir: spec.working_dir.clone(),
            time: spec.time,
            terminal: spec.terminal,
        };
        let (null, capture) = (Stdio::Null, Stdio::Capture);
        let streams = [
            spec.stdin.as_ref().unwrap_or(&null),
            spec.stdout.as_ref().unwrap_or(&capture),
            spec.stderr.as_ref().unwrap_or(&capture),
        ];
        let request = Request::Exec(Box::new(request));
        let (_, running) = run(&self.link, &request, streams, self.output_bytes)?;
        Ok(Command { running })
    }

    /// What it has written to standard output, if that is captured; all of it
    /// once the program has ended.
    pub fn stdout(&self) -> Output {
        self.running.output(self.running.stdout.as_ref())
    }

    /// Likewise for standard error.
    pub fn stderr(&self) -> Output {
        self.running.output(self.running.stderr.as_ref())
    }

    /// The other end of its terminal, if it was started with one.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.running.terminal.as_ref()
    }

    /// The ports on which it accepts connections, whichever of its processes does.
    pub fn listeners(&self) -> Result<Vec<Listener>, Error> {
        let request = Request::Listeners { container: self.id };
        match self.link.call(&request, &[])? {
            (Reply::Listeners(listeners), _) => Ok(listeners),
            _ => Err(Error::Gone),
        }
    }

    /// Adds a line to its `/etc/hosts`.
    pub fn add_host(&self, name: &str, address: Ipv4Addr) -> Result<(), Error> {
        let name = name.to_owned();
        self.link
            .call(
                &Request::AddHost {
                    container: self.id,
                    name,
                    address,
                },
                &[],
            )
            .map(|_| ())
    }

    /// Every path that its programs, and those of [`Container::exec`], have
    /// touched since its start or since this was last asked; also when they
    /// have ended. The order of calls holds: what a program did before it
    /// answered somebody is in the trace that is taken after the answer.
    pub fn take_trace(&self) -> Result<Trace, Error> {
        let request = Request::Trace { container: self.id };
        let (_, fds) = self.link.call(&request, &[])?;
        let channel = fds.into_iter().next().map(crate::wire::Channel::from_fd);
        match channel.ok_or(Error::Gone)?.receive::<Reply>() {
            Ok(Some((Reply::Trace(trace), _))) => Ok(trace),
            _ => Err(Error::step("tracing", io::ErrorKind::BrokenPipe)),
        }
    }

    /// Ends it, if it runs, and makes its [`ContainerSpec::upper`] a snapshot:
    /// without the mount points that were made for it alone. After an error
    /// the directory is none, and to be discarded. When it is
    /// dropped instead, that is done too, but nobody learns whether it failed.
    pub fn close(self) -> Result<(), Error> {
        // A second time, when it is dropped, there is nothing left to do.
        let request = Request::Remove { container: self.id };
        self.link.call(&request, &[]).map(|_| ())
    }

    /// What it created, changed and removed in its root and what it created and
    /// changed in its volumes so far, in path order; without other mounts, and
    /// without the mount points made for them.
    pub fn written(&self) -> Result<Vec<Written>, Error> {
        let (_, fds) = self
            .link
            .call(&Request::Written { container: self.id }, &[])?;
        let channel = fds
            .into_iter()
            .next()
            .map(crate::wire::Channel::from_fd)
            .ok_or(Error::Gone)?;
        match channel.receive::<Reply>() {
            Ok(Some((Reply::Written(list), _))) => Ok(list),
            Ok(Some((Reply::Failed(failure), _))) => Err(Error::from_failure(failure)),
            _ => Err(Error::Gone),
        }
    }
}

/// Paths as the supervisor can follow them.
fn seen_mount(mount: &Mount) -> Result<Mount, Error> {
    let mut mount = mount.clone();
    match &mut mount.source {
        MountSource::HostCopy(path)
        | MountSource::HostReadOnly(path)
        | MountSource::HostDirectory(path)
        | MountSource::HostSocket { path, .. } => *path = snapshot::seen(path)?,
        MountSource::Stack { directories, .. } => *directories = snapshot::seen_all(directories)?,
        MountSource::Bytes { .. } | MountSource::Tmpfs { .. } | MountSource::ImageVolume => {}
    }
    Ok(mount)
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.link.call(&Request::Remove { container: self.id }, &[]);
    }
}

impl Command {
    /// Waits until the command ends; none when `timeout` is over before.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Option<Exit>, Error> {
        self.running.wait(timeout)
    }

    /// What it has written to standard output.
    pub fn stdout(&self) -> Output {
        self.running.output(self.running.stdout.as_ref())
    }

    /// What it has written to standard error.
    pub fn stderr(&self) -> Output {
        self.running.output(self.running.stderr.as_ref())
    }

    /// The other end of its terminal, if it was started with one.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.running.terminal.as_ref()
    }
}

impl Running {
    fn wait(&self, timeout: Option<Duration>) -> Result<Option<Exit>, Error> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(exit) = *self.exit.lock().unwrap_or_else(PoisonError::into_inner) {
                return Ok(Some(exit));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [PollFd::new(&self.status, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(Error::step("waiting for the program", e)),
            }
            let mut exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
            if exit.is_some() {
                continue;
            }
            let mut bytes = [0; 64];
            let count = rustix::io::read(&self.status, &mut bytes)
                .map_err(|e| Error::step("waiting for the program", e))?;
            *exit = Some(decode(&bytes[..count]).ok_or(Error::Gone)?);
        }
    }

    fn output(&self, capture: Option<&Capture>) -> Output {
        let Some(capture) = capture else {
            return Output::default();
        };
        let ended = matches!(self.wait(Some(Duration::ZERO)), Ok(Some(_)) | Err(_));
        if ended {
            capture.to_end(PATIENCE)
        } else {
            capture.so_far()
        }
    }
}

/// Sends a request that starts a program, with its three streams.
fn run(
    link: &Link,
    request: &Request,
    streams: [&Stdio; 3],
    output_bytes: usize,
) -> Result<(Started, Running), Error> {
    let mut fds = Vec::new();
    let mut captures = [None, None, None];
    for (number, stream) in streams.into_iter().enumerate() {
        let write_only = number > 0;
        fds.push(match stream {
            Stdio::Capture if write_only => {
                let (read, write) = pipe()?;
                captures[number] = Some(Capture::start(read, output_bytes));
                write
            }
            Stdio::Null | Stdio::Capture => {
                rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
                    .map_err(|e| Error::step("opening /dev/null", e))?
            }
            Stdio::Inherit => own_stream(number)?,
            Stdio::Fd(fd) => fd
                .try_clone()
                .map_err(|e| Error::step("sharing a descriptor", e))?,
        });
    }
    let (status, write) = pipe()?;
    fds.push(write);
    let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    let (reply, received) = link.call(request, &borrowed)?;
    let Reply::Started(started) = reply else {
        return Err(Error::Gone);
    };
    let [_, stdout, stderr] = captures;
    let running = Running {
        pid: started.pid,
        status,
        exit: Mutex::new(None),
        stdout,
        stderr,
        terminal: received.into_iter().next(),
    };
    Ok((started, running))
}

/// Connects a socket of another network namespace within a time.
fn connect(socket: OwnedFd, to: SocketAddrV4, timeout: Duration) -> io::Result<TcpStream> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) => {}
        Err(rustix::io::Errno::INPROGRESS) => {
            let until = Instant::now() + timeout;
            loop {
                let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
                let mut fds = [PollFd::new(&socket, PollFlags::OUT)];
                match poll(&mut fds, left.as_ref()) {
                    Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                    Ok(_) => break,
                    Err(rustix::io::Errno::INTR) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            rustix::net::sockopt::socket_error(&socket)??;
        }
        Err(e) => return Err(e.into()),
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(TcpStream::from(socket))
}

/// Twelve hexadecimal digits, different for every container of a machine with
/// all but certainty.
fn short_id(sandbox: &str, id: u64) -> String {
    let mut random = [0; 6];
    let source = std::fs::File::open("/dev/urandom");
    if source.and_then(|mut f| f.read_exact(&mut random)).is_err() {
        return jettison_image::Digest::of(format!("{sandbox}-{id}").as_bytes()).short();
    }
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
