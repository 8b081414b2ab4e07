//! Imports: by statement, and by names that are told at run time.

use jettison_image::{Follow, ImagePath};

use super::finder::{Finder, HINTS};
use super::interpreter::{self, Interpreter};
use super::modules::{self, Resolver};
use crate::World;
use crate::scripts::pattern;

/// Names that one file may import.
const MOST_IMPORTS: usize = 20_000;

impl Finder<'_, '_> {
    pub(super) fn import(&mut self, name: &str) -> bool {
        if let Some(found) = self.imported.get(name) {
            return *found;
        }
        if self.imported.len() >= MOST_IMPORTS {
            return false;
        }
        let files = {
            let resolver = Resolver::new(self.reader.world, &self.interpreter);
            resolver.longest(name).map(|(_, files)| files)
        };
        for (module, path) in HINTS {
            if name == *module
                || name
                    .strip_prefix(module)
                    .is_some_and(|rest| rest.starts_with('.'))
            {
                self.path(path.as_bytes(), true);
            }
        }
        if name == "sysconfig" {
            self.build_settings();
        }
        let found = files.is_some();
        self.imported.insert(name.to_owned(), found);
        for file in files.unwrap_or_default() {
            modules::import(self.reader, file, name);
        }
        found
    }

    /// sysconfig imports a module whose name tells the platform it was built for.
    fn build_settings(&mut self) {
        let library = self.interpreter.library.clone();
        let Some((library, node)) = library.and_then(|path| {
            let node = self.reader.world.tree.resolve(&path, Follow::All).ok()?;
            Some((path, node))
        }) else {
            return;
        };
        let is_one = |child: &jettison_image::Node| child.name().starts_with(b"_sysconfigdata");
        for child in node.children().filter(is_one) {
            if let Ok(path) = library.join(child.name()) {
                modules::import(self.reader, path, "sysconfig's settings");
            }
        }
    }

    pub(super) fn import_from(&mut self, module: &str, level: usize, names: &[&str]) {
        let Some(base) = self.absolute(module, level) else {
            return;
        };
        self.import(&base);
        for name in names {
            let full = if base.is_empty() {
                (*name).to_owned()
            } else {
                format!("{base}.{name}")
            };
            // Most names are none of modules but what one defines.
            let key = format!("{full}:");
            if self.imported.len() >= MOST_IMPORTS || self.imported.insert(key, false).is_some() {
                continue;
            }
            let files = Resolver::new(self.reader.world, &self.interpreter).files(&full);
            for file in files {
                modules::import(self.reader, file, &full);
            }
        }
    }

    /// A name with leading dots, counted from this file's package.
    fn absolute(&self, module: &str, level: usize) -> Option<String> {
        if level == 0 {
            return Some(module.to_owned());
        }
        let mut package = self.package.as_deref()?;
        for _ in 1..level {
            package = package.rsplit_once('.').map_or("", |(package, _)| package);
        }
        Some(match (package.is_empty(), module.is_empty()) {
            (true, _) => module.to_owned(),
            (_, true) => package.to_owned(),
            _ => format!("{package}.{module}"),
        })
    }

    /// A module named at run time: one name, or all that fit.
    pub(super) fn import_text(&mut self, text: &[u8], package: Option<String>) {
        let known = pattern::known_prefix(text);
        let Ok(name) = std::str::from_utf8(known) else {
            return;
        };
        let level = name.len() - name.trim_start_matches('.').len();
        let plain = name.trim_start_matches('.');
        let base = match (level, package) {
            (1.., Some(package)) => Some(package),
            _ => None,
        };
        let full = match base {
            Some(package) if plain.is_empty() => Some(package),
            Some(package) => Some(format!("{package}.{plain}")),
            None => self.absolute(plain, level),
        };
        let Some(full) = full else {
            return;
        };
        if known.len() == text.len() {
            self.import(&full);
            return;
        }
        // `"encodings." + name`: any module of that package.
        let package = match full.strip_suffix('.') {
            Some(package) => package,
            None if known.is_empty() || plain.is_empty() => full.as_str(),
            None => full.rsplit_once('.').map_or("", |(package, _)| package),
        };
        if package.is_empty() {
            self.own_package();
        } else {
            self.import(package);
            self.package_family(package);
        }
    }

    pub(super) fn package_family(&mut self, package: &str) {
        let directories = Resolver::new(self.reader.world, &self.interpreter).directories(package);
        for directory in directories {
            self.whole(&directory, "imports modules by computed names");
        }
    }

    /// What is imported by a name that cannot be told lies in the file's own
    /// package, as far as anything says.
    pub(super) fn own_package(&mut self) {
        let directory = self.values.file.as_ref().and_then(ImagePath::parent);
        if let (Some(directory), Some(_)) = (directory, &self.package) {
            self.whole(&directory, "imports modules by computed names");
        }
    }
}

/// The dotted package of a file: below a directory of modules what leads to
/// it, elsewhere the directories around it that are packages.
pub(super) fn package(
    world: &World,
    interpreter: &Interpreter,
    path: &ImagePath,
) -> Option<String> {
    let directory = path.parent()?;
    let known = interpreter.sites.iter().chain(&interpreter.library);
    let holder = known
        .filter(|holder| directory.starts_with(holder))
        .max_by_key(|holder| holder.as_bytes().len());
    let below = match holder {
        Some(holder) => directory.as_bytes().get(holder.as_bytes().len()..)?,
        None => {
            let holder = interpreter::outermost(world, &directory);
            // Without `__init__.py` it may still be a namespace.
            let holder = if holder == directory {
                directory.parent()?
            } else {
                holder
            };
            directory.as_bytes().get(holder.as_bytes().len()..)?
        }
    };
    let names = below
        .split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty());
    let names: Option<Vec<&str>> = names.map(|name| std::str::from_utf8(name).ok()).collect();
    let names = names?;
    (!names.is_empty()).then(|| names.join("."))
}
