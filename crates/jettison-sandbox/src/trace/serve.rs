//! The tracer's process: waits for calls of the container's programs, for
//! newborn ones, and for the supervisor to ask what was seen.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::observe::{Newborn, Observer};
use super::ptrace::Tracees;
use super::raw;
use super::record::Record;
use super::resolve::{Resolver, own_link};
use super::wire::{Announced, TracerRequest};
use crate::sys;
use crate::wire::{Channel, Failure, Reply};

/// A thread whose notification has vanished is waited for no longer.
const TICK_MS: i64 = 50;
/// So many calls are looked at, one after the other, before anybody else is.
const BURST: usize = 64;
/// How long calls that come and come keep a trace from being taken.
const DRAIN: Duration = Duration::from_millis(100);
const NOW: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

struct Listener {
    fd: OwnedFd,
    newborn: RefCell<Option<Newborn>>,
}

#[derive(Default)]
struct Tracer {
    /// Processes that have yet to announce themselves.
    unborn: Vec<(i32, Channel)>,
    listeners: Vec<Listener>,
    /// Those that are traced by ptrace.
    tracees: Option<(OwnedFd, RefCell<Tracees>)>,
    /// From the first announcement on.
    observer: Option<RefCell<Observer>>,
}

/// What has to be done that is not a call to be looked at.
enum Next {
    Control,
    Born(usize),
    /// A listener has no program any more.
    Silent(usize),
    Broken,
}

/// Serves until the supervisor hangs up. Returns the exit code.
pub(crate) fn serve(control: &Channel) -> i32 {
    // Nobody's pipe may seem open because we have inherited it.
    if sys::place_fd(control.as_fd(), 3).is_err() {
        return 125;
    }
    sys::close_from(4, false);
    let control = Channel::from_fd(sys::adopt_fd(3));
    let signal = Some(rustix::process::Signal::KILL);
    let _ = rustix::process::set_parent_process_death_signal(signal);
    // Remembered directories are open.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
    raw::tick(TICK_MS);
    raw::interrupt_for(control.as_fd());
    let mut tracer = Tracer::default();
    loop {
        match tracer.listen(&control) {
            Next::Control => match control.receive::<TracerRequest>() {
                Ok(Some((request, fds))) => tracer.answer(request, fds),
                // Hung up.
                Ok(None) => return 0,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return 1,
            },
            Next::Born(index) => {
                let (pid, channel) = tracer.unborn.swap_remove(index);
                tracer.welcome(pid, channel);
            }
            Next::Silent(index) => {
                tracer.listeners.swap_remove(index);
            }
            Next::Broken => return 1,
        }
    }
}

impl Tracer {
    /// Looks at calls until there is something else to do. Where they can come
    /// from one side only, the next is waited for there: to ask every side
    /// before each is a system call more. What comes from another side then
    /// interrupts; if it does so a moment too early, the tick is next.
    fn listen(&self, control: &Channel) -> Next {
        let sides = self.listeners.len() + usize::from(self.tracees.is_some());
        let waits = sides == 1 && self.unborn.is_empty();
        let burst = if waits { BURST } else { 1 };
        // Stops that were left over make nothing readable.
        let mut more = self.tracees.is_some();
        let first = 1 + self.unborn.len();
        let mut fds = vec![PollFd::new(control, PollFlags::IN)];
        let unborn = self.unborn.iter();
        fds.extend(unborn.map(|(_, channel)| PollFd::new(channel, PollFlags::IN)));
        let listeners = self.listeners.iter();
        fds.extend(listeners.map(|listener| PollFd::new(&listener.fd, PollFlags::IN)));
        let after = fds.len();
        let stops = self.tracees.iter();
        fds.extend(stops.map(|(stops, _)| PollFd::new(stops, PollFlags::IN)));
        loop {
            match poll(&mut fds, more.then_some(&NOW)) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return Next::Broken,
            }
            for (index, listener) in self.listeners.iter().enumerate() {
                let ready = fds[first + index].revents();
                if ready.contains(PollFlags::IN) {
                    let _ = (0..burst).all(|_| self.hear(listener));
                } else if !ready.is_empty() {
                    return Next::Silent(index);
                }
            }
            if more || fds[after..].iter().any(|fd| !fd.revents().is_empty()) {
                more = self.look(waits);
            }
            let born = fds[1..first].iter().position(|fd| !fd.revents().is_empty());
            if let Some(index) = born {
                return Next::Born(index);
            }
            if !fds[0].revents().is_empty() {
                return Next::Control;
            }
        }
    }

    /// What has stopped by ptrace; true when there may be more.
    fn look(&self, waits: bool) -> bool {
        if let (Some((stops, tracees)), Some(observer)) = (&self.tracees, &self.observer) {
            let (mut tracees, mut observer) = (tracees.borrow_mut(), observer.borrow_mut());
            return tracees.look(stops.as_fd(), &mut observer, BURST, waits);
        }
        false
    }

    /// One call, for which it waits. False: interrupted, or there is none.
    fn hear(&self, listener: &Listener) -> bool {
        let Ok(event) = raw::receive(listener.fd.as_fd()) else {
            // Gone, or interrupted: it is announced again.
            return false;
        };
        if let Some(observer) = &self.observer {
            let mut observer = observer.borrow_mut();
            let mut newborn = listener.newborn.borrow_mut();
            if newborn
                .as_ref()
                .is_some_and(|newborn| newborn.has_become(&event))
            {
                *newborn = None;
            }
            let seen = observer.see(&event, newborn.as_ref());
            // Who was killed in the meantime has touched nothing.
            if seen.is_err() && raw::still_waits(listener.fd.as_fd(), event.id) {
                observer.record().lose();
            }
        }
        let _ = raw::go_on(listener.fd.as_fd(), event.id);
        true
    }

    fn answer(&mut self, request: TracerRequest, mut fds: Vec<OwnedFd>) {
        let Some(channel) = fds.pop().map(Channel::from_fd) else {
            return;
        };
        match request {
            TracerRequest::Watch { pid } => self.unborn.push((pid, channel)),
            TracerRequest::Take => {
                self.drain();
                let observer = self.observer.as_ref();
                let trace = observer.map(|observer| observer.borrow_mut().take());
                let _ = channel.send(&Reply::Trace(trace.unwrap_or_default()), &[]);
            }
        }
    }

    /// Looks at all calls that are waiting already.
    fn drain(&self) {
        let until = Instant::now() + DRAIN;
        while self.look(false) && Instant::now() < until {}
        while Instant::now() < until {
            let mut fds: Vec<_> = self
                .listeners
                .iter()
                .map(|listener| PollFd::new(&listener.fd, PollFlags::IN))
                .collect();
            match poll(&mut fds, Some(&NOW)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return,
            }
            let ready = fds.iter().map(|fd| fd.revents().contains(PollFlags::IN));
            let ready: Vec<bool> = ready.collect();
            if !ready.contains(&true) {
                return;
            }
            for (listener, _) in self.listeners.iter().zip(ready).filter(|(_, ready)| *ready) {
                self.hear(listener);
            }
        }
    }

    /// A process is about to become a program.
    fn welcome(&mut self, pid: i32, channel: Channel) {
        let Ok(Some((announced, fds))) = channel.receive::<Announced>() else {
            // It has failed before, and told the supervisor why.
            return;
        };
        let done = self.begin(pid, announced, fds);
        let errno = done.map_or_else(|failure| failure.errno, |()| 0);
        let sent = channel.send(&errno, &[]);
        if errno == libc::EPERM && sent.is_ok() {
            // It may come out of hiding and announce itself once more.
            self.unborn.push((pid, channel));
        }
    }

    fn begin(&mut self, pid: i32, announced: Announced, fds: Vec<OwnedFd>) -> Result<(), Failure> {
        let failed = |e: Errno| Failure::step("tracing the program", e);
        let mut fds = fds.into_iter();
        let (Some(root), Some(current)) = (fds.next(), fds.next()) else {
            return Err(failed(Errno::BADF));
        };
        if self.observer.is_none() {
            let resolver = Resolver::new(root).map_err(failed)?;
            let observer = Observer::new(resolver, Record::default());
            self.observer = Some(RefCell::new(observer));
        }
        let Some(observer) = &self.observer else {
            return Err(failed(Errno::BADF));
        };
        let mut observer = observer.borrow_mut();
        let current = own_link(current.as_fd()).map_err(failed)?;
        let newborn = Newborn {
            pid,
            attempts: announced.attempts,
            argv: announced.argv,
            current: observer.inside(&current).unwrap_or_default(),
        };
        let Some(fd) = fds.next().filter(|_| announced.has_listener) else {
            let cannot = |e| Failure::step("tracing the program", e);
            if self.tracees.is_none() {
                let stops = raw::stops().map_err(cannot)?;
                self.tracees = Some((stops, RefCell::default()));
            }
            if let Some((_, tracees)) = &self.tracees {
                tracees.borrow_mut().add(newborn).map_err(cannot)?;
            }
            observer.record().note(&match announced.refused {
                0 => "traced by ptrace".to_owned(),
                errno => format!(
                    "traced by ptrace, because user notification was refused: {}",
                    std::io::Error::from_raw_os_error(errno)
                ),
            });
            return Ok(());
        };
        observer
            .record()
            .note("traced by seccomp's user notification");
        drop(observer);
        raw::wake_in_step(fd.as_fd());
        self.listeners.push(Listener {
            fd,
            newborn: RefCell::new(Some(newborn)),
        });
        Ok(())
    }
}
