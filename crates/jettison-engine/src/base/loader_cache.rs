//! `/etc/ld.so.cache` of a composed system: what ldconfig(8) would find in the
//! directories that the loader and `/etc/ld.so.conf` name.

use std::collections::HashSet;
use std::io::Read;

use jettison_closure::ElfFacts;
use jettison_closure::loader::{CachedLibrary, cache_flags, write_cache};
use jettison_image::{Follow, ImagePath, Node};

use crate::dockerfile::{FileSystem, LayerFiles};

/// Libraries larger than that are taken by their names alone.
const LIBRARY_BYTES: u64 = 64 << 20;
const CONFIGURATION_BYTES: u64 = 1 << 20;
const DIRECTORIES: usize = 1000;
/// Files of configuration, each read once however often it is included.
const CONFIGURATIONS: usize = 1000;

/// The file, and how many libraries it names; none where the machine's kind of
/// library is not known.
pub(super) fn write(files: &LayerFiles, architecture: &str) -> Option<(Vec<u8>, usize)> {
    let flags = cache_flags(architecture)?;
    let bits = match architecture {
        "amd64" | "arm64" | "ppc64el" => 64,
        _ => 32,
    };
    let tree = FileSystem::tree(files);
    let mut directories = Vec::new();
    configured(
        files,
        "/etc/ld.so.conf",
        &mut HashSet::new(),
        &mut directories,
    );
    for standard in ["/lib", "/usr/lib", "/lib64", "/usr/lib64"] {
        directories.push(standard.to_owned());
    }
    let mut seen = HashSet::new();
    let mut libraries = Vec::new();
    for directory in directories.into_iter().take(DIRECTORIES) {
        let Ok(node) = tree.resolve(&directory, Follow::All) else {
            continue;
        };
        // Through the merged /usr one directory has two names; the first counts.
        if !node.is_directory() || !seen.insert(node.id()) {
            continue;
        }
        for child in node.children() {
            if let Some(name) = library(files, node, child, bits) {
                let path = format!("{}/{name}", directory.trim_end_matches('/'));
                libraries.push(CachedLibrary { name, path });
            }
        }
    }
    let names: HashSet<&String> = libraries.iter().map(|one| &one.name).collect();
    let count = names.len();
    Some((write_cache(&libraries, flags), count))
}

/// The name under which ldconfig lists a file, where it lists it.
fn library(files: &LayerFiles, directory: Node<'_>, child: Node<'_>, bits: u8) -> Option<String> {
    let name = std::str::from_utf8(child.name()).ok()?;
    if !(name.starts_with("lib") || name.starts_with("ld-")) || !name.contains(".so") {
        return None;
    }
    let tree = FileSystem::tree(files);
    let file = tree.resolve_from(directory, name, Follow::All).ok()?;
    if !file.is_file() {
        return None;
    }
    if file.size_bytes() > LIBRARY_BYTES {
        return Some(name.to_owned());
    }
    let facts = ElfFacts::read(&read(files, file, LIBRARY_BYTES)?).ok()?;
    if facts.class_bits != bits {
        return None;
    }
    let own = facts.soname.unwrap_or_else(|| name.to_owned());
    // A link for the linker is listed under its own name.
    let is_for_linker = child.link_target().is_some() && name.ends_with(".so") && {
        let target = file.name();
        target.starts_with(name.as_bytes())
    };
    if is_for_linker || own == name {
        return Some(name.to_owned());
    }
    // What programs ask for is there under that name, or would be a link that
    // packages bring themselves.
    None
}

/// The directories of a file of configuration, includes followed.
fn configured(
    files: &LayerFiles,
    path: &str,
    seen: &mut HashSet<String>,
    directories: &mut Vec<String>,
) {
    if seen.len() >= CONFIGURATIONS || !seen.insert(path.to_owned()) {
        return;
    }
    let Some(text) = ImagePath::new(path)
        .ok()
        .and_then(|path| content(files, &path, CONFIGURATION_BYTES))
    else {
        return;
    };
    for line in String::from_utf8_lossy(&text).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include ") {
            Some(pattern) => {
                let (folder, name) = pattern.trim().rsplit_once('/').unwrap_or(("", pattern));
                let tree = FileSystem::tree(files);
                let Ok(node) = tree.resolve(folder, Follow::All) else {
                    continue;
                };
                let ending = name.trim_start_matches('*');
                for child in node.children() {
                    let known = String::from_utf8_lossy(child.name()).into_owned();
                    if known.ends_with(ending) && !child.is_directory() {
                        configured(files, &format!("{folder}/{known}"), seen, directories);
                    }
                }
            }
            None if line.starts_with('/') => directories.push(line.to_owned()),
            None => {}
        }
    }
}

/// A file of the packages, links followed.
pub(super) fn content(files: &LayerFiles, path: &ImagePath, limit: u64) -> Option<Vec<u8>> {
    let tree = FileSystem::tree(files);
    let node = tree.resolve(path.as_bytes(), Follow::All).ok()?;
    read(files, node, limit)
}

fn read(files: &LayerFiles, node: Node<'_>, limit: u64) -> Option<Vec<u8>> {
    if !node.is_file() || node.size_bytes() > limit {
        return None;
    }
    let mut bytes = Vec::new();
    let reader = FileSystem::open(files, node).ok()?;
    reader.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
