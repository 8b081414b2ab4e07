//! What a stage is at one of its instructions: the config that an image of it
//! would have, and the variables that its words may refer to. The instructions
//! that only change the config are carried out here; of the others it is said
//! what there is to do. Follows BuildKit's `dockerfile2llb`.

mod run;

use std::collections::BTreeMap;

use jettison_dockerfile::expand::{ExpandError, Lex, Variables};
use jettison_dockerfile::instruction::{
    Argument, Body, CommandLine, CopyFiles, HealthcheckTest, Instruction, MountError, Pair,
};
use jettison_dockerfile::syntax::Word;
use jettison_image::{Healthcheck, History, ImageConfig, Platform};

pub(crate) use run::RunAction;

use super::ports::{PortError, ports};
use crate::signal::{SignalError, check_signal};

/// docker's default.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What BuildKit signs its steps with; tools tell by it how to read a history.
pub(super) const COMMENT: &str = "buildkit.dockerfile.v0";
/// Bytes that the variables of a stage may come to: `ENV a=$a$a` doubles.
const MOST_VARIABLES: usize = 1 << 20;
/// ARG of these is no variable of a RUN.
const NO_VARIABLES: [&str; 1] = ["SOURCE_DATE_EPOCH"];

/// Why an instruction cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A word cannot be expanded.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// A mount cannot be read.
    #[error(transparent)]
    Mount(#[from] MountError),
    /// A port is none.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A signal is none.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// An instruction that was not understood.
    #[error("the instruction is not understood")]
    Invalid,
    /// What is asked for only BuildKit can do.
    #[error("{0} needs BuildKit")]
    BuildKit(&'static str),
}

/// What there is to do beside the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// A command is run.
    Run(RunAction),
    /// Files are copied, by ADD's rules where `is_add`.
    Copy {
        /// The words, variables resolved.
        files: Box<CopyFiles>,
        /// The instruction is ADD.
        is_add: bool,
    },
    /// The working directory is made.
    MakeDirectory,
}

/// A stage at one of its instructions.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The config, history included; `diff_ids` are not kept up.
    pub(crate) config: ImageConfig,
    /// ENV and ARG, the later over the earlier.
    pub(crate) variables: BTreeMap<String, Vec<u8>>,
    /// ARG with a value, in order: what a RUN's step in the history names.
    arguments: Vec<(String, Vec<u8>)>,
    cmd_is_set: bool,
    lex: Lex,
}

/// Values from outside of the stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    /// The global scope.
    pub(crate) globals: &'a BTreeMap<String, Vec<u8>>,
    /// `--build-arg`.
    pub(crate) build_args: &'a BTreeMap<String, Vec<u8>>,
}

impl State {
    /// On nothing.
    pub(crate) fn scratch(platform: &Platform, escape: u8) -> Self {
        let mut config = ImageConfig::new(platform);
        config.run.env.push(format!("PATH={PATH}"));
        config.run.working_dir = "/".to_owned();
        Self::on(config, escape)
    }

    /// On another stage, with its arguments.
    pub(crate) fn above(below: &Self) -> Self {
        Self {
            cmd_is_set: false,
            ..below.clone()
        }
    }

    /// On an image.
    pub(crate) fn on(mut config: ImageConfig, escape: u8) -> Self {
        config.created = None;
        let pairs = config.run.env.iter();
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        let variables = pairs
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .collect();
        Self {
            config,
            variables,
            arguments: Vec::new(),
            cmd_is_set: false,
            lex: Lex {
                limit_bytes: MOST_VARIABLES,
                ..Lex::new(escape)
            },
        }
    }

    /// Carries out what changes the config alone, and says what else there is
    /// to do.
    pub(crate) fn apply(
        &mut self,
        instruction: &Instruction,
        given: Given<'_>,
    ) -> Result<Action, StateError> {
        let resolved = match instruction.body {
            // Each pair of an ENV sees the variables as they were before it; ARG is its own matter.
            Body::Arg(_) => instruction.clone(),
            _ => instruction.expanded(&self.lex, &self.variables)?,
        };
        match &resolved.body {
            Body::Add(files) => return Ok(self.copy(files, true)),
            Body::Copy(files) => return Ok(self.copy(files, false)),
            Body::Run(run) => return self.run(run).map(Action::Run),
            Body::Arg(arguments) => self.argument(arguments, given)?,
            Body::Env(pairs) => self.env(pairs)?,
            Body::Label(pairs) => self.label(pairs),
            Body::Cmd(command) => {
                self.config.run.cmd = self.words(command);
                self.config.run.args_escaped = true;
                self.cmd_is_set = true;
                self.note(format!("CMD {}", json(&self.config.run.cmd)));
            }
            Body::Entrypoint(command) => {
                self.config.run.entrypoint = self.words(command);
                if !self.cmd_is_set {
                    self.config.run.cmd.clear();
                }
                self.note(format!("ENTRYPOINT {}", json(&self.config.run.entrypoint)));
            }
            Body::Expose(words) => {
                let found = ports(words.iter().map(|word| &*word.value))?;
                self.note(format!("EXPOSE {}", go_map(&found)));
                self.config.run.exposed_ports.extend(found);
            }
            Body::Healthcheck(check) => {
                let test = match &check.test {
                    HealthcheckTest::None => vec!["NONE".to_owned()],
                    HealthcheckTest::Exec(words) => {
                        let words = words.iter().map(|word| word.text().into_owned());
                        std::iter::once("CMD".to_owned()).chain(words).collect()
                    }
                    HealthcheckTest::Shell(word) => {
                        vec!["CMD-SHELL".to_owned(), word.text().into_owned()]
                    }
                };
                self.note(format!("HEALTHCHECK {}", json(&test)));
                self.config.run.healthcheck = Some(Healthcheck {
                    test,
                    interval_ns: check.interval_ns,
                    timeout_ns: check.timeout_ns,
                    start_period_ns: check.start_period_ns,
                    start_interval_ns: check.start_interval_ns,
                    retries: i64::from(check.retries),
                    ..Healthcheck::default()
                });
            }
            Body::Maintainer(word) => {
                let author = word.text().into_owned();
                self.note(format!("MAINTAINER {author}"));
                self.config.author = Some(author);
            }
            Body::Onbuild(onbuild) => {
                let expression = String::from_utf8_lossy(&onbuild.expression).into_owned();
                self.note(format!("ONBUILD {expression}"));
                self.config.run.on_build.push(expression);
            }
            Body::Shell(words) => {
                self.config.run.shell = texts(words);
                self.note(format!("SHELL {}", json(&self.config.run.shell)));
            }
            Body::Stopsignal(word) => {
                let signal = word.text().into_owned();
                check_signal(&signal)?;
                self.note(format!("STOPSIGNAL {signal}"));
                self.config.run.stop_signal = Some(signal);
            }
            Body::User(word) => {
                self.config.run.user = word.text().into_owned();
                self.note(format!("USER {}", self.config.run.user));
            }
            Body::Volume(words) => {
                self.note(format!("VOLUME {}", json(&texts(words))));
                self.config.run.volumes.extend(texts(words));
            }
            Body::Workdir(word) => {
                let directory = next_directory(&self.config.run.working_dir, &word.text());
                self.config.run.working_dir.clone_from(&directory);
                if directory != "/" {
                    self.note(format!("WORKDIR {directory}"));
                    return Ok(Action::MakeDirectory);
                }
                self.note(format!("WORKDIR {directory}"));
            }
            Body::From(_) | Body::Invalid => return Err(StateError::Invalid),
        }
        Ok(Action::None)
    }

    /// Instructions that the base left for images built on it; they count once.
    pub(crate) fn take_triggers(&mut self) -> Vec<String> {
        std::mem::take(&mut self.config.run.on_build)
    }

    fn argument(&mut self, arguments: &[Argument], given: Given<'_>) -> Result<(), StateError> {
        let mut shown = Vec::new();
        for argument in arguments {
            let name = argument.name.text().into_owned();
            let value = match (given.build_args.get(&name), &argument.value) {
                (Some(value), _) => Some(value.clone()),
                (None, Some(default)) => Some(self.lex.word(&default.value, &self.variables)?),
                (None, None) => given.globals.get(&name).cloned(),
            };
            shown.push(match &value {
                Some(value) => format!("{name}={}", String::from_utf8_lossy(value)),
                None => name.clone(),
            });
            let Some(value) = value else {
                continue;
            };
            self.arguments.retain(|(known, _)| *known != name);
            self.arguments.push((name.clone(), value.clone()));
            if !NO_VARIABLES.contains(&name.as_str()) {
                self.set(name, value)?;
            }
        }
        self.note(format!("ARG {}", shown.join(" ")));
        Ok(())
    }

    fn env(&mut self, pairs: &[Pair]) -> Result<(), StateError> {
        let mut shown = Vec::new();
        for Pair { name, value, .. } in pairs {
            let (name, text) = (name.text().into_owned(), value.text());
            self.config.run.set_env(&name, &text);
            shown.push(format!("{name}={text}"));
            self.set(name, value.value.clone())?;
        }
        self.note(format!("ENV {}", shown.join(" ")));
        Ok(())
    }

    fn set(&mut self, name: String, value: Vec<u8>) -> Result<(), StateError> {
        self.variables.insert(name, value);
        let total: usize = self.variables.values().map(Vec::len).sum();
        match total > MOST_VARIABLES {
            true => Err(ExpandError::TooLarge(MOST_VARIABLES).into()),
            false => Ok(()),
        }
    }

    fn label(&mut self, pairs: &[Pair]) {
        let mut shown = Vec::new();
        for Pair { name, value, .. } in pairs {
            let (name, value) = (name.text().into_owned(), value.text().into_owned());
            shown.push(format!("{name}={value}"));
            self.config.run.labels.insert(name, value);
        }
        self.note(format!("LABEL {}", shown.join(" ")));
    }

    fn copy(&mut self, files: &CopyFiles, is_add: bool) -> Action {
        let mut shown = vec![if is_add { "ADD" } else { "COPY" }.to_owned()];
        for (flag, word) in [("chown", &files.chown), ("chmod", &files.chmod)] {
            shown.extend(word.iter().map(|word| format!("--{flag}={}", word.text())));
        }
        shown.extend(files.sources.iter().map(|word| word.text().into_owned()));
        let inline = files.inline.iter();
        shown.extend(inline.map(|file| format!("<<{}", String::from_utf8_lossy(&file.name))));
        shown.push(files.destination.text().into_owned());
        self.note_layer(shown.join(" "));
        Action::Copy {
            files: Box::new(files.clone()),
            is_add,
        }
    }

    /// The shell in force.
    fn shell(&self) -> Vec<String> {
        match self.config.run.shell.as_slice() {
            [] => vec!["/bin/sh".to_owned(), "-c".to_owned()],
            shell => shell.to_vec(),
        }
    }

    fn words(&self, command: &CommandLine) -> Vec<String> {
        let words = texts(&command.words);
        match command.shell && !words.is_empty() {
            true => self.shell().into_iter().chain(words).collect(),
            false => words,
        }
    }

    /// A step without a layer.
    fn note(&mut self, created_by: String) {
        self.config.history.push(History {
            created_by: Some(created_by),
            comment: Some(COMMENT.to_owned()),
            empty_layer: true,
            ..History::default()
        });
    }

    /// A step that may have a layer; it is without until it has one.
    fn note_layer(&mut self, step: String) {
        self.note(format!("{step} # buildkit"));
    }

    /// The step that was noted last made a layer.
    pub(crate) fn made_layer(&mut self) {
        if let Some(step) = self.config.history.last_mut() {
            step.empty_layer = false;
        }
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&[u8]> {
        self.variables.value(name)
    }
}

/// The next working directory: an absolute one as it is written, as in
/// BuildKit.
fn next_directory(directory: &str, path: &str) -> String {
    match path {
        "" => joined("/", directory),
        path if path.starts_with('/') => path.to_owned(),
        path => joined(directory, path),
    }
}

/// A path below a working directory, without `.` and `..`.
pub(crate) fn joined(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let start = if path.starts_with('/') { "" } else { directory };
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn texts(words: &[Word]) -> Vec<String> {
    words.iter().map(|word| word.text().into_owned()).collect()
}

fn json(words: &[String]) -> String {
    serde_json::Value::from(words.to_vec()).to_string()
}

/// As Go prints a set.
fn go_map<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names
        .into_iter()
        .map(|name| format!("{name}:{{}}"))
        .collect();
    format!("map[{}]", names.join(" "))
}

#[cfg(test)]
mod tests;
