//! What every test needs: a sandbox, a root with a shell, a way to run.

use std::path::Path;
use std::time::Duration;

use jettison_sandbox::{Container, ContainerSpec, Exit, Options, Root, Sandbox, Tier};

pub(crate) const MOMENT: Duration = Duration::from_secs(20);

/// A static shell with all its tools, or none.
pub(crate) fn busybox() -> Option<Vec<u8>> {
    let found = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .find(|path| Path::new(path).exists());
    if found.is_none() {
        eprintln!("skipped: busybox is not installed (busybox-static)");
    }
    std::fs::read(found?).ok()
}

pub(crate) fn is_root() -> bool {
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
    if !root {
        eprintln!("skipped: not root");
    }
    root
}

pub(crate) fn root_tier() -> Option<Sandbox> {
    is_root().then(|| {
        Sandbox::open(&Options {
            tier: Some(Tier::Root),
            ..Options::default()
        })
        .unwrap()
    })
}

/// A root with busybox at /bin/busybox and links to it.
pub(crate) fn shell_root(sandbox: &Sandbox) -> Option<Root> {
    let mut root = sandbox.new_root().unwrap();
    fill_shell(&mut root)?;
    Some(root.finish().unwrap())
}

pub(crate) fn fill_shell(root: &mut jettison_sandbox::RootWriter) -> Option<()> {
    root.file("bin/busybox", 0o755, &busybox()?).unwrap();
    for name in [
        "sh", "id", "cat", "ls", "true", "sleep", "echo", "grep", "mount", "touch",
    ] {
        link(root, &format!("bin/{name}"), "busybox");
    }
    root.file(
        "etc/passwd",
        0o644,
        b"root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n",
    )
    .unwrap();
    root.file("etc/group", 0o644, b"root:x:0:\nwww:x:34:\nlog:x:4:web\n")
        .unwrap();
    Some(())
}

pub(crate) fn link(root: &mut jettison_sandbox::RootWriter, path: &str, target: &str) {
    let entry = jettison_image::Entry {
        path: jettison_image::ImagePath::new(path).unwrap(),
        kind: jettison_image::EntryKind::Symlink {
            target: target.into(),
        },
        metadata: jettison_image::Metadata {
            mode: 0o777,
            ..Default::default()
        },
    };
    root.put(&entry, &mut std::io::empty()).unwrap();
}

pub(crate) fn sh(script: &str) -> ContainerSpec {
    ContainerSpec {
        args: ["/bin/sh", "-c", script].map(Into::into).to_vec(),
        ..ContainerSpec::default()
    }
}

/// Runs to the end.
pub(crate) fn run(sandbox: &Sandbox, root: &Root, spec: &ContainerSpec) -> (Exit, String, String) {
    let container = sandbox.start(root, spec).unwrap();
    finish(&container)
}

pub(crate) fn finish(container: &Container) -> (Exit, String, String) {
    let exit = container
        .wait(Some(MOMENT))
        .unwrap()
        .expect("it ends in time");
    (
        exit,
        container.stdout().to_text(),
        container.stderr().to_text(),
    )
}
