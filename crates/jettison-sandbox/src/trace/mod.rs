//! Sees every path that the programs of a container touch.
//!
//! One process per container, a child of the supervisor, looks on: its filter
//! stops a program at the system calls of `table.rs` and nowhere else, it
//! reads which path is meant, resolves it inside the container, writes it
//! down, and lets the call go on unchanged. First choice is seccomp's user
//! notification; where the kernel refuses it, ptrace with the same filter.
//!
//! It decides nothing and changes nothing for the program, whose user, groups
//! and capabilities are those of the profile. When it dies, the container is
//! ended: without it every call of the table would fail. What it could not
//! see, it counts.

mod announce;
mod filter;
mod observe;
mod program;
mod ptrace;
mod raw;
mod record;
mod resolve;
mod serve;
mod table;
mod task;
mod threads;
mod wire;

pub(crate) use announce::Hook;
pub(crate) use serve::serve;
pub(crate) use wire::TracerRequest;

/// Whether and how the programs of a container are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tracing {
    /// Not at all.
    #[default]
    Off,
    /// By seccomp's user notification (Linux 5.5), and where that is refused
    /// by ptrace; a note of the trace says which it was.
    On,
    /// By user notification or not at all.
    ByNotification,
    /// By ptrace, which is slower.
    ByPtrace,
}

/// Does before a fork what its child should find done.
pub(crate) fn warm() {
    table::warm();
}
