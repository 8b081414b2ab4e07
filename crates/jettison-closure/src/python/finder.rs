//! Goes through a module's tree and adds what it leads to.

use std::collections::HashMap;

use jettison_image::{Follow, ImagePath};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Mod, Stmt, StmtImportFrom};

use super::evaluate::{Values, is_name};
use super::interpreter::Interpreter;
use super::metadata;
use super::modules::{self, Resolver};
use crate::scripts::{Reader, Text, UNKNOWN, command, pattern, shell};
use crate::{How, World};

/// Names that one file may import.
const MOST_IMPORTS: usize = 20_000;

/// Modules that read files of the system which they do not name whole.
const HINTS: &[(&str, &str)] = &[
    ("zoneinfo", "/usr/share/zoneinfo"),
    ("mimetypes", "/etc/mime.types"),
    ("locale", "/usr/share/locale/locale.alias"),
    ("readline", "/etc/inputrc"),
    ("crypt", "/etc/login.defs"),
];

pub(super) struct Finder<'r, 'w> {
    reader: &'r mut Reader<'w>,
    interpreter: Interpreter,
    values: Values<'w>,
    /// The dotted package that relative imports start from.
    package: Option<String>,
    /// The text uses what imports by name at run time.
    by_name: bool,
    /// The file belongs to the application, not to what is installed.
    is_application: bool,
    /// Inside an expression whose value is known already.
    quiet: usize,
    /// Names that were looked for, and whether they were found.
    imported: HashMap<String, bool>,
}

impl<'r, 'w> Finder<'r, 'w> {
    pub(super) fn new(
        reader: &'r mut Reader<'w>,
        interpreter: Interpreter,
        path: Option<&ImagePath>,
    ) -> Self {
        let values = Values::new(reader.world, path.cloned(), interpreter.prefix.clone());
        let package = path.and_then(|path| package(&reader.world, &interpreter, path));
        let is_application = path.is_none_or(|path| {
            let library = interpreter.sites.iter().chain(&interpreter.library);
            library
                .into_iter()
                .all(|directory| !path.starts_with(directory))
        });
        Self {
            reader,
            interpreter,
            values,
            package,
            by_name: false,
            is_application,
            quiet: 0,
            imported: HashMap::new(),
        }
    }

    pub(super) fn module(&mut self, module: &Mod) {
        let Mod::Module(module) = module else {
            return;
        };
        let mut names = Names {
            finder: self,
            depth: 0,
        };
        names.visit_body(&module.body);
        self.visit_body(&module.body);
    }

    /// Text that does not parse: the lines that look like imports, and paths.
    pub(super) fn scan(&mut self, text: &str) {
        for line in text.lines().take(100_000) {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("import ") {
                for name in rest.split(',') {
                    let name = name.split_whitespace().next().unwrap_or_default();
                    self.import(name.trim_end_matches(';'));
                }
            } else if let Some((module, names)) = line
                .strip_prefix("from ")
                .and_then(|rest| rest.split_once(" import"))
            {
                let level = module.len() - module.trim_start_matches('.').len();
                let module = module.trim_start_matches('.').trim();
                let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
                let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
                self.import_from(module, level, &names);
            }
            if !line.starts_with('#') {
                crate::scripts::paths::names(self.reader, line.as_bytes());
            }
        }
    }

    fn import(&mut self, name: &str) -> bool {
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

    fn import_from(&mut self, module: &str, level: usize, names: &[&str]) {
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
    fn import_text(&mut self, text: &[u8], package: Option<String>) {
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

    fn package_family(&mut self, package: &str) {
        let directories = Resolver::new(self.reader.world, &self.interpreter).directories(package);
        for directory in directories {
            self.whole(&directory, "imports modules by computed names");
        }
    }

    /// What is imported by a name that cannot be told lies in the file's own
    /// package, as far as anything says.
    fn own_package(&mut self) {
        let directory = self.values.file.as_ref().and_then(ImagePath::parent);
        if let (Some(directory), Some(_)) = (directory, &self.package) {
            self.whole(&directory, "imports modules by computed names");
        }
    }

    /// A directory as a family; never a whole library of modules.
    fn whole(&mut self, directory: &ImagePath, detail: &str) {
        let is_root_of_modules = self.interpreter.sites.contains(directory)
            || self.interpreter.library.as_ref() == Some(directory)
            || self.interpreter.prefix.as_ref() == Some(directory);
        if !is_root_of_modules {
            self.reader.family(directory, detail);
        }
    }

    /// A path that the text names. A directory is taken whole where it is
    /// `listed`: handed to something, not merely kept to build on.
    fn path(&mut self, text: &[u8], listed: bool) {
        let absolute;
        let text = if text.starts_with(b"/") {
            text
        } else {
            absolute = [
                b"/",
                self.reader.world.working_directory.as_bytes(),
                b"/",
                text,
            ]
            .concat();
            &absolute
        };
        if pattern::is_pattern(text) {
            let known = pattern::known_prefix(text);
            let directory = &known[..known.iter().rposition(|&byte| byte == b'/').unwrap_or(0)];
            match self.directory(directory) {
                Some(directory) if directory.components().count() > 0 => {
                    self.whole(&directory, "opens files by computed names");
                }
                _ => {}
            }
            return;
        }
        if let Some(directory) = self.directory(text) {
            if listed {
                self.whole(&directory, "names the directory");
            }
        } else {
            self.reader.name(text);
        }
    }

    fn directory(&mut self, path: &[u8]) -> Option<ImagePath> {
        let found = self.reader.existing(path)?;
        let node = self.reader.world.tree.resolve(&found, Follow::All).ok()?;
        node.is_directory().then_some(found)
    }

    fn string(&mut self, text: &[u8]) {
        if text.starts_with(b"/") {
            self.path(text, true);
            return;
        }
        if text.len() > 200 || !(self.by_name || self.is_application) || !is_dotted(text) {
            return;
        }
        let Ok(name) = std::str::from_utf8(text) else {
            return;
        };
        let name = name.split(':').next().unwrap_or(name);
        let first = name.split('.').next().unwrap_or(name);
        let own = self
            .package
            .as_deref()
            .and_then(|package| package.split('.').next());
        if !self.is_application && own != Some(first) {
            return;
        }
        self.import(name);
        if self.is_application {
            // Frameworks look inside such packages for modules by custom:
            // models, admin, tasks, migrations.
            let directories = Resolver::new(self.reader.world, &self.interpreter).directories(name);
            for directory in directories {
                self.whole(&directory, "names the package");
            }
        }
    }

    /// An application's settings name packages without a dot: Django's apps.
    fn settings(&mut self, target: &Expr, value: &Expr) {
        let Expr::Name(name) = target else {
            return;
        };
        let is_list_of_modules = name.id.as_str().ends_with("_APPS")
            || matches!(
                name.id.as_str(),
                "APPS"
                    | "PLUGINS"
                    | "MODULES"
                    | "EXTENSIONS"
                    | "INSTALLED_PLUGINS"
                    | "imports"
                    | "include"
            );
        let (Expr::List(_) | Expr::Tuple(_), true) = (value, is_list_of_modules) else {
            return;
        };
        for element in elements(value) {
            if let Some(text) = self.values.of(element)
                && let Ok(name) = std::str::from_utf8(&text)
                && !name.is_empty()
                && !name.contains('/')
                && self.import(name)
            {
                let directories =
                    Resolver::new(self.reader.world, &self.interpreter).directories(name);
                for directory in directories {
                    self.whole(&directory, "names the package");
                }
            }
        }
    }

    fn call(&mut self, call: &ExprCall) {
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
    fn library(&mut self, name: &[u8], is_short: bool) {
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

impl<'a> Visitor<'a> for Finder<'_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import(alias.name.as_str());
                }
            }
            Stmt::ImportFrom(StmtImportFrom {
                module,
                names,
                level,
                ..
            }) => {
                let module = module.as_ref().map_or("", |module| module.as_str());
                let names: Vec<&str> = names.iter().map(|alias| alias.name.as_str()).collect();
                self.import_from(module, *level as usize, &names);
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.settings(target, &assign.value);
                }
                // A path that is kept is one to build on.
                let text = self.values.of(&assign.value);
                if let Some(text) = text.filter(|text| text.starts_with(b"/")) {
                    let is_constant = assign.value.is_string_literal_expr();
                    self.path(&text, is_constant);
                    self.quiet += 1;
                    walk_stmt(self, statement);
                    self.quiet -= 1;
                    return;
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            self.call(call);
        }
        let may_be_path = matches!(
            expression,
            Expr::StringLiteral(_)
                | Expr::BinOp(_)
                | Expr::FString(_)
                | Expr::Call(_)
                | Expr::Attribute(_)
        );
        if self.quiet > 0 || !may_be_path {
            walk_expr(self, expression);
            return;
        }
        let Some(text) = self.values.of(expression) else {
            walk_expr(self, expression);
            return;
        };
        if expression.is_string_literal_expr() {
            self.string(&text);
        } else if text.starts_with(b"/") {
            // `Path(__file__).parent` alone is something to build on.
            let is_built =
                matches!(expression, Expr::BinOp(_) | Expr::FString(_)) || joins(expression);
            self.path(&text, is_built);
        }
        self.quiet += 1;
        walk_expr(self, expression);
        self.quiet -= 1;
    }
}

/// Notes what names stand for before anything else is read, and whether the
/// text imports by name.
struct Names<'f, 'r, 'w> {
    finder: &'f mut Finder<'r, 'w>,
    depth: usize,
}

impl<'a> Visitor<'a> for Names<'_, '_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let (target, value) = match statement {
            Stmt::Assign(assign) => (assign.targets.first(), Some(&*assign.value)),
            Stmt::AnnAssign(assign) => (Some(&*assign.target), assign.value.as_deref()),
            Stmt::Import(import) => {
                let by_name = |name: &str| {
                    [
                        "importlib",
                        "pkgutil",
                        "pkg_resources",
                        "stevedore",
                        "lazy_loader",
                    ]
                    .iter()
                    .any(|module| name.split('.').next() == Some(module))
                };
                self.finder.by_name |= import
                    .names
                    .iter()
                    .any(|alias| by_name(alias.name.as_str()));
                (None, None)
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                let by_name = |name: &str| {
                    matches!(
                        name,
                        "importlib" | "import_module" | "import_string" | "entry_points"
                    )
                };
                self.finder.by_name |= module.starts_with("importlib")
                    || import
                        .names
                        .iter()
                        .any(|alias| by_name(alias.name.as_str()));
                (None, None)
            }
            _ => (None, None),
        };
        if let (Some(Expr::Name(name)), Some(value)) = (target, value)
            && self.finder.values.names.len() < 10_000
            && let Some(text) = self.finder.values.of(value)
        {
            self.finder
                .values
                .names
                .entry(name.id.as_str().to_owned())
                .or_insert(text);
        }
        if self.depth < 64 {
            self.depth += 1;
            walk_stmt(self, statement);
            self.depth -= 1;
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// The dotted package of a file: below a directory of modules what leads to
/// it, elsewhere the directories around it that are packages.
fn package(world: &World, interpreter: &Interpreter, path: &ImagePath) -> Option<String> {
    let directory = path.parent()?;
    let known = interpreter.sites.iter().chain(&interpreter.library);
    let holder = known
        .filter(|holder| directory.starts_with(holder))
        .max_by_key(|holder| holder.as_bytes().len());
    let below = match holder {
        Some(holder) => directory.as_bytes().get(holder.as_bytes().len()..)?,
        None => {
            let holder = super::interpreter::outermost(world, &directory);
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

fn elements(list: &Expr) -> impl Iterator<Item = &Expr> {
    let elements: &[Expr] = match list {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        _ => &[],
    };
    elements.iter().take(256)
}

/// `os.path.join(…)`, `.joinpath(…)`.
fn joins(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else {
        return false;
    };
    match &*call.func {
        Expr::Attribute(attribute) => matches!(
            attribute.attr.as_str(),
            "join" | "joinpath" | "with_name" | "format"
        ),
        Expr::Name(name) => name.id.as_str() == "join",
        _ => false,
    }
}

/// `package.module.name`, with a dot, as an application's settings write it.
fn is_dotted(text: &[u8]) -> bool {
    text.contains(&b'.')
        && !text.ends_with(b".")
        && text
            .first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:".contains(byte))
}
