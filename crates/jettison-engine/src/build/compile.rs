//! Carries a recipe out in a workshop, and says what a failure means.

use std::path::{Path, PathBuf};

use jettison_closure::ElfFacts;
use jettison_recipes::{
    Answer, Command, Failure, Project, Recipe, RecipeError, Request, ToolchainProbe,
};

use super::source::HostSource;
use super::workshop::Workshop;
use crate::progress::Progress;

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
pub(crate) fn ask_toolchain(
    workshop: &dyn Workshop,
    root: &Path,
    project: &Project,
    request: &mut Request,
) {
    for ToolchainProbe { about, command } in project.toolchain_probes(request) {
        let answer = workshop.run(root, &command, &mut |_| {});
        let answer = answer.unwrap_or_default();
        request.answers.push((about, answer));
    }
}

/// Builds the program, by the fallback where the recipe itself says so.
pub(crate) fn compile(
    workshop: &dyn Workshop,
    source: &HostSource,
    recipe: Recipe,
    progress: &dyn Progress,
) -> Result<Compiled, CompileError> {
    match attempt(workshop, source, &recipe, progress) {
        Attempt::Done(path, warnings) => Ok(Compiled {
            recipe,
            path,
            warnings,
        }),
        Attempt::Failed(error) => Err(error),
        Attempt::TryFallback(why) => {
            progress.note(&format!("{}; trying another way", why.cause));
            let fallback = *recipe.fallback.expect("asked for only where there is one");
            let mut compiled = compile(workshop, source, fallback, progress)?;
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
    workshop: &dyn Workshop,
    source: &HostSource,
    recipe: &Recipe,
    progress: &dyn Progress,
) -> Attempt {
    let mut warnings = Vec::new();
    if let Some(survey) = &recipe.survey
        && let Ok(answer) = workshop.run(source.root(), survey, &mut |_| {})
    {
        warnings = recipe.survey_findings(&answer.stdout);
    }
    let mut stdout = String::new();
    for command in &recipe.commands {
        let item = progress.begin(&format!("building {}", recipe.name), None);
        let answer = workshop.run(source.root(), command, &mut |line| item.say(line));
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
