//! From a name to files, as Node resolves it for `require` and `import`:
//! relative paths, `node_modules` up the tree, `exports` and `imports` of
//! `package.json`, NODE_PATH. TypeScript's habit of writing `.js` for `.ts`
//! counts too.

use jettison_image::{Follow, ImagePath, Node};

use super::package::{self, Package};
use crate::World;
use crate::scripts::{existing, pattern};

/// What Node has built in; asked for before any package.
const BUILT_IN: &[&str] = &[
    "_http_agent",
    "_http_client",
    "_http_common",
    "_http_incoming",
    "_http_outgoing",
    "_http_server",
    "_stream_duplex",
    "_stream_passthrough",
    "_stream_readable",
    "_stream_transform",
    "_stream_wrap",
    "_stream_writable",
    "_tls_common",
    "_tls_wrap",
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// What is tried behind a path.
const SUFFIXES: &[&str] = &[
    "", ".js", ".json", ".node", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".jsx",
];

/// Where a name leads.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// The modules.
    pub(super) files: Vec<ImagePath>,
    /// The `package.json` that were asked.
    pub(super) packages: Vec<ImagePath>,
    /// Directories of packages any of which may be meant.
    pub(super) directories: Vec<ImagePath>,
}

pub(super) struct Resolver<'w> {
    world: World<'w>,
}

impl<'w> Resolver<'w> {
    pub(super) fn new(world: World<'w>) -> Self {
        Self { world }
    }

    /// Resolves a name that stands in a file of this directory.
    pub(super) fn resolve(&self, directory: &ImagePath, name: &str) -> Resolved {
        let mut out = Resolved::default();
        if name.is_empty() || name.len() > 1024 || name.contains('\0') || name.contains(':') {
            return out;
        }
        // Loaders of bundlers: `./x.css?inline`.
        let name = name.split('?').next().unwrap_or(name);
        if name.starts_with('/')
            || name == "."
            || name == ".."
            || name.starts_with("./")
            || name.starts_with("../")
        {
            if let Some(path) = self.below(directory, name) {
                self.file_or_directory(&path, &mut out);
            }
        } else if name.starts_with('#') {
            if let Some(package) = package::nearest(&self.world, directory) {
                self.targets(&package, &package.imports(name), &mut out);
            }
        } else if !is_built_in(name) {
            self.package(directory, name, &mut out);
        }
        out
    }

    /// The packages whose names fit a pattern.
    pub(super) fn fitting(&self, directory: &ImagePath, name: &[u8]) -> Resolved {
        let mut out = Resolved::default();
        let parts: Vec<&[u8]> = name.splitn(3, |&byte| byte == b'/').collect();
        let is_scoped = name.starts_with(b"@");
        let wanted = if is_scoped {
            parts.get(..2)
        } else {
            parts.get(..1)
        };
        let Some(wanted) = wanted.filter(|parts| !pattern::is_bare(parts[parts.len() - 1])) else {
            return out;
        };
        for modules in self.module_directories(directory) {
            let holder = match wanted {
                [scope, _] => modules.join(scope).ok(),
                _ => Some(modules),
            };
            let Some((holder, node)) =
                holder.and_then(|path| Some((path.clone(), self.directory(&path)?)))
            else {
                continue;
            };
            let last = wanted[wanted.len() - 1];
            let found = node
                .children()
                .filter(|child| pattern::fits(last, child.name()));
            out.directories.extend(
                found
                    .take(64)
                    .filter_map(|child| holder.join(child.name()).ok()),
            );
        }
        out
    }

    /// A path as the tree has it, or would.
    pub(super) fn below(&self, directory: &ImagePath, path: &str) -> Option<ImagePath> {
        let mut at = if path.starts_with('/') {
            ImagePath::root()
        } else {
            directory.clone()
        };
        for component in path.split('/') {
            at = match component {
                "" | "." => continue,
                ".." => at.parent().unwrap_or_else(ImagePath::root),
                name => at.join(name).ok()?,
            };
        }
        Some(at)
    }

    pub(super) fn file_or_directory(&self, path: &ImagePath, out: &mut Resolved) {
        let written = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let mut names: Vec<String> = SUFFIXES
            .iter()
            .map(|suffix| format!("{written}{suffix}"))
            .collect();
        for (js, ts) in [
            (".js", ".ts"),
            (".js", ".tsx"),
            (".mjs", ".mts"),
            (".cjs", ".cts"),
        ] {
            names.extend(written.strip_suffix(js).map(|stem| format!("{stem}{ts}")));
        }
        let files = names.iter().filter_map(|name| ImagePath::new(name).ok());
        if let Some(found) = files
            .into_iter()
            .find(|path| self.world.file(path).is_some())
        {
            out.files.push(found);
            return;
        }
        if self.directory(path).is_none() {
            return;
        }
        if let Some(package) = package::of(&self.world, path) {
            out.packages.push(package.path.clone());
            if self.main(&package, out) {
                return;
            }
        }
        self.index(path, out);
    }

    fn main(&self, package: &Package, out: &mut Resolved) -> bool {
        let before = out.files.len();
        // Node reads `main`; `module` is what bundlers of servers read.
        let Some(main) = package.text(&["main"]) else {
            return false;
        };
        if let Some(path) = self.below(&package.directory(), main)
            && path != package.directory()
        {
            self.file(&path, out);
            if out.files.len() == before {
                self.index(&path, out);
            }
        }
        out.files.len() > before
    }

    fn file(&self, path: &ImagePath, out: &mut Resolved) {
        let written = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let mut paths = SUFFIXES
            .iter()
            .filter_map(|suffix| ImagePath::new(format!("{written}{suffix}")).ok());
        out.files
            .extend(paths.find(|path| self.world.file(path).is_some()));
    }

    fn index(&self, directory: &ImagePath, out: &mut Resolved) {
        if let Ok(path) = directory.join("index") {
            self.file(&path, out);
        }
    }

    fn package(&self, directory: &ImagePath, name: &str, out: &mut Resolved) {
        let mut parts = name.splitn(3, '/');
        let first = parts.next().unwrap_or_default();
        let (name, subpath) = if first.starts_with('@') {
            let second = parts.next().unwrap_or_default();
            (format!("{first}/{second}"), parts.next().map(str::to_owned))
        } else {
            let rest = name.split_once('/').map(|(_, rest)| rest.to_owned());
            (first.to_owned(), rest)
        };
        let subpath = subpath.filter(|subpath| !subpath.is_empty());
        for modules in self.module_directories(directory) {
            let Ok(path) = modules.join(&name) else {
                return;
            };
            if self.directory(&path).is_some() {
                self.inside(&path, subpath.as_deref(), out);
            } else {
                self.file_or_directory(&path, out);
            }
            if !out.files.is_empty() || !out.packages.is_empty() {
                return;
            }
        }
        // A package may name itself.
        if let Some(package) = package::nearest(&self.world, directory)
            && package.text(&["name"]) == Some(name.as_str())
        {
            self.inside(&package.directory(), subpath.as_deref(), out);
        }
    }

    fn inside(&self, directory: &ImagePath, subpath: Option<&str>, out: &mut Resolved) {
        let package = package::of(&self.world, directory);
        if let Some(package) = &package {
            out.packages.push(package.path.clone());
            if package.has_exports() {
                let key = subpath.map_or(".".to_owned(), |subpath| format!("./{subpath}"));
                self.targets(package, &package.exports(&key), out);
                if !out.files.is_empty() {
                    return;
                }
            }
        }
        match subpath {
            Some(subpath) => {
                if let Some(path) = self.below(directory, subpath) {
                    self.file_or_directory(&path, out);
                }
            }
            None => {
                let found = package.is_some_and(|package| self.main(&package, out));
                if !found {
                    self.index(directory, out);
                }
            }
        }
    }

    fn targets(&self, package: &Package, targets: &[String], out: &mut Resolved) {
        for target in targets {
            if !target.starts_with('.') {
                // `imports` may name another package.
                if !is_built_in(target) && !target.starts_with('#') {
                    self.package(&package.directory(), target, out);
                }
                continue;
            }
            if let Some(path) = self.below(&package.directory(), target)
                && self.world.file(&path).is_some()
                && !out.files.contains(&path)
            {
                out.files.push(path);
            }
        }
    }

    /// `node_modules` of the directory and those around it, then NODE_PATH.
    fn module_directories(&self, directory: &ImagePath) -> Vec<ImagePath> {
        let mut out = Vec::new();
        // Modules are looked for from where a link leads to.
        let real = self
            .world
            .tree
            .resolve(directory, Follow::All)
            .map(|node| node.path());
        for start in [
            Some(directory.clone()),
            real.ok().filter(|real| real != directory),
        ]
        .into_iter()
        .flatten()
        {
            let mut at = Some(start);
            while let Some(one) = at {
                if one.file_name() != b"node_modules" {
                    out.extend(
                        one.join("node_modules")
                            .ok()
                            .filter(|path| self.directory(path).is_some()),
                    );
                }
                at = one.parent();
            }
        }
        let more = self
            .world
            .environment
            .get("NODE_PATH")
            .map_or("", String::as_str);
        for path in more.split(':').filter(|path| !path.is_empty()) {
            out.extend(existing(
                &self.world,
                self.world.working_directory,
                path.as_bytes(),
            ));
        }
        // Where Debian installs packages for everyone.
        for path in [
            "usr/local/lib/node_modules",
            "usr/share/nodejs",
            "usr/lib/nodejs",
            "usr/lib/node_modules",
        ] {
            out.extend(
                ImagePath::new(path)
                    .ok()
                    .filter(|path| self.directory(path).is_some()),
            );
        }
        out.truncate(64);
        out
    }

    fn directory(&self, path: &ImagePath) -> Option<Node<'w>> {
        let node = self.world.tree.resolve(path, Follow::All).ok()?;
        node.is_directory().then_some(node)
    }
}

fn is_built_in(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or(name);
    // `require('util/')` asks for the package.
    BUILT_IN.binary_search(&first).is_ok() && !name.ends_with('/')
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_built_in_is_in_order() {
        assert!(super::BUILT_IN.is_sorted());
    }
}
