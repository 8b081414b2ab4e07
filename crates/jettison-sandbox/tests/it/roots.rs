//! Roots: hostile ones, what is written above them, volumes.

use jettison_image::{Entry, EntryKind, ImagePath, Metadata, Timestamp};
use jettison_sandbox::{
    Change, ContainerSpec, Error, Mount, MountSource, Root, RootWriter, Sandbox,
};

use crate::support::*;

fn root_with(sandbox: &Sandbox, fill: impl Fn(&mut RootWriter)) -> Option<Root> {
    let mut writer = sandbox.new_root().unwrap();
    fill_shell(&mut writer)?;
    fill(&mut writer);
    Some(writer.finish().unwrap())
}

#[test]
fn links_do_not_lead_mounts_out_of_the_root() {
    let Some(sandbox) = root_tier() else { return };
    let check = |path: &str, target: &str| {
        let root = root_with(&sandbox, |root| link(root, path, target))?;
        Some(
            sandbox
                .start(&root, &sh("cat /proc/mounts; ls -la /"))
                .map(|c| finish(&c)),
        )
    };
    for name in ["proc", "sys"] {
        let Some(result) = check(name, "/etc") else {
            return;
        };
        let error = result.unwrap_err();
        assert!(
            matches!(&error, Error::Root { path, .. } if path == &format!("/{name}")),
            "{name}: {error:?}"
        );
    }
    // Led elsewhere, but inside the root.
    let root = root_with(&sandbox, |root| {
        link(root, "dev", "../../../../elsewhere");
        root.file("elsewhere/keep", 0o644, b"").unwrap();
        link(root, "tmp", "/proc/1/root/../../host");
        link(root, "start", "/etc/../../../bin");
    });
    let root = root.unwrap();
    let spec = ContainerSpec {
        working_dir: "/start".into(),
        ..sh("ls /elsewhere; pwd; ls -d sh")
    };
    let (exit, out, err) = run(&sandbox, &root, &spec);
    assert_eq!(exit.code, 0, "{err}");
    assert!(
        out.contains("null\n") && out.ends_with("sh\n"),
        "{out}{err}"
    );
    assert!(!std::path::Path::new("/elsewhere").exists());
}

#[test]
fn what_cannot_be_mounted_on_is_named() {
    let Some(sandbox) = root_tier() else { return };
    let check = |path: &str, spec: ContainerSpec| {
        let Some(root) = root_with(&sandbox, |root| {
            root.file("proc-file", 0o644, b"").unwrap();
            link(root, "nowhere", "missing/deep");
            link(root, "loop", "loop");
        }) else {
            return;
        };
        match sandbox.start(&root, &spec) {
            Err(Error::Root { path: named, .. }) => assert_eq!(named, path),
            other => panic!("{path}: {other:?}"),
        }
    };
    let at = |target: &str| ContainerSpec {
        working_dir: target.into(),
        ..sh("true")
    };
    check("/proc-file", at("/proc-file"));
    check("/nowhere", at("/nowhere"));
    check("/loop", at("/loop"));
    check("/proc-file/below", at("/proc-file/below"));
}

#[test]
fn a_record_through_a_link_is_refused() {
    let Some(sandbox) = root_tier() else { return };
    let outside = tempfile::tempdir().unwrap();
    let mut writer = sandbox.new_root().unwrap();
    link(&mut writer, "out", outside.path().to_str().unwrap());
    let result = writer
        .file("out/file", 0o644, b"x")
        .and_then(|()| writer.finish().map(|_| ()));
    assert!(result.is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn metadata_arrives_exactly() {
    let Some(sandbox) = root_tier() else { return };
    let entry = |path: &str, kind, mode, uid| Entry {
        path: ImagePath::new(path).unwrap(),
        kind,
        metadata: Metadata {
            mode,
            uid,
            gid: uid + 1,
            mtime: Timestamp {
                seconds: 1_000_000_001,
                nanoseconds: 123_456_789,
            },
            xattrs: [
                ((*b"user.note").into(), (*b"kept").into()),
                // CAP_NET_BIND_SERVICE, permitted and effective, version 2.
                (
                    (*b"security.capability").into(),
                    [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into(),
                ),
            ]
            .into(),
            ..Metadata::default()
        },
    };
    let root = root_with(&sandbox, |root| {
        let mut content = vec![0; 1 << 20];
        content[700_000] = b'x';
        let file = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        root.put(&entry("d/sparse", file, 0o4755, 1234), &mut &content[..])
            .unwrap();
        let hard = EntryKind::HardLink {
            target: ImagePath::new("d/sparse").unwrap(),
        };
        root.put(&entry("d/again", hard, 0, 0), &mut std::io::empty())
            .unwrap();
        root.put(
            &entry("pipe", EntryKind::Fifo, 0o640, 7),
            &mut std::io::empty(),
        )
        .unwrap();
        let mut directory = entry("d", EntryKind::Directory, 0o2750, 9);
        directory.metadata.xattrs.clear();
        root.put(&directory, &mut std::io::empty()).unwrap();
    });
    let Some(root) = root else { return };
    assert_eq!(root.report().attributes_lost, 1, "user.* is not for pipes");
    let script = "busybox stat -c '%n %f %u %g %h %s %b %y' /d/sparse /d /pipe; \
                  busybox getfattr -d /d/sparse; cat /d/sparse | busybox tr -d '\\0'";
    let (_, out, err) = run(&sandbox, &root, &sh(script));
    let time = "2001-09-09 01:46:41.123456789";
    assert!(
        out.contains("/d/sparse 89ed 1234 1235 2 1048576 8 "),
        "{out}{err}"
    );
    assert!(
        out.contains("/d 45e8 9 10 ") && out.contains("/pipe 11a0 7 8 "),
        "{out}"
    );
    assert_eq!(out.matches(time).count(), 3, "{out}");
    assert!(out.ends_with('x'), "{out}");
}

#[test]
fn every_container_starts_from_the_root_as_it_was_and_what_it_wrote_is_told() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    let script = "echo new > /etc/new; busybox rm /etc/group; busybox mkdir -p /var/x; \
                  busybox chmod 600 /etc/passwd; busybox ln -s a /l";
    let container = sandbox
        .start(
            &root,
            &ContainerSpec {
                working_dir: "/srv/app".into(),
                ..sh(script)
            },
        )
        .unwrap();
    finish(&container);
    let written = container.written().unwrap();
    let list: Vec<_> = written
        .iter()
        .map(|w| (w.path.to_str().unwrap(), w.change, w.mode))
        .collect();
    assert_eq!(
        list,
        [
            ("etc/group", Change::Removed, 0),
            ("etc/new", Change::File, 0o644),
            ("etc/passwd", Change::File, 0o600),
            ("l", Change::Symlink, 0o777),
            ("var", Change::Directory, 0o755),
            ("var/x", Change::Directory, 0o755),
        ]
    );
    let new = &written[1];
    assert_eq!(new.size_bytes, 4);
    assert_eq!(
        new.sha256.as_deref(),
        Some(&jettison_image::Digest::of(b"new\n").as_bytes()[..])
    );
    let (_, out, _) = run(&sandbox, &root, &sh("ls /etc; ls -d /var /l /srv"));
    assert_eq!(out, "group\nhostname\nhosts\npasswd\nresolv.conf\n");
}

#[test]
fn volumes_are_copies_and_read_only_is_read_only() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = root_with(&sandbox, |root| {
        root.file("data/seed", 0o600, b"from the image").unwrap();
    }) else {
        return;
    };
    let host = tempfile::tempdir().unwrap();
    std::fs::write(host.path().join("config"), "original").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", host.path().join("link")).unwrap();
    let mount = |source, target: &str, read_only| Mount {
        source,
        target: target.into(),
        read_only,
    };
    let file = host.path().join("config");
    let shell = jettison_sandbox::MountSource::Bytes {
        content: b"#!/bin/sh\necho debug\n".to_vec(),
        mode: 0o755,
        uid: 0,
        gid: 0,
    };
    let spec = ContainerSpec {
        mounts: vec![
            mount(
                MountSource::HostCopy(host.path().to_owned()),
                "/mnt/dir",
                false,
            ),
            mount(MountSource::HostCopy(file.clone()), "/mnt/file", true),
            mount(
                MountSource::HostReadOnly(host.path().to_owned()),
                "/mnt/host",
                false,
            ),
            mount(MountSource::ImageVolume, "/data", false),
            mount(shell, "/.jettison/sh", true),
        ],
        ..sh(
            "echo changed > /mnt/dir/config; cat /mnt/dir/config /mnt/file; echo x > /mnt/file; \
              echo x > /mnt/host/config; cat /mnt/host/config; cat /data/seed; echo y > /data/seed; \
              ls -l /mnt/dir/link; /.jettison/sh",
        )
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let (_, out, err) = finish(&container);
    assert!(
        out.starts_with("changed\noriginaloriginalfrom the image"),
        "{out}{err}"
    );
    assert!(
        out.contains("link -> /etc/passwd") && out.ends_with("debug\n"),
        "{out}{err}"
    );
    assert_eq!(err.matches("Read-only file system").count(), 2, "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "original");
    let paths = |container: &jettison_sandbox::Container| -> Vec<String> {
        let written = container.written().unwrap().into_iter();
        written.map(|w| w.path.into_string().unwrap()).collect()
    };
    assert_eq!(paths(&container), ["data/seed", "mnt/dir/config"]);
    let (_, out, _) = run(&sandbox, &root, &sh("cat /data/seed"));
    assert_eq!(out, "from the image");
    // Started again on what it left.
    let again = ContainerSpec {
        args: sh("cat /data/seed /mnt/dir/config; echo z > /data/more").args,
        volumes_of: Some(container.id()),
        ..spec
    };
    let again = sandbox.start(&root, &again).unwrap();
    let (_, out, err) = finish(&again);
    assert_eq!(out, "y\nchanged\n", "{err}");
    assert_eq!(paths(&again), ["data/more", "data/seed", "mnt/dir/config"]);
}

#[test]
fn a_root_lives_as_long_as_a_container_stands_on_it() {
    let Some(sandbox) = root_tier() else { return };
    let Some(root) = shell_root(&sandbox) else {
        return;
    };
    // Half a root that nobody finishes is no burden.
    let mut half = sandbox.new_root().unwrap();
    half.file("a", 0o644, b"x").unwrap();
    drop(half);
    let container = sandbox.start(&root, &sh("read x; cat /etc/group; exec ls /bin/busybox"));
    let container = container.unwrap_or_else(|e| panic!("{e}"));
    drop(root);
    let (exit, out, err) = finish(&container);
    assert!(
        exit.code == 0 && out.ends_with("/bin/busybox\n"),
        "{out}{err}"
    );
}
