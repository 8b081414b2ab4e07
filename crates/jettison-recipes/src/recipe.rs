//! The recipe as a value: which commands to run, what comes out, and what
//! their failures mean. Nothing here runs anything; `build` carries a recipe
//! out, and `init` writes the same value down.

use serde::Serialize;

use crate::cgo::Cgo;
use crate::target::Target;

/// One command line of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// The program, looked up on the PATH.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables set on top of the caller's own environment.
    pub environment: Vec<(String, String)>,
    /// Where it runs, relative to the source's root; empty for the root.
    pub directory: String,
}

impl Command {
    pub(crate) fn new<A: Into<String>>(
        program: &str,
        arguments: impl IntoIterator<Item = A>,
        directory: &str,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            directory: directory.into(),
        }
    }

    pub(crate) fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.push((variable.into(), value.into()));
        self
    }

    /// The line as a person would paste it into a shell.
    pub fn shell_line(&self) -> String {
        let mut words: Vec<String> = self
            .environment
            .iter()
            .map(|(variable, value)| format!("{variable}={}", quoted(value)))
            .collect();
        words.push(quoted(&self.program));
        words.extend(self.arguments.iter().map(|argument| quoted(argument)));
        words.join(" ")
    }
}

/// What running a [`Command`] gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The program was found and started.
    pub started: bool,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Answer {
    /// It ran and ended with 0.
    pub fn is_success(&self) -> bool {
        self.started && self.code == Some(0)
    }
}

/// A question about the machine's toolchain, asked before a recipe is made.
/// Run each with an empty standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolchainProbe {
    /// What the answer is about.
    pub about: ProbeSubject,
    /// How to ask.
    pub command: Command,
}

/// What a [`ToolchainProbe`] asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProbeSubject {
    /// `go version`.
    GoVersion,
    /// `cargo --version`.
    CargoVersion,
    /// `rustc -vV`: version and host triple.
    RustcVersion,
    /// Whether the standard library of this target is installed.
    RustTarget(String),
    /// Whether this program is on the PATH.
    Program(String),
}

/// What the caller knows and a listing cannot tell.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The platform to build for; none for the machine's own.
    pub target: Option<Target>,
    /// The machine's own platform, when it is one of ours.
    pub host: Option<Target>,
    /// `--bin`: which program, where there are several.
    pub bin: Option<String>,
    /// What `git describe --tags --always --dirty` (or `--version`) says.
    pub version: Option<String>,
    /// The commit that is built.
    pub revision: Option<String>,
    /// Absolute path of the source's root on the machine; mapped away in what
    /// is built, so that it does not depend on where it was built.
    pub source_root: String,
    /// An absolute, existing directory that may be written to.
    pub output_directory: String,
    /// `$CARGO_HOME`, absolute; mapped away likewise.
    pub cargo_home: Option<String>,
    /// Where cargo shall put what it makes; none for the project's own.
    pub cargo_target_directory: Option<String>,
    /// Variables of the caller's environment that change a build: those for
    /// which [`is_build_variable`] holds.
    pub environment: Vec<(String, String)>,
    /// Go build tags and Cargo features, from `jettison.toml`.
    pub features: Vec<String>,
    /// Whether Go may call C, and how that is linked.
    pub cgo: Cgo,
    /// What the probes of [`crate::Project::toolchain_probes`] answered.
    pub answers: Vec<(ProbeSubject, Answer)>,
}

/// Variables that [`Request::environment`] wants to know.
pub fn is_build_variable(name: &str) -> bool {
    matches!(
        name,
        "RUSTFLAGS" | "CARGO_ENCODED_RUSTFLAGS" | "CARGO_BUILD_RUSTFLAGS" | "GOFLAGS" | "CC"
    ) || (name.starts_with("CARGO_TARGET_")
        && (name.ends_with("_LINKER") || name.ends_with("_RUSTFLAGS")))
}

impl Request {
    pub(crate) fn answer(&self, about: &ProbeSubject) -> Option<&Answer> {
        self.answers
            .iter()
            .find(|(subject, _)| subject == about)
            .map(|(_, answer)| answer)
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .iter()
            .find(|(variable, _)| variable == name)
            .map(|(_, value)| value.as_str())
    }
}

/// How one program is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The language.
    pub language: Language,
    /// The program's name; its entrypoint is `/NAME`.
    pub name: String,
    /// The platform it is built for.
    pub target: Target,
    /// What that is called by the toolchain: `linux/amd64`, a target triple.
    pub toolchain_target: String,
    /// Looks for trouble in the sources before they are built (quick); its
    /// output goes to [`Recipe::survey_findings`]. Its failure is no failure.
    pub survey: Option<Command>,
    /// To be run one after the other; the first failure ends it.
    pub commands: Vec<Command>,
    /// Where the program then is.
    pub artifact: Artifact,
    /// Directory of the program's package, relative to the source's root.
    pub package_directory: String,
    /// The package's own version and description, where its manifest has them.
    pub package: PackageFacts,
    /// Decisions worth a line each: why this target, what was left out.
    pub notes: Vec<String>,
    /// What to do instead when [`Recipe::explain`] says so.
    pub fallback: Option<Box<Recipe>>,
}

/// The languages that have a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Go.
    Go,
    /// Rust.
    Rust,
}

impl Language {
    /// The Debian packages that make its toolchain.
    pub fn packages(self, cgo: Cgo) -> Vec<&'static str> {
        let c: &[&str] = &["gcc", "libc6-dev"];
        let (own, needs_c): (&[&str], bool) = match self {
            Self::Go => (&["golang-go"], cgo != Cgo::Off),
            // What cargo compiles is linked by a C compiler.
            Self::Rust => (&["cargo", "rustc"], true),
        };
        let c = c.iter().filter(|_| needs_c);
        own.iter()
            .chain(c)
            .chain(&["ca-certificates"])
            .copied()
            .collect()
    }
}

/// Where a build leaves the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// At this absolute path.
    Path(String),
    /// Named by cargo's JSON messages on the last command's standard output
    /// (whatever target directory the project's configuration chose).
    CargoMessages {
        /// The `[[bin]]`.
        bin: String,
    },
}

/// What a package's manifest says about it, for labels.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PackageFacts {
    /// Its version.
    pub version: Option<String>,
    /// One line about it.
    pub description: Option<String>,
    /// Its licence expression.
    pub license: Option<String>,
    /// Where its sources are.
    pub repository: Option<String>,
}

/// What a failed command means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What went wrong, as a sentence fragment.
    pub cause: String,
    /// What to do: something to paste where there is something.
    pub hint: Option<String>,
    /// [`Recipe::fallback`] does not have this trouble: try it.
    pub try_fallback: bool,
}

impl Recipe {
    /// The path of the program, given the standard output of the last command.
    pub fn artifact_path(&self, stdout: &str) -> Option<String> {
        match &self.artifact {
            Artifact::Path(path) => Some(path.clone()),
            Artifact::CargoMessages { bin } => crate::rust::executable(stdout, bin),
        }
    }

    /// What the standard error and output of a failed command mean; none when
    /// it speaks for itself (the program does not compile). `root` is the
    /// source's root as a person calls it, for hints that are pasted elsewhere.
    pub fn explain(&self, root: &str, stderr: &str) -> Option<Failure> {
        match self.language {
            Language::Go => crate::go::explain(self, root, stderr),
            Language::Rust => crate::rust::explain(self, root, stderr),
        }
    }

    /// The package's directory as the argument of a shell's `cd`.
    pub(crate) fn shell_directory(&self, root: &str) -> String {
        let parts = [root.trim_end_matches('/'), &self.package_directory];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        match parts.is_empty() {
            true => ".".to_owned(),
            false => quoted(&parts.join("/")),
        }
    }

    /// Why a finished program is not static, and what would make it so. Handed
    /// what its ELF header says: PT_INTERP and DT_NEEDED.
    pub fn explain_dynamic(&self, interpreter: Option<&str>, needed: &[String]) -> Failure {
        match self.language {
            Language::Go => crate::go::dynamic(self, interpreter, needed),
            Language::Rust => crate::rust::dynamic(self, interpreter, needed),
        }
    }

    /// What the survey's standard output says, as warnings; empty when all is well.
    pub fn survey_findings(&self, stdout: &str) -> Vec<Failure> {
        match self.language {
            Language::Go => crate::go::survey_findings(stdout),
            Language::Rust => Vec::new(),
        }
    }

    /// Where the program goes in the image.
    pub fn entrypoint(&self) -> String {
        format!("/{}", self.name)
    }
}

/// Quoted for a POSIX shell where it needs to be.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let command =
            Command::new("go", ["build", "-ldflags", "-s -w", "it's"], "").with("CGO_ENABLED", "0");
        assert_eq!(
            command.shell_line(),
            r"CGO_ENABLED=0 go build -ldflags '-s -w' 'it'\''s'"
        );
    }
}
