//! The container's file systems: overlay, what was asked for, and the change
//! of the root. Those of the kernel are in `kernel.rs`.
//!
//! Mount points lie in a hostile root. Each is opened inside the root first
//! and mounted on through its descriptor, so no link leads a mount elsewhere.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use rustix::process::{chdir, chroot, fchdir, pivot_root};

use super::resolve::{self, Make, make};
use super::{Place, devices, files};
use crate::copy::copy_tree;
use crate::spec::{Mount, MountSource};
use crate::supervisor::enter::below;
use crate::tier::Tier;
use crate::wire::{Failure, StartRequest};

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
    if let Some(volumes) = &place.volumes
        && wanted.source.is_volume()
        && let Some(name) = scratch.file_name()
    {
        return Ok(volumes.join(name));
    }
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

/// A mount point inside the root, created when missing.
pub(super) fn point(
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

pub(super) fn remount_read_only(target: &OwnedFd, flags: MountFlags) -> Result<(), Errno> {
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

pub(super) fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::step(format!("writing {}", path.display()), e);
    std::fs::write(path, content).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777)).map_err(failed)
}
