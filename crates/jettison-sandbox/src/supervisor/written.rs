//! Lists the upper layer of a container, and what changed in its volumes.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jettison_image::Sha256Writer;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};

use super::enter::below;
use super::start::Contained;
use super::{Role, Supervisor};
use crate::init::resolve;
use crate::spec::MountSource;
use crate::sys;
use crate::wire::{Channel, Failure, Reply};
use crate::written::{Change, Written};

/// More is not listed: a program that writes so many files is not compared by them.
const MOST: usize = 200_000;

impl Supervisor<'_> {
    /// Starts a worker that lists what a container wrote; returns the socket
    /// from which the list comes.
    pub(crate) fn list_written(&mut self, container: u64) -> Result<OwnedFd, Failure> {
        let contained = self.containers.get(&container).ok_or_else(Failure::ended)?;
        let upper = contained.upper.clone();
        // Of a stack there is no one directory to compare with.
        let layers = contained.request.root.map(|root| self.layers(root));
        let lower = layers
            .filter(|layers| layers.len() == 1)
            .and_then(|mut layers| layers.pop());
        let created = &contained.created;
        let ours = created.stubs.iter().chain(&created.directories);
        let ours: BTreeSet<&OsStr> = ours.map(|path| &**path).collect();
        let volumes = self.volume_copies(contained);
        let (to, from) = Channel::pair().map_err(|e| Failure::step("creating a socket pair", e))?;
        let pid = sys::fork_into(0, || {
            let open = |path: &Path| openat(CWD, path, DIRECTORY, Mode::empty());
            let mut list = Vec::new();
            let mut listed = open(&upper).and_then(|upper| {
                let lower = lower.as_ref().and_then(|lower| open(lower).ok());
                let whole = Walk {
                    ours: &ours,
                    copied: false,
                };
                whole.walk(&upper, lower.as_ref(), OsStr::new(""), &mut list)
            });
            for volume in &volumes {
                // A file as a volume, or one whose mount failed.
                let Ok(copy) = open(&volume.copy) else {
                    continue;
                };
                let lower = match (&volume.host, &lower) {
                    (Some(host), _) => open(host).ok(),
                    (None, Some(root)) => open(root)
                        .and_then(|root| resolve::open(root.as_fd(), &volume.path, DIRECTORY))
                        .ok(),
                    (None, None) => None,
                };
                let walk = Walk {
                    ours: &ours,
                    copied: true,
                };
                listed = listed.and(walk.walk(&copy, lower.as_ref(), &volume.path, &mut list));
            }
            list.sort_by(|one, other| one.path.cmp(&other.path));
            let reply = match listed {
                Ok(()) => Reply::Written(list),
                Err(e) => Reply::Failed(Failure::step("listing what was written", e)),
            };
            i32::from(to.send(&reply, &[]).is_err())
        })
        .map_err(|e| Failure::step("starting to list what was written", e))?;
        self.adopt(pid, Role::Worker, None, None)?;
        let from = from.as_fd().try_clone_to_owned();
        from.map_err(|e| Failure::step("handing over the list", e))
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// A copy that was mounted for the container to write to.
struct Volume {
    copy: PathBuf,
    /// What it is a copy of; none: what the image has there.
    host: Option<PathBuf>,
    /// Where the container sees it.
    path: OsString,
}

impl Supervisor<'_> {
    fn volume_copies(&self, contained: &Contained) -> Vec<Volume> {
        let places = match contained.request.volumes_of.map(|id| self.volumes(id)) {
            Some(Ok(directory)) => directory,
            _ => contained.directory.clone(),
        };
        let mounts = contained.request.mounts.iter().enumerate();
        let volumes = mounts.filter(|(_, mount)| mount.source.is_volume() && !mount.read_only);
        volumes
            .map(|(number, mount)| {
                let path = mount.target.as_bytes();
                let from = path
                    .iter()
                    .position(|&byte| byte != b'/')
                    .unwrap_or(path.len());
                let path = OsStr::from_bytes(&path[from..]).to_owned();
                Volume {
                    copy: places.join(format!("mount{number}")),
                    host: match &mount.source {
                        MountSource::HostCopy(host) => Some(below(&self.layout.host, host)),
                        _ => None,
                    },
                    path,
                }
            })
            .collect()
    }
}

struct Walk<'a> {
    ours: &'a BTreeSet<&'a OsStr>,
    /// What is as in the lower directory was copied there and left alone.
    copied: bool,
}

impl Walk<'_> {
    /// `lower` is the directory of the prepared root at the same path, if it has
    /// one there.
    fn walk(
        &self,
        directory: &OwnedFd,
        lower: Option<&OwnedFd>,
        path: &OsStr,
        list: &mut Vec<Written>,
    ) -> rustix::io::Result<()> {
        let mut names: Vec<OsString> = Vec::new();
        for entry in Dir::read_from(directory)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(&name).to_owned());
            }
        }
        names.sort();
        for name in names {
            if list.len() >= MOST {
                return Ok(());
            }
            let mut full = path.to_owned();
            if !full.is_empty() {
                full.push("/");
            }
            full.push(&name);
            let stat = statat(directory, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            let mut written = Written {
                path: full.clone(),
                change: Change::Special,
                mode: stat.st_mode & 0o7777,
                size_bytes: 0,
                sha256: None,
            };
            match kind {
                FileType::RegularFile | FileType::Symlink
                    if self.copied && is_as_below(lower, &name, &stat) =>
                {
                    continue;
                }
                FileType::RegularFile => {
                    written.change = Change::File;
                    written.size_bytes = u64::try_from(stat.st_size).unwrap_or(0);
                    written.sha256 = hash(directory, &name);
                }
                FileType::Symlink => {
                    written.change = Change::Symlink;
                    let target = readlinkat(directory, &*name, Vec::new())?.into_bytes();
                    written.sha256 = Some(jettison_image::Digest::of(&target).as_bytes().to_vec());
                }
                FileType::Directory => written.change = Change::Directory,
                // The overlay's mark for a removed path.
                FileType::CharacterDevice if stat.st_rdev == 0 => {
                    written.change = Change::Removed;
                    written.mode = 0;
                }
                _ => {}
            }
            let flags = DIRECTORY | OFlags::NOFOLLOW;
            let below = lower.and_then(|lower| openat(lower, &*name, flags, Mode::empty()).ok());
            // The overlay copies a directory up when something in it changes; and
            // a mount point that we made is no work of the program's.
            let same = kind == FileType::Directory
                && below
                    .as_ref()
                    .and_then(|below| rustix::fs::fstat(below).ok())
                    .is_some_and(|old| {
                        (old.st_mode, old.st_uid, old.st_gid)
                            == (stat.st_mode, stat.st_uid, stat.st_gid)
                    });
            if !same && !self.ours.contains(&*full) {
                list.push(written);
            }
            if kind == FileType::Directory {
                let next = openat(directory, &*name, flags, Mode::empty())?;
                self.walk(&next, below.as_ref(), &full, list)?;
            }
        }
        Ok(())
    }
}

/// True when the lower directory has the same under this name, as far as its
/// metadata tells.
fn is_as_below(lower: Option<&OwnedFd>, name: &OsStr, stat: &Stat) -> bool {
    let below = lower.and_then(|lower| statat(lower, name, AtFlags::SYMLINK_NOFOLLOW).ok());
    let facts = |stat: &Stat| {
        let times = (stat.st_mtime, stat.st_mtime_nsec);
        (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_size, times)
    };
    below.is_some_and(|below| facts(&below) == facts(stat))
}

fn hash(directory: &OwnedFd, name: &OsStr) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::empty()).ok()?;
    let mut file = std::fs::File::from(file);
    let mut hasher = Sha256Writer::new(std::io::sink());
    std::io::copy(&mut file.by_ref(), &mut hasher).ok()?;
    Some(hasher.finish().1.as_bytes().to_vec())
}
