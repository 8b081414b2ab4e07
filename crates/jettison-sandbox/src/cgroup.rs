//! Control groups: where one of ours can be made, and what it says.

use std::io;
use std::path::{Path, PathBuf};

/// A directory of a cgroup file system in which we may make groups.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The unified hierarchy, with the memory and pids controllers passed on.
    Two,
    OneMemory,
    OnePids,
}

impl Parent {
    /// Removes every empty group of a sandbox.
    pub(crate) fn remove(&self, name: &str) {
        let Ok(entries) = std::fs::read_dir(&self.path) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(name) {
                remove_group(&entry.path());
            }
        }
    }
}

/// The kernel frees a group's last process a little after it has died.
fn remove_group(path: &Path) {
    for _ in 0..50 {
        match std::fs::remove_dir(path) {
            Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            _ => return,
        }
    }
}

/// The groups of one container.
#[derive(Debug, Default)]
pub(crate) struct Group {
    paths: Vec<(PathBuf, Version)>,
}

impl Group {
    /// Makes groups below every parent and sets the bounds. `see` turns a
    /// path of the machine into one of the caller.
    pub(crate) fn create(
        parents: &[Parent],
        name: &str,
        memory_bytes: Option<u64>,
        processes: Option<u32>,
        see: impl Fn(&Path) -> PathBuf,
    ) -> io::Result<Self> {
        let mut group = Self::default();
        for parent in parents {
            let path = see(&parent.path).join(name);
            std::fs::create_dir(&path)?;
            group.paths.push((path.clone(), parent.version));
            let set = |file: &str, value: String| std::fs::write(path.join(file), value);
            let result = match parent.version {
                Version::Two => memory_bytes
                    .map_or(Ok(()), |n| {
                        // No swap accounting means no such file.
                        let _ = set("memory.swap.max", "0".to_owned());
                        set("memory.max", n.to_string())
                    })
                    .and_then(|()| processes.map_or(Ok(()), |n| set("pids.max", n.to_string()))),
                Version::OneMemory => memory_bytes.map_or(Ok(()), |n| {
                    set("memory.limit_in_bytes", n.to_string())?;
                    let _ = set("memory.memsw.limit_in_bytes", n.to_string());
                    Ok(())
                }),
                Version::OnePids => processes.map_or(Ok(()), |n| set("pids.max", n.to_string())),
            };
            if let Err(e) = result {
                group.remove();
                return Err(e);
            }
        }
        Ok(group)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Moves a process, and all that it will start, into the groups.
    pub(crate) fn add(&self, pid: i32) -> io::Result<()> {
        for (path, _) in &self.paths {
            std::fs::write(path.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Whether the kernel killed a process in it for its memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.paths.iter().any(|(path, version)| {
            let file = match version {
                Version::Two => "memory.events",
                Version::OneMemory => "memory.oom_control",
                Version::OnePids => return false,
            };
            let text = std::fs::read_to_string(path.join(file)).unwrap_or_default();
            text.lines()
                .filter_map(|line| line.strip_prefix("oom_kill "))
                .any(|count| count.trim() != "0")
        })
    }

    /// Removes the groups if they are empty already; the guard removes the
    /// others in the end.
    pub(crate) fn remove(&self) {
        for (path, _) in &self.paths {
            let _ = std::fs::remove_dir(path);
        }
    }
}

/// Where this process may make groups that bound memory and processes; empty
/// when nowhere. Tries only what the permissions promise.
pub(crate) fn writable_parents() -> Vec<Parent> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut parents = Vec::new();
    for (controller, version) in [("memory", Version::OneMemory), ("pids", Version::OnePids)] {
        if let Some(path) = version_one(&own, &mounts, controller)
            && may_write(&path)
        {
            parents.push(Parent { path, version });
        }
    }
    if parents.is_empty()
        && let Some(path) = version_two(&own, &mounts)
    {
        parents.push(Parent {
            path,
            version: Version::Two,
        });
    }
    parents
}

fn version_one(own: &str, mounts: &str, controller: &str) -> Option<PathBuf> {
    let has = |list: &str| list.split(',').any(|c| c == controller);
    let (mount_root, mount_point) = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        (right.next() == Some("cgroup") && right.nth(1).is_some_and(has)).then_some(())?;
        let mut left = left.split(' ');
        Some((left.nth(3)?, left.next()?))
    })?;
    let path = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        has(fields.next()?).then(|| fields.next()).flatten()
    })?;
    Some(group_path(mount_root, mount_point, path))
}

/// A group of the unified hierarchy that passes on both controllers: our own
/// cannot (it has us as a member, and only a root or an empty group may), so
/// one of its ancestors.
fn version_two(own: &str, mounts: &str) -> Option<PathBuf> {
    let (mount_root, mount_point) = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        right.starts_with("cgroup2 ").then_some(())?;
        let mut left = left.split(' ');
        Some((left.nth(3)?, left.next()?))
    })?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut path = group_path(mount_root, mount_point, path);
    loop {
        let passed = std::fs::read_to_string(path.join("cgroup.subtree_control"));
        let passed = passed.unwrap_or_default();
        let has = |controller| passed.split_whitespace().any(|c| c == controller);
        // Moving a process needs the right to write in the common ancestor too.
        if has("memory") && has("pids") && may_write(&path) && may_write(&path.join("cgroup.procs"))
        {
            return Some(path);
        }
        if path == Path::new(mount_point) || !path.pop() {
            return None;
        }
    }
}

fn group_path(mount_root: &str, mount_point: &str, path: &str) -> PathBuf {
    let below = Path::new(path)
        .strip_prefix(mount_root)
        .unwrap_or(Path::new(""));
    Path::new(mount_point).join(below.strip_prefix("/").unwrap_or(below))
}

fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Removes groups whose sandbox has been killed together with its guard.
pub(crate) fn reap(parents: &[Parent]) {
    for parent in parents {
        let Ok(entries) = std::fs::read_dir(&parent.path) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let owner = name
                .to_str()
                .and_then(|name| name.strip_prefix("jettison-"))
                .and_then(|rest| rest.split('-').next())
                .and_then(|pid| pid.parse::<i32>().ok())
                .and_then(rustix::process::Pid::from_raw);
            if let Some(owner) = owner
                && rustix::process::test_kill_process(owner) == Err(rustix::io::Errno::SRCH)
            {
                let _ = std::fs::remove_dir(entry.path());
            }
        }
    }
}
