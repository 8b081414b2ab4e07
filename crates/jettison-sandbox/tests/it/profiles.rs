//! What the two profiles leave to a program.

use jettison_sandbox::{ContainerSpec, Mount, MountSource, Profile};

use crate::support::*;

fn status(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn as_shipped_is_what_docker_gives() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let (exit, out, err) = run(&sandbox, &root, &sh("cat /proc/self/status; echo pid $$"));
    assert_eq!(exit.code, 0, "{err}");
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(status(&out, set), "00000000a80425fb", "{set}");
    }
    for (name, value) in [
        ("CapInh:", "0000000000000000"),
        ("CapAmb:", "0000000000000000"),
    ] {
        assert_eq!(status(&out, name), value);
    }
    assert_eq!(status(&out, "NoNewPrivs:"), "0");
    assert_eq!(status(&out, "Seccomp:"), "2");
    assert!(out.contains("pid 1\n"));
}

#[test]
fn hardened_leaves_nothing() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let spec = ContainerSpec {
        profile: Profile::HARDENED,
        mounts: vec![Mount {
            source: MountSource::Tmpfs {
                size_bytes: 1 << 20,
                mode: 0o1777,
            },
            target: "/tmp".into(),
            read_only: false,
        }],
        ..sh(
            "cat /proc/self/status; id -u; touch /x; touch /etc/x; touch /tmp/x && echo tmp; \
              echo x > /dev/null && echo null",
        )
    };
    let (_, out, err) = run(&sandbox, &root, &spec);
    for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapInh:"] {
        assert_eq!(status(&out, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(&out, "NoNewPrivs:"), "1");
    assert_eq!(status(&out, "Seccomp:"), "2");
    assert!(
        out.contains("\n65532\n") && out.contains("tmp\nnull\n"),
        "{out}{err}"
    );
    assert_eq!(err.matches("Read-only file system").count(), 2, "{err}");
}

#[test]
fn dangerous_calls_are_refused_and_secrets_are_masked() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let check = |script: &str, expected: &str| {
        let (_, out, err) = run(&sandbox, &root, &sh(script));
        assert!(
            format!("{out}{err}").contains(expected),
            "{script}: {out}{err}"
        );
    };
    check("busybox unshare -m true", "Operation not permitted");
    check("busybox mount -t tmpfs none /mnt", "ermission denied");
    check("busybox mknod /d b 254 0 && cat /d", "ermission denied");
    check(
        "busybox mknod /dev/d b 254 0 && cat /dev/d",
        "ermission denied",
    );
    check(
        "ls /proc/acpi /proc/scsi /sys/firmware | busybox grep -v : | busybox wc -w",
        "0",
    );
    check(
        "cat /proc/kcore /proc/keys /proc/timer_list | busybox wc -c",
        "0",
    );
    check("echo 1 > /proc/sys/kernel/domainname", "Read-only");
    // Not every kernel has it.
    if std::path::Path::new("/proc/sysrq-trigger").exists() {
        check("echo h > /proc/sysrq-trigger", "Read-only");
    }
    check("touch /sys/x", "Read-only");
    check("busybox chroot / /bin/echo chrooted", "chrooted");
    check("busybox df -k /dev/shm | busybox tail -1", "65536");
    check("cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

#[test]
fn users_are_the_images_own() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let check = |user: &str, expected: &str| {
        let spec = ContainerSpec {
            user: user.to_owned(),
            ..sh("id; echo $HOME")
        };
        let (_, out, err) = run(&sandbox, &root, &spec);
        assert_eq!(out, expected, "{err}");
    };
    check("", "uid=0(root) gid=0(root) groups=0(root)\n/root\n");
    check(
        "web",
        "uid=33(web) gid=34(www) groups=4(log),34(www)\n/srv\n",
    );
    check("33:0", "uid=33(web) gid=0(root) groups=0(root)\n/srv\n");
    check("1234", "uid=1234 gid=0(root) groups=0(root)\n/\n");
    let spec = ContainerSpec {
        user: "ghost".to_owned(),
        ..sh("id")
    };
    let error = sandbox.start(&root, &spec).unwrap_err();
    assert!(error.to_string().contains("ghost") && error.hint().is_some());
    assert_eq!(error.exit_code(), 125);
}
