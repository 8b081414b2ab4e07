//! Goes through a module's tree and adds what it leads to.

use std::collections::HashMap;

use jettison_image::{Follow, ImagePath};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Mod, Stmt, StmtImportFrom};

use super::calls::elements;
use super::evaluate::Values;
use super::imports;
use super::interpreter::Interpreter;
use super::modules::Resolver;
use crate::scripts::{Reader, pattern};

/// Modules that read files of the system which they do not name whole.
pub(super) const HINTS: &[(&str, &str)] = &[
    ("zoneinfo", "/usr/share/zoneinfo"),
    ("mimetypes", "/etc/mime.types"),
    ("locale", "/usr/share/locale/locale.alias"),
    ("readline", "/etc/inputrc"),
    ("crypt", "/etc/login.defs"),
];

pub(super) struct Finder<'r, 'w> {
    pub(super) reader: &'r mut Reader<'w>,
    pub(super) interpreter: Interpreter,
    pub(super) values: Values<'w>,
    /// The dotted package that relative imports start from.
    pub(super) package: Option<String>,
    /// The text uses what imports by name at run time.
    by_name: bool,
    /// The file belongs to the application, not to what is installed.
    is_application: bool,
    /// Inside an expression whose value is known already.
    quiet: usize,
    /// Names that were looked for, and whether they were found.
    pub(super) imported: HashMap<String, bool>,
}

impl<'r, 'w> Finder<'r, 'w> {
    pub(super) fn new(
        reader: &'r mut Reader<'w>,
        interpreter: Interpreter,
        path: Option<&ImagePath>,
    ) -> Self {
        let values = Values::new(reader.world, path.cloned(), interpreter.prefix.clone());
        let package = path.and_then(|path| imports::package(&reader.world, &interpreter, path));
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

    /// A directory as a family; never a whole library of modules.
    pub(super) fn whole(&mut self, directory: &ImagePath, detail: &str) {
        let is_root_of_modules = self.interpreter.sites.contains(directory)
            || self.interpreter.library.as_ref() == Some(directory)
            || self.interpreter.prefix.as_ref() == Some(directory);
        if !is_root_of_modules {
            self.reader.family(directory, detail);
        }
    }

    /// A path that the text names. A directory is taken whole where it is
    /// `listed`: handed to something, not merely kept to build on.
    pub(super) fn path(&mut self, text: &[u8], listed: bool) {
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
        // However it comes to ctypes or cffi, it is for nothing else.
        if is_library(text) {
            self.library(text, false);
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

/// `libNAME.so`, `libNAME.so.VERSION`.
fn is_library(text: &[u8]) -> bool {
    let is_of_names = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+-".contains(byte);
    let ends_well = text.ends_with(b".so") || text.windows(4).any(|part| part == b".so.");
    text.len() < 128 && text.starts_with(b"lib") && ends_well && text.iter().all(is_of_names)
}
