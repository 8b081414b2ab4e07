//! What a step mounts, and that nothing of it is in its layer.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jettison_sandbox::{ContainerSpec, Error, MountSource, Network, Options, Sandbox, Tier};

use super::layer::*;
use crate::support::*;

/// What is there only because something is mounted on it is in no layer.
pub(super) fn no_mount_points(sandbox: &Sandbox, at: &Path) {
    let bare = Layer::default()
        .shell()
        .directory("old")
        .link("ways", "old");
    let bare = bare.directory("old/inner").file("old/inner/file", "x\n");
    let below = vec![bare.fill(sandbox, &at.join("bare"))];
    let host = at.join("host");
    sandbox.make_directory(&host, 0o1770, 33, 34).unwrap();
    let stack = || MountSource::Stack {
        directories: below.clone(),
        path: "ways/inner".into(),
    };
    let tmpfs = MountSource::Tmpfs {
        size_bytes: 1 << 20,
        mode: 0o700,
    };
    let mounts = vec![
        mount(bytes("secret", 0o400, 33), "/run/secrets/one", true),
        mount(bytes("other", 0o440, 0), "/ways/inner/deep/two", true),
        mount(stack(), "/from/here", true),
        mount(stack(), "/old/thrown", false),
        mount(
            MountSource::Stack {
                directories: below.clone(),
                path: "/old/inner/file".into(),
            },
            "/one/file",
            true,
        ),
        mount(tmpfs, "/old/inner/cache", false),
        mount(
            MountSource::HostDirectory(host.clone()),
            "/var/cache/b",
            false,
        ),
        mount(bytes("in", 0o400, 0), "/var/cache/b/in", true),
    ];
    let check = |number: u32, script: &str, expected: &[&str]| {
        let upper = at.join(number.to_string());
        let spec = ContainerSpec {
            mounts: mounts.clone(),
            ..sh(script)
        };
        let out = run_into(sandbox, &below, &upper, spec);
        let layer = exported(sandbox, &upper, &below);
        assert_eq!(names(&layer), expected, "{script}");
        let all = [below[0].clone(), upper.clone()];
        // The directory of what is mounted to look at it.
        let tree = in_the_tree(&[&bare, &layer]);
        let mut seen = seen_inside(sandbox, &all);
        seen.retain(|line| !line.starts_with("etc ") || tree.contains(line));
        assert_eq!(tree, seen);
        sandbox.discard(&upper).unwrap();
        out
    };
    let script = "cat /run/secrets/one; busybox stat -c ' %a %u %g' /run/secrets/one; \
         cat /from/here/file; echo y > /old/thrown/file; cat /old/thrown/file /old/inner/file; \
         ! touch /from/here/file; ls /from/here; busybox stat -c '%a %u %g' /var/cache/b; \
         echo kept > /var/cache/b/kept; \
         cat /one/file; busybox stat -c %F /one/file; ! echo z > /one/file";
    let out = check(0, script, &[]);
    assert_eq!(
        out,
        "secret 400 33 34\nx\ny\nx\nfile\n1770 33 34\nx\nregular file\n"
    );
    let script = "cat /var/cache/b/kept; cat /from/here/file; ls /from/here";
    assert_eq!(check(1, script, &[]), "kept\nx\nfile\n");
    let script = "echo x > /etc/own; busybox chmod 700 /old; echo > /run/mine; echo > /var/cache/x";
    let used = [
        "etc/",
        "etc/own",
        "old/",
        "run/",
        "run/mine",
        "var/",
        "var/cache/",
        "var/cache/x",
    ];
    check(2, script, &used);
    // Without having been told, nobody makes the working directory.
    let upper = at.join("working");
    let spec = ContainerSpec {
        working_dir: "/app/src".into(),
        ..sh("pwd")
    };
    assert_eq!(run_into(sandbox, &below, &upper, spec), "/app/src\n");
    let layer = exported(sandbox, &upper, &below);
    assert_eq!(names(&layer), ["app/", "app/src/"]);
    let missing = ContainerSpec {
        mounts: vec![mount(
            MountSource::Stack {
                directories: below.clone(),
                path: "/old/nothing".into(),
            },
            "/x",
            true,
        )],
        ..sh("true")
    };
    let root = sandbox.stack(&below).unwrap();
    match sandbox.start(&root, &missing) {
        Err(Error::Root { path, .. }) => assert_eq!(path, "/old/nothing"),
        other => panic!("{other:?}"),
    }
    for directory in [&host, &upper, &below[0]] {
        sandbox.discard(directory).unwrap();
    }
}

/// The image's own files stay what they are, whatever is mounted on them.
pub(super) fn own_files_stay(sandbox: &Sandbox, at: &Path) {
    let lower = base()
        .file("etc/hosts", "mine\n")
        .link("etc/resolv.conf", "../run/resolv");
    let lower = lower.directory("run").file("run/resolv", "mine too\n");
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let upper = at.join("upper");
    run_into(
        sandbox,
        &below,
        &upper,
        sh("grep() { :; }; cat /etc/hosts /run/resolv"),
    );
    assert_eq!(names(&exported(sandbox, &upper, &below)), [""; 0]);
    let out = run_into(
        sandbox,
        &below,
        &at.join("two"),
        sh("echo x >> /etc/passwd"),
    );
    assert_eq!(out, "");
    let layer = exported(sandbox, &at.join("two"), &below);
    assert_eq!(names(&layer), ["etc/", "etc/passwd"]);
    for name in ["upper", "two", "base"] {
        sandbox.discard(&at.join(name)).unwrap();
    }
}

/// Whoever listens on a socket of the machine is reached by every user of
/// the container, and sees our own user.
pub(super) fn a_socket(sandbox: &Sandbox, at: &Path) {
    if !crate::tiers::has("perl") {
        return;
    }
    let lower = base().link("lib", "usr/lib").link("lib64", "usr/lib64");
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let place = at.join("agent");
    let listener = std::os::unix::net::UnixListener::bind(&place).unwrap();
    let answering = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&asked).unwrap();
            stream.write_all(&[b'x'; 300_000]).unwrap();
        }
    });
    let socket = MountSource::HostSocket {
        path: place,
        mode: 0o600,
        uid: 33,
        gid: 34,
    };
    let root = sandbox.stack(&below).unwrap();
    let script = "busybox stat -c '%F %a %u %g' /run/agent/socket; \
         exec /usr/bin/perl -MIO::Socket::UNIX -e ' \
         $s = IO::Socket::UNIX->new(\"/run/agent/socket\") or die $!; \
         print $s \"ping\\n\"; $s->flush; shutdown($s, 1); local $/; print length(<$s>), \"\\n\"'";
    for user in ["33:34", "0"] {
        let spec = ContainerSpec {
            mounts: vec![
                mount(socket.clone(), "/run/agent/socket", false),
                mount(MountSource::HostReadOnly("/usr".into()), "/usr", true),
            ],
            user: user.to_owned(),
            ..sh(script)
        };
        let (_, out, err) = run(sandbox, &root, &spec);
        assert_eq!(out, "socket 600 33 34\n300005\n", "{err}");
    }
    answering.join().unwrap();
    drop(root);
    sandbox.discard(&below[0]).unwrap();
    std::fs::remove_file(at.join("agent")).unwrap();
}

/// The machine's network, and its resolver, however `/etc/resolv.conf` leads
/// to it.
pub(super) fn the_machines_network(tier: Tier, scratch_dir: Option<PathBuf>, at: &Path) {
    let options = Options {
        tier: Some(tier),
        network: Network::Host,
        scratch_dir,
        ..Options::default()
    };
    let sandbox = Sandbox::open(&options).unwrap();
    let lower = base().link("lib", "usr/lib").link("lib64", "usr/lib64");
    let below = vec![lower.fill(&sandbox, &at.join("base"))];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"the machine\n").unwrap();
    });
    let script = format!("cat /etc/resolv.conf; busybox nc 127.0.0.1 {port} </dev/null");
    let spec = ContainerSpec {
        network: Network::Host,
        upper: Some(at.join("upper")),
        ..sh(&script)
    };
    let out = run_into(&sandbox, &below, &at.join("upper"), spec);
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(out, format!("{resolver}the machine\n"));
    answering.join().unwrap();
    // A step may be cut off from it.
    let alone = ContainerSpec {
        network: Network::None,
        ..sh("busybox ip -o addr")
    };
    let (_, out, _) = run(&sandbox, &sandbox.stack(&below).unwrap(), &alone);
    assert!(
        out.contains("127.0.0.1/8") && out.lines().count() <= 2,
        "{out}"
    );
    for name in ["upper", "base"] {
        sandbox.discard(&at.join(name)).unwrap();
    }
}
