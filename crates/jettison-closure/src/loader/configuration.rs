//! Where a loader looks when no object says it: its built-in directories,
//! `/etc/ld.so.conf`, musl's path file.

use jettison_image::Tree;
use memchr::memmem;

use crate::glob::glob;
use crate::world::World;

/// A configuration file is text of a few lines.
const MOST_BYTES: u64 = 1 << 20;
/// Files that includes lead to, and directories that they name.
const MOST_FILES: usize = 1024;
const MOST_DIRECTORIES: usize = 4096;

/// The trusted directories that a glibc loader was built with. They differ
/// from distribution to distribution (multiarch, lib64, a store), so they are
/// read from the loader itself: `system_dirs` in elf/dl-load.c is a run of
/// texts, each with a slash at both ends.
pub(super) fn built_in(data: &[u8]) -> Vec<Vec<u8>> {
    let mut directories: Vec<Vec<u8>> = Vec::new();
    for at in memmem::find_iter(data, b"/\0") {
        let start = data[..at]
            .iter()
            .rposition(|&b| b == 0)
            .map_or(0, |at| at + 1);
        let text = &data[start..=at];
        let is_directory = text.len() > 2
            && text.len() < MOST_DIRECTORIES
            && text.first() == Some(&b'/')
            && text.iter().all(|b| b.is_ascii_graphic())
            && memmem::find(text, b"/lib").is_some();
        if is_directory && directories.len() < 64 {
            let directory = text[..text.len() - 1].to_vec();
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
    }
    directories
}

/// The list of libraries that a glibc loader was built to read.
pub(super) fn cache_file(data: &[u8]) -> Option<Vec<u8>> {
    let at = memmem::find(data, b"/ld.so.cache\0")?;
    let start = data[..at].iter().rposition(|&b| b == 0)? + 1;
    let path = &data[start..at + b"/ld.so.cache".len()];
    (path.first() == Some(&b'/')).then(|| path.to_vec())
}

/// Those of loaders that cannot be read: every directory that some
/// distribution has for the machine.
pub(super) fn usual_directories(machine: u16, is_64: bool) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    for triple in triples(machine, is_64) {
        directories.push(format!("/lib/{triple}"));
        directories.push(format!("/usr/lib/{triple}"));
    }
    let word = if is_64 { "64" } else { "32" };
    for directory in ["/lib", "/usr/lib"] {
        directories.push(format!("{directory}{word}"));
    }
    directories.extend(["/lib".to_owned(), "/usr/lib".to_owned()]);
    directories.into_iter().map(String::into_bytes).collect()
}

/// Debian's names of a machine.
pub(super) fn triples(machine: u16, is_64: bool) -> &'static [&'static str] {
    match (machine, is_64) {
        (62, true) => &["x86_64-linux-gnu"],
        (62, false) => &["x86_64-linux-gnux32"],
        (3, _) => &["i386-linux-gnu"],
        (183, _) => &["aarch64-linux-gnu"],
        (40, _) => &["arm-linux-gnueabihf", "arm-linux-gnueabi"],
        (243, true) => &["riscv64-linux-gnu"],
        (22, true) => &["s390x-linux-gnu"],
        (21, true) => &["powerpc64le-linux-gnu", "powerpc64-linux-gnu"],
        (258, true) => &["loongarch64-linux-gnu"],
        _ => &[],
    }
}

/// The directories of `/etc/ld.so.conf`, which ldconfig reads: one in a line,
/// comments behind `#`, `include` with patterns.
pub(super) fn ld_so_conf(world: &World<'_>) -> Vec<Vec<u8>> {
    let mut directories = Vec::new();
    let mut seen = Vec::new();
    let mut open = vec![b"/etc/ld.so.conf".to_vec()];
    while let Some(path) = open.pop() {
        if seen.len() >= MOST_FILES || seen.contains(&path) {
            continue;
        }
        let text = read(world, &path).unwrap_or_default();
        let mut included = Vec::new();
        for line in text.split(|&b| b == b'\n') {
            let line = line.split(|&b| b == b'#').next().unwrap_or_default();
            let mut words = line
                .split(|b| b.is_ascii_whitespace() || matches!(b, b':' | b','))
                .filter(|word| !word.is_empty());
            let Some(first) = words.next() else { continue };
            match first {
                b"include" => {
                    included.extend(words.flat_map(|word| files(world.tree, &path, word)))
                }
                b"hwcap" => {}
                _ => {
                    for word in std::iter::once(first).chain(words) {
                        // `directory=type` of libc5's days.
                        let word = word.split(|&b| b == b'=').next().unwrap_or_default();
                        if word.first() == Some(&b'/') && directories.len() < MOST_DIRECTORIES {
                            directories.push(word.to_vec());
                        }
                    }
                }
            }
        }
        included.truncate(MOST_FILES);
        included.reverse();
        open.extend(included);
        seen.push(path);
    }
    directories
}

fn files(tree: &Tree, of: &[u8], pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut absolute = Vec::new();
    if pattern.first() != Some(&b'/') {
        let end = of.iter().rposition(|&b| b == b'/').unwrap_or(0);
        absolute.extend_from_slice(&of[..=end]);
    }
    absolute.extend_from_slice(pattern);
    glob(tree, &absolute)
        .into_iter()
        .map(|(path, _)| path)
        .collect()
}

/// Where musl looks: the path file beside its loader's prefix, or what it was
/// built with (ldso/dynlink.c, `sys_path`). The second is the path file.
pub(super) fn musl(world: &World<'_>, interpreter: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let name_at = interpreter.iter().rposition(|&b| b == b'/').unwrap_or(0);
    let prefix_end = interpreter[..name_at]
        .iter()
        .rposition(|&b| b == b'/')
        .unwrap_or(0);
    let name = interpreter.get(name_at + 1..).unwrap_or_default();
    let arch = name
        .strip_prefix(b"ld-musl-".as_slice())
        .and_then(|rest| rest.split(|&b| b == b'.').next())
        .unwrap_or(b"x86_64");
    let path = [&interpreter[..prefix_end], b"/etc/ld-musl-", arch, b".path"].concat();
    match read(world, &path) {
        Some(text) => (
            text.split(|b| matches!(b, b':' | b'\n'))
                .filter(|directory| !directory.is_empty())
                .take(MOST_DIRECTORIES)
                .map(<[u8]>::to_vec)
                .collect(),
            Some(path),
        ),
        None => (
            [b"/lib".as_slice(), b"/usr/local/lib", b"/usr/lib"]
                .into_iter()
                .map(<[u8]>::to_vec)
                .collect(),
            None,
        ),
    }
}

/// The words of a file of library names: white space, colons, comments.
pub(super) fn preload_file(world: &World<'_>) -> Vec<Vec<u8>> {
    let text = read(world, b"/etc/ld.so.preload").unwrap_or_default();
    text.split(|&b| b == b'\n')
        .filter_map(|line| line.split(|&b| b == b'#').next())
        .flat_map(|line| line.split(|b| b.is_ascii_whitespace() || *b == b':'))
        .filter(|word| !word.is_empty())
        .take(MOST_FILES)
        .map(<[u8]>::to_vec)
        .collect()
}

fn read(world: &World<'_>, path: &[u8]) -> Option<Vec<u8>> {
    let node = world.file(path)?;
    Some(world.contents.read(node, MOST_BYTES).ok()?.into_owned())
}
