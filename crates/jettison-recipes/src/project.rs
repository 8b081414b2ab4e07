//! What a project is: its language and the programs it can build, found from
//! the listing and the manifests alone.

use std::fmt;

use crate::go::GoProject;
use crate::recipe::{Language, Recipe, Request, ToolchainProbe};
use crate::runtime_files::{self, RuntimeFile};
use crate::rust::RustProject;
use crate::source::{self, Source};
use crate::target::Target;

/// A project with at least one program.
#[derive(Debug, Clone)]
pub enum Project {
    /// Go modules, workspaces and plain directories.
    Go(GoProject),
    /// Cargo packages and workspaces.
    Rust(RustProject),
}

/// One program that a project can build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    /// What `--bin` calls it, and the file name it gets.
    pub name: String,
    /// The directory of its package, relative to the source's root.
    pub directory: String,
    /// Named as an example, a tool or a test by where it lies: built when
    /// asked for, never a reason to ask.
    pub is_secondary: bool,
}

/// Why there is nothing to build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// No manifest and no source of a known language.
    #[error("no Go or Rust project in {directory}: {found}")]
    Nothing {
        /// Where it was looked for.
        directory: String,
        /// What is there instead.
        found: Found,
    },
    /// A library, or a workspace of libraries.
    #[error("{directory}: this {language} project has no program, only libraries")]
    NoProgram {
        /// Where.
        directory: String,
        /// In which language.
        language: &'static str,
    },
    /// A manifest that does not parse.
    #[error("{path}: {reason}")]
    Manifest {
        /// The manifest.
        path: String,
        /// Line, column and what was expected.
        reason: String,
    },
}

impl DetectError {
    /// What to do about it; something to paste where there is something.
    pub fn hint(&self) -> Option<String> {
        const ANY_IMAGE: &str =
            "give it a Dockerfile, however naive: jettison build executes and slims it";
        let Self::Nothing { found, .. } = self else {
            return None;
        };
        if let Some(below) = found.projects_below.first() {
            return Some(format!("name one of them: jettison build PATH/{below}"));
        }
        if let Some(dockerfile) = &found.dockerfile {
            return Some(format!("without --recipe the {dockerfile} is executed"));
        }
        if !found.languages.is_empty() {
            return Some(ANY_IMAGE.to_owned());
        }
        Some("name the directory of go.mod or Cargo.toml: jettison build PATH".to_owned())
    }
}

/// What was found where a project was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Recognised languages that have no recipe yet, with the file that told.
    pub languages: Vec<(&'static str, String)>,
    /// A Dockerfile or Containerfile.
    pub dockerfile: Option<String>,
    /// Directories below that are projects of a known language.
    pub projects_below: Vec<String>,
}

/// Why no recipe could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// Several programs, and none was asked for.
    #[error("several programs can be built here: {}", .0.join(", "))]
    WhichBinary(Vec<String>),
    /// The one asked for is not there.
    #[error("no program `{asked}` here; there is {}", .known.join(", "))]
    NoSuchBinary {
        /// What was asked for.
        asked: String,
        /// What is there.
        known: Vec<String>,
    },
    /// The toolchain, or a part of it, is missing.
    #[error("{missing}")]
    Toolchain {
        /// What is missing.
        missing: String,
        /// What to paste.
        hint: String,
    },
    /// The sources need something a recipe does not do.
    #[error("{cause}")]
    Sources {
        /// What, and where.
        cause: String,
        /// What to do.
        hint: String,
    },
}

impl RecipeError {
    /// What to do about it; something to paste where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::WhichBinary(names) | Self::NoSuchBinary { known: names, .. } => {
                Some(format!("choose one: --bin {}", names.first()?))
            }
            Self::Toolchain { hint, .. } | Self::Sources { hint, .. } => Some(hint.clone()),
        }
    }
}

impl Request {
    /// The platform to build for.
    pub(crate) fn platform(&self) -> Result<Target, RecipeError> {
        self.target
            .or(self.host)
            .ok_or_else(|| RecipeError::Toolchain {
                missing: "this machine's own platform is neither linux/amd64 nor linux/arm64"
                    .into(),
                hint: "name one: --platform linux/amd64".into(),
            })
    }
}

impl Project {
    /// Finds out what is at `directory` (relative to the source's root, empty
    /// for the root itself). The manifests of enclosing directories are taken
    /// into account: `directory` may be a member of a workspace or a package
    /// inside a module.
    pub fn detect(source: &dyn Source, directory: &str) -> Result<Self, DetectError> {
        let directory = directory.trim_matches('/');
        let directory = if directory == "." { "" } else { directory };
        // A manifest in the directory itself decides before anything around it.
        if source::has(source, &join(directory, "Cargo.toml")) {
            return RustProject::detect(source, directory).map(Self::Rust);
        }
        if let Some(project) = GoProject::detect(source, directory)? {
            return Ok(Self::Go(project));
        }
        // `jettison build src` inside a Cargo package.
        let enclosing =
            source::ancestors(directory).find(|a| source::has(source, &join(a, "Cargo.toml")));
        if let Some(package) = enclosing
            && source::below(source, directory).any(|path| path.ends_with(".rs"))
        {
            return RustProject::detect(source, package).map(Self::Rust);
        }
        Err(DetectError::Nothing {
            directory: display(directory),
            found: Found::look(source, directory),
        })
    }

    /// Its language.
    pub fn language(&self) -> Language {
        match self {
            Self::Go(_) => Language::Go,
            Self::Rust(_) => Language::Rust,
        }
    }

    /// Every program it can build.
    pub fn binaries(&self) -> Vec<&Binary> {
        match self {
            Self::Go(project) => project
                .programs
                .iter()
                .map(|program| &program.binary)
                .collect(),
            Self::Rust(project) => project
                .programs
                .iter()
                .map(|program| &program.binary)
                .collect(),
        }
    }

    /// The program that was asked for, or the only one there is.
    pub fn choose(&self, asked: Option<&str>) -> Result<&Binary, RecipeError> {
        let binaries = self.binaries();
        let Some(asked) = asked else {
            let default = match self {
                Self::Go(_) => None,
                Self::Rust(project) => project.default_run.as_deref(),
            };
            return only(&binaries, default);
        };
        // A directory names a Go program as well as its last component does.
        let plain = asked.trim_start_matches("./").trim_end_matches('/');
        binaries
            .iter()
            .find(|binary| binary.name == plain)
            .or_else(|| {
                binaries
                    .iter()
                    .find(|binary| !plain.is_empty() && binary.directory == plain)
            })
            .copied()
            .ok_or_else(|| RecipeError::NoSuchBinary {
                asked: asked.into(),
                known: names(&binaries),
            })
    }

    /// Files and directories of the project that its sources open by a
    /// relative path at run time: they have to come along (`--include`).
    pub fn runtime_files(&self, source: &dyn Source, binary: &Binary) -> Vec<RuntimeFile> {
        runtime_files::find(source, self.language(), &binary.directory)
    }

    /// What has to be known about the toolchain before [`Project::recipe`].
    pub fn toolchain_probes(&self, request: &Request) -> Vec<ToolchainProbe> {
        match self {
            Self::Go(project) => project.toolchain_probes(),
            Self::Rust(project) => project.toolchain_probes(request),
        }
    }

    /// How the chosen program is built.
    pub fn recipe(&self, request: &Request) -> Result<Recipe, RecipeError> {
        let binary = self.choose(request.bin.as_deref())?;
        match self {
            Self::Go(project) => project.recipe(binary, request),
            Self::Rust(project) => project.recipe(binary, request),
        }
    }
}

fn only<'p>(binaries: &[&'p Binary], default: Option<&str>) -> Result<&'p Binary, RecipeError> {
    if let Some(binary) = binaries
        .iter()
        .find(|binary| default == Some(binary.name.as_str()))
    {
        return Ok(binary);
    }
    let primary: Vec<&Binary> = binaries
        .iter()
        .filter(|binary| !binary.is_secondary)
        .copied()
        .collect();
    let candidates = if primary.is_empty() {
        binaries
    } else {
        &primary
    };
    match candidates {
        [one] => Ok(one),
        _ => Err(RecipeError::WhichBinary(names(candidates))),
    }
}

fn names(binaries: &[&Binary]) -> Vec<String> {
    binaries.iter().map(|binary| binary.name.clone()).collect()
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.into()
    } else {
        format!("{directory}/{name}")
    }
}

fn display(directory: &str) -> String {
    if directory.is_empty() {
        ".".into()
    } else {
        directory.into()
    }
}

/// The files that tell a language, most telling first.
const TELLING: &[(&str, &[&str])] = &[
    (
        "Python",
        &[
            "pyproject.toml",
            "requirements.txt",
            "setup.py",
            "Pipfile",
            "uv.lock",
            "manage.py",
        ],
    ),
    ("Node", &["package.json", "deno.json", "bun.lockb"]),
    ("Java", &["pom.xml", "build.gradle", "build.gradle.kts"]),
    ("Ruby", &["Gemfile"]),
    ("PHP", &["composer.json"]),
    ("Elixir", &["mix.exs"]),
    ("Zig", &["build.zig"]),
    (
        "C or C++",
        &["CMakeLists.txt", "meson.build", "configure.ac", "Makefile"],
    ),
];

impl Found {
    fn look(source: &dyn Source, directory: &str) -> Self {
        let mut found = Self::default();
        for (language, files) in TELLING {
            if let Some(file) = files
                .iter()
                .find(|file| source::has(source, &join(directory, file)))
            {
                found.languages.push((language, (*file).to_owned()));
            }
        }
        if found.languages.is_empty() {
            let ends = [
                (".csproj", "C#"),
                (".py", "Python"),
                (".js", "Node"),
                (".java", "Java"),
            ];
            for (ending, language) in ends {
                let here = source::below(source, directory)
                    .find(|path| source::parent(path) == directory && path.ends_with(ending));
                if let Some(path) = here {
                    found
                        .languages
                        .push((language, source::file_name(path).to_owned()));
                }
            }
        }
        found.dockerfile = ["Dockerfile", "Containerfile"]
            .into_iter()
            .find(|name| source::has(source, &join(directory, name)))
            .map(str::to_owned);
        found.projects_below = source::below(source, directory)
            .filter(|path| matches!(source::file_name(path), "go.mod" | "Cargo.toml"))
            .map(|path| source::parent(path).to_owned())
            .take(8)
            .collect();
        found
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("looked for go.mod, go.work, *.go with package main and Cargo.toml")?;
        for (language, file) in &self.languages {
            write!(f, "; found {file} ({language}: no recipe yet)")?;
        }
        if let Some(dockerfile) = &self.dockerfile {
            write!(f, "; found a {dockerfile}")?;
        }
        if !self.projects_below.is_empty() {
            write!(
                f,
                "; there are projects in {}",
                self.projects_below.join(", ")
            )?;
        }
        Ok(())
    }
}
