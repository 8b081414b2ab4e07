//! Birth of the supervisor: from a fork of the library's process into
//! namespaces of its own.
//!
//! Two processes: the *guard* stays in the machine's pid namespace, waits and
//! tidies up control groups; the *supervisor* is pid 1 of a new pid namespace,
//! so that its death, however it comes, ends every process in the sandbox.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    mount_move, move_mount, open_tree,
};
use rustix::process::{WaitOptions, chdir, chroot, pivot_root, waitpid};
use rustix::thread::{Gid, Uid, UnshareFlags};

use super::netlink::{Changes, LOOPBACK};
use super::{Supervisor, network};
use crate::init;
use crate::sys;
use crate::tier::Tier;
use crate::wire::{Channel, Failure, Reply, Request};

/// Where the supervisor sees what, once it has a mount namespace of its own.
pub(crate) const HOST: &str = "/host";
const DISK: &str = "/disk";

/// What the supervisor is told at birth.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) tier: Tier,
    pub(crate) host_network: bool,
    /// The most that roots and what containers write may take in memory.
    pub(crate) memory_bytes: u64,
    /// A directory of the machine that is ours alone.
    pub(crate) scratch: Option<PathBuf>,
    /// Control groups in which ours are made.
    pub(crate) cgroups: Vec<crate::cgroup::Parent>,
    /// Names our control groups.
    pub(crate) name: String,
    /// Scratch directories of killed sandboxes that only root of a user
    /// namespace like ours can remove.
    pub(crate) abandoned: Vec<PathBuf>,
    /// Try everything that a container will need.
    pub(crate) self_test: bool,
}

/// Paths as the supervisor sees them.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// Holds `roots/` and `containers/`.
    pub(crate) base: PathBuf,
    /// Holds `roots/` too, on a disk.
    pub(crate) disk: Option<PathBuf>,
    /// The machine's root.
    pub(crate) host: PathBuf,
}

/// The guard: what the fork of the library's process does. Returns its exit code.
pub(crate) fn guard(setup: &Setup, channel: &Channel) -> i32 {
    let Ok(channel) = leave_everything(channel.as_fd()) else {
        return 125;
    };
    match enter(setup, &channel) {
        Ok(code) => {
            // Closed by number after the fork.
            std::mem::forget(channel);
            code
        }
        Err(failure) => {
            // Nobody may be listening any more; then there is nobody to tell.
            let _ = channel.send(&Reply::Failed(failure), &[]);
            125
        }
    }
}

/// Frees the process of everything it inherited but the channel, which ends
/// up as descriptor 3: an inherited end of somebody's pipe or of another
/// sandbox's channel would hide that its owner has died.
pub(crate) fn leave_everything(channel: BorrowedFd<'_>) -> io::Result<Channel> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?;
    sys::place_fd(channel, 3)?;
    for number in 0..3 {
        sys::place_fd(null.as_fd(), number)?;
    }
    sys::close_from(4, false);
    rustix::io::fcntl_setfd(sys_three(), rustix::io::FdFlags::CLOEXEC)?;
    // `null` was closed with all others: its owner must not close it again.
    std::mem::forget(null);
    Ok(Channel::from_fd(sys::adopt_fd(3)))
}

fn sys_three() -> BorrowedFd<'static> {
    sys::borrow_fd(3)
}

fn enter(setup: &Setup, channel: &Channel) -> Result<i32, Failure> {
    // Away from the terminal's process group: Ctrl-C is the library's to handle.
    let _ = rustix::process::setsid();
    sys::reset_signals();
    if setup.tier.has_user_namespace() {
        enter_user_namespace(setup.tier, channel)?;
    }
    if setup.tier.has_namespaces() {
        let mut flags = UnshareFlags::NEWNS
            | UnshareFlags::NEWPID
            | UnshareFlags::NEWIPC
            | UnshareFlags::NEWUTS;
        if !setup.host_network {
            flags |= UnshareFlags::NEWNET;
        }
        sys::unshare(flags).map_err(|e| Failure::step("creating namespaces", e))?;
    }
    if !setup.tier.has_namespaces() {
        // Orphans of a killed supervisor come to us instead of to init.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
    let child = sys::fork_into(0, || {
        // The guard's death ends the supervisor, and with it everything.
        let signal = Some(rustix::process::Signal::KILL);
        let _ = rustix::process::set_parent_process_death_signal(signal);
        if !setup.tier.has_namespaces() {
            let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        }
        match prepare(setup) {
            Ok(layout) => Supervisor::new(setup.clone(), layout, channel).serve(),
            Err(failure) => {
                let _ = channel.send(&Reply::Failed(failure), &[]);
                125
            }
        }
    })
    .map_err(|e| Failure::step("forking the supervisor", e))?;
    // Only the supervisor's end counts from here on.
    sys::close_from(3, false);
    let code = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => break status.exit_status().unwrap_or(137),
            Err(rustix::io::Errno::INTR) | Ok(None) => {}
            Err(_) => break 125,
        }
    };
    if !setup.tier.has_namespaces() {
        super::reap::kill_descendants();
    }
    for parent in &setup.cgroups {
        parent.remove(&setup.name);
    }
    if let Some(scratch) = &setup.scratch
        && !setup.tier.has_user_namespace()
    {
        let _ = std::fs::remove_dir_all(scratch);
    }
    Ok(code)
}

fn enter_user_namespace(tier: Tier, channel: &Channel) -> Result<(), Failure> {
    let refused = |step: &'static str| move |e: io::Error| Failure::step(step, e);
    sys::unshare(UnshareFlags::NEWUSER).map_err(refused("creating a user namespace"))?;
    channel
        .send(&Reply::MapIds, &[])
        .map_err(refused("asking for ids"))?;
    match channel
        .receive::<Request>()
        .map_err(refused("asking for ids"))?
    {
        Some((Request::Socket, _)) => {}
        _ => {
            return Err(Failure::step(
                "mapping ids",
                io::Error::from_raw_os_error(libc::EPERM),
            ));
        }
    }
    if tier == Tier::UserNamespace {
        rustix::thread::set_thread_groups(&[]).map_err(|e| Failure::step("leaving groups", e))?;
    }
    let set = rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)
        .and_then(|()| rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT));
    set.map_err(|e| Failure::step("becoming root of the user namespace", e))?;
    // Changing ids cleared it, and the owner of /proc/self follows it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable);
    Ok(())
}

fn prepare(setup: &Setup) -> Result<Layout, Failure> {
    let layout = if setup.tier.has_namespaces() {
        enter_own_tree(setup)?
    } else {
        let base = setup
            .scratch
            .clone()
            .unwrap_or_else(|| PathBuf::from("/nonexistent"));
        Layout {
            base: base.clone(),
            disk: Some(base),
            host: PathBuf::from("/"),
        }
    };
    if setup.tier != Tier::Unisolated {
        for name in ["roots", "containers"] {
            let path = layout.base.join(name);
            std::fs::create_dir_all(&path)
                .map_err(|e| Failure::step(format!("creating {}", path.display()), e))?;
        }
        if let Some(disk) = &layout.disk {
            let _ = std::fs::create_dir_all(disk.join("roots"));
        }
    }
    if setup.tier.has_namespaces() && !setup.host_network {
        Changes::new()
            .up(LOOPBACK)
            .address(LOOPBACK, network::GATEWAY)
            .apply()
            .map_err(|e| Failure::step("setting up the sandbox's network", e))?;
        // Containers reach each other through us.
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1")
            .map_err(|e| Failure::step("switching on forwarding in the sandbox's network", e))?;
    }
    for path in &setup.abandoned {
        let _ = std::fs::remove_dir_all(below(&layout.host, path));
    }
    if setup.self_test {
        self_test(setup, &layout)?;
    }
    Ok(layout)
}

/// Mounts an overlay and creates a pair of links, as a container will: both
/// are file systems and devices that a kernel may lack or refuse.
fn self_test(setup: &Setup, layout: &Layout) -> Result<(), Failure> {
    if setup.tier == Tier::Chroot {
        // The supervisor itself stays where it is.
        let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        return root
            .and_then(|_root| chroot("/"))
            .map_err(|e| Failure::step("changing the root (chroot)", e));
    }
    if !setup.tier.has_namespaces() {
        return Ok(());
    }
    let base = layout.base.join("test");
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| base.join(name));
    for path in [&base, &lower, &upper, &work] {
        std::fs::create_dir(path).map_err(|e| Failure::step("creating directories", e))?;
    }
    let overlay = init::Overlay {
        layers: std::slice::from_ref(&lower),
        upper: Some((&upper, &work)),
        scratch: &base,
        tier: setup.tier,
    };
    drop(overlay.mount()?);
    rustix::mount::unmount(base.join("merged"), rustix::mount::UnmountFlags::DETACH)
        .map_err(|e| Failure::step("unmounting an overlay", e))?;
    let _ = std::fs::remove_dir_all(&base);
    if setup.host_network {
        return Ok(());
    }
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let address = std::net::Ipv4Addr::new(172, 17, 255, 254);
    Changes::new()
        .pair(99, own, address)
        .remove(99)
        .apply()
        .map_err(|e| Failure::step("creating a pair of network links (veth)", e))
}

/// Makes a tmpfs the root of our mount namespace, with the machine's root at
/// [`HOST`] and a `/proc` of our pid namespace.
fn enter_own_tree(setup: &Setup) -> Result<Layout, Failure> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(|e| Failure::step("making mounts private", e))?;
    let candidates = [
        "/tmp", "/mnt", "/run", "/var", "/home", "/opt", "/usr", "/etc",
    ];
    let place = candidates
        .iter()
        .find(|path| rustix::fs::lstat(**path).is_ok_and(|s| is_directory(s.st_mode)))
        .ok_or_else(|| Failure::step("finding a directory to mount on", io::ErrorKind::NotFound))?;
    // Before anything hides a part of it.
    let machine = open_tree(
        rustix::fs::CWD,
        "/",
        OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::AT_RECURSIVE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC,
    );
    let options = std::ffi::CString::new(format!(
        "mode=0755,size={},nr_inodes=0",
        setup.memory_bytes.max(16 << 20)
    ))
    .map_err(|e| Failure::step("mounting scratch memory", io::Error::from(e)))?;
    mount(
        "jettison",
        *place,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        options.as_c_str(),
    )
    .map_err(|e| Failure::step(format!("mounting scratch memory on {place}"), e))?;
    let place = Path::new(place);
    for name in ["host", "proc", "disk"] {
        std::fs::create_dir(place.join(name))
            .map_err(|e| Failure::step("creating scratch directories", e))?;
    }
    match pivot_root(place, place.join("host")) {
        Ok(()) => chdir("/").map_err(|e| Failure::step("entering the own tree", e))?,
        // The machine runs from its initial RAM file system, whose root
        // cannot be exchanged (pivot_root(2)).
        Err(rustix::io::Errno::INVAL) => {
            let machine = machine.map_err(|e| Failure::step("cloning the mount tree", e))?;
            move_mount(
                &machine,
                "",
                rustix::fs::CWD,
                place.join("host"),
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
            )
            .and_then(|()| chdir(place))
            .and_then(|()| mount_move(place, "/"))
            .and_then(|()| chroot("."))
            .and_then(|()| chdir("/"))
            .map_err(|e| Failure::step("entering the own tree", e))?;
        }
        Err(e) => return Err(Failure::step("exchanging the root", e)),
    }
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", plain, None)
        .map_err(|e| Failure::step("mounting /proc of the sandbox", e))?;
    let disk = match &setup.scratch {
        Some(scratch) => {
            rustix::mount::mount_bind(below(HOST, scratch), DISK)
                .map_err(|e| Failure::step(format!("binding {}", scratch.display()), e))?;
            Some(PathBuf::from(DISK))
        }
        None => None,
    };
    Ok(Layout {
        base: PathBuf::from("/"),
        disk,
        host: PathBuf::from(HOST),
    })
}

/// An absolute path below another root.
pub(crate) fn below(root: impl AsRef<Path>, path: &Path) -> PathBuf {
    root.as_ref().join(path.strip_prefix("/").unwrap_or(path))
}

pub(crate) fn is_directory(mode: u32) -> bool {
    mode & libc::S_IFMT == libc::S_IFDIR
}
