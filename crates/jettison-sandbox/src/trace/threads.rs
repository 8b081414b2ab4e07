//! What is known of the container's threads for a moment: where each stands,
//! and what it may do. A program that looks up a hundred relative paths is
//! asked once.
//!
//! What changes either is a system call that we see before it happens. A
//! number that the kernel gives to another thread is not: nothing is believed
//! for longer than it takes until a number can come round again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::resolve::SETTLE;
use super::task::{Rights, Task};

/// Numbers come round after 32768 others at the soonest (pid_max); nobody
/// starts so many threads in this time.
const BELIEVED: Duration = Duration::from_millis(100);
const THREADS: usize = 1024;

#[derive(Debug)]
struct Thread {
    since: Instant,
    current: Option<Box<[u8]>>,
    rights: Option<Rights>,
}

#[derive(Debug, Default)]
pub(super) struct Threads {
    known: HashMap<i32, Thread>,
    /// Until then one may still be on its way to another directory, which it
    /// may share with others.
    moving: Option<Instant>,
}

impl Threads {
    /// A thread becomes somebody else.
    pub(super) fn leave(&mut self, task: Task) {
        self.known.remove(&task.pid);
    }

    /// Somebody is about to stand elsewhere, or the directory to be.
    pub(super) fn move_on(&mut self) {
        self.known.clear();
        self.moving = Some(Instant::now() + SETTLE);
    }

    /// Where the link to its current directory leads.
    pub(super) fn current(&mut self, task: Task) -> Result<&[u8], Errno> {
        let is_moving = self.moving.is_some();
        let thread = self.thread(task);
        if is_moving {
            thread.current = None;
        }
        let link = match thread.current.take() {
            Some(link) => link,
            None => task.link("cwd")?.into(),
        };
        Ok(thread.current.insert(link))
    }

    pub(super) fn rights(&mut self, task: Task) -> Option<&Rights> {
        let thread = self.thread(task);
        if thread.rights.is_none() {
            thread.rights = task.rights();
        }
        thread.rights.as_ref()
    }

    fn thread(&mut self, task: Task) -> &mut Thread {
        let now = Instant::now();
        if self.moving.is_some_and(|until| until <= now) {
            self.moving = None;
        }
        if self.known.len() >= THREADS {
            self.known.clear();
        }
        let new = || Thread {
            since: now,
            current: None,
            rights: None,
        };
        let thread = self.known.entry(task.pid).or_insert_with(new);
        if now.duration_since(thread.since) >= BELIEVED {
            *thread = new();
        }
        thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_asked_again_when_it_has_moved() {
        let task = Task {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
        };
        let mut threads = Threads::default();
        let here = task.link("cwd").unwrap();
        let believe = |threads: &mut Threads, text: &[u8]| {
            threads.thread(task).current = Some(text.into());
        };
        believe(&mut threads, b"/told");
        assert_eq!(threads.current(task), Ok(&b"/told"[..]));
        threads.leave(task);
        assert_eq!(threads.current(task), Ok(&here[..]));
        threads.move_on();
        believe(&mut threads, b"/told");
        assert_eq!(threads.current(task), Ok(&here[..]));
        threads.moving = Some(Instant::now());
        believe(&mut threads, b"/told");
        assert_eq!(threads.current(task), Ok(&b"/told"[..]));
        threads.thread(task).since -= BELIEVED;
        assert_eq!(threads.current(task), Ok(&here[..]));
    }
}
