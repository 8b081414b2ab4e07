//! Who looks on at a container: its birth, what it is told, its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use jettison_plan::Trace;
use rustix::process::Pid;

use super::{Role, Supervisor};
use crate::sys;
use crate::trace::{Hook, TracerRequest, Tracing, serve};
use crate::wire::{Channel, Failure, Reply, StartRequest};

impl Supervisor<'_> {
    /// Starts the tracer of a container that is about to be started, if it
    /// is to be traced.
    pub(crate) fn tracer(&mut self, request: &StartRequest) -> Result<Option<Channel>, Failure> {
        if request.trace == Tracing::Off || request.root.is_none() {
            return Ok(None);
        }
        let (ours, theirs) =
            Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
        let pid = sys::fork_into(0, || serve(&theirs))
            .map_err(|e| Failure::step("starting the tracer", e))?;
        self.adopt(pid, Role::Tracer(request.container), None, None)?;
        Ok(Some(ours))
    }

    /// Asks a container's tracer for what it has seen; returns the socket
    /// from which that comes.
    pub(crate) fn take_trace(&mut self, container: u64) -> Result<OwnedFd, Failure> {
        let contained = self.containers.get(&container).ok_or_else(Failure::ended)?;
        let (ours, theirs) =
            Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
        match &contained.tracer {
            Some(tracer) => tracer
                .send(&TracerRequest::Take, &[theirs.as_fd()])
                .map_err(|e| Failure::step("asking the tracer, which has died,", e))?,
            None if contained.request.trace == Tracing::Off => {
                let unfit = io::Error::from_raw_os_error(libc::ENOTSUP);
                return Err(Failure::step(
                    "taking the trace of what is not traced",
                    unfit,
                ));
            }
            None => {
                let note = "a program outside of a container is not traced";
                let trace = Trace {
                    lost: 1,
                    notes: vec![note.to_owned()],
                    ..Trace::default()
                };
                theirs
                    .send(&Reply::Trace(trace), &[])
                    .map_err(|e| Failure::step("handing over the trace", e))?;
            }
        }
        let ours = ours.as_fd().try_clone_to_owned();
        ours.map_err(|e| Failure::step("handing over the trace", e))
    }

    /// The tracer of a container is gone. Unless the container is, too, its
    /// programs would run on with every file missing (ENOSYS).
    pub(crate) fn lost_tracer(&mut self, container: u64) {
        let running = self.containers.get(&container).is_some_and(|c| c.running);
        if running && let Some(process) = self.main_process(container) {
            let _ = sys::signal_pidfd(process.pidfd.as_fd(), libc::SIGKILL);
        }
    }
}

/// The two ends between a process that is about to be born and its tracer.
pub(crate) fn hooks(
    request: &StartRequest,
    tracer: Option<&Channel>,
) -> Result<Option<(Hook, Channel)>, Failure> {
    if tracer.is_none() {
        return Ok(None);
    }
    let (channel, other) =
        Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
    let tracing = request.trace;
    Ok(Some((Hook { channel, tracing }, other)))
}

/// Tells the tracer whom it will hear from.
pub(crate) fn watch_newborn(
    tracer: Option<&Channel>,
    hooks: Option<(Hook, Channel)>,
    pid: Pid,
) -> Result<(), Failure> {
    let (Some(tracer), Some((_, end))) = (tracer, &hooks) else {
        return Ok(());
    };
    let pid = pid.as_raw_nonzero().get();
    tracer
        .send(&TracerRequest::Watch { pid }, &[end.as_fd()])
        .map_err(|e| Failure::step("talking to the tracer", e))
}
