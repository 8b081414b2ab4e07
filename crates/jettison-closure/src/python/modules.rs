//! From a dotted name to files, as importlib's path finder goes: packages,
//! extension modules, sources, sourceless bytecode, namespaces over several
//! directories.

use jettison_image::{Follow, ImagePath, Node};

use super::interpreter::Interpreter;
use crate::scripts::Reader;
use crate::{How, World};

/// Directories whose names are remembered, and names of one.
const MOST_DIRECTORIES: usize = 256;
const MOST_CHILDREN: usize = 20_000;
/// Components of a dotted name.
const MOST_COMPONENTS: usize = 32;

/// Finds modules on the path of an interpreter.
pub(super) struct Resolver<'w, 'i> {
    world: World<'w>,
    interpreter: &'i Interpreter,
}

/// What a name stands for in one directory after the other.
struct Found {
    /// The module's own files: `__init__.py` of a package.
    files: Vec<ImagePath>,
    /// Where its submodules are looked for.
    directories: Vec<ImagePath>,
}

impl<'w, 'i> Resolver<'w, 'i> {
    pub(super) fn new(world: World<'w>, interpreter: &'i Interpreter) -> Self {
        Self { world, interpreter }
    }

    /// The files that importing a dotted name loads: those of its packages and
    /// its own. Nothing where it is not found whole.
    pub(super) fn files(&self, name: &str) -> Vec<ImagePath> {
        self.walk(name).map(|(files, _)| files).unwrap_or_default()
    }

    /// The directories of a package.
    pub(super) fn directories(&self, name: &str) -> Vec<ImagePath> {
        self.walk(name)
            .map(|(_, directories)| directories)
            .unwrap_or_default()
    }

    /// The longest part of a name that is a module: what stands behind it are
    /// names inside.
    pub(super) fn longest<'n>(&self, name: &'n str) -> Option<(&'n str, Vec<ImagePath>)> {
        let mut name = name;
        for _ in 0..3 {
            if let Some((files, directories)) = self.walk(name)
                && !(files.is_empty() && directories.is_empty())
            {
                return Some((name, files));
            }
            name = name.rsplit_once('.')?.0;
        }
        None
    }

    fn walk(&self, name: &str) -> Option<(Vec<ImagePath>, Vec<ImagePath>)> {
        let mut directories = self.interpreter.path.clone();
        let mut files = Vec::new();
        for component in name.split('.').take(MOST_COMPONENTS) {
            if component.is_empty() || component.contains('/') {
                return None;
            }
            let found = self.component(&directories, component)?;
            files.extend(found.files);
            directories = found.directories;
        }
        Some((files, directories))
    }

    fn component(&self, directories: &[ImagePath], name: &str) -> Option<Found> {
        let mut namespace = Vec::new();
        for directory in directories {
            let Ok(node) = self.world.tree.resolve(directory, Follow::All) else {
                continue;
            };
            if !self.may_hold(directory, node, name) {
                continue;
            }
            if let Some(found) = self.package(directory, node, name) {
                return Some(found);
            }
            let files = self.module(directory, node, name);
            if !files.is_empty() {
                let directories = Vec::new();
                return Some(Found { files, directories });
            }
            if let Ok(path) = directory.join(name)
                && let Ok(inside) = self.world.tree.resolve(&path, Follow::All)
                && inside.is_directory()
            {
                namespace.push(path);
            }
        }
        (!namespace.is_empty()).then_some(Found {
            files: Vec::new(),
            directories: namespace,
        })
    }
}

impl Resolver<'_, '_> {
    fn package(&self, directory: &ImagePath, node: Node, name: &str) -> Option<Found> {
        let child = node.child(name.as_bytes())?;
        let path = directory.join(child.name()).ok()?;
        let inside = self.world.tree.resolve(&path, Follow::All).ok()?;
        if !inside.is_directory() {
            return None;
        }
        let files = self.module(&path, inside, "__init__");
        (!files.is_empty()).then(|| Found {
            files,
            directories: vec![path],
        })
    }

    /// Whether a directory has anything of that name: most names are asked of
    /// many directories and are in none.
    fn may_hold(&self, directory: &ImagePath, node: Node, name: &str) -> bool {
        if node.children().len() > MOST_CHILDREN {
            return true;
        }
        let mut known = self.interpreter.stems.borrow_mut();
        if known.len() > MOST_DIRECTORIES {
            known.clear();
        }
        let stems = known.entry(directory.clone()).or_insert_with(|| {
            let stem = |child: Node| {
                child
                    .name()
                    .split(|&byte| byte == b'.')
                    .next()
                    .map(<[u8]>::to_vec)
            };
            node.children().filter_map(stem).collect()
        });
        stems.contains(name.as_bytes())
    }

    /// An extension module and the source that it stands for, where both are.
    fn module(&self, directory: &ImagePath, node: Node, name: &str) -> Vec<ImagePath> {
        let plain = |suffix: &str| {
            let path = directory.join(format!("{name}{suffix}")).ok()?;
            node.child(path.file_name())?;
            self.world.file(&path).map(|_| path)
        };
        let extension = self
            .interpreter
            .suffixes
            .iter()
            .find_map(|suffix| plain(suffix));
        let mut found: Vec<ImagePath> = extension.into_iter().chain(plain(".py")).collect();
        if found.is_empty() {
            found.extend(plain(".pyc"));
        }
        found
    }
}

/// The names of extension modules, as configure of CPython and PyPy makes
/// them (PEP 3149).
pub(super) fn suffixes(library: &ImagePath) -> Vec<String> {
    const PLATFORMS: &[&str] = &[
        "x86_64-linux-gnu",
        "x86_64-linux-musl",
        "aarch64-linux-gnu",
        "aarch64-linux-musl",
        "i386-linux-gnu",
        "i386-linux-musl",
        "arm-linux-gnueabihf",
        "arm-linux-musleabihf",
        "powerpc64le-linux-gnu",
        "powerpc64le-linux-musl",
        "s390x-linux-gnu",
        "s390x-linux-musl",
        "riscv64-linux-gnu",
        "riscv64-linux-musl",
    ];
    let version = String::from_utf8_lossy(library.file_name())
        .replace("python", "")
        .replace('.', "");
    let mut out: Vec<String> = PLATFORMS
        .iter()
        .map(|platform| format!(".cpython-{version}-{platform}.so"))
        .collect();
    out.extend([
        format!(".cpython-{version}.so"),
        ".abi3.so".to_owned(),
        ".so".to_owned(),
    ]);
    out
}

/// Adds a module's file.
pub(super) fn import(reader: &mut Reader, file: ImagePath, name: &str) {
    let name = jettison_image::escape(name);
    reader.add(file, How::Imports, format!("imports {name}"));
}
