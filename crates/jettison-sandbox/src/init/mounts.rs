//! The container's file systems: overlay, what was asked for, and the change
//! of the root. Those of the kernel are in `kernel.rs`.
//!
//! Mount points lie in a hostile root. Each is opened inside the root first
//! and mounted on through its descriptor, so no link leads a mount elsewhere.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};
use rustix::process::{chdir, chroot, fchdir, pivot_root};

use super::created::Created;
use super::overlay::Overlay;
use super::resolve::{self, Make, make};
use super::{Place, devices, files};
use crate::copy::copy_tree;
use crate::snapshot::{self, FILES, WORK};
use crate::spec::{Mount, MountSource};
use crate::supervisor::enter::below;
use crate::supervisor::relay::socket_path;
use crate::wire::{Failure, StartRequest};

/// Mounts the overlay: the root's layers below, a fresh layer above.
pub(super) fn overlay(root: &[PathBuf], place: &Place) -> Result<OwnedFd, Failure> {
    let failed = |e: std::io::Error| Failure::step("preparing the writable layer", e);
    std::fs::create_dir(&place.directory).map_err(failed)?;
    let (upper, work) = match &place.upper {
        Some(upper) => {
            // In it lie setuid programs of strangers.
            let _ = std::fs::set_permissions(upper, std::fs::Permissions::from_mode(0o700));
            (upper.join(FILES), upper.join(WORK))
        }
        None => (place.directory.join("upper"), place.directory.join("work")),
    };
    for directory in [&upper, &work] {
        std::fs::create_dir(directory).map_err(failed)?;
    }
    dress_like(root, &upper)?;
    let overlay = Overlay {
        layers: root,
        upper: Some((&upper, &work)),
        scratch: &place.directory,
        tier: place.tier,
    };
    overlay.mount()
}

/// The merged root shows the owner and mode of the upper one.
fn dress_like(layers: &[PathBuf], upper: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::step("preparing the writable layer", e);
    let Some(top) = layers.last() else {
        return Ok(());
    };
    let below = std::fs::metadata(top).map_err(failed)?;
    let _ = std::os::unix::fs::chown(upper, Some(below.uid()), Some(below.gid()));
    let mode = std::fs::Permissions::from_mode(below.mode() & 0o7777);
    std::fs::set_permissions(upper, mode).map_err(failed)
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
    created: &mut Created,
) -> Result<(), Failure> {
    for (number, wanted) in request.mounts.iter().enumerate() {
        let shown = wanted.target.to_string_lossy().into_owned();
        let failed = |e: Errno| Failure::step(format!("mounting {shown}"), e);
        if let MountSource::Tmpfs { size_bytes, mode } = &wanted.source {
            let target = point(root, &wanted.target, Make::Directory, created)?;
            let options = format!("mode={mode:o},size={size_bytes}");
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            mount_on(&target, "tmpfs", "tmpfs", flags, &options).map_err(failed)?;
            continue;
        }
        let source = provide(root, wanted, number, place)?;
        let kind = if source.path.is_dir() {
            Make::Directory
        } else {
            Make::File
        };
        let target = point(root, &wanted.target, kind, created)?;
        mount_bind(&source.path, fd_path(&target)).map_err(failed)?;
        let flags = match &wanted.source {
            // Programs of another stage are as they are there.
            MountSource::Stack { .. } => MountFlags::NODEV,
            _ => MountFlags::NODEV | MountFlags::NOSUID,
        };
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
fn provide(root: &OwnedFd, wanted: &Mount, number: usize, place: &Place) -> Result<Shown, Failure> {
    let scratch = &*place.directory.join(format!("mount{number}"));
    let shown = wanted.target.to_string_lossy();
    let failed = |e: std::io::Error| Failure::step(format!("copying the content of {shown}"), e);
    if let Some(volumes) = &place.volumes
        && wanted.source.is_volume()
        && let Some(name) = scratch.file_name()
    {
        return Ok(Shown::path(volumes.join(name)));
    }
    match &wanted.source {
        MountSource::HostCopy(path) => {
            copy_tree(&below(&place.host, path), scratch)
                .map_err(|e| Failure::step(format!("copying {}", path.display()), e))?;
        }
        MountSource::HostReadOnly(path) | MountSource::HostDirectory(path) => {
            return Ok(Shown::path(below(&place.host, path)));
        }
        MountSource::HostSocket { .. } => {
            return Ok(Shown::path(socket_path(&place.directory, number)));
        }
        MountSource::Stack { directories, path } => {
            return stack(directories, path, scratch, place, wanted.read_only);
        }
        MountSource::Bytes {
            content,
            mode,
            uid,
            gid,
        } => {
            write_file(scratch, content, *mode)?;
            // With a single id everything is root's.
            let _ = std::os::unix::fs::chown(scratch, Some(*uid), Some(*gid));
        }
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
    Ok(Shown::path(scratch.to_owned()))
}

/// What a mount shows, as long as it is needed.
struct Shown {
    path: PathBuf,
    /// What the path leads to, if it leads through a descriptor.
    _fd: Option<OwnedFd>,
}

impl Shown {
    fn path(path: PathBuf) -> Self {
        Self { path, _fd: None }
    }
}

/// A file or directory of other snapshots.
fn stack(
    directories: &[PathBuf],
    path: &OsStr,
    scratch: &Path,
    place: &Place,
    read_only: bool,
) -> Result<Shown, Failure> {
    let failed = |e: std::io::Error| Failure::step("preparing the overlay", e);
    let layers = snapshot::layers(&place.host, directories, place.tier)?;
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    for directory in [scratch, &upper, &work] {
        std::fs::create_dir(directory).map_err(failed)?;
    }
    dress_like(&layers, &upper)?;
    let overlay = Overlay {
        layers: &layers,
        upper: (!read_only).then_some((&*upper, &*work)),
        scratch,
        tier: place.tier,
    };
    let root = overlay.mount()?;
    let fd = resolve::open(root.as_fd(), path, OFlags::PATH).map_err(|e| match e {
        Errno::NOENT | Errno::NOTDIR => {
            let shown = path.to_string_lossy();
            let shown = format!("/{}", shown.trim_start_matches('/'));
            Failure::root(shown, "not there, where a mount takes it from")
        }
        e => Failure::step(format!("opening {}", path.to_string_lossy()), e),
    })?;
    Ok(Shown {
        path: fd_path_buf(&fd),
        _fd: Some(fd),
    })
}

/// What can be had of all that in a copy of the root without mounting.
pub(super) fn without_mounting(
    root: &OwnedFd,
    request: &StartRequest,
    place: &Place,
    created: &mut Created,
) -> Result<(), Failure> {
    devices::make_nodes(root);
    point(root, OsStr::new("etc/hosts"), Make::File, created)?;
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NONBLOCK;
    if let Ok(file) = resolve::open(root.as_fd(), OsStr::new("etc/hosts"), flags) {
        let _ = rustix::io::write(&file, files::hosts(request).as_bytes());
    }
    for (number, wanted) in request.mounts.iter().enumerate() {
        let shown = wanted.target.to_string_lossy().into_owned();
        let source = match &wanted.source {
            MountSource::ImageVolume | MountSource::Tmpfs { .. } => {
                point(root, &wanted.target, Make::Directory, created)?;
                continue;
            }
            MountSource::HostReadOnly(path) => path.clone(),
            MountSource::Stack { .. }
            | MountSource::HostDirectory(_)
            | MountSource::HostSocket { .. } => {
                return Err(Failure::step(format!("mounting {shown}"), Errno::OPNOTSUPP));
            }
            _ => provide(root, wanted, number, place)?.path,
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
    created: &mut Created,
) -> Result<(), Failure> {
    if request.working_dir.is_empty() {
        return Ok(());
    }
    let shown = request.working_dir.to_string_lossy().into_owned();
    let mounts = created.stubs.len();
    let directory = point(root, &request.working_dir, Make::Directory, created)?;
    // No mount point: it stays, as it does with docker.
    created.directories = created.stubs.split_off(mounts);
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
    created: &mut Created,
) -> Result<OwnedFd, Failure> {
    let shown = || format!("/{}", path.to_string_lossy().trim_start_matches('/'));
    let fd = match make(root, path, kind, created) {
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
