//! The tiers below root: as an ordinary user, with and without subordinate
//! ids, and where user namespaces are forbidden.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jettison_sandbox::{ContainerSpec, Mount, MountSource, Options, Profile, Sandbox, Tier};

use crate::support::*;

/// Runs a test of this binary as another user, in a directory of its own.
pub(crate) fn as_user(uid: u32, test: &str, prefix: &[&str]) -> Option<String> {
    if !is_root() || busybox().is_none() {
        return None;
    }
    let scratch = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(scratch.path(), Some(uid), Some(uid)).unwrap();
    // The build directory may be closed to others.
    let program = scratch.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        &id,
        "--regid",
        &id,
        "--clear-groups",
        "--inh-caps=-all",
    ]);
    command
        .args(prefix)
        .arg(&program)
        .args(["--exact", test, "--nocapture"]);
    let scratch_dir = scratch.path().join("scratch");
    command
        .env("JETTISON_TEST_TIER", &scratch_dir)
        .current_dir("/");
    let output = command.output().expect("setpriv is in util-linux");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let left = std::fs::read_dir(&scratch_dir).map_or(0, Iterator::count);
    assert_eq!(left, 0, "scratch is empty");
    Some(text)
}

fn scratch() -> Option<std::path::PathBuf> {
    std::env::var_os("JETTISON_TEST_TIER").map(Into::into)
}

pub(crate) fn open(tier: Tier) -> Option<Sandbox> {
    let scratch = scratch()?;
    let options = Options {
        tier: Some(tier),
        scratch_dir: Some(scratch),
        ..Options::default()
    };
    Some(Sandbox::open(&options).unwrap())
}

/// What every tier with namespaces can do.
fn contained(sandbox: &Sandbox) {
    let root = shell_root(sandbox).unwrap();
    let web = ContainerSpec {
        user: "web".to_owned(),
        ..sh("id -u; echo $$; cat /etc/hostname")
    };
    let container = sandbox.start(&root, &web).unwrap();
    let (exit, out, err) = finish(&container);
    assert_eq!(
        (exit.code, out),
        (0, format!("33\n1\n{}\n", container.name())),
        "{err}"
    );
    let script = "busybox rm /etc/group; touch /new; busybox unshare -m true; ls /dev; \
                  busybox mknod /d c 1 5; cat /d; cat /sys/kernel/x; touch /sys/x";
    let container = sandbox.start(&root, &sh(script)).unwrap();
    let (_, out, err) = finish(&container);
    assert!(
        err.contains("unshare: ") && err.contains("Operation not permitted"),
        "{err}"
    );
    assert!(
        out.contains("null\n") && err.contains("/sys/x"),
        "{out}{err}"
    );
    let paths: Vec<_> = container
        .written()
        .unwrap()
        .into_iter()
        .map(|w| w.path)
        .collect();
    assert!(
        paths.contains(&"etc/group".into()) && paths.contains(&"new".into()),
        "{paths:?}"
    );
    let server = sandbox
        .start(&root, &sh("busybox httpd -f -p 80 -h /etc"))
        .unwrap();
    for _ in 0..500 {
        if server.connect(80, Duration::from_secs(5)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    server.connect(80, Duration::from_secs(5)).unwrap();
    let hardened = ContainerSpec {
        profile: Profile::HARDENED,
        mounts: vec![Mount {
            source: MountSource::Bytes {
                content: b"text".to_vec(),
                mode: 0o644,
                uid: 0,
                gid: 0,
            },
            target: "/etc/extra".into(),
            read_only: true,
        }],
        ..sh("id -u; cat /etc/extra; grep CapBnd /proc/self/status; touch /x")
    };
    let (_, out, err) = run(sandbox, &root, &hardened);
    assert_eq!(out, "65532\ntextCapBnd:\t0000000000000000\n", "{err}");
    assert!(err.contains("Read-only"), "{err}");
}

#[test]
fn inner_user_namespace() {
    let Some(sandbox) = open(Tier::UserNamespace) else {
        return;
    };
    contained(&sandbox);
    let root = shell_root(&sandbox).unwrap();
    let script = "touch /f; busybox chown 33:34 /f; busybox stat -c '%u %g' /f; \
                  busybox setpriv --reuid 33 id -u 2>/dev/null || busybox su web -c 'id -u'";
    let (_, out, err) = run(&sandbox, &root, &sh(script));
    assert_eq!(out, "33 34\n33\n", "{err}");
    println!("inner ran");
}

#[test]
fn inner_single_user() {
    let Some(sandbox) = open(Tier::SingleUser) else {
        return;
    };
    contained(&sandbox);
    let root = shell_root(&sandbox).unwrap();
    let script = "touch /f; busybox chown 33:34 /f && echo pretended; busybox mknod /d c 1 5 && \
                  echo likewise; busybox mkfifo /p && ls -l /p | busybox cut -c1";
    let (_, out, err) = run(&sandbox, &root, &sh(script));
    assert_eq!(out, "pretended\nlikewise\np\n", "{err}");
    println!("inner ran");
}

#[test]
fn inner_strongest() {
    let Some(scratch) = scratch() else { return };
    let options = Options {
        scratch_dir: Some(scratch.clone()),
        ..Options::default()
    };
    match Sandbox::open(&options) {
        Ok(sandbox) => println!("strongest {:?}", sandbox.tier()),
        Err(error) => println!("none: {error} hint: {:?}", error.hint()),
    }
    for support in jettison_sandbox::survey(&scratch) {
        println!("survey {:?} {:?}", support.tier, support.missing);
    }
}

#[test]
fn inner_chroot() {
    let Some(sandbox) = open(Tier::Chroot) else {
        return;
    };
    let root = shell_root(&sandbox).unwrap();
    let spec = ContainerSpec {
        working_dir: "/srv".into(),
        ..sh("pwd; echo x > /x; cat /x; ls /")
    };
    for _ in 0..2 {
        let (exit, out, err) = run(&sandbox, &root, &spec);
        assert_eq!(
            (exit.code, out.as_str()),
            (0, "/srv\nx\nbin\ndev\netc\nsrv\nx\n"),
            "{err}"
        );
    }
    let spec = ContainerSpec {
        user: "web".to_owned(),
        ..sh("id -u; sleep 100 & sleep 100")
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let command = container.exec(&jettison_sandbox::ExecSpec {
        args: vec!["id".into(), "-un".into()],
        ..Default::default()
    });
    let command = command.unwrap();
    assert_eq!(command.wait(Some(MOMENT)).unwrap().unwrap().code, 0);
    assert_eq!(command.stdout().to_text(), "web\n");
    println!("inner ran");
}

pub(crate) fn has(program: &str) -> bool {
    let found = Path::new("/usr/bin").join(program).exists();
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

#[test]
fn an_ordinary_user_with_subordinate_ids() {
    if !is_root() || !has("newuidmap") {
        return;
    }
    let name = "jettison-test-sub";
    let _ = Command::new("useradd")
        .args(["--no-create-home", "--uid", "54321", name])
        .output();
    let text = as_user(54321, "tiers::inner_user_namespace", &[]);
    let strongest = as_user(54321, "tiers::inner_strongest", &[]);
    let _ = Command::new("userdel").arg(name).output();
    assert!(text.is_none_or(|text| text.contains("inner ran")));
    assert!(strongest.is_none_or(|text| text.contains("strongest UserNamespace")));
}

#[test]
fn an_ordinary_user_without_subordinate_ids() {
    let text = as_user(54999, "tiers::inner_single_user", &[]);
    assert!(text.is_none_or(|text| text.contains("inner ran")));
    let Some(text) = as_user(54999, "tiers::inner_strongest", &[]) else {
        return;
    };
    assert!(text.contains("strongest SingleUser"), "{text}");
    assert!(
        text.contains("survey Root Some") && text.contains("sudo"),
        "{text}"
    );
    assert!(text.contains("has no ids for user 54999"), "{text}");
}

#[test]
fn where_user_namespaces_are_forbidden_it_is_said_what_would_help() {
    // No user namespace more in this one: as where the machine forbids them.
    let prefix = [
        "unshare",
        "--user",
        "--map-current-user",
        "--keep-caps",
        "sh",
        "-c",
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all \
         --inh-caps -all --ambient-caps -all \"$@\"",
        "sh",
    ];
    let Some(text) = as_user(54999, "tiers::inner_strongest", &prefix) else {
        return;
    };
    assert!(
        text.contains("none: ") && text.contains("user.max_user_namespaces=15000"),
        "{text}"
    );
}

#[test]
fn chroot_is_the_last_resort() {
    if !is_root() || busybox().is_none() {
        return;
    }
    // What root of an ordinary container may do: no namespaces, no mounts.
    let scratch = tempfile::tempdir().unwrap();
    let caps = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,\
                +net_bind_service,+sys_chroot,+mknod";
    let run = |test: &str| {
        let output = Command::new("setpriv")
            .args(["--bounding-set", caps, "--inh-caps", "-all"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("JETTISON_TEST_TIER", scratch.path())
            .output()
            .expect("setpriv is in util-linux");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        text
    };
    assert!(run("tiers::inner_chroot").contains("inner ran"));
    let text = run("tiers::inner_strongest");
    assert!(text.contains("survey Chroot None"), "{text}");
    assert!(text.contains("survey Root Some"), "{text}");
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_program_of_ones_own_can_run_without_isolation() {
    let options = Options {
        tier: Some(Tier::Unisolated),
        ..Options::default()
    };
    let sandbox = Sandbox::open(&options).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = ContainerSpec {
        env: vec!["WHO=me".into(), "PATH=/usr/bin:/bin".into()],
        working_dir: "/".into(),
        ..sh("echo $WHO; pwd; sleep 86398 & sleep 86398")
    };
    let container = sandbox.start_unisolated(&spec).unwrap();
    container.connect(port, Duration::from_secs(5)).unwrap();
    while container.stdout().head != b"me\n/\n" {
        std::thread::sleep(Duration::from_millis(2));
    }
    drop((container, sandbox));
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let left = entries
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| line.windows(5).any(|part| part == b"86398"));
    assert_eq!(left.count(), 0);
}
