//! Where a name is looked for: the order of the directories, by the rules of
//! the C library whose loader it is.

use jettison_image::{Follow, Node};

use super::cache::flags_of;
use super::configuration::{self, triples};
use super::object::Object;
use super::paths::{absolute, directory_of, joined};
use super::session::{Member, Session};
use super::{Flavour, paths};

/// Directories in which one closure looks; the worst honest one is a few thousand.
const MOST_LOOKUPS: usize = 4_000_000;
/// Directories of one search path.
const MOST_DIRECTORIES: usize = 2048;

/// A file that a search opens.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) node: Node<'a>,
    /// The path under which it is opened.
    pub(super) path: Vec<u8>,
}

/// What a search gives.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) place: Option<Place<'a>>,
    /// The same library for certain processors.
    pub(super) variants: Vec<Place<'a>>,
    /// The list of libraries told where it is.
    pub(super) by_cache: bool,
}

/// What the image and its loader contribute to every search.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// LD_LIBRARY_PATH.
    pub(super) library_path: Vec<Vec<u8>>,
    /// The directories that the loader knows itself.
    pub(super) default: Vec<Vec<u8>>,
    /// glibc's list of libraries; musl's path file.
    pub(super) list: Option<Vec<u8>>,
}

impl Surroundings {
    pub(super) fn of(session: &Session<'_, '_>, loader: Option<&Object>) -> Self {
        let world = &session.loader.world;
        let library_path = world.environment.get("LD_LIBRARY_PATH");
        let separators: &[u8] = match session.flavour {
            Flavour::Glibc => b":;",
            Flavour::Musl => b":\n",
        };
        let library_path = library_path
            .filter(|path| !path.is_empty())
            .map(|path| session.directories(path.as_bytes(), separators, 0))
            .unwrap_or_default();
        let kind = session.members[0].object.kind;
        let (default, list) = match session.flavour {
            Flavour::Musl => {
                let interpreter = session.members[0].object.interpreter.as_deref();
                let interpreter = interpreter.unwrap_or("/lib/ld-musl-x86_64.so.1");
                configuration::musl(world, interpreter.as_bytes())
            }
            Flavour::Glibc => {
                let built_in = loader.map(|loader| loader.built_in.clone());
                let default = built_in
                    .filter(|directories| !directories.is_empty())
                    .unwrap_or_else(|| configuration::usual_directories(kind.machine, kind.is_64));
                let list = loader.and_then(|loader| loader.cache_file.clone());
                (
                    default,
                    Some(list.unwrap_or_else(|| b"/etc/ld.so.cache".to_vec())),
                )
            }
        };
        Self {
            library_path,
            default,
            list,
        }
    }
}

impl<'a> Session<'_, 'a> {
    /// Looks for a name that the object `by` asks for.
    pub(super) fn search(&mut self, name: &[u8], by: usize) -> Found<'a> {
        if name.contains(&b'/') {
            let path = absolute(&self.loader.world, name);
            return Found {
                place: self.open_path(&path),
                ..Found::default()
            };
        }
        match self.flavour {
            Flavour::Glibc => self.search_glibc(name, by),
            Flavour::Musl => self.search_musl(name, by),
        }
    }

    /// elf/dl-load.c, `_dl_map_object`: RPATH of the object and of those that
    /// loaded it, unless it has a RUNPATH; LD_LIBRARY_PATH; RUNPATH;
    /// ld.so.cache; the built-in directories.
    fn search_glibc(&mut self, name: &[u8], by: usize) -> Found<'a> {
        let mut found = Found::default();
        let has_runpath = self.members[by].object.dynamic.runpath.is_some();
        let mut lists = Vec::new();
        if !has_runpath {
            let mut chain = self.chain(by);
            // The program's own counts even where it did not load the object.
            if !chain.contains(&0) {
                chain.push(0);
            }
            lists.extend(chain.into_iter().map(|at| self.members[at].rpath.clone()));
        }
        lists.push(self.surroundings.library_path.clone());
        lists.push(self.members[by].runpath.clone());
        for directories in lists {
            if self.in_directories(&directories, name, &mut found) {
                return found;
            }
        }

        let no_default = self.members[by].object.dynamic.no_default_directories;
        let default = self.surroundings.default.clone();
        if let Some(list) = self.surroundings.list.clone() {
            let skipped: &[Vec<u8>] = if no_default { &default } else { &[] };
            if self.in_cache(&list, name, skipped, &mut found) {
                return found;
            }
        }
        if !no_default && self.in_directories(&default, name, &mut found) {
            return found;
        }
        // Not read by the loader, but by the ldconfig that an entry point may
        // run: a list of libraries that is not there yet.
        let list = self.surroundings.list.as_deref();
        if list.is_some_and(|list| self.loader.world.file(list).is_none()) {
            let configured = self.loader.configured().to_vec();
            self.in_directories(&configured, name, &mut found);
        }
        found
    }

    /// ldso/dynlink.c, `load_library`: LD_LIBRARY_PATH; RPATH or RUNPATH of the
    /// object and of those that loaded it; the path file or the built-in ones.
    fn search_musl(&mut self, name: &[u8], by: usize) -> Found<'a> {
        let mut found = Found::default();
        let mut lists = vec![self.surroundings.library_path.clone()];
        for at in self.chain(by) {
            lists.push(self.members[at].runpath.clone());
        }
        lists.push(self.surroundings.default.clone());
        for directories in lists {
            if self.in_directories(&directories, name, &mut found) {
                break;
            }
        }
        found.variants.clear();
        found
    }

    /// The object and those that loaded it, up to the program.
    fn chain(&self, from: usize) -> Vec<usize> {
        std::iter::successors(Some(from), |&at| self.members[at].by)
            .take(self.members.len())
            .collect()
    }

    fn in_directories(
        &mut self,
        directories: &[Vec<u8>],
        name: &[u8],
        found: &mut Found<'a>,
    ) -> bool {
        for path in directories {
            self.lookups += 1;
            if self.lookups > MOST_LOOKUPS {
                return false;
            }
            let Some(directory) = self.loader.directory(path) else {
                continue;
            };
            for (variant, node) in &directory.variants {
                found.variants.extend(self.open_in(*node, variant, name));
            }
            if let Some(place) = self.open_in(directory.node, path, name) {
                found.place = Some(place);
                return true;
            }
        }
        false
    }

    fn in_cache(
        &mut self,
        list: &[u8],
        name: &[u8],
        skipped: &[Vec<u8>],
        found: &mut Found<'a>,
    ) -> bool {
        let cache = self.loader.cache(list);
        let kind = self.members[0].object.kind;
        let flags = flags_of(kind.machine, kind.is_64);
        for cached in cache.get(name) {
            if flags.is_some_and(|flags| flags != cached.flags)
                || skipped
                    .iter()
                    .any(|directory| cached.path.starts_with(directory))
            {
                continue;
            }
            let place = self.open_path(&cached.path);
            if cached.is_variant {
                found.variants.extend(place);
            } else if place.is_some() {
                found.place = place;
                found.by_cache = true;
                return true;
            } else if flags.is_some() {
                // The loader takes the list at its word once.
                return false;
            }
        }
        false
    }

    fn open_in(&self, directory: Node<'a>, path: &[u8], name: &[u8]) -> Option<Place<'a>> {
        let tree = self.loader.world.tree;
        let node = tree.resolve_from(directory, name, Follow::All).ok()?;
        self.checked(node, || joined(path, &[name]))
    }

    fn open_path(&self, path: &[u8]) -> Option<Place<'a>> {
        let node = self.loader.world.tree.resolve(path, Follow::All).ok()?;
        self.checked(node, || path.to_vec())
    }

    /// Files of another class or machine are passed over (elf/dl-load.c, `open_verify`).
    fn checked(&self, node: Node<'a>, path: impl FnOnce() -> Vec<u8>) -> Option<Place<'a>> {
        let object = self.loader.object(node)?;
        (object.kind == self.members[0].object.kind).then(|| Place { node, path: path() })
    }

    /// A search path taken apart, names like `$ORIGIN` replaced for the object
    /// `of`. A name with several values gives several directories.
    pub(super) fn directories(&self, path: &[u8], separators: &[u8], of: usize) -> Vec<Vec<u8>> {
        let world = &self.loader.world;
        let mut directories = Vec::new();
        for element in path.split(|b| separators.contains(b)) {
            if element.is_empty() {
                // An empty element is the working directory; musl has none.
                if self.flavour == Flavour::Glibc {
                    directories.push(absolute(world, b"."));
                }
                continue;
            }
            for directory in self.expanded(element, of) {
                directories.push(absolute(world, &directory));
            }
            if directories.len() >= MOST_DIRECTORIES {
                break;
            }
        }
        directories
    }

    /// `$ORIGIN`, `$LIB` and `$PLATFORM`, braces or not (ld.so(8), "Dynamic
    /// string tokens"); musl knows the first one only.
    pub(super) fn expanded(&self, text: &[u8], of: usize) -> Vec<Vec<u8>> {
        const MOST: usize = 64;
        let kind = self.members[of].object.kind;
        let mut made = vec![Vec::new()];
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'$', rest) {
            for path in &mut made {
                path.extend_from_slice(&rest[..at]);
            }
            rest = &rest[at..];
            let Some((token, length)) = token(rest) else {
                for path in &mut made {
                    path.push(b'$');
                }
                rest = &rest[1..];
                continue;
            };
            let values: Vec<Vec<u8>> = match (token, self.flavour) {
                (Token::Origin, _) => vec![directory_of(&self.members[of].path).to_vec()],
                (_, Flavour::Musl) => return Vec::new(),
                (Token::Lib, _) => triples(kind.machine, kind.is_64)
                    .iter()
                    .map(|triple| format!("lib/{triple}").into_bytes())
                    .chain([
                        if kind.is_64 {
                            b"lib64".to_vec()
                        } else {
                            b"lib32".to_vec()
                        },
                        b"lib".to_vec(),
                    ])
                    .collect(),
                (Token::Platform, _) => platforms(kind.machine)
                    .iter()
                    .map(|name| name.as_bytes().to_vec())
                    .collect(),
            };
            made = made
                .iter()
                .flat_map(|path| {
                    values
                        .iter()
                        .map(move |value| [&path[..], &value[..]].concat())
                })
                .take(MOST)
                .collect();
            rest = &rest[length..];
        }
        for path in &mut made {
            path.extend_from_slice(rest);
        }
        made
    }
}

#[derive(Clone, Copy)]
enum Token {
    Origin,
    Lib,
    Platform,
}

fn token(text: &[u8]) -> Option<(Token, usize)> {
    for (name, token) in [
        ("ORIGIN", Token::Origin),
        ("LIB", Token::Lib),
        ("PLATFORM", Token::Platform),
    ] {
        let behind = text.strip_prefix(b"$")?;
        if let Some(rest) = behind.strip_prefix(name.as_bytes()) {
            // `$LIBRARY` is not `$LIB`.
            let goes_on = rest
                .first()
                .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
            if !goes_on {
                return Some((token, name.len() + 1));
            }
        }
        let braced = behind
            .strip_prefix(b"{")
            .and_then(|rest| rest.strip_prefix(name.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&b'}'));
        if braced {
            return Some((token, name.len() + 3));
        }
    }
    None
}

/// AT_PLATFORM and what glibc makes of it (`dl_platform`), by machine.
fn platforms(machine: u16) -> &'static [&'static str] {
    match machine {
        62 => &["x86_64", "haswell", "xeon_phi"],
        3 => &["i686", "i586", "i386"],
        183 => &["aarch64"],
        40 => &["v7l", "v8l", "v6l"],
        21 => &["power8", "power9", "power10"],
        22 => &["z13", "z14", "z15", "z16"],
        _ => &[],
    }
}

impl<'a> Member<'a> {
    /// The paths that the object brings, before they are taken apart.
    pub(super) fn search_paths(&self, flavour: Flavour) -> (Option<&str>, Option<&str>) {
        let dynamic = &self.object.dynamic;
        match flavour {
            Flavour::Glibc => (self.object.rpath(), dynamic.runpath.as_deref()),
            // musl has one path for both, inherited either way.
            Flavour::Musl => (
                None,
                dynamic.runpath.as_deref().or(dynamic.rpath.as_deref()),
            ),
        }
    }
}

/// The path of a place as the kernel walks it.
pub(super) use paths::walked;
