//! Ends processes where no pid namespace does it for us.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

/// Kills every descendant and waits for it, until there is none. Works because
/// the caller is their subreaper: whoever loses its parent becomes our child.
pub(crate) fn kill_descendants() {
    for _ in 0..1000 {
        for child in children(getpid()) {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// All descendants of a process, from `/proc`.
pub(crate) fn descendants(of: Pid) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(pid) = open.pop() {
        for child in children(pid) {
            if found.len() < 100_000 && !found.contains(&child) {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

fn children(of: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|&pid| parent(pid) == Some(of))
        .filter_map(Pid::from_raw)
        .collect()
}

/// Field 4 of `/proc/PID/stat`, after the name in parentheses.
fn parent(pid: i32) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 2..)?).ok()?;
    Pid::from_raw(rest.split(' ').nth(1)?.parse().ok()?)
}
