//! Runs a root file system in namespaces of its own; holds all unsafe code.
//!
//! [`Sandbox::open`] forks a supervisor into fresh pid, mount and network
//! namespaces (in a user namespace where the caller is not root). Roots are
//! filled once ([`RootWriter`]) and stay as they are; every [`Container`]
//! writes into a layer of its own. Sockets into a container are made in the
//! sandbox's network and handed to the caller, so that it speaks over an
//! ordinary [`std::net::TcpStream`].
//!
//! Layers can be kept: a snapshot ([`SnapshotWriter`]) is a directory of the
//! machine, a row of them is a root, and what a container wrote above it is
//! the next snapshot, or a layer of an image ([`Export`]).
//!
//! Nothing else survives: when the sandbox is dropped, or its process or the
//! supervisor is killed at any moment, processes, mounts and networks are
//! gone. The crate reads no environment variable, prints nothing, and does
//! not run a stranger's program without namespaces unless it is told to.

mod cgroup;
mod child;
mod container;
mod copy;
mod detect;
mod error;
mod exit;
mod ids;
mod init;
mod listener;
mod output;
mod own_program;
mod remove;
mod root;
mod sandbox;
mod scratch;
mod seccomp;
mod snapshot;
mod spec;
mod supervisor;
mod sys;
mod tier;
mod trace;
mod wire;
mod written;

pub use child::interrupt_with_us;
pub use container::{Command, Container, LimitsBy};
pub use detect::{Emulator, Missing, TierSupport, control_groups, emulator, survey};
pub use error::Error;
pub use exit::{Exit, ExitReason};
pub use listener::Listener;
pub use output::Output;
pub use own_program::shield_own_program;
pub use root::{Root, RootReport, RootWriter};
pub use sandbox::{Options, Sandbox};
pub use snapshot::{Export, ExportedEntry, FILES as SNAPSHOT_FILES, SnapshotWriter};
pub use spec::{
    ContainerSpec, ExecSpec, Mount, MountSource, Network, Profile, ResourceLimits, Stdio,
    TerminalSize,
};
pub use tier::Tier;
pub use trace::Tracing;
pub use written::{Change, Written};
