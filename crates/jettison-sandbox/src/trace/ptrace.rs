//! The fallback: the same filter, answered by ptrace.
//!
//! Signals and stops reach the programs as if nobody looked on; a program
//! that debugs others cannot do so while it is traced itself.

use std::io;
use std::os::fd::BorrowedFd;

use super::observe::{Newborn, Observer};
use super::raw::{self, Stop};
use super::task::Unread;

/// The threads that we trace.
#[derive(Debug, Default)]
pub(super) struct Tracees {
    newborn: Vec<Newborn>,
}

impl Tracees {
    /// From here on a process that waits for us is traced.
    pub(super) fn add(&mut self, newborn: Newborn) -> io::Result<()> {
        raw::seize(newborn.pid)?;
        self.newborn.push(newborn);
        Ok(())
    }

    /// Looks at the threads that have stopped, as `stops` has said; up to
    /// `most` of them. Does it wait, then also for those that stop next.
    /// True: there may be more of them, about which `stops` says nothing.
    pub(super) fn look(
        &mut self,
        stops: BorrowedFd<'_>,
        observer: &mut Observer,
        most: usize,
        waits: bool,
    ) -> bool {
        let mut said = [0; 128];
        while rustix::io::read(stops, &mut said).is_ok_and(|count| count > 0) {}
        for count in 0..most {
            // The first is there already, if nobody has reaped it.
            let Some((pid, stop)) = raw::next_stop(waits && count > 0) else {
                return false;
            };
            match stop {
                Stop::Gone => self.newborn.retain(|newborn| newborn.pid != pid),
                Stop::Own => raw::resume(pid, 0),
                Stop::Signal(signal) => raw::resume(pid, signal),
                Stop::Group => raw::leave_stopped(pid),
                Stop::Call => {
                    self.call(pid, observer);
                    raw::resume(pid, 0);
                }
            }
        }
        true
    }

    fn call(&mut self, pid: i32, observer: &mut Observer) {
        let seen = match raw::stopped_call(pid) {
            Ok(event) => {
                let other = |newborn: &Newborn| newborn.pid != pid;
                self.newborn
                    .retain(|newborn| other(newborn) || !newborn.has_become(&event));
                let newborn = self.newborn.iter().find(|newborn| newborn.pid == pid);
                observer.see(&event, newborn)
            }
            Err(_) => Err(Unread::Refused),
        };
        // Who was killed in the meantime touches nothing any more, and is no
        // longer stopped for a call.
        let is_gone = || {
            let again = raw::stopped_call(pid).err();
            again.is_some_and(|e| e.raw_os_error() == Some(libc::ESRCH))
        };
        if seen.is_err() && !is_gone() {
            observer.record().lose();
        }
    }
}
