//! `/dev`: the nodes every container has, and no others.
//!
//! The nodes are bind mounts of the machine's own, because every file system
//! that a container can write to is mounted `nodev`: a program with
//! CAP_MKNOD, which Docker leaves to containers, must not be able to open a
//! disk of the machine through a node it made. Engines that use control
//! groups have them forbid it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdirat, openat, symlinkat};
use rustix::mount::{MountFlags, mount, mount_bind};

use super::created::Created;
use super::mounts::{fd_path, mount_on};
use super::resolve;
use crate::tier::Tier;
use crate::wire::{Failure, StartRequest};

const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&str, &str); 6] = [
    ("pts/ptmx", "ptmx"),
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
];

/// Mounts `/dev` with everything in it on `target`.
pub(super) fn mount_all(
    root: &OwnedFd,
    target: &OwnedFd,
    request: &StartRequest,
    host: &Path,
    tier: Tier,
) -> Result<(), Failure> {
    let failed = |what: &'static str| move |e| Failure::step(format!("mounting {what}"), e);
    let strict = MountFlags::NOSUID | MountFlags::NODEV;
    mount_on(
        target,
        "tmpfs",
        "tmpfs",
        strict | MountFlags::STRICTATIME,
        "mode=755,size=65536k",
    )
    .map_err(failed("/dev"))?;
    let dev =
        resolve::open(root.as_fd(), OsStr::new("dev"), OFlags::PATH).map_err(failed("/dev"))?;
    for name in NODES {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = openat(&dev, name, flags, Mode::from_raw_mode(0o666))
            .map_err(|e| Failure::step(format!("creating /dev/{name}"), e))?;
        mount_bind(host.join("dev").join(name), fd_path(&node))
            .map_err(|e| Failure::step(format!("binding /dev/{name}"), e))?;
    }
    for (to, name) in LINKS {
        symlinkat(to, &dev, name).map_err(|e| Failure::step(format!("linking /dev/{name}"), e))?;
    }
    let directory = |name: &str| {
        mkdirat(&dev, name, Mode::from_raw_mode(0o755))?;
        openat(&dev, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    };
    let pts = directory("pts").map_err(failed("/dev/pts"))?;
    // Group 5 is tty everywhere; with a single id there is no such group.
    let group = if tier == Tier::SingleUser {
        ""
    } else {
        ",gid=5"
    };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_on(&pts, "devpts", "devpts", quiet, &options).map_err(failed("/dev/pts"))?;
    let shm = directory("shm").map_err(failed("/dev/shm"))?;
    let options = format!("mode=1777,size={}", request.shm_bytes);
    mount_on(&shm, "shm", "tmpfs", strict | MountFlags::NOEXEC, &options)
        .map_err(failed("/dev/shm"))?;
    let queue = directory("mqueue").map_err(failed("/dev/mqueue"))?;
    // A kernel may be built without it; docker would fail, we need not.
    match mount(
        "mqueue",
        fd_path(&queue),
        "mqueue",
        strict | MountFlags::NOEXEC,
        None,
    ) {
        Ok(()) | Err(rustix::io::Errno::NODEV | rustix::io::Errno::PERM) => Ok(()),
        Err(e) => Err(failed("/dev/mqueue")(e)),
    }
}

/// Nodes in a copy of the root, where nothing can be mounted: only the
/// harmless ones, and only where they are missing.
pub(super) fn make_nodes(root: &OwnedFd) {
    let numbers = [
        ("null", 3),
        ("zero", 5),
        ("full", 7),
        ("random", 8),
        ("urandom", 9),
    ];
    let Ok(dev) = resolve::make(
        root,
        OsStr::new("dev"),
        resolve::Make::Directory,
        &mut Created::default(),
    ) else {
        return;
    };
    let Ok(dev) = openat(&dev, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return;
    };
    for (name, minor) in numbers {
        let _ = rustix::fs::mknodat(
            &dev,
            name,
            rustix::fs::FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            rustix::fs::makedev(1, minor),
        );
        let _ = rustix::fs::chmodat(
            &dev,
            name,
            Mode::from_raw_mode(0o666),
            rustix::fs::AtFlags::empty(),
        );
    }
    let _ = mkdirat(&dev, "shm", Mode::from_raw_mode(0o777));
}
