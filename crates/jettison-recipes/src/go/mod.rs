//! Go: modules, workspaces, vendored modules and plain directories without
//! either. The Go command itself builds; here is found which main packages
//! there are and from where it has to be called.

mod constraint;
mod failures;
mod modfile;
mod recipe;
pub(crate) mod syntax;

use std::collections::BTreeMap;

pub(crate) use self::failures::{dynamic, explain, survey_findings};
use self::modfile::ModFile;
use self::syntax::GoFile;
use crate::project::{Binary, DetectError};
use crate::recipe::{Command, ProbeSubject, ToolchainProbe};
use crate::source::{self, Source};

/// A Go project with at least one main package.
#[derive(Debug, Clone)]
pub struct GoProject {
    pub(crate) programs: Vec<GoProgram>,
}

/// One main package.
#[derive(Debug, Clone)]
pub(crate) struct GoProgram {
    pub(crate) binary: Binary,
    /// The directory of its go.mod; none for a plain directory.
    module: Option<String>,
    /// A go.work above the module that does not name it.
    is_outside_workspace: bool,
    /// The files of a Linux build, by name.
    files: Vec<String>,
    /// `version`, `commit` …: package-level variables that `-X` can set.
    string_variables: Vec<String>,
    imports: Vec<String>,
}

/// Directories whose programs serve the project's own making.
const SECONDARY: &[&str] = &[
    "example",
    "examples",
    "_examples",
    "test",
    "tests",
    "e2e",
    "tools",
    "tool",
    "hack",
    "script",
    "scripts",
    "bench",
    "benchmarks",
    "third_party",
    "ci",
    "build",
    "gen",
    "generate",
];

impl GoProject {
    /// The main packages at and below `directory`; none when this is no Go project.
    pub(crate) fn detect(
        source: &dyn Source,
        directory: &str,
    ) -> Result<Option<Self>, DetectError> {
        let packages = packages(source, directory);
        let home = module_of(source, directory);
        let is_workspace = source::has(source, &within(directory, "go.work"));
        let mut is_go = home.is_some() || is_workspace || has_go_files(source, directory);
        let mut programs = Vec::new();
        for (package, files) in &packages {
            let module = module_of(source, package);
            is_go |= module.is_some();
            let belongs = match module {
                // Without a module, `go build` takes the directory alone.
                None => *package == directory,
                Some(module) if home == Some(module) => true,
                // A module of its own further below is another project, unless
                // a workspace or a directory without a module holds them together.
                Some(module) if is_workspace => workspace_uses(source, directory, module),
                Some(_) => home.is_none(),
            };
            if belongs {
                programs.push(program(source, directory, package, module, files));
            }
        }
        if programs.is_empty() {
            if !is_go {
                return Ok(None);
            }
            let directory = if directory.is_empty() { "." } else { directory };
            return Err(DetectError::NoProgram {
                directory: directory.into(),
                language: "Go",
            });
        }
        name_apart(&mut programs);
        Ok(Some(Self { programs }))
    }

    pub(crate) fn toolchain_probes(&self) -> Vec<ToolchainProbe> {
        let directory = self
            .programs
            .first()
            .map_or("", |program| &program.binary.directory);
        vec![ToolchainProbe {
            about: ProbeSubject::GoVersion,
            command: Command::new("go", ["version"], directory),
        }]
    }
}

/// Directories with their Go files of a Linux build, tests aside.
fn packages<'s>(
    source: &'s dyn Source,
    directory: &str,
) -> BTreeMap<&'s str, Vec<(&'s str, GoFile)>> {
    let mut packages: BTreeMap<&str, Vec<(&str, GoFile)>> = BTreeMap::new();
    let mut libraries = std::collections::BTreeSet::new();
    for path in source::below(source, directory) {
        let name = source::file_name(path);
        if !name.ends_with(".go") || name.ends_with("_test.go") || name.starts_with(['_', '.']) {
            continue;
        }
        let package = source::parent(path);
        if libraries.contains(package) || is_ignored(package, directory) {
            continue;
        }
        let Some(text) = source::read_text(source, path) else {
            continue;
        };
        let file = GoFile::parse(&text);
        // `package documentation` is the Go command's name for a file that is
        // in no package (go/build).
        if !constraint::is_built(name, file.constraint.as_deref(), &[])
            || file.package == "documentation"
        {
            continue;
        }
        if file.package != "main" {
            libraries.insert(package);
            packages.remove(package);
            continue;
        }
        packages.entry(package).or_default().push((name, file));
    }
    packages
}

/// True when a source can be linked into the program of `package`: it belongs to
/// a Linux build, and to no other program.
pub(crate) fn is_part_of(text: &str, path: &str, package: &str) -> bool {
    let file = GoFile::parse(text);
    constraint::is_built(source::file_name(path), file.constraint.as_deref(), &[])
        && (file.package != "main" || source::parent(path) == package)
}

/// `./...` leaves out vendored code, testdata and names with a leading `_` or `.`.
fn is_ignored(package: &str, directory: &str) -> bool {
    package
        .strip_prefix(directory)
        .unwrap_or(package)
        .split('/')
        .any(|part| matches!(part, "vendor" | "testdata") || part.starts_with(['_', '.']))
}

/// The directory of the nearest go.mod at or above a directory.
fn module_of<'d>(source: &dyn Source, directory: &'d str) -> Option<&'d str> {
    source::ancestors(directory).find(|a| source::has(source, &within(a, "go.mod")))
}

fn has_go_files(source: &dyn Source, directory: &str) -> bool {
    source::below(source, directory)
        .any(|path| source::parent(path) == directory && path.ends_with(".go"))
}

fn program(
    source: &dyn Source,
    directory: &str,
    package: &str,
    module: Option<&str>,
    files: &[(&str, GoFile)],
) -> GoProgram {
    let module_path = module
        .and_then(|module| source::read_text(source, &within(module, "go.mod")))
        .and_then(|text| ModFile::parse(&text).module);
    let name = match (&module_path, module) {
        (Some(path), Some(module)) if module == package => modfile::program_name(path),
        _ if package.is_empty() => source.root_name(),
        _ => source::file_name(package),
    };
    let below = package.strip_prefix(directory).unwrap_or(package);
    let mut imports: Vec<String> = files
        .iter()
        .flat_map(|(_, file)| file.imports.clone())
        .collect();
    imports.sort();
    imports.dedup();
    GoProgram {
        binary: Binary {
            name: name.to_owned(),
            directory: package.to_owned(),
            is_secondary: below.split('/').any(|part| SECONDARY.contains(&part)),
        },
        is_outside_workspace: module.is_some_and(|module| is_outside_workspace(source, module)),
        module: module.map(str::to_owned),
        files: files.iter().map(|(name, _)| (*name).to_owned()).collect(),
        string_variables: ["version", "Version", "commit", "Commit"]
            .into_iter()
            .filter(|variable| files.iter().any(|(_, file)| file.declares(variable)))
            .map(str::to_owned)
            .collect(),
        imports,
    }
}

/// The nearest go.work above the module, if it does not use it: the Go
/// command would refuse to build.
fn is_outside_workspace(source: &dyn Source, module: &str) -> bool {
    source::ancestors(module)
        .find(|a| source::has(source, &within(a, "go.work")))
        .is_some_and(|workspace| !workspace_uses(source, workspace, module))
}

fn workspace_uses(source: &dyn Source, workspace: &str, module: &str) -> bool {
    let Some(text) = source::read_text(source, &within(workspace, "go.work")) else {
        return false;
    };
    ModFile::parse(&text)
        .uses
        .iter()
        .any(|used| source::join(workspace, used).as_deref() == Some(module))
}

/// Two programs of one name are told apart by their directories.
fn name_apart(programs: &mut [GoProgram]) {
    let names: Vec<String> = programs
        .iter()
        .map(|program| program.binary.name.clone())
        .collect();
    for program in programs {
        let alike = names
            .iter()
            .filter(|name| **name == program.binary.name)
            .count();
        if alike > 1 && !program.binary.directory.is_empty() {
            program.binary.name.clone_from(&program.binary.directory);
        }
    }
}

fn within(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.into()
    } else {
        format!("{directory}/{name}")
    }
}
