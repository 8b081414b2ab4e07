//! Signals, time, memory, further commands, terminals, and what is left
//! behind when somebody is killed: nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio as ProcessStdio};
use std::time::{Duration, Instant};

use jettison_sandbox::{
    ContainerSpec, ExecSpec, ExitReason, LimitsBy, ResourceLimits, TerminalSize, Tracing,
};

use crate::support::*;

#[test]
fn signals_mean_what_they_mean_to_pid_1() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    // Without a handler pid 1 ignores SIGTERM: the grace passes, then it is killed.
    let deaf = sandbox
        .start(&root, &sh("echo up; sleep 100; true"))
        .unwrap();
    let exit = deaf.stop(15, Duration::from_millis(200)).unwrap();
    assert_eq!((exit.code, exit.signal), (137, Some(9)));
    let polite = sandbox
        .start(
            &root,
            &sh("trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done"),
        )
        .unwrap();
    while polite.stdout().head.is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let exit = polite.stop(15, MOMENT).unwrap();
    assert_eq!(
        (exit.code, exit.signal, exit.reason),
        (5, None, ExitReason::Ended)
    );
    assert!(polite.signal(15).is_err());
    assert_eq!(polite.try_wait().unwrap(), Some(exit));
}

#[test]
fn a_container_goes_however_short_its_commands_are() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let command = |args: &[&str]| ExecSpec {
        args: args.iter().map(|&arg| arg.into()).collect(),
        ..ExecSpec::default()
    };
    for round in 0..60 {
        let container = sandbox.start(&root, &sh("sleep 100; true")).unwrap();
        match round % 2 {
            // Its first program must not be waited for before this is reaped.
            0 => drop(container.exec(&command(&["not-there"])).unwrap_err()),
            _ => drop(container.exec(&command(&["sh", "-c", "exit 1"])).unwrap()),
        }
        drop(container);
    }
}

#[test]
fn time_is_limited() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let limits = ResourceLimits {
        time: Some(Duration::from_millis(150)),
        ..ResourceLimits::default()
    };
    let before = Instant::now();
    let (exit, ..) = run(
        &sandbox,
        &root,
        &ContainerSpec {
            limits,
            ..sh("sleep 100")
        },
    );
    assert_eq!(exit.reason, ExitReason::Time);
    assert!(before.elapsed() < Duration::from_secs(5));
}

#[test]
fn memory_and_processes_are_limited_and_it_is_said_how() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let limits = ResourceLimits {
        memory_bytes: Some(64 << 20),
        ..ResourceLimits::default()
    };
    let hungry = "x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done";
    let container = sandbox
        .start(
            &root,
            &ContainerSpec {
                limits,
                ..sh(hungry)
            },
        )
        .unwrap();
    assert_ne!(container.limits_by(), LimitsBy::Nothing);
    let (exit, ..) = finish(&container);
    assert_eq!(
        (exit.reason, exit.code),
        (ExitReason::Memory, 137),
        "{:?}",
        container.limits_by()
    );
    let limits = ResourceLimits {
        processes: Some(10),
        ..ResourceLimits::default()
    };
    let many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 2 & done; wait; echo all";
    let (exit, out, err) = run(&sandbox, &root, &ContainerSpec { limits, ..sh(many) });
    assert!(
        exit.reason == ExitReason::Processes || err.contains("can't fork"),
        "{exit:?} {out} {err}"
    );
}

#[test]
fn programs_that_cannot_start_are_named_with_dockers_codes() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let check = |program: &str, code: i32| {
        let spec = ContainerSpec {
            args: vec![program.into()],
            ..ContainerSpec::default()
        };
        let error = sandbox.start(&root, &spec).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error:?}");
        assert!(
            error.to_string().contains(program) && error.hint().is_some(),
            "{error:?}"
        );
    };
    check("nothing-there", 127);
    check("/bin/nothing", 127);
    check("/etc/passwd", 126);
    check("/etc", 126);
}

#[test]
fn further_commands_run_beside_the_first() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let spec = ContainerSpec {
        env: vec!["A=1".into()],
        user: "web".to_owned(),
        working_dir: "/made/for/it".into(),
        ..sh("echo x > /tmp/x; sleep 100")
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let exec = |spec: &ExecSpec| {
        let command = container.exec(spec).unwrap();
        let exit = command.wait(Some(MOMENT)).unwrap().unwrap();
        (
            exit.code,
            command.stdout().to_text(),
            command.stderr().to_text(),
        )
    };
    let script = "echo $A$B; pwd; id -u; grep Seccomp: /proc/self/status; exit 3";
    let (code, out, err) = exec(&ExecSpec {
        args: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        env: vec!["B=2".into()],
        ..ExecSpec::default()
    });
    assert_eq!(
        (code, out.as_str()),
        (3, "12\n/made/for/it\n33\nSeccomp:\t2\n"),
        "{err}"
    );
    let root_user = ExecSpec {
        args: vec!["id".into(), "-u".into()],
        user: Some("0".to_owned()),
        ..ExecSpec::default()
    };
    assert_eq!(exec(&root_user).1, "0\n");
    let slow = ExecSpec {
        args: vec!["sleep".into(), "100".into()],
        time: Some(Duration::from_millis(50)),
        ..ExecSpec::default()
    };
    let command = container.exec(&slow).unwrap();
    assert_eq!(
        command.wait(Some(MOMENT)).unwrap().unwrap().reason,
        ExitReason::Time
    );
    let missing = ExecSpec {
        args: vec!["nothing".into()],
        ..ExecSpec::default()
    };
    assert_eq!(container.exec(&missing).unwrap_err().exit_code(), 127);
    container.signal(9).unwrap();
    container.wait(Some(MOMENT)).unwrap();
    assert!(container.exec(&root_user).is_err());
}

#[test]
fn a_terminal_can_be_had() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let spec = ContainerSpec {
        terminal: Some(TerminalSize {
            rows: 11,
            columns: 77,
        }),
        ..sh("read line; echo got $line; busybox stty size; echo $TERM; ls -l /dev/console")
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let terminal = container.terminal().unwrap().try_clone().unwrap();
    let mut terminal = std::fs::File::from(terminal);
    terminal.write_all(b"hello\n").unwrap();
    let mut text = Vec::new();
    // A terminal ends with EIO once nobody has it open.
    let _ = terminal.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("got hello\r\n11 77\r\nxterm\r\n"), "{text:?}");
    assert!(text.contains("/dev/console"));
}

#[test]
fn output_is_bounded_and_a_chatty_program_is_not_held_up() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let limits = ResourceLimits {
        output_bytes: Some(1000),
        ..ResourceLimits::default()
    };
    let script = "echo first; busybox yes | busybox head -c 5000000; echo last";
    let container = sandbox
        .start(
            &root,
            &ContainerSpec {
                limits,
                ..sh(script)
            },
        )
        .unwrap();
    finish(&container);
    let out = container.stdout();
    assert!(out.head.starts_with(b"first\n") && out.tail.ends_with(b"last\n"));
    assert_eq!((out.head.len(), out.tail.len()), (500, 500));
    assert_eq!(out.written_bytes(), 5_000_011);
}

/// Not a test of its own: what the killing tests kill.
#[test]
fn victim() {
    let Ok(scratch) = std::env::var("JETTISON_TEST_VICTIM") else {
        return;
    };
    let options = jettison_sandbox::Options {
        scratch_dir: Some(scratch.into()),
        ..jettison_sandbox::Options::default()
    };
    loop {
        let sandbox = jettison_sandbox::Sandbox::open(&options).unwrap();
        let root = shell_root(&sandbox).unwrap();
        let mark = "sleep 86399 & sleep 86399";
        // Each with a further process beside it, who looks on.
        let traced = |trace| jettison_sandbox::ContainerSpec { trace, ..sh(mark) };
        let (one, other) = (Tracing::ByNotification, Tracing::ByPtrace);
        let _first = sandbox.start(&root, &traced(one)).unwrap();
        let _second = sandbox.start(&root, &traced(other)).unwrap();
        println!("up {:?}", sandbox.tier());
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn marked_processes() -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands
        .filter(|line| {
            let line = String::from_utf8_lossy(line);
            // Our own forks go by the name of what was started.
            line.contains("86399") || line.contains("life::victim\0--nocapture")
        })
        .count()
}

fn spawn_victim(scratch: &std::path::Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::victim", "--nocapture"])
        .env("JETTISON_TEST_VICTIM", scratch)
        .stdout(ProcessStdio::piped())
        .stderr(ProcessStdio::null())
        .spawn()
        .unwrap()
}

/// Children of a process, by name of the file `children`.
fn children(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let rest = stat.rsplit(") ").next().unwrap_or_default().to_owned();
        rest.split(' ').nth(1).and_then(|p| p.parse::<u32>().ok()) == Some(pid)
    })
    .collect()
}

#[test]
fn killed_at_any_moment_nothing_is_left() {
    if !is_root() || busybox().is_none() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let links = || std::fs::read_dir("/sys/class/net").unwrap().count();
    let (links_before, mounts_before) = (links(), mounts());
    for round in 0..16_u32 {
        let mut child = spawn_victim(scratch.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("up") {}
        // Anywhere in opening, preparing, starting, ending.
        std::thread::sleep(Duration::from_micros(u64::from(round) * 2_600));
        // The library's process, the guard, the supervisor, or all three.
        let mut family = vec![child.id()];
        family.extend(children(child.id()));
        family.extend(family.clone().into_iter().skip(1).flat_map(children));
        let chosen: Vec<u32> = match round % 4 {
            0 => family[..1].to_vec(),
            1 => family.get(1..2).unwrap_or_default().to_vec(),
            2 => family.get(2..3).unwrap_or_default().to_vec(),
            _ => family,
        };
        for pid in &chosen {
            let _ = Command::new("kill")
                .args(["-9", &pid.to_string()])
                .stderr(ProcessStdio::null())
                .status();
        }
        // With only a part of it dead, the rest goes too when it is told.
        let until = Instant::now() + Duration::from_millis(500);
        while chosen.first() != Some(&child.id()) && Instant::now() < until {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
        let until = Instant::now() + Duration::from_secs(10);
        while marked_processes() > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(marked_processes(), 0, "round {round}");
    }
    assert_eq!(mounts(), mounts_before);
    assert_eq!(links(), links_before);
    // The next sandbox reaps what the killed ones left on disk.
    let options = jettison_sandbox::Options {
        scratch_dir: Some(scratch.path().to_owned()),
        ..jettison_sandbox::Options::default()
    };
    drop(jettison_sandbox::Sandbox::open(&options).unwrap());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

fn mounts() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/mounts").unwrap();
    // Other tests' containers of real engines come and go.
    text.lines()
        .filter(|line| line.contains("jettison"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn two_sandboxes_at_once_do_not_see_each_other() {
    let (Some(one), Some(two)) = (root_tier(), root_tier()) else {
        return;
    };
    let (Some(first), Some(second)) = (shell_root(&one), shell_root(&two)) else {
        return;
    };
    std::thread::scope(|scope| {
        for (sandbox, root) in [(&one, &first), (&two, &second)] {
            scope.spawn(move || {
                for round in 0..5 {
                    let (exit, out, err) = run(
                        sandbox,
                        root,
                        &sh(&format!("echo {round} > /x; cat /x; ls / | busybox wc -l")),
                    );
                    assert_eq!((exit.code, out), (0, format!("{round}\n6\n")), "{err}");
                }
            });
        }
    });
}
