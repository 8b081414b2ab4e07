//! The file systems of the kernel in a container, `/dev`, and the three files
//! of `/etc`; what of them is hidden and what cannot be written.
//!
//! Refuses a root in which `/proc` or `/sys` is anything but a directory.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_bind, mount_bind_recursive};

use super::created::Created;
use super::mounts::{fd_path, mount_on, point, remount_read_only, write_file};
use super::resolve::{self, Make};
use super::{Place, devices, files};
use crate::spec::Network;
use crate::wire::{Failure, StartRequest};

/// Unreadable in every container (moby, `oci/defaults.go`).
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// More no resolver reads.
const RESOLV_CONF_BYTES: u64 = 1 << 20;

/// Unwritable in every container.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// `/proc`, `/dev`, `/sys` and the three files of `/etc`.
pub(super) fn standard(
    root: &OwnedFd,
    request: &StartRequest,
    place: &Place,
    created: &mut Created,
) -> Result<(), Failure> {
    let strict = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let proc = kernel_point(root, "proc", created)?;
    mount_on(&proc, "proc", "proc", strict, "").map_err(|e| Failure::step("mounting /proc", e))?;
    let dev = point(root, OsStr::new("dev"), Make::Directory, created)?;
    devices::mount_all(root, &dev, request, &place.host, place.tier)?;
    let sys = kernel_point(root, "sys", created)?;
    match mount_on(&sys, "sysfs", "sysfs", strict | MountFlags::RDONLY, "") {
        Ok(()) => {}
        // In a network namespace that is not our user namespace's.
        Err(Errno::PERM) => {
            mount_bind_recursive(place.host.join("sys"), fd_path(&sys))
                .map_err(|e| Failure::step("mounting /sys", e))?;
            let sys = kernel_point(root, "sys", created)?;
            let _ = remount_read_only(&sys, strict);
        }
        Err(e) => return Err(Failure::step("mounting /sys", e)),
    }
    cgroup_view(root, strict);
    restrict_kernel_files(root, request, &place.host)?;
    let resolv = request
        .host_resolv_conf
        .as_ref()
        .filter(|_| request.network == Network::Host);
    // A link on many machines, and absolute on some.
    let resolv = resolv.and_then(|path| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let host = rustix::fs::open(&place.host, flags, Mode::empty()).ok()?;
        resolve::read_small(host.as_fd(), path.to_str()?, RESOLV_CONF_BYTES)
    });
    let contents = [
        ("hosts", files::hosts(request).into_bytes()),
        ("hostname", format!("{}\n", request.hostname).into_bytes()),
        ("resolv.conf", files::resolv_conf(request, resolv)),
    ];
    for (name, content) in contents {
        // What a step of a build writes there is the image's; it asks the
        // kernel for its name.
        if name == "hostname" && place.upper.is_some() {
            continue;
        }
        let file = place.directory.join(name);
        write_file(&file, &content, 0o644)?;
        let target = OsString::from(format!("etc/{name}"));
        let target = point(root, &target, Make::File, created)?;
        mount_bind(&file, fd_path(&target))
            .map_err(|e| Failure::step(format!("binding /etc/{name}"), e))?;
    }
    Ok(())
}

/// The container's own view of its control groups, where there is the
/// unified hierarchy; programs look there for their memory limit.
fn cgroup_view(root: &OwnedFd, flags: MountFlags) {
    if let Ok(target) = resolve::open(root.as_fd(), OsStr::new("sys/fs/cgroup"), OFlags::PATH) {
        let _ = mount_on(&target, "cgroup", "cgroup2", flags | MountFlags::RDONLY, "");
    }
}

/// Hides what tells or changes too much of the machine. All these paths lie
/// in file systems of the kernel that we have just mounted.
fn restrict_kernel_files(
    root: &OwnedFd,
    request: &StartRequest,
    host: &Path,
) -> Result<(), Failure> {
    if request.network != Network::Host {
        // Of the reader's network namespace, whoever's /proc it is.
        let port = request.profile.first_open_port.to_string();
        let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", port);
        let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    }
    let null = rustix::fs::open(
        host.join("dev/null"),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| Failure::step("opening /dev/null", e))?;
    let open = |path: &str| resolve::open(root.as_fd(), OsStr::new(path), OFlags::PATH);
    let strict = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    for path in MASKED {
        let Ok(target) = open(path) else { continue };
        let kind = fstat(&target).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let masked = match kind {
            Ok(FileType::Directory) => mount_on(
                &target,
                "tmpfs",
                "tmpfs",
                strict | MountFlags::RDONLY,
                "size=0k,mode=755",
            ),
            _ => mount_bind(fd_path(&null), fd_path(&target)),
        };
        masked.map_err(|e| Failure::step(format!("masking {path}"), e))?;
    }
    for path in READ_ONLY {
        let Ok(target) = open(path) else { continue };
        mount_bind_recursive(fd_path(&target), fd_path(&target))
            .and_then(|()| remount_read_only(&open(path)?, strict))
            .map_err(|e| Failure::step(format!("making {path} read-only"), e))?;
    }
    Ok(())
}

/// A mount point for a file system of the kernel: a plain directory at
/// exactly this path, because masks and programs rely on it.
fn kernel_point(root: &OwnedFd, name: &str, created: &mut Created) -> Result<OwnedFd, Failure> {
    let stat = rustix::fs::statat(root, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    match stat.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Directory) | Err(Errno::NOENT) => {}
        Ok(FileType::Symlink) => {
            return Err(Failure::root(
                format!("/{name}"),
                "a symbolic link, where a file system of the kernel has to be mounted",
            ));
        }
        _ => return Err(Failure::root(format!("/{name}"), "not a directory")),
    }
    point(root, OsStr::new(name), Make::Directory, created)
}
