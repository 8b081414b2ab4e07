//! One thread of the container, seen from outside: its memory, its open
//! files, its rights.
//!
//! Memory is read with `process_vm_readv`, and where that is refused (profiles
//! of old container engines) through `/proc/PID/mem`.

use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{CWD, Mode, OFlags, readlinkat};
use rustix::io::Errno;

use super::raw;

/// PATH_MAX of the kernel, with the terminating zero.
const PATH_BYTES: usize = 4096;
const PAGE: u64 = 4096;

/// Why memory could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// The address is wrong: the call itself fails with EFAULT.
    Fault,
    /// The text is longer than the kernel takes: ENAMETOOLONG.
    TooLong,
    /// We are not let, or it is gone.
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) pid: i32,
}

impl Task {
    /// Some bytes; fewer where the memory ends.
    fn some(self, address: u64, into: &mut [u8]) -> Result<usize, Unread> {
        let unread = |e: io::Error| match e.raw_os_error() {
            Some(libc::EFAULT | libc::EIO) => Unread::Fault,
            _ => Unread::Refused,
        };
        match raw::read_memory(self.pid, address, into) {
            Ok(count) => Ok(count),
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                let memory = std::fs::File::open(format!("/proc/{}/mem", self.pid));
                let memory = memory.map_err(unread)?;
                memory.read_at(into, address).map_err(unread)
            }
            Err(e) => Err(unread(e)),
        }
    }

    /// Exactly this many bytes.
    pub(super) fn bytes<const N: usize>(self, address: u64) -> Result<[u8; N], Unread> {
        let mut bytes = [0; N];
        match self.some(address, &mut bytes)? {
            count if count == N => Ok(bytes),
            _ => Err(Unread::Fault),
        }
    }

    /// The first `length` bytes of a buffer of N.
    pub(super) fn up_to<const N: usize>(
        self,
        address: u64,
        length: usize,
    ) -> Result<[u8; N], Unread> {
        let mut bytes = [0; N];
        let length = length.min(N);
        match self.some(address, &mut bytes[..length])? {
            count if count == length => Ok(bytes),
            _ => Err(Unread::Fault),
        }
    }

    /// Appends a text that ends with a zero, up to `most` bytes of it.
    fn text(self, mut address: u64, most: usize, into: &mut Vec<u8>) -> Result<bool, Unread> {
        let start = into.len();
        // Most paths are short, and never read beyond the page: the next may
        // not be there.
        let mut chunk = [0; 512];
        loop {
            let left = most.saturating_sub(into.len() - start);
            if left == 0 {
                return Ok(false);
            }
            let page = usize::try_from(PAGE - address % PAGE).unwrap_or(1);
            let size = page.min(chunk.len()).min(left);
            let count = self.some(address, &mut chunk[..size])?;
            if count == 0 {
                return Err(Unread::Fault);
            }
            let chunk = &chunk[..count];
            if let Some(end) = chunk.iter().position(|&b| b == 0) {
                into.extend_from_slice(&chunk[..end]);
                return Ok(true);
            }
            into.extend_from_slice(chunk);
            address = address.checked_add(count as u64).ok_or(Unread::Fault)?;
        }
    }

    /// A path of a system call.
    pub(super) fn path(self, address: u64, into: &mut Vec<u8>) -> Result<(), Unread> {
        if address == 0 {
            return Err(Unread::Fault);
        }
        into.clear();
        match self.text(address, PATH_BYTES, into)? {
            true => Ok(()),
            false => Err(Unread::TooLong),
        }
    }

    /// The arguments of a program: 64 at most, of 4 KiB at most.
    pub(super) fn arguments(self, mut address: u64, pointer: usize) -> Vec<String> {
        let mut list = Vec::new();
        let mut text = Vec::new();
        while list.len() < 64 && address != 0 {
            let next = match pointer {
                4 => self
                    .bytes::<4>(address)
                    .map(|b| u32::from_ne_bytes(b).into()),
                _ => self.bytes::<8>(address).map(u64::from_ne_bytes),
            };
            let Ok(next) = next else { break };
            if next == 0 {
                break;
            }
            text.clear();
            if self.text(next, 4096, &mut text).is_err() {
                break;
            }
            list.push(String::from_utf8_lossy(&text).into_owned());
            address = address.saturating_add(pointer as u64);
        }
        list
    }

    /// Where a link of its directory in `/proc` leads: `cwd`, `root`, `exe`, `fd/3`.
    pub(super) fn link(self, name: &str) -> Result<Vec<u8>, Errno> {
        let link = readlinkat(CWD, format!("/proc/{}/{name}", self.pid), Vec::new())?;
        Ok(link.into_bytes())
    }

    pub(super) fn open(self, name: &str) -> Result<std::os::fd::OwnedFd, Errno> {
        let path = format!("/proc/{}/{name}", self.pid);
        rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }

    /// Whom the kernel takes it for.
    pub(super) fn rights(self) -> Option<Rights> {
        let status = std::fs::read(format!("/proc/{}/status", self.pid)).ok()?;
        Rights::parse(&String::from_utf8_lossy(&status))
    }
}

/// User, groups and capabilities of a thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rights {
    real: (u32, u32),
    of_files: (u32, u32),
    groups: Vec<u32>,
    effective: u64,
    permitted: u64,
}

/// Owner, group and mode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
}

/// CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
const OVERRIDE: u64 = 1 << 1;
const READ_SEARCH: u64 = 1 << 2;

impl Rights {
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.split_whitespace().collect::<Vec<_>>())
        };
        let number = |fields: &[&str], index: usize| fields.get(index)?.parse::<u32>().ok();
        let (uids, gids) = (field("Uid:")?, field("Gid:")?);
        let set = |name: &str| u64::from_str_radix(field(name)?.first()?, 16).ok();
        Some(Self {
            real: (number(&uids, 0)?, number(&gids, 0)?),
            of_files: (number(&uids, 3)?, number(&gids, 3)?),
            groups: field("Groups:")?
                .iter()
                .filter_map(|group| group.parse().ok())
                .collect(),
            effective: set("CapEff:")?,
            permitted: set("CapPrm:")?,
        })
    }

    /// What `access` looks at: the real user instead of the effective one.
    pub(super) fn really(self) -> Self {
        Self {
            of_files: self.real,
            effective: if self.real.0 == 0 { self.permitted } else { 0 },
            ..self
        }
    }

    /// Whether it may do what `wanted` says (read 4, write 2, execute or
    /// search 1) with a file; without access control lists.
    pub(super) fn allow(&self, file: Owner, wanted: u32) -> bool {
        let class = if self.of_files.0 == file.uid {
            file.mode >> 6
        } else if self.of_files.1 == file.gid || self.groups.contains(&file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        if class & wanted == wanted {
            return true;
        }
        let directory = file.mode & libc::S_IFMT == libc::S_IFDIR;
        if self.effective & OVERRIDE != 0 {
            return directory || wanted & 1 == 0 || file.mode & 0o111 != 0;
        }
        let only_reads = wanted == 4 || directory && wanted & 2 == 0;
        self.effective & READ_SEARCH != 0 && only_reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_the_kernels() {
        let status = |uid: u32, capabilities: &str| {
            let text = format!(
                "Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t5\t5\t5\t5\n\
                 Groups:\t7 8 \nCapPrm:\t{capabilities}\nCapEff:\t{capabilities}\n"
            );
            Rights::parse(&text).unwrap()
        };
        let check = |rights: &Rights, uid, gid, mode, wanted, expected| {
            let file = Owner { uid, gid, mode };
            assert_eq!(rights.allow(file, wanted), expected, "{file:?} {wanted}");
        };
        let web = status(33, "0");
        check(&web, 0, 0, 0o100_644, 4, true);
        check(&web, 0, 0, 0o100_644, 2, false);
        check(&web, 0, 0, 0o100_640, 4, false);
        check(&web, 0, 8, 0o100_640, 4, true);
        check(&web, 33, 0, 0o100_044, 4, false);
        check(&web, 0, 0, 0o040_700, 1, false);
        let root = status(0, "00000000a80425fb");
        check(&root, 33, 33, 0o100_000, 6, true);
        check(&root, 33, 33, 0o100_644, 1, false);
        check(&root, 33, 33, 0o040_000, 1, true);
        let bare = status(0, "0");
        check(&bare, 33, 33, 0o100_600, 4, false);
    }

    #[test]
    fn memory_is_read_up_to_its_end() {
        let task = Task {
            pid: rustix::process::getpid().as_raw_nonzero().get(),
        };
        let mut into = Vec::new();
        let text = c"/etc/passwd";
        task.path(text.as_ptr().addr() as u64, &mut into).unwrap();
        assert_eq!(into, b"/etc/passwd");
        assert_eq!(task.path(0, &mut into), Err(Unread::Fault));
        assert_eq!(task.path(8, &mut into), Err(Unread::Fault));
        let long = vec![b'a'; 5000];
        let at = long.as_ptr().addr() as u64;
        assert_eq!(task.path(at, &mut into), Err(Unread::TooLong));
    }
}
