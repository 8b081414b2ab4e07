//! What the kernel opens by itself when it executes a file: the interpreter
//! of a script, the loader of an ELF program.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};

use super::resolve::Looked;
use super::task::Task;

/// BINPRM_BUF_SIZE of the kernel: what it looks at of a script.
const HEAD: usize = 256;
/// The kernel takes no more program headers (fs/binfmt_elf.c).
const HEADERS: usize = 65536;
const PT_INTERP: u32 = 3;

/// A file about to be executed.
#[derive(Debug)]
pub(super) struct Binary(File);

/// What a file wants to be run by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) path: Vec<u8>,
    /// Has no interpreter of its own.
    pub(super) is_loader: bool,
}

impl Binary {
    /// Opens what a lookup found.
    pub(super) fn open(task: Task, looked: &Looked) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = match &looked.parent {
            Some(parent) => {
                let name = looked.path.rsplit(|&b| b == b'/').next()?;
                rustix::fs::openat(parent.fd(), name, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            // Reached by a link of /proc, whose text leads there for us too.
            None => {
                let root = task.open("root").ok()?;
                rustix::fs::openat(root, &*looked.path, flags, Mode::empty())
            }
        };
        Self::of(fd.ok()?.into())
    }

    /// Opens what a process has open.
    pub(super) fn open_link(task: Task, number: i32) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = format!("/proc/{}/fd/{number}", task.pid);
        Self::of(rustix::fs::open(path, flags, Mode::empty()).ok()?.into())
    }

    fn of(file: File) -> Option<Self> {
        let kind = file.metadata().ok()?.file_type();
        kind.is_file().then_some(Self(file))
    }

    fn bytes(&self, at: u64, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let mut count = 0;
        while count < most {
            match self.0.read_at(&mut bytes[count..], at + count as u64) {
                Ok(0) | Err(_) => break,
                Ok(more) => count += more,
            }
        }
        bytes.truncate(count);
        bytes
    }
}

pub(super) fn interpreter(binary: &Binary) -> Option<Interpreter> {
    let head = binary.bytes(0, HEAD);
    if head.starts_with(b"#!") {
        return script(&head).map(|path| Interpreter {
            path,
            is_loader: false,
        });
    }
    loader(&head, |at, most| binary.bytes(at, most)).map(|path| Interpreter {
        path,
        is_loader: true,
    })
}

/// The first word after `#!` (fs/binfmt_script.c).
fn script(head: &[u8]) -> Option<Vec<u8>> {
    let line = head.get(2..)?.split(|&b| b == b'\n').next()?;
    let space = |b: &u8| matches!(b, b' ' | b'\t');
    let start = line.iter().position(|b| !space(b))?;
    let word = &line[start..];
    let end = word.iter().position(|b| space(b) || *b == 0);
    let word = &word[..end.unwrap_or(word.len())];
    (!word.is_empty()).then(|| word.to_vec())
}

/// The path of PT_INTERP (System V ABI, ELF format); `read` is given an
/// offset and the most bytes.
fn loader(head: &[u8], read: impl Fn(u64, usize) -> Vec<u8>) -> Option<Vec<u8>> {
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let wide = match head.get(4)? {
        1 => false,
        2 => true,
        _ => return None,
    };
    let little = *head.get(5)? == 1;
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(size)?)?;
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if little {
            bytes.iter().rev().fold(0, fold)
        } else {
            bytes.iter().fold(0, fold)
        })
    };
    let word = if wide { 8 } else { 4 };
    let (table, size, count) = if wide { (32, 54, 56) } else { (28, 42, 44) };
    let table = number(head, table, word)?;
    let size = usize::try_from(number(head, size, 2)?).ok()?;
    let count = usize::try_from(number(head, count, 2)?).ok()?;
    if size < 32 {
        return None;
    }
    let headers = read(table, (size * count).min(HEADERS));
    let (offset, length) = if wide { (8, 32) } else { (4, 16) };
    let header = headers
        .chunks_exact(size)
        .find(|header| number(header, 0, 4) == Some(PT_INTERP.into()))?;
    let length = usize::try_from(number(header, length, word)?).ok()?;
    let mut path = read(number(header, offset, word)?, length.min(4096));
    let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
    path.truncate(end);
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read_as_the_kernel_reads_them() {
        #[track_caller]
        fn check(head: &str, expected: Option<&str>) {
            let found = script(head.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes));
        }
        check("#!/bin/sh\necho", Some("/bin/sh"));
        check("#! \t/usr/bin/env python3\n", Some("/usr/bin/env"));
        check("#!/bin/sh", Some("/bin/sh"));
        check("#!sh -e\n", Some("sh"));
        check("#!\n/bin/sh", None);
        check("#!  ", None);
    }

    #[test]
    fn our_own_loader_is_the_one_that_runs_us() {
        let file = File::open("/proc/self/exe").unwrap();
        let binary = Binary::of(file).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        match interpreter(&binary) {
            Some(found) => {
                let real = std::fs::canonicalize(std::str::from_utf8(&found.path).unwrap());
                assert!(maps.contains(real.unwrap().to_str().unwrap()));
            }
            None => assert!(!maps.contains("/ld-")),
        }
    }

    #[test]
    fn broken_programs_name_no_loader() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let read = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            move |at: u64, most: usize| {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                bytes[at..(at + most).min(bytes.len())].to_vec()
            }
        };
        for end in 0..64 {
            let _ = loader(&file[..end], read(&file[..end]));
        }
        let mut wild = file[..4096].to_vec();
        for at in 24..64 {
            wild[at] = 0xff;
            let _ = loader(&wild[..256], read(&wild));
        }
    }
}
