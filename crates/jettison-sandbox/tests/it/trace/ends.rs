//! However it ends: nothing hangs, nothing is left, and it is said.

use std::time::{Duration, Instant};

use jettison_sandbox::{ContainerSpec, Tracing};

use crate::support::*;

/// Runs a test of this binary in a process of its own, so that the only
/// sandbox below it is its own.
fn alone(test: &str) {
    if !is_root() || busybox().is_none() {
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("JETTISON_TEST_ALONE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("inner ran"),
        "{text}"
    );
}

fn is_alone() -> bool {
    std::env::var_os("JETTISON_TEST_ALONE").is_some()
}

/// All processes below ours.
fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = pids
        .filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            Some((pid, rest.split(' ').nth(1)?.parse().ok()?))
        })
        .collect();
    let mut all = vec![std::process::id() as i32];
    let mut next = 0;
    while let Some(&of) = all.get(next) {
        let children = parents.iter().filter(|(_, parent)| *parent == of);
        all.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    all.split_off(1)
}

fn command_line(pid: i32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

#[test]
fn a_dead_tracer_takes_the_container_with_it() {
    alone("trace::ends::inner_dead_tracer");
}

#[test]
fn inner_dead_tracer() {
    if !is_alone() {
        return;
    }
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let spec = ContainerSpec {
            trace: by,
            ..sh("while :; do cat /etc/passwd > /dev/null; done")
        };
        let before = processes();
        assert!(before.len() > 1, "there is a sandbox");
        let container = sandbox.start(&root, &spec).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        container.take_trace().unwrap();
        // The supervisor's newest child that is this program is the tracer.
        let own = command_line(std::process::id() as i32);
        let after = processes();
        let tracer = after
            .into_iter()
            .find(|&pid| !before.contains(&pid) && command_line(pid) == own)
            .expect("a tracer");
        let pid = rustix::process::Pid::from_raw(tracer).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let exit = container.wait(Some(MOMENT)).unwrap().expect("it ends");
        assert_ne!(exit.code, 0);
        assert!(container.take_trace().is_err());
    }
    println!("inner ran");
}

#[test]
fn programs_that_are_killed_all_the_time_lose_nothing() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let script = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); \
                  (while :; do cat /etc/passwd /none > /dev/null 2>&1; done) & \
                  busybox usleep 1000; kill -9 $!; done; wait; echo ended";
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        let (trace, said) = super::traced(&sandbox, &root, by, &sh(script));
        assert!(said.contains("ended"), "{said}");
        assert!(super::lines(&trace)["/etc/passwd"].starts_with("opened"));
    }
}

#[test]
fn what_is_not_traced_says_so() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let container = sandbox.start(&root, &sh("true")).unwrap();
    assert!(container.take_trace().is_err());
}

#[test]
fn a_hundred_short_containers_leave_nothing() {
    alone("trace::ends::inner_hundred");
}

#[test]
fn inner_hundred() {
    if !is_alone() {
        return;
    }
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let before = processes().len();
    for number in 0..100 {
        let by = [Tracing::ByNotification, Tracing::ByPtrace][number % 2];
        let (trace, said) = super::traced(&sandbox, &root, by, &sh("exit 5"));
        assert_eq!(said, "5 ");
        assert!(trace.programs.len() == 1);
    }
    let until = Instant::now() + MOMENT;
    while processes().len() > before {
        assert!(Instant::now() < until, "tracers are left");
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("inner ran");
}
