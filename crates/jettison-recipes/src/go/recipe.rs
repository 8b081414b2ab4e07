//! The Go recipe: one static binary without symbols or the builder's paths.

use super::{GoProgram, GoProject};
use crate::cgo::Cgo;
use crate::project::{Binary, RecipeError};
use crate::recipe::{Artifact, Command, Language, PackageFacts, ProbeSubject, Recipe, Request};
use crate::source;

/// Lists the packages that use cgo, each with its module.
const CGO_PACKAGES: &str =
    r"{{if and .CgoFiles (not .Standard)}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}";

impl GoProject {
    pub(crate) fn recipe(&self, binary: &Binary, request: &Request) -> Result<Recipe, RecipeError> {
        let program = self
            .programs
            .iter()
            .find(|program| program.binary == *binary)
            .ok_or_else(|| RecipeError::NoSuchBinary {
                asked: binary.name.clone(),
                known: Vec::new(),
            })?;
        let version = toolchain(request)?;
        program.needs_no_module()?;
        let target = request.platform()?;
        if request.cgo != Cgo::Off && request.host.is_some_and(|host| host != target) {
            return Err(RecipeError::Toolchain {
                missing: format!(
                    "cgo cannot build for {target} here: that takes a C cross compiler"
                ),
                hint: "build without cgo, or on a machine of that platform".into(),
            });
        }

        let name = source::file_name(&program.binary.name).to_owned();
        let output = format!("{}/{name}", request.output_directory.trim_end_matches('/'));
        let mut notes = vec![version];
        let stamps = program.stamps(request, &mut notes);
        let build = program.build(request, target.architecture(), &output, &stamps);
        let mut recipe = Recipe {
            language: Language::Go,
            name,
            target,
            toolchain_target: target.to_string(),
            survey: program.module.as_ref().map(|_| program.survey(request)),
            commands: vec![build],
            artifact: Artifact::Path(output),
            package_directory: program.binary.directory.clone(),
            package: PackageFacts::default(),
            notes,
            fallback: None,
        };
        recipe.fallback = Some(Box::new(without_vcs(&recipe)));
        Ok(recipe)
    }
}

fn toolchain(request: &Request) -> Result<String, RecipeError> {
    let answer = request.answer(&ProbeSubject::GoVersion);
    match answer {
        Some(answer) if answer.is_success() => Ok(answer.stdout.trim().to_owned()),
        Some(answer) if answer.started => Err(RecipeError::Toolchain {
            missing: format!(
                "`go version` fails: {}",
                answer.stderr.lines().last().unwrap_or("no output").trim()
            ),
            hint: "a go.mod that asks for a newer Go needs GOTOOLCHAIN=auto or that Go installed"
                .into(),
        }),
        _ => Err(RecipeError::Toolchain {
            missing: "there is no Go on the PATH".into(),
            hint: "apt-get install golang-go   (or the newest from https://go.dev/dl)".into(),
        }),
    }
}

impl GoProgram {
    /// Without a go.mod only the standard library can be imported.
    fn needs_no_module(&self) -> Result<(), RecipeError> {
        if self.module.is_some() {
            return Ok(());
        }
        let is_foreign = |import: &&String| {
            import
                .split('/')
                .next()
                .is_some_and(|first| first.contains('.'))
                || import.starts_with('.')
        };
        let Some(foreign) = self.imports.iter().find(is_foreign) else {
            return Ok(());
        };
        let directory = &self.binary.directory;
        Err(RecipeError::Sources {
            cause: format!(
                "there is no go.mod, and {} imports {foreign}",
                self.files.join(" or ")
            ),
            hint: format!(
                "{}go mod init {} && go mod tidy",
                if directory.is_empty() {
                    String::new()
                } else {
                    format!("cd {directory} && ")
                },
                source::file_name(&self.binary.name),
            ),
        })
    }

    /// `-X` settings for the version variables that the main package declares.
    fn stamps(&self, request: &Request, notes: &mut Vec<String>) -> Vec<String> {
        let mut stamps = Vec::new();
        for variable in &self.string_variables {
            let value = if variable.eq_ignore_ascii_case("version") {
                &request.version
            } else {
                &request.revision
            };
            // The linker splits at spaces unless quoted; versions have none.
            if let Some(value) = value
                .as_deref()
                .filter(|v| !v.is_empty() && !v.contains(char::is_whitespace))
            {
                stamps.push(format!("-X main.{variable}={value}"));
                notes.push(format!("main.{variable} = {value}"));
            }
        }
        stamps
    }

    fn build(
        &self,
        request: &Request,
        architecture: &str,
        output: &str,
        stamps: &[String],
    ) -> Command {
        let mut linker = vec!["-s".to_owned(), "-w".to_owned()];
        linker.extend_from_slice(stamps);
        let mut tags = request.features.clone();
        if request.cgo == Cgo::Static {
            linker.push("-linkmode external -extldflags \"-static\"".into());
            tags.extend(["netgo".into(), "osusergo".into()]);
        }
        let mut arguments = vec![
            "build".to_owned(),
            "-trimpath".into(),
            "-ldflags".into(),
            linker.join(" "),
        ];
        if !tags.is_empty() {
            arguments.extend(["-tags".into(), tags.join(",")]);
        }
        arguments.extend(["-o".into(), output.into()]);
        arguments.extend(self.packages());
        let command = Command::new("go", arguments, &self.binary.directory)
            .with(
                "CGO_ENABLED",
                if request.cgo == Cgo::Off { "0" } else { "1" },
            )
            .with("GOOS", "linux")
            .with("GOARCH", architecture);
        self.in_workspace(command)
    }

    /// Today's Go builds a directory without a module by its files. One whose
    /// name begins with a dash must not be read as a flag.
    fn packages(&self) -> Vec<String> {
        if self.module.is_some() {
            return vec![".".into()];
        }
        let file = |name: &String| match name.starts_with('-') {
            true => format!("./{name}"),
            false => name.clone(),
        };
        self.files.iter().map(file).collect()
    }

    fn survey(&self, request: &Request) -> Command {
        let mut arguments = vec!["list".to_owned(), "-deps".into()];
        if !request.features.is_empty() {
            arguments.extend(["-tags".into(), request.features.join(",")]);
        }
        arguments.extend(["-f".into(), CGO_PACKAGES.into(), ".".into()]);
        let command = Command::new("go", arguments, &self.binary.directory)
            .with(
                "CGO_ENABLED",
                if request.cgo == Cgo::Off { "1" } else { "0" },
            )
            .with("GOOS", "linux");
        self.in_workspace(command)
    }

    fn in_workspace(&self, command: Command) -> Command {
        if self.is_outside_workspace {
            command.with("GOWORK", "off")
        } else {
            command
        }
    }
}

/// The Go command stamps the commit and refuses where git does (a checkout
/// owned by somebody else, no git on the PATH).
fn without_vcs(recipe: &Recipe) -> Recipe {
    let mut plain = recipe.clone();
    for command in &mut plain.commands {
        command.arguments.insert(1, "-buildvcs=false".into());
    }
    plain
        .notes
        .push("built without the commit in its build information (-buildvcs=false)".into());
    plain
}
