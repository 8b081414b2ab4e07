//! Tracing below root: in a user namespace, with one id, by chroot.

use jettison_sandbox::{ContainerSpec, ExecSpec, Sandbox, Tier, Tracing};

use super::{lines, probe, traced};
use crate::support::*;
use crate::tiers::{as_user, has, open};

/// A first program and a further one, as root and as somebody else.
fn shells(sandbox: &Sandbox) {
    let root = shell_root(sandbox).unwrap();
    for by in [Tracing::ByNotification, Tracing::ByPtrace] {
        for user in ["", "web"] {
            let script = "cat /etc/passwd; cd /etc; cat group none; ls .; id -u";
            let spec = ContainerSpec {
                user: user.to_owned(),
                ..sh(script)
            };
            let (trace, said) = traced(sandbox, &root, by, &spec);
            assert!(
                said.contains(if user.is_empty() { "\n0\n" } else { "\n33\n" }),
                "{said}"
            );
            let lines = lines(&trace);
            for (path, touch) in [
                ("/etc/passwd", "opened"),
                ("/etc/group", "opened"),
                ("/etc/none", "opened+missing"),
                ("/bin/sh", "link"),
                ("/bin/busybox", "executed"),
            ] {
                let found = lines.get(path).map(|touch| touch.replace("+asked", ""));
                assert_eq!(found.as_deref(), Some(touch), "{by:?} {user} {path}");
            }
            assert!(lines["/etc"].contains("listed"));
        }
        let spec = ContainerSpec {
            trace: by,
            ..sh("sleep 60")
        };
        let container = sandbox.start(&root, &spec).unwrap();
        let spec = ExecSpec {
            args: ["cat", "/etc/group"].map(Into::into).to_vec(),
            user: Some("web".to_owned()),
            ..ExecSpec::default()
        };
        let command = container.exec(&spec).unwrap();
        assert_eq!(command.wait(Some(MOMENT)).unwrap().unwrap().code, 0);
        let trace = container.take_trace().unwrap();
        assert_eq!(trace.lost, 0);
        let lines = lines(&trace);
        assert!(lines["/etc/group"].starts_with("opened"), "{by:?}");
        // Looked for along PATH before it was found.
        assert_eq!(lines["/usr/bin/cat"], "executed+missing", "{by:?}");
        assert_eq!(lines["/bin/cat"], "link");
    }
}

#[test]
fn as_root() {
    let Some(sandbox) = root_tier() else { return };
    if busybox().is_some() {
        shells(&sandbox);
    }
}

#[test]
fn ptrace_takes_over_where_notification_is_refused() {
    if !is_root() || busybox().is_none() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let (source, program) = ("tests/it/trace/refuse.c", scratch.path().join("refuse"));
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut gcc = std::process::Command::new("gcc");
    match gcc.arg("-o").arg(&program).arg(source).status() {
        Ok(status) => assert!(status.success()),
        Err(_) => return eprintln!("skipped: gcc is not installed"),
    }
    let output = std::process::Command::new(&program)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "trace::tiers::inner_refused", "--nocapture"])
        .env("JETTISON_TEST_TIER", scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("inner ran"),
        "{text}"
    );
}

#[test]
fn inner_refused() {
    let Some(sandbox) = open(Tier::Root) else {
        return;
    };
    let root = shell_root(&sandbox).unwrap();
    let (trace, _) = traced(&sandbox, &root, Tracing::On, &sh("cat /etc/passwd"));
    assert!(lines(&trace)["/etc/passwd"].starts_with("opened"));
    let note = "traced by ptrace, because user notification was refused: Invalid argument";
    assert!(trace.notes[0].starts_with(note), "{:?}", trace.notes);
    let spec = ContainerSpec {
        trace: Tracing::ByNotification,
        ..sh("true")
    };
    let error = sandbox.start(&root, &spec).unwrap_err();
    assert!(error.to_string().contains("notifications"), "{error}");
    println!("inner ran");
}

#[test]
fn inner_user_namespace() {
    let Some(sandbox) = open(Tier::UserNamespace) else {
        return;
    };
    shells(&sandbox);
    probe::check(&sandbox, &["-static"]);
    println!("inner ran");
}

#[test]
fn inner_single_user() {
    let Some(sandbox) = open(Tier::SingleUser) else {
        return;
    };
    shells(&sandbox);
    println!("inner ran");
}

#[test]
fn inner_chroot() {
    let Some(sandbox) = open(Tier::Chroot) else {
        return;
    };
    let root = shell_root(&sandbox).unwrap();
    let script = "cat /etc/passwd; cd /etc; cat group none; ls .";
    let (trace, _) = traced(&sandbox, &root, Tracing::On, &sh(script));
    let lines = lines(&trace);
    assert!(lines["/etc/passwd"].starts_with("opened"));
    assert!(lines["/etc/group"].starts_with("opened"));
    assert_eq!(lines["/etc/none"], "opened+missing");
    assert!(lines["/etc"].contains("listed"));
    println!("inner ran");
}

#[test]
fn an_ordinary_user_with_subordinate_ids() {
    if !is_root() || !has("newuidmap") {
        return;
    }
    let name = "jettison-trace-sub";
    let _ = std::process::Command::new("useradd")
        .args(["--no-create-home", "--uid", "54322", name])
        .output();
    let text = as_user(54322, "trace::tiers::inner_user_namespace", &[]);
    let _ = std::process::Command::new("userdel").arg(name).output();
    assert!(text.is_none_or(|text| text.contains("inner ran")));
}

#[test]
fn an_ordinary_user_without_subordinate_ids() {
    let text = as_user(54998, "trace::tiers::inner_single_user", &[]);
    assert!(text.is_none_or(|text| text.contains("inner ran")));
}

#[test]
fn by_chroot() {
    if !is_root() || busybox().is_none() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trace::tiers::inner_chroot", "--nocapture"])
        .env("JETTISON_TEST_TIER", scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("inner ran"),
        "{text}"
    );
}
