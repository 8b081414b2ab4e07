//! Where a path leads inside the container, and over which links.
//!
//! Walks as the kernel does, component by component, but remembers the
//! directories it has been in, so that a file beside another costs one
//! `fstatat`. What could make a remembered directory wrong (a rename, a
//! removed link, a mount) is a system call that we see before it happens.
//!
//! Nothing is ever opened but directories, by `O_PATH`, inside the container's
//! own mounts.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::task::{Owner, Task};
use super::threads::Threads;

/// As many links as the kernel follows in one path.
const LINKS: usize = 40;
/// How long after a change nothing is remembered: the call that makes it has
/// been let go, but may not have come to an end.
pub(super) const SETTLE: Duration = Duration::from_millis(50);
/// With more changes than this on their way, nothing at all is remembered.
const CHANGES: usize = 32;

/// An open directory.
#[derive(Debug)]
pub(super) struct Dir {
    /// Inside the container, every link resolved, without the leading slash.
    path: Box<[u8]>,
    fd: OwnedFd,
    owner: Owner,
}

/// A directory that not everybody may search.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub(super) path: Box<[u8]>,
    pub(super) owner: Owner,
}

/// A directory and what was met on the way from the root.
#[derive(Debug)]
struct Reached {
    dir: Rc<Dir>,
    links: Box<[Box<[u8]>]>,
    closed: Box<[Closed]>,
    /// By `..`, in the path or a link: through directories that the above
    /// do not show.
    upwards: bool,
}

impl Reached {
    /// Whether the way from the root leads over a path: through the directory,
    /// or by the link. A directory is left again by a link in it, upwards, or
    /// not at all.
    fn is_by(&self, path: &[u8]) -> bool {
        let is_below = |other: &[u8]| other == path || is_above(path, other);
        self.upwards || is_below(&self.dir.path) || self.links.iter().any(|link| is_below(link))
    }
}

/// From where a path is looked up.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// The current directory.
    Current,
    /// An open file.
    Descriptor(i32),
    /// This path: that of a process whose directories cannot be looked at yet.
    At(Box<[u8]>),
}

/// Where a path led.
#[derive(Debug)]
pub(super) struct Looked {
    /// As far as it exists, plus the rest.
    pub(super) path: Vec<u8>,
    pub(super) links: Vec<Box<[u8]>>,
    pub(super) closed: Vec<Closed>,
    pub(super) end: End,
    /// Its directory, where the last component is a name in one.
    pub(super) parent: Option<Rc<Dir>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Found(Owner),
    /// Not there; true when only the last component is missing.
    Missing(bool),
    /// No path: a pipe, a deleted file, something outside of the container.
    Nowhere,
}

#[derive(Debug)]
enum Stop {
    Missing {
        path: Vec<u8>,
        /// The rest has `..` in it and means nothing any more.
        cut: bool,
    },
    Nowhere,
    /// We cannot see what the process may see.
    Hidden,
}

#[derive(Debug)]
pub(super) struct Resolver {
    root: Rc<Dir>,
    /// Where the container's root lies as links in `/proc` show it: empty
    /// with a mount namespace.
    base: Vec<u8>,
    known: HashMap<Box<[u8]>, Reached>,
    most: usize,
    /// What is about to change, and until when that may be so.
    changes: Vec<(Box<[u8]>, Instant)>,
    threads: Threads,
    /// A process may have another root or other mounts than the first one.
    varies: bool,
}

/// One lookup.
struct Sight {
    task: Task,
    root: Rc<Dir>,
    links: Vec<Box<[u8]>>,
    closed: Vec<Closed>,
    upwards: bool,
    remember: bool,
}

impl Dir {
    fn new(path: impl Into<Box<[u8]>>, fd: OwnedFd) -> Result<Self, Errno> {
        let owner = fstat(&fd).map(owner)?;
        let path = path.into();
        Ok(Self { path, fd, owner })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn owner(&self) -> Owner {
        fstat(&self.fd).map_or(self.owner, owner)
    }
}

fn owner(stat: rustix::fs::Stat) -> Owner {
    Owner {
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode,
    }
}

impl Owner {
    pub(super) fn kind(self) -> u32 {
        self.mode & libc::S_IFMT
    }
}

impl Resolver {
    /// `root` is the container's root directory.
    pub(super) fn new(root: OwnedFd) -> Result<Self, Errno> {
        let base = own_link(root.as_fd())?;
        let base = if base == b"/" { Vec::new() } else { base };
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = usize::try_from(files.unwrap_or(1 << 20)).unwrap_or(1024);
        Ok(Self {
            root: Rc::new(Dir::new(*b"", root)?),
            base,
            known: HashMap::new(),
            most: (files / 2).clamp(16, 4096),
            changes: Vec::new(),
            threads: Threads::default(),
            varies: false,
        })
    }

    /// A directory or link is about to become something else, or be elsewhere.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.threads.move_on();
        let now = Instant::now();
        self.changes.retain(|(_, until)| *until > now);
        if self.changes.len() < CHANGES {
            self.known.retain(|_, reached| !reached.is_by(path));
            self.changes.push((path.into(), now + SETTLE));
        } else {
            self.known.clear();
            // Everything is below the root.
            self.changes.clear();
            let all = (Box::default(), now + SETTLE);
            self.changes.extend(std::iter::repeat_n(all, CHANGES));
        }
    }

    pub(super) fn threads(&mut self) -> &mut Threads {
        &mut self.threads
    }

    /// The current directory of a thread; None: it has no path.
    pub(super) fn current(&mut self, task: Task) -> Result<Option<Vec<u8>>, Errno> {
        let link = self.threads.current(task)?.to_vec();
        Ok(self.inside(&link).map(<[u8]>::to_vec))
    }

    /// From now on processes may see different trees.
    pub(super) fn vary(&mut self) {
        self.varies = true;
        self.known.clear();
        self.threads.move_on();
    }

    /// The path inside the container of what a link in `/proc` shows.
    pub(super) fn inside<'a>(&self, link: &'a [u8]) -> Option<&'a [u8]> {
        let path = link.strip_prefix(&*self.base)?;
        // A link to something deleted is marked; it has no path any more.
        if path.ends_with(b" (deleted)") && !self.exists(path) {
            return None;
        }
        path.strip_prefix(b"/")
            .or_else(|| path.is_empty().then_some(path))
    }

    fn exists(&self, path: &[u8]) -> bool {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        statat(&self.root.fd, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The path of something open: `cwd`, `root`, `fd/3`.
    pub(super) fn of_link(&self, task: Task, name: &str) -> Option<Vec<u8>> {
        let link = task.link(name).ok()?;
        self.inside(&link).map(<[u8]>::to_vec)
    }

    /// Looks a path up as the kernel is about to. None: we are not let see
    /// the process.
    pub(super) fn look(
        &mut self,
        task: Task,
        start: &Start,
        path: &[u8],
        follow: bool,
        in_start: bool,
    ) -> Option<Looked> {
        let remember = !self.varies && !in_start;
        let absolute = path.starts_with(b"/");
        let mut sight = Sight {
            task,
            root: Rc::clone(&self.root),
            links: Vec::new(),
            closed: Vec::new(),
            upwards: false,
            remember,
        };
        let mut relative_to = None;
        let from = match start {
            _ if absolute && remember => Ok(None),
            Start::At(_) if absolute => Ok(None),
            Start::At(at) => {
                relative_to = Some(at.clone());
                Ok(Some(join(at, path)))
            }
            Start::Current => {
                self.beginning(&mut sight, "cwd", path, in_start, &mut relative_to)?
            }
            Start::Descriptor(number) => {
                let name = format!("fd/{number}");
                self.beginning(&mut sight, &name, path, in_start, &mut relative_to)?
            }
        };
        let looked = match from {
            Ok(Some(text)) => {
                let root = Rc::clone(&sight.root);
                self.last(&mut sight, root, &text, follow)
            }
            Ok(None) => {
                let root = Rc::clone(&sight.root);
                self.last(&mut sight, root, path, follow)
            }
            Err(Some(dir)) => self.last(&mut sight, dir, path, follow),
            Err(None) => Err(Stop::Nowhere),
        };
        let mut closed = sight.closed;
        if let Some(start) = relative_to {
            // The way to where it stands already need not be open to it.
            closed.retain(|dir| !is_above(&dir.path, &start));
        }
        let links = sight.links;
        let (path, end, parent) = match looked {
            Ok((path, end, parent)) => (path, end, parent),
            Err(Stop::Missing { path, .. }) => (path, End::Missing(false), None),
            Err(Stop::Nowhere) => (Vec::new(), End::Nowhere, None),
            Err(Stop::Hidden) => return None,
        };
        Some(Looked {
            path,
            links,
            closed,
            end,
            parent,
        })
    }

    /// Where a relative path begins: a text from the root while everybody
    /// sees the same tree, else an open directory. `Err(None)`: nowhere.
    #[expect(clippy::type_complexity, reason = "three ways to begin, used once")]
    fn beginning(
        &mut self,
        sight: &mut Sight,
        name: &str,
        path: &[u8],
        in_start: bool,
        relative_to: &mut Option<Box<[u8]>>,
    ) -> Option<Result<Option<Vec<u8>>, Option<Rc<Dir>>>> {
        let task = sight.task;
        if sight.remember {
            let start = match name {
                "cwd" => self.current(task),
                name => task
                    .link(name)
                    .map(|link| self.inside(&link).map(<[u8]>::to_vec)),
            };
            return match start {
                Ok(Some(start)) => {
                    let path = join(&start, path);
                    *relative_to = Some(start.into());
                    Some(Ok(Some(path)))
                }
                // A descriptor that is not open: EBADF for the caller too.
                Ok(None) | Err(Errno::NOENT) => Some(Err(None)),
                Err(_) => None,
            };
        }
        let open = |name: &str| -> Option<Option<Rc<Dir>>> {
            let fd = match task.open(name) {
                Ok(fd) => fd,
                Err(Errno::NOENT) => return Some(None),
                Err(_) => return None,
            };
            let link = own_link(fd.as_fd()).ok()?;
            let dir = self.inside(&link).map(|path| Dir::new(path, fd));
            Some(dir.and_then(Result::ok).map(Rc::new))
        };
        match open(if in_start { name } else { "root" })? {
            Some(root) => sight.root = root,
            None => return Some(Err(None)),
        }
        if path.starts_with(b"/") {
            return Some(Ok(None));
        }
        let start = open(name)?;
        *relative_to = start.as_ref().map(|dir| dir.path.clone());
        Some(Err(start))
    }

    /// The last component.
    #[expect(clippy::type_complexity, reason = "path, end and directory, used once")]
    fn last(
        &mut self,
        sight: &mut Sight,
        mut start: Rc<Dir>,
        path: &[u8],
        mut follow: bool,
    ) -> Result<(Vec<u8>, End, Option<Rc<Dir>>), Stop> {
        let mut path = path.to_vec();
        loop {
            let whole = path.len();
            while path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
            follow |= path.len() < whole;
            let split = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
            let (before, name) = path.split_at(split);
            if matches!(name, b"" | b"." | b"..") {
                let dir = self.walk(sight, &start, &path)?;
                return Ok((dir.path.to_vec(), End::Found(dir.owner()), None));
            }
            let dir = self
                .walk(sight, &start, before)
                .map_err(|stop| stop.then(name))?;
            sight.search(&dir);
            let full = join(&dir.path, name);
            let stat = match statat(&dir.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => owner(stat),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => {
                    return Ok((full, End::Missing(true), Some(dir)));
                }
                Err(_) => return Err(Stop::Hidden),
            };
            if stat.kind() != libc::S_IFLNK || !follow {
                return Ok((full, End::Found(stat), Some(dir)));
            }
            let target = sight.link(&dir, name, &full)?;
            if is_magic(&dir.path, &target) {
                let Some(path) = self.inside(&target) else {
                    return Err(Stop::Nowhere);
                };
                let stat = statat(&dir.fd, name, AtFlags::empty());
                let stat = stat.map(owner).map_err(|_| Stop::Nowhere)?;
                return Ok((path.to_vec(), End::Found(stat), None));
            }
            start = dir;
            path = target;
        }
    }

    /// A directory, from another one or, for an absolute path, the root.
    fn walk(&mut self, sight: &mut Sight, start: &Rc<Dir>, path: &[u8]) -> Result<Rc<Dir>, Stop> {
        let root = Rc::clone(&sight.root);
        if !sight.remember {
            let start = if path.starts_with(b"/") { &root } else { start };
            return self.steps(sight, Rc::clone(start), path, 0, None);
        }
        // All from the root, so that what is remembered is found again.
        let key = if path.starts_with(b"/") || start.path.is_empty() {
            path.to_vec()
        } else {
            join(&start.path, path)
        };
        let mut key = &key[..];
        while let [b'/', rest @ ..] = key {
            key = rest;
        }
        while let [rest @ .., b'/'] = key {
            key = rest;
        }
        let mut end = key.len();
        let known = loop {
            if end == 0 {
                break None;
            }
            if let Some(known) = self.known.get(&key[..end]) {
                break Some(known);
            }
            end = key[..end].iter().rposition(|&b| b == b'/').unwrap_or(0);
        };
        let first = (sight.links.len(), sight.closed.len());
        let here = match known {
            Some(known) => {
                sight.links.extend_from_slice(&known.links);
                sight.closed.extend_from_slice(&known.closed);
                sight.upwards |= known.upwards;
                if sight.links.len() > LINKS * 2 {
                    return Err(Stop::Nowhere);
                }
                Rc::clone(&known.dir)
            }
            None => root,
        };
        self.steps(sight, here, key, end, Some(first))
    }

    /// Goes on from `end` of the path. `first`: from where on links and closed
    /// directories belong to this path, when it may be remembered.
    fn steps(
        &mut self,
        sight: &mut Sight,
        mut here: Rc<Dir>,
        path: &[u8],
        mut end: usize,
        first: Option<(usize, usize)>,
    ) -> Result<Rc<Dir>, Stop> {
        while end < path.len() {
            if path[end] == b'/' {
                end += 1;
                continue;
            }
            let length = path[end..].iter().position(|&b| b == b'/');
            let next = length.map_or(path.len(), |length| end + length);
            let name = &path[end..next];
            here = self
                .step(sight, here, name)
                .map_err(|stop| stop.then(&path[next..]))?;
            end = next;
            let kernels = super::record::is_kernels(&here.path);
            if let Some((links, closed)) = first
                && !kernels
                && !path.starts_with(b"proc")
                && !path.starts_with(b"dev")
            {
                let reached = Reached {
                    dir: Rc::clone(&here),
                    links: sight.links[links..].into(),
                    closed: sight.closed[closed..].into(),
                    upwards: sight.upwards,
                };
                if self.is_settled(&reached) {
                    if self.known.len() >= self.most {
                        self.known.clear();
                    }
                    self.known.insert(path[..end].into(), reached);
                }
            }
        }
        Ok(here)
    }

    /// Whether nothing that lies on this way is about to change.
    fn is_settled(&mut self, reached: &Reached) -> bool {
        if self.changes.is_empty() {
            return true;
        }
        let now = Instant::now();
        self.changes.retain(|(_, until)| *until > now);
        let by = |(path, _): &(Box<[u8]>, _)| reached.is_by(path);
        !self.changes.iter().any(by)
    }

    /// One component that has to be a directory.
    fn step(&mut self, sight: &mut Sight, here: Rc<Dir>, name: &[u8]) -> Result<Rc<Dir>, Stop> {
        if name == b"." {
            return Ok(here);
        }
        sight.search(&here);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = |path: Vec<u8>, fd: Result<OwnedFd, Errno>| {
            let dir = fd.and_then(|fd| Dir::new(path, fd));
            dir.map(Rc::new).map_err(|_| Stop::Hidden)
        };
        if name == b".." {
            sight.upwards = true;
            if here.path == sight.root.path {
                return Ok(here);
            }
            let above = here.path.iter().rposition(|&b| b == b'/').unwrap_or(0);
            let path = here.path[..above].to_vec();
            return opened(path, openat(&here.fd, "..", flags, Mode::empty()));
        }
        let full = join(&here.path, name);
        if &*here.path == b"proc" && matches!(name, b"self" | b"thread-self") {
            // To the kernel that is who asks, and we ask for another.
            return opened(full, sight.task.open("."));
        }
        let missing = |path| Stop::Missing { path, cut: false };
        match openat(&here.fd, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => return opened(full, Ok(fd)),
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Err(missing(full)),
            Err(_) => return Err(Stop::Hidden),
        }
        let stat = statat(&here.fd, name, AtFlags::SYMLINK_NOFOLLOW).map(owner);
        if stat.map_or(true, |stat| stat.kind() != libc::S_IFLNK) {
            return Err(missing(full));
        }
        let target = sight.link(&here, name, &full)?;
        if is_magic(&here.path, &target) {
            let path = self.inside(&target).ok_or(Stop::Nowhere)?;
            return opened(path.to_vec(), openat(&here.fd, name, flags, Mode::empty()));
        }
        self.walk(sight, &here, &target)
    }
}

impl Sight {
    /// Follows a link of a directory.
    fn link(&mut self, dir: &Dir, name: &[u8], full: &[u8]) -> Result<Vec<u8>, Stop> {
        let path = full.to_vec();
        if self.links.len() >= LINKS {
            return Err(Stop::Missing { path, cut: true });
        }
        self.links.push(path.into());
        let target = readlinkat(&dir.fd, name, Vec::new()).map_err(|_| Stop::Hidden)?;
        let target = target.into_bytes();
        if target.is_empty() {
            return Err(Stop::Nowhere);
        }
        Ok(target)
    }

    /// A name is looked for in a directory.
    fn search(&mut self, dir: &Dir) {
        if dir.owner.mode & 0o111 != 0o111 {
            self.closed.push(Closed {
                path: dir.path.clone(),
                owner: dir.owner,
            });
        }
    }
}

impl Stop {
    /// What would have come after it.
    fn then(self, rest: &[u8]) -> Self {
        let Self::Missing { mut path, mut cut } = self else {
            return self;
        };
        for name in rest.split(|&b| b == b'/') {
            cut |= name == b"..";
            if !cut && !matches!(name, b"" | b".") {
                path = join(&path, name);
            }
        }
        Self::Missing { path, cut }
    }
}

/// Whether a link is one of those in `/proc` whose text is only for show.
fn is_magic(directory: &[u8], target: &[u8]) -> bool {
    directory.starts_with(b"proc/") && (target.starts_with(b"/") || target.contains(&b':'))
}

fn is_above(path: &[u8], other: &[u8]) -> bool {
    path.is_empty() && !other.is_empty()
        || other
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with(b"/"))
}

pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(directory.len() + 1 + name.len());
    full.extend_from_slice(directory);
    if !full.is_empty() && !name.is_empty() && !name.starts_with(b"/") {
        full.push(b'/');
    }
    full.extend_from_slice(name);
    full
}

/// Where a descriptor of ours leads.
pub(super) fn own_link(fd: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    use std::os::fd::AsRawFd;
    let link = readlinkat(
        rustix::fs::CWD,
        format!("/proc/self/fd/{}", fd.as_raw_fd()),
        Vec::new(),
    )?;
    Ok(link.into_bytes())
}
