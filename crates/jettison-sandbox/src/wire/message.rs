//! The messages between library, supervisor and container.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Wire, wire_struct};
use crate::exit::ExitReason;
use crate::init::Created;
use crate::spec::{Mount, MountSource, Network, Profile, TerminalSize};
use crate::trace::Tracing;

/// Something that the supervisor is asked for.
#[derive(Debug)]
pub(crate) enum Request {
    /// A root to fill; answered with the socket that takes its records.
    NewRoot {
        id: u64,
        on_disk: bool,
    },
    DropRoot {
        id: u64,
    },
    /// A snapshot to fill; answered with the socket that takes its records.
    NewSnapshot {
        directory: PathBuf,
    },
    /// A root made of snapshots, lowest first.
    Stack {
        id: u64,
        directories: Vec<PathBuf>,
    },
    /// Removes a directory of the machine with everything in it; answered
    /// with the socket that tells when it is gone.
    Discard {
        directory: PathBuf,
    },
    /// Makes a directory of the machine.
    MakeDirectory {
        directory: PathBuf,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    /// Reads a snapshot that lies on others; answered with the socket from
    /// which its entries come.
    Export {
        id: u64,
        directory: PathBuf,
        below: Vec<PathBuf>,
    },
    /// Descriptors: stdin, stdout, stderr, pipe for the [`Exit`].
    Start(Box<StartRequest>),
    /// Descriptors as for `Start`.
    Exec(Box<ExecRequest>),
    Signal {
        container: u64,
        number: i32,
    },
    /// Kills the container and frees what it wrote.
    Remove {
        container: u64,
    },
    /// An unconnected TCP socket in the sandbox's network.
    Socket,
    /// A listening TCP socket in the sandbox's network.
    Listen {
        address: Ipv4Addr,
        port: u16,
    },
    Address {
        service: bool,
    },
    AddHost {
        container: u64,
        name: String,
        address: Ipv4Addr,
    },
    /// What the container wrote; answered with a list.
    Written {
        container: u64,
    },
    /// The ports on which a container accepts connections.
    Listeners {
        container: u64,
    },
    /// What the container's programs touched; answered with the socket from
    /// which it comes.
    Trace {
        container: u64,
    },
}

/// What the supervisor answers; `Failed` to anything.
#[derive(Debug)]
pub(crate) enum Reply {
    Done,
    Failed(Failure),
    Started(Started),
    Address(Ipv4Addr),
    Written(Vec<crate::written::Written>),
    Listeners(Vec<crate::listener::Listener>),
    Trace(jettison_plan::Trace),
    /// From a newborn supervisor: map the ids of my user namespace, please.
    MapIds,
    /// The supervisor is ready.
    Ready,
}

/// A container or command that runs.
#[derive(Debug)]
pub(crate) struct Started {
    /// In the supervisor's numbering.
    pub(crate) pid: i32,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) limits_by: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct StartRequest {
    pub(crate) container: u64,
    /// None: a plain child process in the machine's own file system.
    pub(crate) root: Option<u64>,
    pub(crate) profile: Profile,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<OsString>,
    pub(crate) user: String,
    pub(crate) working_dir: OsString,
    pub(crate) hostname: String,
    pub(crate) network: Network,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) hosts: Vec<(String, Ipv4Addr)>,
    pub(crate) mounts: Vec<Mount>,
    /// Where what it writes stays.
    pub(crate) upper: Option<PathBuf>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) processes: Option<u32>,
    pub(crate) time: Option<Duration>,
    pub(crate) shm_bytes: u64,
    pub(crate) terminal: Option<TerminalSize>,
    pub(crate) trace: Tracing,
    pub(crate) volumes_of: Option<u64>,
    /// The machine's `/etc/resolv.conf`, for containers that share its network.
    pub(crate) host_resolv_conf: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(crate) struct ExecRequest {
    pub(crate) container: u64,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<OsString>,
    pub(crate) user: Option<String>,
    pub(crate) working_dir: Option<OsString>,
    pub(crate) time: Option<Duration>,
    pub(crate) terminal: Option<TerminalSize>,
}

/// What a new container says to the supervisor before it executes the program.
#[derive(Debug)]
pub(crate) enum FromChild {
    /// Everything is set up; what we made for it in the upper layer, which is
    /// ours, not the program's. A descriptor comes along when there is a
    /// terminal.
    Ready {
        created: Created,
    },
    Failed(Failure),
}

/// An error on its way through the socket.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    /// The step, the path or the program.
    pub(crate) what: String,
    pub(crate) problem: String,
    pub(crate) errno: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Step,
    Root,
    Program,
    User,
    Ended,
}

impl Failure {
    pub(crate) fn step(what: impl Into<String>, error: impl Into<std::io::Error>) -> Self {
        Self::with(FailureKind::Step, what, error)
    }

    pub(crate) fn with(
        kind: FailureKind,
        what: impl Into<String>,
        error: impl Into<std::io::Error>,
    ) -> Self {
        let errno = error.into().raw_os_error().unwrap_or(libc::EIO);
        Self {
            kind,
            what: what.into(),
            problem: String::new(),
            errno,
        }
    }

    pub(crate) fn root(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::Root,
            what: path.into(),
            problem: problem.into(),
            errno: 0,
        }
    }

    pub(crate) fn user(problem: impl Into<String>) -> Self {
        Self {
            kind: FailureKind::User,
            what: String::new(),
            problem: problem.into(),
            errno: 0,
        }
    }

    pub(crate) fn ended() -> Self {
        let (what, problem) = (String::new(), String::new());
        Self {
            kind: FailureKind::Ended,
            what,
            problem,
            errno: 0,
        }
    }
}

wire_struct!(Started {
    pid,
    address,
    limits_by
});
wire_struct!(StartRequest {
    container,
    root,
    profile,
    args,
    env,
    user,
    working_dir,
    hostname,
    network,
    address,
    hosts,
    mounts,
    upper,
    memory_bytes,
    processes,
    time,
    shm_bytes,
    terminal,
    trace,
    volumes_of,
    host_resolv_conf,
});
wire_struct!(ExecRequest {
    container,
    args,
    env,
    user,
    working_dir,
    time,
    terminal
});
wire_struct!(Failure {
    kind,
    what,
    problem,
    errno
});

/// Implements [`Wire`] for an enum: a number per variant, then its fields.
macro_rules! wire_enum {
    ($type:ty { $($number:literal => $variant:ident
        $(( $inner:ident ))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(( $inner ))? $({ $($field),* })? => {
                        out.push($number);
                        $(Wire::put($inner, out);)?
                        $($(Wire::put($field, out);)*)?
                    })*
                }
            }
            fn take(input: &mut &[u8]) -> Option<Self> {
                Some(match u8::take(input)? {
                    $($number => Self::$variant
                        $(({ let $inner = Wire::take(input)?; $inner }))?
                        $({ $($field: Wire::take(input)?),* })?,)*
                    _ => return None,
                })
            }
        }
    };
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        T::take(input).map(Box::new)
    }
}

wire_enum!(Request {
    0 => NewRoot { id, on_disk },
    1 => DropRoot { id },
    2 => Start(request),
    3 => Exec(request),
    4 => Signal { container, number },
    5 => Remove { container },
    6 => Socket,
    7 => Listen { address, port },
    8 => Address { service },
    9 => AddHost { container, name, address },
    10 => Written { container },
    11 => Listeners { container },
    12 => Trace { container },
    13 => NewSnapshot { directory },
    14 => Stack { id, directories },
    15 => Discard { directory },
    16 => MakeDirectory { directory, mode, uid, gid },
    17 => Export { id, directory, below },
});
wire_enum!(Reply {
    0 => Done,
    1 => Failed(failure),
    2 => Started(started),
    3 => Address(address),
    4 => Written(written),
    7 => Listeners(listeners),
    8 => Trace(trace),
    5 => MapIds,
    6 => Ready,
});
wire_enum!(MountSource {
    0 => HostCopy(path),
    1 => HostReadOnly(path),
    2 => Bytes { content, mode, uid, gid },
    3 => Tmpfs { size_bytes, mode },
    4 => ImageVolume,
    5 => HostDirectory(path),
    6 => HostSocket { path, mode, uid, gid },
    7 => Stack { directories, path },
});
wire_enum!(ExitReason { 0 => Ended, 1 => Time, 2 => Memory, 3 => Processes });
wire_enum!(FromChild { 0 => Ready { created }, 1 => Failed(failure) });
wire_enum!(FailureKind { 0 => Step, 1 => Root, 2 => Program, 3 => User, 4 => Ended });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{decode, encode};

    #[test]
    fn a_request_survives_the_wire_and_no_prefix_of_it_does() {
        let request = Request::AddHost {
            container: 7,
            name: "db".to_owned(),
            address: Ipv4Addr::new(172, 17, 0, 9),
        };
        let bytes = encode(&request);
        assert_eq!(
            format!("{:?}", decode::<Request>(&bytes)),
            format!("{:?}", Some(request))
        );
        for end in 0..bytes.len() {
            assert!(decode::<Request>(&bytes[..end]).is_none());
        }
    }
}
