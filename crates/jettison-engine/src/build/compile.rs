//! Carries a recipe out with the toolchain of the machine, and says what a
//! failure means.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as HostCommand, Stdio};
use std::thread;

use jettison_closure::ElfFacts;
use jettison_recipes::{
    Answer, Command, Failure, Project, Recipe, RecipeError, Request, ToolchainProbe,
};

use jettison_sandbox::interrupt_with_us;

use super::source::HostSource;
use crate::progress::Progress;

/// More output than any compiler's last words.
const OUTPUT_BYTES: usize = 16 << 20;
/// Lines of a failed command that are shown.
const LAST_LINES: usize = 40;

/// A program that was built.
pub(crate) struct Compiled {
    pub(crate) recipe: Recipe,
    /// Where it lies on the host.
    pub(crate) path: PathBuf,
    /// Trouble in the sources that did not stop the build.
    pub(crate) warnings: Vec<Failure>,
}

/// Why no program came out.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// There is no recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A command of the recipe failed.
    #[error("{command}: {cause}{}", last_words(output))]
    Failed {
        /// The command as a person would paste it.
        command: String,
        /// What went wrong.
        cause: String,
        /// What to do, where it is known.
        hint: Option<String>,
        /// The end of its output.
        output: String,
    },
    /// A command could not be run, or what it made could not be found.
    #[error("{what}")]
    Machine {
        /// What was tried.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl CompileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Failed { hint, .. } => hint.clone(),
            Self::Machine { .. } => None,
        }
    }
}

fn last_words(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    let shown = lines[from..].iter().map(|line| format!("\n  {line}"));
    let cut = (from > 0).then(|| format!("\n  … {from} earlier lines"));
    cut.into_iter().chain(shown).collect()
}

/// Asks the toolchain what the recipe has to know.
pub(crate) fn ask_toolchain(root: &Path, project: &Project, request: &mut Request) {
    for ToolchainProbe { about, command } in project.toolchain_probes(request) {
        let answer = run(root, &command, None, &mut |_| {}).unwrap_or_default();
        request.answers.push((about, answer));
    }
}

/// Builds the program, by the fallback where the recipe itself says so.
pub(crate) fn compile(
    source: &HostSource,
    recipe: Recipe,
    cache: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Compiled, CompileError> {
    match attempt(source, &recipe, cache, progress) {
        Attempt::Done(path, warnings) => Ok(Compiled {
            recipe,
            path,
            warnings,
        }),
        Attempt::Failed(error) => Err(error),
        Attempt::TryFallback(why) => {
            progress.note(&format!("{}; trying another way", why.cause));
            let fallback = *recipe.fallback.expect("asked for only where there is one");
            let mut compiled = compile(source, fallback, cache, progress)?;
            compiled.warnings.push(why);
            Ok(compiled)
        }
    }
}

enum Attempt {
    Done(PathBuf, Vec<Failure>),
    TryFallback(Failure),
    Failed(CompileError),
}

fn attempt(
    source: &HostSource,
    recipe: &Recipe,
    cache: Option<&Path>,
    progress: &dyn Progress,
) -> Attempt {
    let mut warnings = Vec::new();
    if let Some(survey) = &recipe.survey
        && let Ok(answer) = run(source.root(), survey, cache, &mut |_| {})
    {
        warnings = recipe.survey_findings(&answer.stdout);
    }
    let mut stdout = String::new();
    for command in &recipe.commands {
        let item = progress.begin(&format!("building {}", recipe.name), None);
        let answer = run(source.root(), command, cache, &mut |line| item.say(line));
        drop(item);
        let answer = match answer {
            Ok(answer) => answer,
            Err(source) => {
                let what = format!("{} cannot be run", command.program);
                return Attempt::Failed(CompileError::Machine { what, source });
            }
        };
        if !answer.is_success() {
            return failed(source.root(), recipe, command, &answer);
        }
        stdout = answer.stdout;
    }
    match recipe.artifact_path(&stdout) {
        Some(path) => Attempt::Done(path.into(), warnings),
        None => Attempt::Failed(CompileError::Machine {
            what: format!(
                "the build ended well, but did not say where {} is",
                recipe.name
            ),
            source: std::io::ErrorKind::NotFound.into(),
        }),
    }
}

fn failed(root: &Path, recipe: &Recipe, command: &Command, answer: &Answer) -> Attempt {
    let explained = recipe.explain(&root.to_string_lossy(), &answer.stderr);
    if let Some(failure) = &explained
        && failure.try_fallback
        && recipe.fallback.is_some()
    {
        return Attempt::TryFallback(failure.clone());
    }
    let plain = || match answer.code {
        Some(code) => format!("exit code {code}"),
        None => "ended by a signal".to_owned(),
    };
    let (cause, hint) = match explained {
        Some(failure) => (failure.cause, failure.hint),
        None => (plain(), None),
    };
    let output = answer.stderr.clone();
    Attempt::Failed(CompileError::Failed {
        command: command.shell_line(),
        cause,
        hint,
        output,
    })
}

/// What a program that is not static lacks, and what would make it so.
pub(crate) fn explain_dynamic(recipe: &Recipe, facts: &ElfFacts) -> Failure {
    recipe.explain_dynamic(facts.interpreter.as_deref(), &facts.needed)
}

/// Runs a command with an empty standard input; every line of its standard
/// error is handed on while it runs.
fn run(
    root: &Path,
    command: &Command,
    cache: Option<&Path>,
    on_line: &mut dyn FnMut(&str),
) -> std::io::Result<Answer> {
    let mut host_command = HostCommand::new(&command.program);
    if let Some(cache) = cache {
        // Cargo is told by its target directory.
        host_command.env("GOCACHE", cache.join("go"));
    }
    host_command
        .args(&command.arguments)
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .current_dir(root.join(&command.directory))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    interrupt_with_us(&mut host_command);
    let mut child = match host_command.spawn() {
        Ok(child) => Reaped(child),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Answer::default()),
        Err(error) => return Err(error),
    };
    let mut stdout = child.0.stdout.take().expect("piped above");
    let stderr = BufReader::new(child.0.stderr.take().expect("piped above"));
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = stdout
            .by_ref()
            .take(OUTPUT_BYTES as u64)
            .read_to_end(&mut bytes);
        // A full pipe would stop the command.
        std::io::copy(&mut stdout, &mut std::io::sink()).ok();
        result.map(|_| bytes)
    });
    let mut talk = String::new();
    for line in stderr.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        on_line(line.trim_end());
        if talk.len() < OUTPUT_BYTES {
            talk.push_str(&line);
            talk.push('\n');
        }
    }
    let stdout = reader
        .join()
        .map_err(|_| std::io::Error::other("reading stopped"))??;
    let status = child.0.wait()?;
    Ok(Answer {
        started: true,
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: talk,
    })
}

/// A child that does not outlive an early return.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
