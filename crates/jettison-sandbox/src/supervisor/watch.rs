//! Limits without control groups: looks at `/proc` now and then.

use std::time::Instant;

use rustix::process::Pid;

use super::WATCH;
use super::reap::descendants;
use super::start::Contained;
use crate::exit::ExitReason;

/// Bounds that we look after ourselves.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) processes: Option<u32>,
    pub(crate) next: Instant,
}

impl Contained {
    /// Whether bounds of it are looked after by looking.
    pub(crate) fn is_watched(&self) -> bool {
        self.watch.is_some() && self.running
    }

    /// The bound that is exceeded now.
    pub(crate) fn over_limit(&mut self, now: Instant) -> Option<ExitReason> {
        let pid = self.pid?;
        let watch = self.watch.as_mut()?;
        if now < watch.next {
            return None;
        }
        watch.next = now + WATCH;
        // Everything in a container descends from its first program: orphans
        // are adopted by it, as pid 1 of its namespace.
        let mut all = descendants(pid);
        all.push(pid);
        let (mut memory, mut tasks) = (0_u64, 0_u64);
        for pid in all {
            memory = memory.saturating_add(resident_bytes(pid));
            tasks += threads(pid);
        }
        if watch.memory_bytes.is_some_and(|most| memory > most) {
            return Some(ExitReason::Memory);
        }
        if watch.processes.is_some_and(|most| tasks > u64::from(most)) {
            return Some(ExitReason::Processes);
        }
        None
    }
}

/// Anonymous and shared memory in use: `RssAnon` and `RssShmem`; mapped files
/// are not charged, the machine can drop them.
fn resident_bytes(pid: Pid) -> u64 {
    field(pid, "RssAnon:")
        .saturating_add(field(pid, "RssShmem:"))
        .saturating_mul(1024)
}

fn threads(pid: Pid) -> u64 {
    field(pid, "Threads:")
}

fn field(pid: Pid, name: &str) -> u64 {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
