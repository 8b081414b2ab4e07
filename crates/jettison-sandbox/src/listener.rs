//! A port on which a container accepts connections.

use crate::wire::wire_struct;

/// A listening TCP port of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Bound to 127.0.0.1 or ::1: not reached from outside.
    pub loopback_only: bool,
    /// Connections that the kernel has made and the program not accepted.
    pub waiting: u32,
}

wire_struct!(Listener {
    port,
    loopback_only,
    waiting
});
