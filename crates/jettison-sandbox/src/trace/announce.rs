//! What a newborn process does so that the program it becomes is traced.
//!
//! Runs in the container, after the profile's own filter and before the
//! program. The process is hidden from everybody (CVE-2016-9962), the tracer
//! included where that has no rights outside of a user namespace; so it says
//! by itself which program it is about to execute.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::process::DumpableBehavior;
use rustix::thread::set_no_new_privs;

use super::filter::{self, By};
use super::wire::Announced;
use super::{Tracing, raw};
use crate::sys;
use crate::wire::{Channel, Failure};

/// The way to the tracer.
#[derive(Debug)]
pub(crate) struct Hook {
    pub(crate) channel: Channel,
    pub(crate) tracing: Tracing,
}

impl Hook {
    /// From here on the process is seen. `attempts` are the paths that it
    /// will try, and have to stay where they are in memory; `supervisor` is
    /// the one descriptor that the process needs besides.
    pub(crate) fn enter(
        &self,
        attempts: &[CString],
        args: &[OsString],
        supervisor: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let open = |path: &str| {
            rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(|e| Failure::step("preparing to be traced", e))
        };
        let (root, current) = (open("/")?, open(".")?);
        let mut refused = 0;
        let listener = match self.tracing {
            Tracing::Off => return Ok(()),
            Tracing::ByPtrace => None,
            Tracing::On | Tracing::ByNotification => match listen() {
                Ok(listener) => Some(listener),
                Err(e) if self.tracing == Tracing::ByNotification => {
                    return Err(Failure::step("asking for notifications (seccomp)", e));
                }
                Err(e) => {
                    refused = e.raw_os_error().unwrap_or(libc::EIO);
                    None
                }
            },
        };
        let announced = Announced {
            has_listener: listener.is_some(),
            refused,
            attempts: attempts
                .iter()
                .map(|path| (path.as_ptr().addr() as u64, path.as_bytes().to_vec()))
                .collect(),
            argv: args.iter().take(64).map(text).collect(),
        };
        if listener.is_none() {
            allowing(|| sys::install_filter(&filter::program(By::Ptrace)))
                .map_err(|e| Failure::step("installing the tracer's filter", e))?;
        }
        let mut fds = vec![root.as_fd(), current.as_fd()];
        fds.extend(listener.iter().map(AsFd::as_fd));
        let talking = |e| Failure::step("talking to the tracer", e);
        // Zero, or why it cannot be done.
        let ask = || -> Result<i32, Failure> {
            self.channel.send(&announced, &fds).map_err(talking)?;
            let answer = self.channel.receive::<i32>().map_err(talking)?;
            Ok(answer.map_or(libc::EPIPE, |(errno, _)| errno))
        };
        let mut errno = ask()?;
        if errno == libc::EPERM {
            // Root of a user namespace may not trace a process that hides.
            // For a moment it does not; what others in the container could
            // then reach through it is closed.
            let keep = [&*fds, &[self.channel.as_fd(), supervisor]].concat();
            sys::close_all_but(&keep);
            let hidden = rustix::process::set_dumpable_behavior;
            hidden(DumpableBehavior::Dumpable).map_err(|e| talking(e.into()))?;
            errno = ask()?;
            hidden(DumpableBehavior::NotDumpable).map_err(|e| talking(e.into()))?;
        }
        match errno {
            0 => Ok(()),
            errno => Err(Failure::step(
                "tracing the program",
                io::Error::from_raw_os_error(errno),
            )),
        }
    }
}

fn listen() -> io::Result<OwnedFd> {
    let program = filter::program(By::Notification);
    allowing(|| raw::install_listener(&program))
}

/// Without CAP_SYS_ADMIN (chroot in somebody's container) the kernel takes a
/// filter only from who gives up setuid programs.
fn allowing<T>(install: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match install() {
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => {
            set_no_new_privs(true)?;
            install()
        }
        result => result,
    }
}

fn text(argument: &OsString) -> String {
    let mut text = argument.to_string_lossy().into_owned();
    let end = (0..=4096.min(text.len())).rfind(|&at| text.is_char_boundary(at));
    text.truncate(end.unwrap_or(0));
    text
}
