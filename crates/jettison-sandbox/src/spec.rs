//! What a container is started with: plain data with sensible defaults.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::trace::Tracing;
use crate::wire::{Wire, wire_struct};

/// Everything about one container but its root file system.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    /// What the program may do.
    pub profile: Profile,
    /// Program and arguments; a program without a slash is looked up in the
    /// PATH of `env`.
    pub args: Vec<OsString>,
    /// `KEY=VALUE` pairs. PATH, HOME and HOSTNAME are added where missing, as
    /// docker does.
    pub env: Vec<OsString>,
    /// As in an image's config: empty, `USER`, `UID`, `USER:GROUP`, `UID:GID`.
    pub user: String,
    /// Created when missing, as docker does. Empty means `/`.
    pub working_dir: OsString,
    /// By default the container's short id.
    pub hostname: Option<String>,
    /// Which network it sees.
    pub network: Network,
    /// An address from [`crate::Sandbox::reserve_address`]; by default the next one.
    pub address: Option<Ipv4Addr>,
    /// More lines for `/etc/hosts`: name and address.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// What is mounted besides the standard mounts, in this order.
    pub mounts: Vec<Mount>,
    /// The [`crate::Container::id`] of a container that has ended and is not
    /// dropped: volumes are what it left there, in the place of fresh copies.
    /// Its mounts must be the same ones in the same order.
    pub volumes_of: Option<u64>,
    /// Where what it writes stays: an empty directory of the machine, which
    /// becomes a snapshot when the container is closed
    /// ([`crate::Container::close`]). Its file system must be able to carry
    /// an overlay; nothing is forced to the disk. By default what it writes
    /// lies in memory and is freed.
    pub upper: Option<PathBuf>,
    /// Bounds on what it may use.
    pub limits: ResourceLimits,
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
    /// A terminal instead of the three streams; its other end is
    /// [`crate::Container::terminal`].
    pub terminal: Option<TerminalSize>,
    /// Whether it is seen which paths its programs touch, for
    /// [`crate::Container::take_trace`].
    pub trace: Tracing,
}

impl Default for ContainerSpec {
    fn default() -> Self {
        Self {
            profile: Profile::AS_SHIPPED,
            args: Vec::new(),
            env: Vec::new(),
            user: String::new(),
            working_dir: OsString::new(),
            hostname: None,
            network: Network::Private,
            address: None,
            hosts: Vec::new(),
            mounts: Vec::new(),
            volumes_of: None,
            upper: None,
            limits: ResourceLimits::default(),
            stdin: Stdio::Null,
            stdout: Stdio::Capture,
            stderr: Stdio::Capture,
            terminal: None,
            trace: Tracing::Off,
        }
    }
}

/// A further command in a running container.
#[derive(Debug, Clone, Default)]
pub struct ExecSpec {
    /// Program and arguments.
    pub args: Vec<OsString>,
    /// Set on top of the container's environment.
    pub env: Vec<OsString>,
    /// Instead of the container's user.
    pub user: Option<String>,
    /// Instead of the container's working directory.
    pub working_dir: Option<OsString>,
    /// Killed after this time.
    pub time: Option<Duration>,
    /// Standard input; by default empty.
    pub stdin: Option<Stdio>,
    /// Standard output; by default captured.
    pub stdout: Option<Stdio>,
    /// Standard error; by default captured.
    pub stderr: Option<Stdio>,
    /// A terminal instead of the three streams.
    pub terminal: Option<TerminalSize>,
}

/// What a contained program may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Nothing but mounts can be written.
    pub read_only_root: bool,
    /// The capabilities that root in the container has; bit n is capability n
    /// of `linux/capability.h`.
    pub capabilities: u64,
    /// Setuid programs and file capabilities give nothing (`no_new_privs`).
    pub no_new_privileges: bool,
    /// Docker's default system call filter.
    pub seccomp: bool,
    /// Who runs instead when the user would be root.
    pub root_becomes: Option<(u32, u32)>,
    /// The first port that needs no capability. Docker sets 0, the kernel's
    /// own default is 1024.
    pub first_open_port: u16,
}

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
/// NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP: what
/// Docker leaves to a container.
const DOCKER_CAPABILITIES: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 10
    | 1 << 13
    | 1 << 18
    | 1 << 27
    | 1 << 29
    | 1 << 31;

impl Profile {
    /// For images that recipes build: read-only root, no capabilities, no way
    /// to more, and never root.
    pub const HARDENED: Self = Self {
        read_only_root: true,
        capabilities: 0,
        no_new_privileges: true,
        seccomp: true,
        root_becomes: Some((65532, 65532)),
        first_open_port: 1024,
    };

    /// Docker's defaults, for judging other people's images.
    pub const AS_SHIPPED: Self = Self {
        read_only_root: false,
        capabilities: DOCKER_CAPABILITIES,
        no_new_privileges: false,
        seccomp: true,
        root_becomes: None,
        first_open_port: 0,
    };
}

/// Which network a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// A network namespace of its own, joined to the sandbox's by a veth pair;
    /// no way out of the sandbox.
    #[default]
    Private,
    /// A network namespace with loopback only.
    None,
    /// The network of the machine.
    Host,
}

/// One mount inside the container.
#[derive(Debug, Clone)]
pub struct Mount {
    /// What appears there.
    pub source: MountSource,
    /// Where, inside the root; created when missing.
    pub target: OsString,
    /// The container cannot write to it.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone)]
pub enum MountSource {
    /// A copy of a file or directory of the machine; what the container
    /// writes stays in the copy.
    HostCopy(PathBuf),
    /// The file or directory itself, always read-only.
    HostReadOnly(PathBuf),
    /// The directory itself. What the container makes in it belongs to the
    /// container's users; [`crate::Sandbox::discard`] can remove it.
    HostDirectory(PathBuf),
    /// A socket of the machine on which somebody listens.
    HostSocket {
        /// The socket.
        path: PathBuf,
        /// The permission bits that the container sees.
        mode: u32,
        /// The owner that it sees.
        uid: u32,
        /// The group that it sees.
        gid: u32,
    },
    /// A file or directory of a stack of snapshots. What is written to it,
    /// unless it is read-only, is thrown away.
    Stack {
        /// The snapshots, lowest first.
        directories: Vec<PathBuf>,
        /// What of them; links in it are followed inside the stack.
        path: OsString,
    },
    /// A file with this content.
    Bytes {
        /// The content.
        content: Vec<u8>,
        /// The permission bits.
        mode: u32,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// An empty file system in memory.
    Tmpfs {
        /// The most that it holds.
        size_bytes: u64,
        /// The permission bits of its root.
        mode: u32,
    },
    /// What the image has at the target, copied, as an anonymous volume
    /// (`VOLUME`) does.
    ImageVolume,
}

impl MountSource {
    /// True for a copy that the container may keep writing to.
    pub(crate) fn is_volume(&self) -> bool {
        matches!(self, Self::HostCopy(_) | Self::ImageVolume)
    }
}

/// Bounds on what a container may use.
#[derive(Debug, Clone, Default)]
pub struct ResourceLimits {
    /// Memory of all its processes together.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// Killed after this time.
    pub time: Option<Duration>,
    /// Size of `/dev/shm`; docker's default is 64 MiB.
    pub shm_bytes: Option<u64>,
    /// What is kept of a captured stream (half from its start, half from its
    /// end); by default 1 MiB.
    pub output_bytes: Option<usize>,
}

/// Where a standard stream leads.
#[derive(Debug, Clone, Default)]
pub enum Stdio {
    /// `/dev/null`.
    #[default]
    Null,
    /// The same as ours.
    Inherit,
    /// Kept, bounded, and read with [`crate::Container::stdout`]; for standard
    /// input the same as null.
    Capture,
    /// This descriptor.
    Fd(Arc<OwnedFd>),
}

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

wire_struct!(Profile {
    read_only_root,
    capabilities,
    no_new_privileges,
    seccomp,
    root_becomes,
    first_open_port
});
wire_struct!(TerminalSize { rows, columns });
wire_struct!(Mount {
    source,
    target,
    read_only
});

impl Wire for Network {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Private => 0,
            Self::None => 1,
            Self::Host => 2,
        });
    }
    fn take(input: &mut &[u8]) -> Option<Self> {
        [Self::Private, Self::None, Self::Host]
            .get(usize::from(u8::take(input)?))
            .copied()
    }
}
