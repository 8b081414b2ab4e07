//! The filter that stops a program at the calls of the table, and only there.

use libc::sock_filter;

use super::table;
use crate::seccomp::{Seen, seen_program};

/// How the kernel tells us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Notification,
    Ptrace,
}

/// Stops at every call of the table, at every call of an interface that has
/// none (x32 and whatever comes), and refuses io_uring with ENOSYS.
pub(crate) fn program(by: By) -> Vec<sock_filter> {
    let action = match by {
        By::Notification => libc::SECCOMP_RET_USER_NOTIF,
        By::Ptrace => libc::SECCOMP_RET_TRACE,
    };
    let seen = table::native().iter().map(|&(audit, column)| Seen {
        audit,
        missing: table::RING,
        // Most sends have no address: the socket is connected.
        with_pointer: (table::SENDTO[column], 4),
        with_bits: (
            table::SECCOMP[column],
            1,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32,
        ),
        numbers: table::numbers(column),
    });
    seen_program(&seen.collect::<Vec<_>>(), action)
}
