//! The file system of an image as the Docker engine exports it, read by the `tar` crate: not by jettison's own reader, which is
//! what is on trial.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::client::Client;
use crate::Problem;

/// A path without its leading slash, in bytes: names need not be UTF-8.
pub(crate) type Path = Vec<u8>;

/// What the engine makes in every container by itself.
const OF_THE_ENGINE: &[&[u8]] = &[
    b".dockerenv",
    b"dev",
    b"proc",
    b"sys",
    b"etc/hostname",
    b"etc/hosts",
    b"etc/mtab",
    b"etc/resolv.conf",
];

/// Where the engine puts some of that, which makes the time of the directory the time of the container.
const TOUCHED_BY_THE_ENGINE: &[u8] = b"etc";

/// Everything that a file system says of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: char,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) size_bytes: u64,
    pub(crate) modified_s: u64,
    /// Of a symbolic link.
    pub(crate) target: Path,
    pub(crate) device: (u32, u32),
    pub(crate) content: Option<String>,
    /// Extended attributes, file capabilities among them.
    pub(crate) attributes: BTreeMap<String, Vec<u8>>,
    /// The first name of the same file; its own for a file with one name.
    pub(crate) first_name: Path,
}

/// All paths of an image.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) entries: BTreeMap<Path, Entry>,
}

impl Tree {
    /// Makes a container, never started, and reads what it has.
    pub(crate) fn export(client: &Client, image: &str) -> Result<Self, Problem> {
        // The image need not have a command; it is never run.
        let container = client.demand(&["create", image, "/none"])?;
        let tree = Self::of_container(client, &container);
        client.succeeds(&["rm", "--force", "--volumes", &container]);
        tree
    }

    fn of_container(client: &Client, container: &str) -> Result<Self, Problem> {
        let mut child = client
            .command(Duration::from_secs(300))
            .args(["export", container])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut pipe = child.stdout.take().ok_or("no pipe")?;
        let tree = Self::read(&mut pipe);
        // Behind the archive's end there is more, which its writer must get rid of.
        std::io::copy(&mut pipe, &mut std::io::sink())?;
        let status = child.wait()?;
        if !status.success() {
            return Err("docker export failed".into());
        }
        tree
    }

    fn read(input: impl Read) -> Result<Self, Problem> {
        let mut archive = tar::Archive::new(input);
        let mut tree = Self::default();
        for file in archive.entries()? {
            let mut file = file?;
            let mut attributes = BTreeMap::new();
            for extension in file.pax_extensions()?.into_iter().flatten() {
                let extension = extension?;
                if let Some(name) = extension.key()?.strip_prefix("SCHILY.xattr.") {
                    attributes.insert(name.to_owned(), extension.value_bytes().to_vec());
                }
            }
            let path = clean(&file.path_bytes());
            let header = file.header();
            let kind = header.entry_type();
            if path.is_empty() || is_of_the_engine(&path) {
                continue;
            }
            let target = file.link_name_bytes().map(|name| name.to_vec());
            let mut entry = Entry {
                kind: letter(kind),
                mode: header.mode()?,
                owner: (header.uid()?, header.gid()?),
                size_bytes: file.size(),
                modified_s: match path == TOUCHED_BY_THE_ENGINE {
                    true => 0,
                    false => header.mtime()?,
                },
                target: Path::new(),
                device: (
                    header.device_major()?.unwrap_or(0),
                    header.device_minor()?.unwrap_or(0),
                ),
                content: None,
                attributes,
                first_name: path.clone(),
            };
            match (kind.is_hard_link(), target) {
                (true, Some(target)) => {
                    let first = clean(&target);
                    let other = tree
                        .entries
                        .get(&first)
                        .ok_or("a hard link to nothing in the export")?;
                    entry = Entry {
                        first_name: first,
                        ..other.clone()
                    };
                }
                (false, Some(target)) => entry.target = target,
                _ if entry.kind == 'f' => entry.content = Some(digest(&mut file)?),
                _ => {}
            }
            tree.entries.insert(path, entry);
        }
        Ok(tree)
    }

    /// Bytes of all files, those with several names once.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.entries
            .iter()
            .filter(|(path, entry)| **path == entry.first_name)
            .map(|(_, entry)| entry.size_bytes)
            .sum()
    }

    /// All names of one file.
    pub(crate) fn names<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Path> {
        self.entries
            .iter()
            .filter(|(_, other)| other.kind == 'f' && other.first_name == entry.first_name)
            .map(|(path, _)| path)
    }

    /// What these paths are, in a form that can be compared and read.
    pub(crate) fn describe(&self, paths: &[String]) -> String {
        let mut text = String::new();
        for path in paths {
            // `\xFF` in case.toml stands for a byte that is not UTF-8.
            let wanted = bytes_of(path.trim_start_matches('/'));
            match self.entries.get(&wanted) {
                Some(entry) => {
                    let _ = writeln!(
                        text,
                        "{path}: {} {:o} {}:{} {} {} -> {} {:?} {} {:?} {} names",
                        entry.kind,
                        entry.mode,
                        entry.owner.0,
                        entry.owner.1,
                        entry.size_bytes,
                        entry.modified_s,
                        String::from_utf8_lossy(&entry.target),
                        entry.device,
                        entry.content.as_deref().unwrap_or("-"),
                        entry.attributes,
                        self.names(entry).count(),
                    );
                }
                None => {
                    let _ = writeln!(text, "{path}: missing");
                }
            }
        }
        text
    }
}

fn letter(kind: tar::EntryType) -> char {
    match kind {
        kind if kind.is_dir() => 'd',
        kind if kind.is_symlink() => 'l',
        kind if kind.is_fifo() => 'p',
        kind if kind.is_character_special() => 'c',
        kind if kind.is_block_special() => 'b',
        _ => 'f',
    }
}

fn clean(path: &[u8]) -> Path {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path).to_vec()
}

fn is_of_the_engine(path: &[u8]) -> bool {
    OF_THE_ENGINE.iter().any(|own| {
        path.strip_prefix(*own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    })
}

fn digest(input: &mut impl Read) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn bytes_of(text: &str) -> Path {
    let mut bytes = Path::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        let code = rest
            .get(at + 2..at + 4)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &rest[at + 4..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::{bytes_of, is_of_the_engine};

    #[test]
    fn names_need_not_be_utf8() {
        assert_eq!(bytes_of("a\\xffb"), b"a\xffb");
        assert_eq!(bytes_of("a\\xzz"), b"a\\xzz");
        assert_eq!(bytes_of("plain"), b"plain");
    }

    #[test]
    fn what_the_engine_makes() {
        assert!(is_of_the_engine(b"dev/console"));
        assert!(is_of_the_engine(b"proc"));
        assert!(!is_of_the_engine(b"devices"));
        assert!(!is_of_the_engine(b"etc/hosts.allow"));
    }
}
