//! Calls that load modules, read metadata, open libraries and files, or start
//! programs.

use jettison_image::{Follow, ImagePath};
use ruff_python_ast::{Expr, ExprCall};

use super::evaluate::is_name;
use super::finder::Finder;
use super::metadata;
use crate::How;
use crate::scripts::{Text, UNKNOWN, command, pattern, shell};

impl Finder<'_, '_> {
    pub(super) fn call(&mut self, call: &ExprCall) {
        let (receiver, name) = match &*call.func {
            Expr::Name(name) => ("", name.id.as_str()),
            Expr::Attribute(attribute) => {
                let receiver = match &*attribute.value {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(inner) => inner.attr.as_str(),
                    _ => "?",
                };
                (receiver, attribute.attr.as_str())
            }
            _ => return,
        };
        let arguments = &call.arguments.args;
        let keyword = |wanted: &str| {
            let is_wanted = |keyword: &&ruff_python_ast::Keyword| {
                keyword
                    .arg
                    .as_ref()
                    .is_some_and(|arg| arg.as_str() == wanted)
            };
            call.arguments
                .keywords
                .iter()
                .find(is_wanted)
                .map(|keyword| &keyword.value)
        };
        match name {
            "import_module" | "__import__" | "import_string" | "load_module" | "import_object"
            | "autoload" => {
                let Some(first) = arguments.first().or(keyword("name")) else {
                    return;
                };
                let package = arguments.get(1).or(keyword("package"));
                let package = match package {
                    Some(package)
                        if is_name(package, "__name__") || is_name(package, "__package__") =>
                    {
                        None
                    }
                    Some(package) => self
                        .values
                        .of(package)
                        .and_then(|text| String::from_utf8(text).ok()),
                    None => None,
                };
                match self.values.of(first) {
                    Some(text) => self.import_text(&text, package),
                    None => self.own_package(),
                }
            }
            "iter_modules"
            | "walk_packages"
            | "iter_entry_point_modules"
            | "listdir"
            | "scandir"
            | "iterdir"
            | "glob"
            | "rglob"
            | "walk"
                if matches!(receiver, "pkgutil" | "os" | "glob" | "?")
                    || name == "iter_modules"
                    || name == "walk_packages" =>
            {
                if let Some(text) = arguments.first().and_then(|first| self.values.of(first)) {
                    self.path(&text, true);
                } else if matches!(name, "iter_modules" | "walk_packages") {
                    self.own_package();
                }
            }
            "entry_points"
            | "iter_entry_points"
            | "distributions"
            | "working_set"
            | "get_all_entry_points" => {
                let group = arguments.first().or(keyword("group"));
                let group = group.and_then(|group| self.values.of(group));
                let group = group.and_then(|group| String::from_utf8(group).ok());
                metadata::all(self.reader, &self.interpreter, group.as_deref());
            }
            "version" | "distribution" | "metadata" | "requires" | "get_distribution"
            | "require" | "files"
                if matches!(
                    receiver,
                    "" | "metadata" | "importlib_metadata" | "pkg_resources" | "_metadata"
                ) =>
            {
                if let Some(text) = arguments.first().and_then(|first| self.values.of(first))
                    && let Ok(name) = std::str::from_utf8(&text)
                {
                    metadata::one(self.reader, &self.interpreter, name);
                }
            }
            "CDLL" | "PyDLL" | "LoadLibrary" | "find_library" | "dlopen" => {
                if let Some(text) = arguments.first().and_then(|first| self.values.of(first)) {
                    self.library(&text, name == "find_library");
                    // cffi looks a short name up where it is no file's name.
                    if name == "dlopen" && !text.starts_with(b"lib") {
                        self.library(&text, true);
                    }
                }
            }
            "open" | "read_text" | "read_bytes" | "get_data" | "joinpath" | "FileSystemLoader"
            | "StaticFiles" | "Jinja2Templates" => {
                for argument in arguments.iter() {
                    if let Some(text) = self.values.of(argument)
                        && !text.is_empty()
                        && text[0] != UNKNOWN
                        && text.len() < 1024
                    {
                        self.path(&text, name != "joinpath");
                    }
                }
            }
            // Templates and static files lie beside the application by custom.
            "Flask" | "Blueprint" | "Quart" | "PackageLoader" | "Sanic" | "Bottle" => {
                for directory in ["templates", "static"] {
                    let beside = self.values.file.as_ref().and_then(ImagePath::parent);
                    if let Some(path) = beside.and_then(|beside| beside.join(directory).ok()) {
                        self.path(&[b"/", path.as_bytes()].concat(), true);
                    }
                }
            }
            "run"
            | "call"
            | "check_call"
            | "check_output"
            | "Popen"
            | "getoutput"
            | "getstatusoutput"
            | "system"
            | "popen"
            | "popen2"
            | "which"
            | "find_executable"
            | "create_subprocess_exec"
            | "create_subprocess_shell"
            | "execv"
            | "execve"
            | "execvp"
            | "execvpe"
            | "execl"
            | "execle"
            | "execlp"
            | "execlpe"
            | "spawnv"
            | "spawnvp"
            | "spawnl"
            | "spawnlp"
            | "posix_spawn"
            | "posix_spawnp"
            | "spawn" => {
                self.starts(receiver, name, arguments);
            }
            _ => {}
        }
    }

    /// A program is started: by a list of words, a shell's text, or its name.
    fn starts(&mut self, receiver: &str, name: &str, arguments: &[Expr]) {
        let Some(first) = arguments.first() else {
            return;
        };
        let skip = usize::from(name.starts_with("spawn") && name != "spawn");
        let first = arguments.get(skip).unwrap_or(first);
        if matches!(first, Expr::List(_) | Expr::Tuple(_)) {
            let argv: Vec<Text> = elements(first)
                .map(|word| self.values.of(word).unwrap_or_else(|| vec![UNKNOWN]))
                .collect();
            self.reader.nested(|reader| command::line(reader, &argv));
            return;
        }
        let Some(text) = self.values.of(first) else {
            return;
        };
        let is_known = matches!(
            receiver,
            "subprocess"
                | "os"
                | "shutil"
                | "asyncio"
                | "sh"
                | "pexpect"
                | "spawn"
                | "commands"
                | "sp"
        ) || (receiver.is_empty() && name != "run" && name != "call");
        if !is_known {
            return;
        }
        if name.starts_with("exec")
            || name.contains("spawn")
            || name == "create_subprocess_exec"
            || name == "which"
            || name == "find_executable"
        {
            let words = arguments.iter().skip(skip);
            let argv: Vec<Text> = words
                .map(|word| self.values.of(word).unwrap_or_else(|| vec![UNKNOWN]))
                .collect();
            self.reader.nested(|reader| command::line(reader, &argv));
            return;
        }
        self.reader.nested(|reader| shell::text(reader, &text));
        if matches!(
            name,
            "system" | "popen" | "getoutput" | "getstatusoutput" | "create_subprocess_shell"
        ) {
            self.reader.run(b"/bin/sh");
        }
    }

    /// A shared library by the name that is given to `dlopen`.
    pub(super) fn library(&mut self, name: &[u8], is_short: bool) {
        const DIRECTORIES: &[&str] = &["lib", "usr/lib", "usr/local/lib", "lib64", "usr/lib64"];
        if name.is_empty() || pattern::is_pattern(name) {
            return;
        }
        if name.contains(&b'/') {
            self.path(name, false);
            return;
        }
        let fits = if is_short {
            [b"lib", name, b".so*"].concat()
        } else {
            [name, b"*"].concat()
        };
        let mut found = Vec::new();
        for directory in DIRECTORIES {
            let Ok(node) = self.reader.world.tree.resolve(directory, Follow::All) else {
                continue;
            };
            let inside = node
                .children()
                .filter(|child| child.name().ends_with(b"-linux-gnu"));
            for directory in inside.chain([node]).take(32) {
                let libraries = directory
                    .children()
                    .filter(|child| pattern::fits(&fits, child.name()));
                found.extend(libraries.take(16).map(|child| child.path()));
            }
        }
        let shown = jettison_image::escape(&String::from_utf8_lossy(name));
        for path in found {
            self.reader
                .add(path, How::Opens, format!("opens the library {shown}"));
        }
        if is_short {
            self.reader.run(b"ldconfig");
        }
    }
}

/// The elements of a list or tuple.
pub(super) fn elements(list: &Expr) -> impl Iterator<Item = &Expr> {
    let elements: &[Expr] = match list {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => &[],
    };
    elements.iter().take(256)
}
