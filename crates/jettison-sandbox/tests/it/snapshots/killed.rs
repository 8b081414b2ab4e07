//! A step that is killed leaves its directories, and nothing else.

use std::path::PathBuf;

use jettison_sandbox::{ContainerSpec, MountSource, Options, Sandbox};

use super::layer::*;
use crate::support::*;

/// What the next test kills.
#[test]
fn victim() {
    let Some(at) = std::env::var_os("JETTISON_TEST_SNAPSHOT") else {
        return;
    };
    let at = PathBuf::from(at);
    let options = Options::default();
    let sandbox = Sandbox::open(&options).unwrap();
    let below = vec![base().fill(&sandbox, &at.join("base"))];
    let root = sandbox.stack(&below).unwrap();
    let upper = at.join("upper");
    std::fs::create_dir(&upper).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at.join("agent")).unwrap();
    let socket = MountSource::HostSocket {
        path: at.join("agent"),
        mode: 0o600,
        uid: 0,
        gid: 0,
    };
    let spec = ContainerSpec {
        upper: Some(upper),
        mounts: vec![mount(socket, "/run/agent", false)],
        ..sh(&format!(
            "echo x > /data/new; echo up; busybox sleep {}",
            std::env::var("JETTISON_TEST_MARK").unwrap()
        ))
    };
    let container = sandbox.start(&root, &spec).unwrap();
    while container.stdout().head.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    println!("up");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn killed_in_a_step_nothing_is_left_but_its_directories() {
    use std::io::{BufRead, BufReader};
    if !is_root() || busybox().is_none() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    // Nobody else's, who may be testing too.
    let seconds = format!("8{:07}", std::process::id());
    let mounts = || {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let place = at.path().to_str().unwrap();
        text.lines().filter(|line| line.contains(place)).count()
    };
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "snapshots::killed::victim", "--nocapture"])
        .env("JETTISON_TEST_SNAPSHOT", at.path())
        .env("JETTISON_TEST_MARK", &seconds)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("up") {}
    child.kill().unwrap();
    child.wait().unwrap();
    // Forks that have not executed anything go by our name, but have the mark.
    let marked = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let parts = entries.flat_map(|entry| ["cmdline", "environ"].map(|n| entry.path().join(n)));
        let texts = parts.filter_map(|path| std::fs::read(path).ok());
        let seconds = seconds.as_bytes();
        texts
            .filter(|text| text.windows(seconds.len()).any(|part| part == seconds))
            .count()
    };
    let until = std::time::Instant::now() + MOMENT;
    while marked() > 0 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!((marked(), mounts()), (0, 0));
    let sandbox = root_tier().unwrap();
    for name in ["upper", "base"] {
        sandbox.discard(&at.path().join(name)).unwrap();
        assert!(!at.path().join(name).exists());
    }
}
