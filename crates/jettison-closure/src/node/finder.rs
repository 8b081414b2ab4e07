//! Goes through a module's tree and adds what it leads to.

use jettison_image::{Follow, ImagePath};
use oxc_ast::ast::{
    Argument, CallExpression, ExportAllDeclaration, ExportFromDeclaration, Expression,
    ImportDeclaration, ImportExpression, NewExpression, Program, TSExternalModuleReference,
    VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};

use super::evaluate::Values;
use super::package;
use super::resolve::{Resolved, Resolver};
use crate::How;
use crate::scripts::{Reader, Text, UNKNOWN, command, is_system, pattern, shell};

/// Packages that look for compiled modules in directories of the caller's.
const NATIVE: &[&str] = &[
    "@mapbox/node-pre-gyp",
    "bindings",
    "node-gyp-build",
    "node-gyp-build-optional-packages",
    "node-pre-gyp",
    "pkg-prebuilds",
];

pub(super) struct Finder<'r, 'w> {
    reader: &'r mut Reader<'w>,
    values: Values<'w>,
    directory: ImagePath,
    /// The file is none of `node_modules`.
    is_application: bool,
    /// Inside an expression whose value is known already.
    quiet: usize,
    /// Names are noted, nothing is added.
    noting: bool,
}

impl<'r, 'w> Finder<'r, 'w> {
    pub(super) fn new(reader: &'r mut Reader<'w>, path: &ImagePath) -> Self {
        let values = Values::new(reader.world, path.clone());
        Self {
            reader,
            values,
            directory: path.parent().unwrap_or_else(ImagePath::root),
            is_application: path.components().all(|name| name != b"node_modules"),
            quiet: 0,
            noting: false,
        }
    }

    pub(super) fn program(&mut self, program: &Program<'_>) {
        self.noting = true;
        self.visit_program(program);
        self.noting = false;
        self.visit_program(program);
    }

    /// Text that does not parse: strings behind `require(`, `from`, `import`.
    pub(super) fn scan(&mut self, text: &str) {
        for (at, _) in text.match_indices(['"', '\'']).take(200_000) {
            let before = text
                .get(at.saturating_sub(12)..at)
                .unwrap_or_default()
                .trim_end();
            let before = before.strip_suffix('(').unwrap_or(before).trim_end();
            if !["require", "import", "from", "resolve"]
                .iter()
                .any(|word| before.ends_with(word))
            {
                continue;
            }
            let quote = &text[at..=at];
            let inside = text[at + 1..].split(quote).next().unwrap_or_default();
            if inside.len() < 256 {
                self.module(inside.as_bytes());
            }
        }
        crate::scripts::paths::names(self.reader, text.as_bytes());
    }

    /// A module by its name, or what the known part of one stands for.
    fn module(&mut self, name: &[u8]) {
        if name.is_empty() {
            return;
        }
        if name.contains(&UNKNOWN) {
            let is_path = name.starts_with(b"/") || name.starts_with(b".");
            if is_path {
                self.path(name, true);
            } else if name[0] != UNKNOWN {
                let resolved = Resolver::new(self.reader.world).fitting(&self.directory, name);
                add(self.reader, &shown(name), resolved);
            }
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return;
        };
        let name = name.strip_prefix("file://").unwrap_or(name);
        let resolved = Resolver::new(self.reader.world).resolve(&self.directory, name);
        add(self.reader, name, resolved);
        if NATIVE.contains(&name) {
            self.native();
        }
        if name == "express" {
            for directory in ["views", "public"] {
                let path = self.reader.world.working_directory.join(directory);
                if let Ok(path) = path {
                    self.path(&[b"/", path.as_bytes()].concat(), true);
                }
            }
        }
    }

    /// Where compiled modules of this package lie.
    fn native(&mut self) {
        let Some(package) = package::nearest(&self.reader.world, &self.directory) else {
            return;
        };
        for name in ["build", "prebuilds", "lib/binding", "compiled", "bin"] {
            if let Ok(path) = package.directory().join(name)
                && self.is_directory(&path)
            {
                self.reader
                    .family(&path, "looks there for its compiled module");
            }
        }
    }

    fn is_directory(&self, path: &ImagePath) -> bool {
        let node = self.reader.world.tree.resolve(path, Follow::All);
        node.is_ok_and(|node| node.is_directory())
    }

    /// A path that the text names; a directory only where it is `listed`.
    fn path(&mut self, text: &[u8], listed: bool) {
        let known = pattern::known_prefix(text);
        let is_pattern = known.len() < text.len();
        let known = if is_pattern {
            &known[..known.iter().rposition(|&byte| byte == b'/').unwrap_or(0)]
        } else {
            known
        };
        let Ok(known) = std::str::from_utf8(known) else {
            return;
        };
        if known.is_empty() || known.len() > 1024 {
            return;
        }
        let resolver = Resolver::new(self.reader.world);
        let working = self.reader.world.working_directory.clone();
        for base in [self.directory.clone(), working] {
            let Some(path) = resolver.below(&base, known) else {
                continue;
            };
            if self.is_directory(&path) {
                // The root of the application is where everything is.
                let is_whole = path.is_root()
                    || is_system(&path)
                    || (is_pattern && self.directory == path && !listed);
                if listed && !is_whole {
                    self.reader.family(&path, "opens files by computed names");
                    return;
                }
            } else if !is_pattern && self.reader.world.file(&path).is_some() {
                self.reader.add(path, How::Names, "names the path");
                return;
            }
        }
    }

    fn argument(&mut self, arguments: &[Argument], at: usize) -> Option<Text> {
        self.values.argument(arguments.get(at)?)
    }

    fn call(&mut self, call: &CallExpression) {
        let (receiver, name) = match &call.callee {
            Expression::Identifier(name) => ("", name.name.as_str()),
            Expression::StaticMemberExpression(member) => {
                let receiver = match &member.object {
                    Expression::Identifier(name) => name.name.as_str(),
                    Expression::CallExpression(inner) => {
                        let first = inner.arguments.first();
                        match first {
                            Some(Argument::StringLiteral(text))
                                if text.value.as_str().ends_with("child_process") =>
                            {
                                "child_process"
                            }
                            _ => "?",
                        }
                    }
                    Expression::ImportMeta(_) => "require",
                    _ => "?",
                };
                (receiver, member.property.name.as_str())
            }
            _ => return,
        };
        let arguments = &call.arguments;
        let requires = |name: &str| name.to_ascii_lowercase().ends_with("require");
        match name {
            name if requires(name) || name == "__webpack_require__" || name == "requireActual" => {
                if let Some(text) = self.argument(arguments, 0) {
                    self.module(&text);
                }
            }
            "resolve" if requires(receiver) => {
                if let Some(text) = self.argument(arguments, 0) {
                    self.module(&text);
                }
            }
            "readFile"
            | "readFileSync"
            | "createReadStream"
            | "existsSync"
            | "statSync"
            | "readdir"
            | "readdirSync"
            | "opendir"
            | "opendirSync"
            | "glob"
            | "globSync"
            | "sendFile"
            | "sendfile"
            | "static"
            | "serveStatic"
            | "register"
            | "addFileTypeInspection"
            | "loadSync"
            | "loadPackageDefinition" => {
                if let Some(text) = self.argument(arguments, 0) {
                    self.path(&text, true);
                }
            }
            "set" => {
                // `app.set('views', directory)`
                if self.argument(arguments, 0).as_deref() == Some(b"views")
                    && let Some(text) = self.argument(arguments, 1)
                {
                    self.path(&text, true);
                }
            }
            "fork" => {
                if let Some(text) = self.argument(arguments, 0) {
                    self.path(&text, false);
                }
            }
            "exec" | "execSync" | "spawn" | "spawnSync" | "execFile" | "execFileSync" | "execa"
            | "execaSync" | "execaCommand" | "which" | "commandExists" => {
                self.starts(receiver, name, arguments)
            }
            _ => {}
        }
    }

    fn starts(&mut self, receiver: &str, name: &str, arguments: &[Argument]) {
        let is_known = matches!(
            receiver,
            "" | "child_process"
                | "cp"
                | "childProcess"
                | "child"
                | "shell"
                | "shelljs"
                | "process"
                | "proc"
                | "which"
        ) || name.starts_with("spawn")
            || name.starts_with("execFile");
        let Some(text) = self.argument(arguments, 0).filter(|_| is_known) else {
            return;
        };
        if matches!(name, "exec" | "execSync" | "execaCommand") {
            self.reader.nested(|reader| shell::text(reader, &text));
            self.reader.run(b"/bin/sh");
            return;
        }
        let mut argv = vec![text];
        if let Some(Argument::ArrayExpression(list)) = arguments.get(1) {
            for element in list.elements.iter().take(256) {
                let word = element
                    .as_expression()
                    .and_then(|word| self.values.of(word));
                argv.push(word.unwrap_or_else(|| vec![UNKNOWN]));
            }
        }
        self.reader.nested(|reader| command::line(reader, &argv));
        // `spawn('a | b', { shell: true })`
        if argv.len() == 1 && argv[0].contains(&b' ') {
            self.reader.nested(|reader| shell::text(reader, &argv[0]));
        }
    }
}

impl<'a> Visit<'a> for Finder<'_, '_> {
    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        if self.noting {
            let name = declarator.id.get_identifier_name();
            if let (Some(name), Some(value)) = (name, &declarator.init)
                && self.values.names.len() < 10_000
                && let Some(text) = self.values.of(value)
            {
                self.values.names.entry(name.to_string()).or_insert(text);
            }
        }
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        if !self.noting && import.import_kind.is_value() {
            self.module(import.source.value.as_str().as_bytes());
        }
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        if !self.noting {
            self.module(export.source.value.as_str().as_bytes());
        }
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'a>) {
        if !self.noting {
            self.module(export.source.value.as_str().as_bytes());
        }
    }

    fn visit_ts_external_module_reference(&mut self, reference: &TSExternalModuleReference<'a>) {
        if !self.noting {
            self.module(reference.expression.value.as_str().as_bytes());
        }
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        if !self.noting
            && let Some(text) = self.values.of(&import.source)
        {
            self.module(&text);
            return;
        }
        walk::walk_import_expression(self, import);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        if !self.noting
            && let Expression::Identifier(name) = &new.callee
            && matches!(
                name.name.as_str(),
                "Worker" | "Piscina" | "Tinypool" | "SharedWorker"
            )
            && let Some(text) = self.argument(&new.arguments, 0)
        {
            self.path(&text, false);
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_expression(&mut self, expression: &Expression<'a>) {
        if self.noting {
            walk::walk_expression(self, expression);
            return;
        }
        if let Expression::CallExpression(call) = expression {
            self.call(call);
        }
        let may_be_path = matches!(
            expression,
            Expression::StringLiteral(_)
                | Expression::TemplateLiteral(_)
                | Expression::BinaryExpression(_)
                | Expression::CallExpression(_)
                | Expression::NewExpression(_)
        );
        if self.quiet > 0 || !may_be_path {
            walk::walk_expression(self, expression);
            return;
        }
        let Some(text) = self.values.of(expression) else {
            walk::walk_expression(self, expression);
            return;
        };
        if text.starts_with(b"/") {
            let is_literal = matches!(
                expression,
                Expression::StringLiteral(_) | Expression::TemplateLiteral(_)
            );
            // A directory of the application that a path is built to; one
            // written out in full may as well be the path of a request.
            self.path(&text, !is_literal || text.contains(&UNKNOWN));
        } else if self.is_application && (text.starts_with(b"./") || text.starts_with(b"../")) {
            self.path(&text, false);
        }
        self.quiet += 1;
        walk::walk_expression(self, expression);
        self.quiet -= 1;
    }
}

/// Adds where a name leads.
pub(super) fn add(reader: &mut Reader, name: &str, resolved: Resolved) {
    let name = jettison_image::escape(name);
    for path in resolved.files {
        reader.add(path, How::Imports, format!("requires {name}"));
    }
    for path in resolved.packages {
        reader.add(path, How::Names, format!("is asked where {name} is"));
    }
    for path in resolved.directories {
        reader.family(&path, format!("requires packages named like {name}"));
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace('\0', "…")
}
