//! The interpreter that reads a file, and the path on which it finds modules:
//! what `getpath` and `site` of CPython 3 work out at start.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use jettison_image::{Follow, ImagePath, Node};

use super::modules::suffixes;
use crate::scripts::{Reader, existing};
use crate::{How, World};

/// Directories of one module path.
const MOST_DIRECTORIES: usize = 256;
/// `.pth` files that are read.
const MOST_PATH_FILES: usize = 200;

/// An interpreter as the tree has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Interpreter {
    /// `sys.prefix`.
    pub(super) prefix: Option<ImagePath>,
    /// Its own library: `lib/python3.X`.
    pub(super) library: Option<ImagePath>,
    /// `sys.path`.
    pub(super) path: Vec<ImagePath>,
    /// Those of `path` that distributions are installed in.
    pub(super) sites: Vec<ImagePath>,
    /// What the names of extension modules end in.
    pub(super) suffixes: Vec<String>,
    /// What the directories of the path hold, for names that are in none.
    pub(super) stems: RefCell<HashMap<ImagePath, HashSet<Vec<u8>>>>,
    start: Vec<(ImagePath, &'static str)>,
}

impl Interpreter {
    /// The interpreter behind a program, else the one that a file lies with,
    /// else the one of PATH, else any.
    pub(super) fn find(
        world: &World,
        program: Option<&ImagePath>,
        file: Option<&ImagePath>,
    ) -> Self {
        let of_file = || file.and_then(|file| Self::around(world, file));
        let of_environment = || {
            let directory = world.environment.get("VIRTUAL_ENV")?;
            Self::at(world, &ImagePath::new(directory).ok()?)
        };
        let of_path = || {
            let program = world
                .command(b"python3")
                .or_else(|| world.command(b"python"))?;
            Self::of_program(world, &program)
        };
        let mut found = program
            .and_then(|program| Self::of_program(world, program))
            .or_else(of_file)
            .or_else(of_environment)
            .or_else(of_path)
            .or_else(|| Self::any(world))
            .unwrap_or_default();
        found.environment(world);
        let library = found.library.clone().unwrap_or_else(ImagePath::root);
        found.suffixes = suffixes(&library);
        found
    }

    /// Adds a directory in front.
    pub(super) fn add(&mut self, directory: ImagePath) {
        if !self.path.contains(&directory) && self.path.len() < MOST_DIRECTORIES {
            self.path.insert(0, directory);
        }
    }

    /// Adds where an application's file finds its neighbours: its directory,
    /// the directories that hold its packages, the working directory.
    pub(super) fn add_own(&mut self, world: &World, file: &ImagePath) {
        let is_installed = self.path.iter().any(|directory| {
            file.starts_with(directory)
                && (self.sites.contains(directory) || self.library.as_ref() == Some(directory))
        });
        if is_installed {
            return;
        }
        self.add(world.working_directory.clone());
        let mut directory = file.parent();
        for _ in 0..6 {
            let Some(at) = directory.filter(|at| !at.is_root()) else {
                break;
            };
            self.path.retain(|known| *known != at);
            self.path.push(at.clone());
            directory = at.parent();
        }
        if let Some(directory) = file.parent() {
            for directory in [outermost(world, &directory), directory] {
                self.path.retain(|known| *known != directory);
                self.add(directory);
            }
        }
    }

    /// Adds what the interpreter itself reads at start.
    pub(super) fn start(&self, reader: &mut Reader) {
        for (path, detail) in &self.start {
            reader.add(path.clone(), How::Names, *detail);
        }
    }

    fn of_program(world: &World, program: &ImagePath) -> Option<Self> {
        // A virtual environment is told by the name that is started, the rest
        // by what that leads to.
        let mut name = program.clone();
        for _ in 0..40 {
            let directory = name.parent()?.parent()?;
            if let Some(found) = Self::at(world, &directory) {
                return Some(found);
            }
            let node = world.tree.resolve(&name, Follow::AllButLast).ok()?;
            let target = node.link_target()?;
            let from = node.parent()?;
            name = world
                .tree
                .resolve_from(from, target, Follow::AllButLast)
                .ok()?
                .path();
        }
        None
    }

    /// The interpreter whose library or environment holds a file.
    fn around(world: &World, file: &ImagePath) -> Option<Self> {
        let mut at = file.parent();
        while let Some(directory) = at {
            let is_prefix = directory
                .join("pyvenv.cfg")
                .is_ok_and(|path| world.file(&path).is_some());
            let is_library = directory.file_name().starts_with(b"python3");
            if is_prefix {
                return Self::at(world, &directory);
            }
            if is_library && let Some(prefix) = directory.parent().and_then(|lib| lib.parent()) {
                return Self::at(world, &prefix)
                    .or_else(|| Self::at(world, &ImagePath::new("usr").ok()?));
            }
            at = directory.parent();
        }
        None
    }

    /// Any interpreter of the tree, the usual places first.
    fn any(world: &World) -> Option<Self> {
        let usual = ["usr/local", "usr", "opt/venv", "venv", "app/.venv"];
        let usual = usual.iter().filter_map(|path| ImagePath::new(path).ok());
        if let Some(found) = usual.into_iter().find_map(|path| Self::at(world, &path)) {
            return Some(found);
        }
        let library = world.tree.iter().find(|node| {
            node.name() == b"os.py"
                && node
                    .parent()
                    .is_some_and(|at| at.name().starts_with(b"python3."))
        })?;
        let prefix = library.parent()?.parent()?.parent()?;
        Self::at(world, &prefix.path())
    }

    /// The interpreter of a prefix.
    fn at(world: &World, prefix: &ImagePath) -> Option<Self> {
        if let Some(found) = Self::environment_at(world, prefix) {
            return Some(found);
        }
        let library = library(world, prefix)?;
        let mut found = Self {
            prefix: Some(prefix.clone()),
            library: Some(library.clone()),
            ..Self::default()
        };
        found.standard(world, &library);
        found.site(world, prefix, library.file_name());
        Some(found)
    }

    /// A virtual environment: `pyvenv.cfg` says where the interpreter is.
    fn environment_at(world: &World, prefix: &ImagePath) -> Option<Self> {
        let settings = prefix.join("pyvenv.cfg").ok()?;
        let data = world.contents.read(world.file(&settings)?, 64 << 10).ok()?;
        let text = String::from_utf8_lossy(&data);
        let value = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim() == name).then(|| value.trim().to_owned())
            })
        };
        let home = ImagePath::new(value("home")?).ok()?;
        let base = home.parent()?;
        let library = library(world, &base)?;
        let mut found = Self {
            prefix: Some(prefix.clone()),
            library: Some(library.clone()),
            start: vec![(settings, "tells the virtual environment")],
            ..Self::default()
        };
        found.standard(world, &library);
        let version = library.file_name().to_vec();
        for lib in ["lib", "lib64"] {
            found.site_directory(world, prefix, &[lib.as_bytes(), &version, b"site-packages"]);
        }
        if value("include-system-site-packages").as_deref() == Some("true") {
            found.site(world, &base, &version);
        }
        Some(found)
    }

    fn standard(&mut self, world: &World, library: &ImagePath) {
        self.push(library.clone());
        if let Ok(dynload) = library.join("lib-dynload")
            && world.tree.resolve(&dynload, Follow::All).is_ok()
        {
            self.push(dynload);
        }
    }

    /// Where distributions are installed, Debian's places included.
    fn site(&mut self, world: &World, prefix: &ImagePath, version: &[u8]) {
        if let Some(home) = world.environment.get("HOME")
            && let Ok(home) = ImagePath::new(home)
        {
            self.site_directory(world, &home, &[b".local/lib", version, b"site-packages"]);
        }
        if prefix.as_bytes() == b"usr" {
            let usr = prefix;
            self.site_directory(world, usr, &[b"local/lib", version, b"dist-packages"]);
            self.site_directory(world, usr, &[b"local/lib", version, b"site-packages"]);
        }
        for lib in [&b"lib"[..], b"lib64"] {
            for site in [&b"site-packages"[..], b"dist-packages"] {
                self.site_directory(world, prefix, &[lib, version, site]);
            }
        }
        self.site_directory(world, prefix, &[b"lib/python3/dist-packages"]);
    }

    fn site_directory(&mut self, world: &World, prefix: &ImagePath, parts: &[&[u8]]) {
        let Ok(directory) = prefix.join(parts.join(&b'/')) else {
            return;
        };
        let Ok(node) = world.tree.resolve(&directory, Follow::All) else {
            return;
        };
        if !node.is_directory() || self.path.contains(&directory) {
            return;
        }
        self.push(directory.clone());
        self.sites.push(directory.clone());
        let is_path_file = |node: &Node| node.name().ends_with(b".pth") && node.is_file();
        for file in node.children().filter(is_path_file).take(MOST_PATH_FILES) {
            if let Ok(path) = directory.join(file.name()) {
                self.start
                    .push((path, "is read when the interpreter starts"));
            }
            let Ok(data) = world.contents.read(file, 1 << 20) else {
                continue;
            };
            for line in data
                .split(|&byte| byte == b'\n')
                .map(<[u8]>::trim_ascii)
                .take(1000)
            {
                if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"import") {
                    continue;
                }
                if let Some(found) = existing(world, &directory, line) {
                    self.push(found);
                }
            }
        }
        for name in ["sitecustomize.py", "usercustomize.py"] {
            if let Ok(path) = directory.join(name)
                && world.file(&path).is_some()
            {
                self.start
                    .push((path, "is imported when the interpreter starts"));
            }
        }
    }

    /// PYTHONPATH and PYTHONHOME.
    fn environment(&mut self, world: &World) {
        let directories = world.environment.get("PYTHONPATH");
        let directories = directories
            .map_or("", |path| path.as_str())
            .split(':')
            .rev();
        for directory in directories.filter(|directory| !directory.is_empty()) {
            if let Some(path) = existing(world, world.working_directory, directory.as_bytes()) {
                self.add(path);
            }
        }
        if let Some(home) = world.environment.get("PYTHONHOME")
            && let Ok(prefix) = ImagePath::new(home)
            && let Some(library) = library(world, &prefix)
        {
            self.push(library.clone());
            self.site(world, &prefix, library.file_name());
        }
    }

    fn push(&mut self, directory: ImagePath) {
        if !self.path.contains(&directory) && self.path.len() < MOST_DIRECTORIES {
            self.path.push(directory);
        }
    }
}

/// The directory that holds the package which a directory is part of; itself
/// where it is part of none.
pub(super) fn outermost(world: &World, directory: &ImagePath) -> ImagePath {
    let mut at = directory.clone();
    while let Some(parent) = at.parent()
        && at
            .join("__init__.py")
            .is_ok_and(|path| world.file(&path).is_some())
    {
        at = parent;
    }
    at
}

/// `lib/python3.X` with `os.py` in it, the highest version first.
fn library(world: &World, prefix: &ImagePath) -> Option<ImagePath> {
    for lib in ["lib", "lib64"] {
        let directory = prefix.join(lib).ok()?;
        let Ok(node) = world.tree.resolve(&directory, Follow::All) else {
            continue;
        };
        let minor = |node: &Node| {
            let minor = node.name().strip_prefix(b"python3.")?;
            let digits = minor
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            std::str::from_utf8(&minor[..digits])
                .ok()?
                .parse::<u32>()
                .ok()
        };
        let has_library =
            |node: &Node| node.child(b"os.py").is_some() || node.child(b"os.pyc").is_some();
        let best = node
            .children()
            .filter(|child| minor(child).is_some() && has_library(child))
            .max_by_key(minor);
        if let Some(best) = best {
            return directory.join(best.name()).ok();
        }
    }
    None
}
