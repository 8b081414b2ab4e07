//! The container's file systems: overlay, kernel file systems, what was asked
//! for, and the change of the root.
//!
//! Mount points lie in a hostile root. Each is opened inside the root first
//! and mounted on through its descriptor, so no link leads a mount elsewhere.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_remount, unmount,
};
use rustix::process::{chdir, chroot, fchdir, pivot_root};

use super::resolve::{self, Make, make};
use super::{Place, devices, files};
use crate::copy::copy_tree;
use crate::spec::{Mount, MountSource, Network};
use crate::supervisor::enter::below;
use crate::tier::Tier;
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
/// Unwritable in every container.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Mounts the overlay: the prepared root below, a fresh layer above.
pub(super) fn overlay(root: &Path, place: &Place) -> Result<OwnedFd, Failure> {
    let failed = |e: std::io::Error| Failure::step("preparing the writable layer", e);
    let [upper, work, merged] = ["upper", "work", "merged"].map(|name| place.directory.join(name));
    for directory in [&place.directory, &upper, &work, &merged] {
        std::fs::create_dir(directory).map_err(failed)?;
    }
    // The merged root shows the owner and mode of the upper one.
    let below = std::fs::metadata(root).map_err(failed)?;
    let _ = std::os::unix::fs::chown(&upper, Some(below.uid()), Some(below.gid()));
    std::fs::set_permissions(
        &upper,
        std::fs::Permissions::from_mode(below.mode() & 0o7777),
    )
    .map_err(failed)?;
    let options = options(root, &upper, &work, place.tier)?;
    mount(
        "overlay",
        &merged,
        "overlay",
        MountFlags::NODEV,
        options.as_c_str(),
    )
    .map_err(|e| Failure::step("mounting the overlay", e))?;
    rustix::fs::open(&merged, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Failure::step("opening the container's root", e))
}

/// The overlay's options. In a user namespace `trusted.` attributes are out
/// of reach, so its marks go into `user.` ones (Linux 5.11).
pub(crate) fn options(
    lower: &Path,
    upper: &Path,
    work: &Path,
    tier: Tier,
) -> Result<CString, Failure> {
    let userxattr = if tier.has_user_namespace() {
        ",userxattr"
    } else {
        ""
    };
    let (lower, upper, work) = (lower.display(), upper.display(), work.display());
    let text = format!("lowerdir={lower},upperdir={upper},workdir={work}{userxattr}");
    CString::new(text)
        .map_err(|e| Failure::step("composing mount options", std::io::Error::from(e)))
}

/// Copies the prepared root, where overlays cannot be mounted.
pub(super) fn copy(root: &Path, place: &Place) -> Result<OwnedFd, Failure> {
    std::fs::create_dir(&place.directory)
        .map_err(|e| Failure::step("preparing the container's directory", e))?;
    copy_tree(root, &place.directory.join("upper"))
        .map_err(|e| Failure::step("copying the root file system", e))?;
    open_copy(place)
}

pub(super) fn open_copy(place: &Place) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(place.directory.join("upper"), flags, Mode::empty())
        .map_err(|e| Failure::step("opening the container's root", e))
}

/// `/proc`, `/dev`, `/sys` and the three files of `/etc`.
pub(super) fn standard(
    root: &OwnedFd,
    request: &StartRequest,
    place: &Place,
    created: &mut Vec<OsString>,
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
    let resolv = resolv.and_then(|path| std::fs::read(below(&place.host, path)).ok());
    let contents = [
        ("hosts", files::hosts(request).into_bytes()),
        ("hostname", format!("{}\n", request.hostname).into_bytes()),
        ("resolv.conf", files::resolv_conf(request, resolv)),
    ];
    for (name, content) in contents {
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

/// The mounts of the specification.
pub(super) fn asked_for(
    root: &OwnedFd,
    request: &StartRequest,
    place: &Place,
    created: &mut Vec<OsString>,
) -> Result<(), Failure> {
    for (number, wanted) in request.mounts.iter().enumerate() {
        let shown = wanted.target.to_string_lossy().into_owned();
        let failed = |e: Errno| Failure::step(format!("mounting {shown}"), e);
        let source = place.directory.join(format!("mount{number}"));
        if let MountSource::Tmpfs { size_bytes, mode } = &wanted.source {
            let target = point(root, &wanted.target, Make::Directory, created)?;
            let options = format!("mode={mode:o},size={size_bytes}");
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount_on(&target, "tmpfs", "tmpfs", flags, &options).map_err(failed)?;
            continue;
        }
        let source = provide(root, wanted, &source, place, &shown)?;
        let kind = if source.is_dir() {
            Make::Directory
        } else {
            Make::File
        };
        let target = point(root, &wanted.target, kind, created)?;
        mount_bind(&source, fd_path(&target)).map_err(failed)?;
        let flags = MountFlags::NODEV | MountFlags::NOSUID;
        let by_host = matches!(wanted.source, MountSource::HostReadOnly(_));
        // Reopened, to have the mount and not what it hides.
        let mounted = resolve::open(root.as_fd(), &wanted.target, OFlags::PATH).map_err(failed)?;
        if wanted.read_only || by_host {
            remount_read_only(&mounted, flags).map_err(failed)?;
        } else {
            let _ = mount_remount(fd_path(&mounted), MountFlags::BIND | MountFlags::NODEV, "");
        }
    }
    Ok(())
}

/// The file or directory of the supervisor's tree that a mount shows.
fn provide(
    root: &OwnedFd,
    wanted: &Mount,
    scratch: &Path,
    place: &Place,
    shown: &str,
) -> Result<std::path::PathBuf, Failure> {
    let failed = |e: std::io::Error| Failure::step(format!("copying the content of {shown}"), e);
    match &wanted.source {
        MountSource::HostCopy(path) => {
            copy_tree(&below(&place.host, path), scratch)
                .map_err(|e| Failure::step(format!("copying {}", path.display()), e))?;
        }
        MountSource::HostReadOnly(path) => return Ok(below(&place.host, path)),
        MountSource::Bytes { content, mode } => write_file(scratch, content, *mode)?,
        MountSource::ImageVolume => {
            match resolve::open(
                root.as_fd(),
                &wanted.target,
                OFlags::PATH | OFlags::DIRECTORY,
            ) {
                Ok(there) => copy_tree(&fd_path_buf(&there), scratch).map_err(failed)?,
                Err(Errno::NOENT) => std::fs::create_dir(scratch).map_err(failed)?,
                Err(e) => return Err(Failure::step(format!("opening {shown}"), e)),
            }
        }
        MountSource::Tmpfs { .. } => {}
    }
    Ok(scratch.to_owned())
}

/// What can be had of all that in a copy of the root without mounting.
pub(super) fn without_mounting(
    root: &OwnedFd,
    request: &StartRequest,
    place: &Place,
    created: &mut Vec<OsString>,
) -> Result<(), Failure> {
    devices::make_nodes(root);
    point(root, OsStr::new("etc/hosts"), Make::File, created)?;
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NONBLOCK;
    if let Ok(file) = resolve::open(root.as_fd(), OsStr::new("etc/hosts"), flags) {
        let _ = rustix::io::write(&file, files::hosts(request).as_bytes());
    }
    for (number, wanted) in request.mounts.iter().enumerate() {
        let shown = wanted.target.to_string_lossy().into_owned();
        let scratch = place.directory.join(format!("mount{number}"));
        let source = match &wanted.source {
            MountSource::ImageVolume | MountSource::Tmpfs { .. } => {
                point(root, &wanted.target, Make::Directory, created)?;
                continue;
            }
            MountSource::HostReadOnly(path) => path.clone(),
            _ => provide(root, wanted, &scratch, place, &shown)?,
        };
        let kind = if source.is_dir() {
            Make::Directory
        } else {
            Make::File
        };
        let target = point(root, &wanted.target, kind, created)?;
        copy_tree(&source, &fd_path_buf(&target))
            .map_err(|e| Failure::step(format!("copying to {shown}"), e))?;
    }
    Ok(())
}

/// Creates the working directory when it is missing, as docker does.
pub(super) fn working_directory(
    root: &OwnedFd,
    request: &StartRequest,
    created: &mut Vec<OsString>,
) -> Result<(), Failure> {
    if request.working_dir.is_empty() {
        return Ok(());
    }
    let shown = request.working_dir.to_string_lossy().into_owned();
    let directory = point(root, &request.working_dir, Make::Directory, created)?;
    match fstat(&directory).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
        Ok(FileType::Directory) => Ok(()),
        _ => Err(Failure::root(
            shown,
            "the working directory is not a directory",
        )),
    }
}

/// Makes the container's tree the root of everything.
pub(super) fn enter(root: &OwnedFd, request: &StartRequest) -> Result<(), Failure> {
    let failed = |what: &'static str| move |e| Failure::step(what, e);
    fchdir(root).map_err(failed("entering the container's root"))?;
    pivot_root(".", ".").map_err(failed("exchanging the root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("detaching the machine's root"))?;
    chdir("/").map_err(failed("entering the container's root"))?;
    if request.profile.read_only_root {
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NODEV;
        mount_remount("/", flags, "").map_err(failed("making the root read-only"))?;
    }
    Ok(())
}

/// The root of a copy, without namespaces.
pub(super) fn change_root(root: &OwnedFd) -> Result<(), Failure> {
    fchdir(root)
        .and_then(|()| chroot("."))
        .and_then(|()| chdir("/"))
        .map_err(|e| Failure::step("changing the root (chroot)", e))
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
fn kernel_point(
    root: &OwnedFd,
    name: &str,
    created: &mut Vec<OsString>,
) -> Result<OwnedFd, Failure> {
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

/// A mount point inside the root, created when missing.
fn point(
    root: &OwnedFd,
    path: &OsStr,
    kind: Make,
    created: &mut Vec<OsString>,
) -> Result<OwnedFd, Failure> {
    let shown = || format!("/{}", path.to_string_lossy().trim_start_matches('/'));
    let fd = match make(root.as_fd(), path, kind, created) {
        Ok(fd) => fd,
        Err(Errno::NOTDIR) => {
            return Err(Failure::root(shown(), "a file where a directory has to be"));
        }
        Err(Errno::LOOP) => return Err(Failure::root(shown(), "a loop of symbolic links")),
        Err(Errno::NOENT | Errno::EXIST) => {
            return Err(Failure::root(shown(), "a symbolic link that leads nowhere"));
        }
        Err(e) => return Err(Failure::step(format!("creating {}", shown()), e)),
    };
    let stat = fstat(&fd).map_err(|e| Failure::step(format!("opening {}", shown()), e))?;
    match (FileType::from_raw_mode(stat.st_mode), kind) {
        (FileType::Directory, Make::Directory) => Ok(fd),
        (FileType::Directory, Make::File) => {
            Err(Failure::root(shown(), "a directory where a file has to be"))
        }
        (_, Make::File) => Ok(fd),
        (_, Make::Directory) => Err(Failure::root(shown(), "a file where a directory has to be")),
    }
}

/// Mounts a file system on an open directory.
pub(super) fn mount_on(
    target: &OwnedFd,
    source: &str,
    kind: &str,
    flags: MountFlags,
    options: &str,
) -> Result<(), Errno> {
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount(source, fd_path(target), kind, flags, options.as_c_str())
}

fn remount_read_only(target: &OwnedFd, flags: MountFlags) -> Result<(), Errno> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | flags;
    match mount_remount(fd_path(target), flags, "") {
        // Flags that the mount has from its owner are locked in a user
        // namespace; they have to be repeated.
        Err(Errno::PERM) => {
            let all = flags | MountFlags::NOEXEC | MountFlags::NOSUID | MountFlags::NODEV;
            mount_remount(fd_path(target), all | MountFlags::RELATIME, "")
        }
        result => result,
    }
}

pub(super) fn fd_path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn fd_path_buf(fd: &OwnedFd) -> std::path::PathBuf {
    fd_path(fd).into()
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::step(format!("writing {}", path.display()), e);
    std::fs::write(path, content).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777)).map_err(failed)
}
