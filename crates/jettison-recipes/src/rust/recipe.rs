//! The Rust recipe: one static, stripped binary, in the project's own release
//! profile, with the project's own flags.

use super::{RustProgram, RustProject};
use crate::project::{Binary, RecipeError};
use crate::recipe::{Artifact, Command, Language, ProbeSubject, Recipe, Request, ToolchainProbe};
use crate::source;
use crate::target::Target;

impl RustProject {
    pub(crate) fn toolchain_probes(&self, request: &Request) -> Vec<ToolchainProbe> {
        let directory = self
            .programs
            .first()
            .map_or("", |program| &program.binary.directory);
        let probe = |about, command| ToolchainProbe { about, command };
        let mut probes = vec![
            probe(
                ProbeSubject::CargoVersion,
                Command::new("cargo", ["--version"], directory),
            ),
            probe(
                ProbeSubject::RustcVersion,
                Command::new("rustc", ["-vV"], directory),
            ),
            probe(
                ProbeSubject::Program("cc".into()),
                Command::new("cc", ["--version"], directory),
            ),
        ];
        let Some(target) = request.target.or(request.host) else {
            return probes;
        };
        for library in ["musl", "gnu"] {
            let triple = triple(target, library);
            // An empty library needs nothing but the target's `std`; its
            // dependency list goes to standard output, so nothing is written.
            let arguments = [
                "--target",
                &triple,
                "--crate-type",
                "lib",
                "--emit=dep-info=-",
                "-",
            ];
            probes.push(probe(
                ProbeSubject::RustTarget(triple.clone()),
                Command::new("rustc", arguments, directory),
            ));
        }
        if request.host != Some(target) {
            let linker = cross_linker(target);
            probes.push(probe(
                ProbeSubject::Program(linker.clone()),
                Command::new(&linker, ["--version"], directory),
            ));
        }
        probes
    }

    pub(crate) fn recipe(&self, binary: &Binary, request: &Request) -> Result<Recipe, RecipeError> {
        let program = self
            .programs
            .iter()
            .find(|program| program.binary == *binary)
            .ok_or_else(|| RecipeError::NoSuchBinary {
                asked: binary.name.clone(),
                known: Vec::new(),
            })?;
        let toolchain = Toolchain::of(request)?;
        let target = request.platform()?;
        let mut ways = self.ways(target, request, &toolchain);
        if ways.is_empty() {
            return Err(no_way(target, request));
        }
        ways.truncate(2);
        let mut recipe = None;
        for way in ways.into_iter().rev() {
            let mut made = self.along(program, &way, target, request);
            made.notes.insert(0, toolchain.version.clone());
            made.fallback = recipe.map(Box::new);
            recipe = Some(made);
        }
        recipe.ok_or_else(|| no_way(target, request))
    }

    /// The ways to a static binary for a platform, best first.
    fn ways(&self, target: Target, request: &Request, toolchain: &Toolchain) -> Vec<Way> {
        let has = |triple: &str| {
            request
                .answer(&ProbeSubject::RustTarget(triple.into()))
                .is_some_and(|answer| answer.is_success())
        };
        let runs = |program: &str| {
            request
                .answer(&ProbeSubject::Program(program.into()))
                .is_some_and(|answer| answer.is_success())
        };
        let is_native = request.host == Some(target);
        let mut ways = Vec::new();

        let musl = triple(target, "musl");
        if has(&musl) {
            let chosen = self.chosen_linker(&musl, request);
            let linker = if chosen || (is_native && runs("cc")) {
                Linker::AsConfigured
            } else {
                Linker::Bundled
            };
            let why = format!("{musl} is installed");
            ways.push(Way {
                triple: musl,
                linker,
                why,
            });
        }
        let gnu = triple(target, "gnu");
        if is_native && has(&gnu) && runs("cc") {
            let why = "static glibc (crt-static)".to_owned();
            ways.push(Way {
                triple: gnu,
                linker: Linker::AsConfigured,
                why,
            });
        } else if !is_native && has(&gnu) {
            let cross = cross_linker(target);
            if self.chosen_linker(&gnu, request) {
                ways.push(Way {
                    triple: gnu,
                    linker: Linker::AsConfigured,
                    why: "the linker of the configuration".into(),
                });
            } else if runs(&cross) {
                let why = format!("{cross} is installed");
                ways.push(Way {
                    triple: gnu,
                    linker: Linker::Named(cross),
                    why,
                });
            }
        }
        // A distribution's own toolchain (Alpine) has its own triple.
        if is_native
            && ways.is_empty()
            && toolchain.host.contains("linux")
            && !toolchain.host.ends_with("-gnu")
        {
            let why = "the toolchain's own target".to_owned();
            ways.push(Way {
                triple: toolchain.host.clone(),
                linker: Linker::AsConfigured,
                why,
            });
        }
        ways
    }

    fn chosen_linker(&self, triple: &str, request: &Request) -> bool {
        let variable = format!("CARGO_TARGET_{}_LINKER", variable_name(triple));
        self.config.linker(triple).is_some() || request.variable(&variable).is_some()
    }

    fn along(&self, program: &RustProgram, way: &Way, target: Target, request: &Request) -> Recipe {
        let triple = &way.triple;
        let mut flags = vec!["-C".to_owned(), "target-feature=+crt-static".into()];
        let mut settings = vec![r#"profile.release.strip="symbols""#.to_owned()];
        match &way.linker {
            Linker::AsConfigured => {}
            Linker::Bundled => {
                flags.extend(["-C".into(), "link-self-contained=yes".into()]);
                settings.push(format!(r#"target.{triple}.linker="rust-lld""#));
            }
            Linker::Named(linker) => {
                settings.push(format!("target.{triple}.linker={}", toml_text(linker)))
            }
        }
        flags.extend(remapped(request));

        let mut environment = None;
        let inherited = match (
            request.variable("CARGO_ENCODED_RUSTFLAGS"),
            request.variable("RUSTFLAGS"),
        ) {
            (Some(encoded), _) => Some(
                encoded
                    .split('\u{1f}')
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            ),
            (None, Some(plain)) => Some(plain.split_whitespace().map(str::to_owned).collect()),
            (None, None) => None,
        };
        if let Some(mut all) = inherited {
            // These hide every flag of every configuration file, so ours join them.
            all.retain(|flag| !flag.is_empty());
            all.extend(flags);
            environment = Some(all.join("\u{1f}"));
        } else {
            let hidden = match request.variable("CARGO_BUILD_RUSTFLAGS") {
                Some(plain) => plain.split_whitespace().map(str::to_owned).collect(),
                None => self.config.hidden_flags(triple),
            };
            let all: Vec<String> = hidden
                .into_iter()
                .chain(flags)
                .map(|flag| toml_text(&flag))
                .collect();
            settings.push(format!("target.{triple}.rustflags=[{}]", all.join(",")));
        }

        let mut arguments = vec![
            "build".to_owned(),
            "--release".into(),
            "--locked".into(),
            "--target".into(),
            triple.clone(),
            "--bin".into(),
            program.bin.clone(),
            "--message-format=json-render-diagnostics".into(),
        ];
        let mut features = program.required_features.clone();
        features.extend(request.features.iter().cloned());
        if !features.is_empty() {
            arguments.extend(["--features".into(), features.join(",")]);
        }
        if let Some(directory) = &request.cargo_target_directory {
            arguments.extend(["--target-dir".into(), directory.clone()]);
        }
        for setting in settings {
            arguments.extend(["--config".into(), setting]);
        }
        let mut command = Command::new("cargo", arguments, &program.binary.directory);
        if let Some(flags) = environment {
            command = command.with("CARGO_ENCODED_RUSTFLAGS", flags);
        }
        Recipe {
            language: Language::Rust,
            name: source::file_name(&program.bin).to_owned(),
            target,
            toolchain_target: triple.clone(),
            survey: None,
            commands: vec![command],
            artifact: Artifact::CargoMessages {
                bin: program.bin.clone(),
            },
            package_directory: program.binary.directory.clone(),
            package: program.package.clone(),
            notes: vec![format!("{triple}: {}", way.why)],
            fallback: None,
        }
    }
}

struct Toolchain {
    version: String,
    host: String,
}

impl Toolchain {
    fn of(request: &Request) -> Result<Self, RecipeError> {
        let cargo = request.answer(&ProbeSubject::CargoVersion);
        let rustc = request.answer(&ProbeSubject::RustcVersion);
        let (Some(cargo), Some(rustc)) = (cargo, rustc) else {
            return Err(no_rust());
        };
        if !cargo.started || !rustc.started {
            return Err(no_rust());
        }
        for (name, answer) in [("cargo", cargo), ("rustc", rustc)] {
            if !answer.is_success() {
                // rustup's own words: a toolchain file that names what is not installed.
                let words = answer.stderr.trim();
                return Err(RecipeError::Toolchain {
                    missing: format!("`{name}` does not run here: {words}"),
                    hint: "rustup toolchain install   (in the project's directory)".into(),
                });
            }
        }
        let line = |name: &str| {
            rustc
                .stdout
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        Ok(Self {
            version: rustc
                .stdout
                .lines()
                .next()
                .unwrap_or("rustc")
                .trim()
                .to_owned(),
            host: line("host:").unwrap_or_default(),
        })
    }
}

/// One way to a static binary.
struct Way {
    triple: String,
    linker: Linker,
    why: String,
}

enum Linker {
    /// What cargo takes anyway.
    AsConfigured,
    /// The toolchain's own, with the target's own start files: no C compiler needed.
    Bundled,
    /// A cross compiler on the PATH.
    Named(String),
}

fn triple(target: Target, library: &str) -> String {
    format!("{}-unknown-linux-{library}", target.triple_architecture())
}

/// Debian's name for the C compiler of a platform.
fn cross_linker(target: Target) -> String {
    format!("{}-linux-gnu-gcc", target.triple_architecture())
}

/// A triple as it stands in the names of environment variables.
fn variable_name(triple: &str) -> String {
    triple.to_uppercase().replace(['-', '.'], "_")
}

/// Absolute paths of the builder's machine, mapped to names that are the same everywhere.
fn remapped(request: &Request) -> Vec<String> {
    // The last match wins, so the more special directories come last.
    let pairs = [
        (Some(request.source_root.as_str()), "/src"),
        (request.cargo_target_directory.as_deref(), "/target"),
        (request.cargo_home.as_deref(), "/cargo"),
    ];
    pairs
        .into_iter()
        .filter_map(|(from, to)| Some((from.filter(|from| !from.is_empty() && *from != "/")?, to)))
        .map(|(from, to)| format!("--remap-path-prefix={from}={to}"))
        .collect()
}

fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn no_rust() -> RecipeError {
    RecipeError::Toolchain {
        missing: "there is no Rust toolchain (cargo, rustc) on the PATH".into(),
        hint: "apt-get install cargo   (or the newest from https://rustup.rs)".into(),
    }
}

fn no_way(target: Target, request: &Request) -> RecipeError {
    let musl = triple(target, "musl");
    if request.host == Some(target) {
        let has_gnu = request
            .answer(&ProbeSubject::RustTarget(triple(target, "gnu")))
            .is_some_and(|answer| answer.is_success());
        if has_gnu {
            return RecipeError::Toolchain {
                missing: "a static build needs a C compiler for linking (`cc`), or the musl target"
                    .into(),
                hint: format!("apt-get install gcc libc6-dev   (or: rustup target add {musl})"),
            };
        }
    }
    RecipeError::Toolchain {
        missing: format!(
            "this Rust toolchain cannot build for {target}: no standard library for {musl}"
        ),
        hint: format!("rustup target add {musl}"),
    }
}

/// The path of a program in cargo's JSON messages.
pub(crate) fn executable(stdout: &str, bin: &str) -> Option<String> {
    stdout.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let target = message.get("target")?;
        let is_bin = target
            .get("kind")?
            .as_array()?
            .iter()
            .any(|kind| kind == "bin");
        if message.get("reason")? != "compiler-artifact" || !is_bin || target.get("name")? != bin {
            return None;
        }
        message.get("executable")?.as_str().map(str::to_owned)
    })
}
