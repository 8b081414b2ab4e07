//! Reads a maintainer script and says what it would have done. Nothing is run:
//! conditions, functions and loops are followed over the model of the file
//! system, the commands that packages use for files, accounts, alternatives are
//! carried out on it. What cannot be told without running it is not guessed but
//! listed.

mod files;
mod judge;
mod tools;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use jettison_dockerfile::shell::{
    AndOr, Command, CommandKind, Connector, List, Pipeline, ShellScript, parse,
};
use jettison_dockerfile::syntax::Logical;

use super::model::Model;

/// Commands of one script; honest ones have some hundred.
const STEPS: usize = 20_000;
/// Functions that call each other.
const DEPTH: usize = 40;
/// The largest script.
const SCRIPT_BYTES: usize = 1 << 20;

/// How a command ended, where that can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Yes,
    No,
    Unknown,
}

impl From<bool> for Status {
    fn from(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

impl Status {
    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// Where the script goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On(Status),
    Return(Status),
    Exit,
}

/// A word's text; none where it cannot be told.
pub(super) type Text = Option<Vec<u8>>;

/// One script that is followed.
pub(super) struct Run<'a, 'w> {
    pub(super) model: &'a mut Model<'w>,
    pub(super) package: &'a str,
    pub(super) architecture: &'a str,
    /// What was done, one line each.
    pub(super) done: &'a mut Vec<String>,
    /// What could not be told, one line each.
    pub(super) unproven: &'a mut Vec<String>,
    script: &'a ShellScript,
    variables: HashMap<Vec<u8>, Text>,
    functions: HashMap<Vec<u8>, &'a Command>,
    arguments: Vec<Text>,
    /// Variables may be set that were not seen being set.
    is_open: bool,
    steps: usize,
    depth: usize,
}

/// What scripts share.
pub(super) struct Ground<'a, 'w> {
    pub(super) model: &'a mut Model<'w>,
    pub(super) package: &'a str,
    pub(super) architecture: &'a str,
    pub(super) done: &'a mut Vec<String>,
    pub(super) unproven: &'a mut Vec<String>,
}

/// Follows a script that is called with these arguments.
pub(super) fn follow(ground: Ground<'_, '_>, name: &str, script: &[u8], arguments: &[&str]) {
    let Ground {
        model,
        package,
        architecture,
        done,
        unproven,
    } = ground;
    let first = script
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = String::from_utf8_lossy(first).into_owned();
    let is_shell = first.starts_with("#!") && {
        let program = first.trim_start_matches("#!").trim();
        let program = program.split_whitespace().next().unwrap_or_default();
        [
            "/bin/sh",
            "/bin/bash",
            "/usr/bin/sh",
            "/usr/bin/bash",
            "/bin/dash",
        ]
        .contains(&program)
    };
    if !is_shell || script.len() > SCRIPT_BYTES {
        unproven.push(format!("{package}: its {name} is no shell script"));
        return;
    }
    let mut text = Logical::default();
    text.push(script, 0);
    let script = parse(text);
    if !script.errors.is_empty() {
        unproven.push(format!("{package}: its {name} cannot be read"));
        return;
    }
    let mut run = Run {
        model,
        package,
        architecture,
        done,
        unproven,
        script: &script,
        variables: HashMap::new(),
        functions: HashMap::new(),
        arguments: Vec::new(),
        is_open: false,
        steps: 0,
        depth: 0,
    };
    let arguments = [name].into_iter().chain(arguments.iter().copied());
    run.arguments = arguments
        .map(|word| Some(word.as_bytes().to_vec()))
        .collect();
    let list = &script.list;
    run.list(list);
}

impl<'a> Run<'a, '_> {
    fn list(&mut self, list: &'a List) -> Flow {
        let mut last = Flow::On(Status::Yes);
        for item in &list.items {
            last = self.and_or(item);
            if !matches!(last, Flow::On(_)) {
                return last;
            }
        }
        last
    }

    fn and_or(&mut self, item: &'a AndOr) -> Flow {
        let mut status = match self.pipeline(&item.first) {
            Flow::On(status) => status,
            other => return other,
        };
        for (connector, _, pipeline) in &item.rest {
            let goes_on = match (connector, status) {
                (Connector::And, Status::Yes) | (Connector::Or, Status::No) => true,
                (Connector::And | Connector::Or, Status::Unknown) => {
                    self.skip_pipeline(pipeline);
                    continue;
                }
                _ => false,
            };
            if goes_on {
                status = match self.pipeline(pipeline) {
                    Flow::On(status) => status,
                    other => return other,
                };
            }
        }
        Flow::On(status)
    }

    fn pipeline(&mut self, pipeline: &'a Pipeline) -> Flow {
        let flow = match pipeline.commands.as_slice() {
            [only] => self.command(only),
            several => Flow::On(self.piped(several)),
        };
        match flow {
            Flow::On(status) if pipeline.negated => Flow::On(status.not()),
            other => other,
        }
    }

    fn command(&mut self, command: &'a Command) -> Flow {
        self.steps += 1;
        if self.steps > STEPS {
            self.unproven
                .push(format!("{}: a script without end", self.package));
            return Flow::Exit;
        }
        if !matches!(command.kind, CommandKind::Simple { .. }) && self.writes(command) {
            self.doubt(command);
        }
        match &command.kind {
            CommandKind::Simple { assignments, words } => self.simple(command, assignments, words),
            CommandKind::Group(list) | CommandKind::Subshell(list) => match self.list(list) {
                Flow::Exit if matches!(command.kind, CommandKind::Subshell(_)) => {
                    Flow::On(Status::Unknown)
                }
                other => other,
            },
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for (number, (condition, body)) in branches.iter().enumerate() {
                    match self.list(condition) {
                        Flow::On(Status::Yes) => return self.list(body),
                        Flow::On(Status::No) => {}
                        Flow::On(Status::Unknown) => {
                            for (_, body) in &branches[number..] {
                                self.skip(body);
                            }
                            if let Some(otherwise) = otherwise {
                                self.skip(otherwise);
                            }
                            return Flow::On(Status::Unknown);
                        }
                        other => return other,
                    }
                }
                match otherwise {
                    Some(otherwise) => self.list(otherwise),
                    None => Flow::On(Status::Yes),
                }
            }
            CommandKind::Case { word, arms } => {
                let Some(value) = self.text(word) else {
                    for arm in arms {
                        self.skip(&arm.body);
                    }
                    return Flow::On(Status::Unknown);
                };
                for (number, arm) in arms.iter().enumerate() {
                    for pattern in &arm.patterns {
                        match self.pattern(pattern) {
                            Some(pattern) if words::fits(&pattern, &value) => {
                                return self.list(&arm.body);
                            }
                            Some(_) => {}
                            None => {
                                for arm in &arms[number..] {
                                    self.skip(&arm.body);
                                }
                                return Flow::On(Status::Unknown);
                            }
                        }
                    }
                }
                Flow::On(Status::Yes)
            }
            CommandKind::For { name, words, body } => {
                let Some(words) = words else {
                    self.skip(body);
                    return Flow::On(Status::Unknown);
                };
                let name = self.bytes(&name.range).to_vec();
                let Some(values) = self.fields(words) else {
                    self.skip(body);
                    return Flow::On(Status::Unknown);
                };
                for value in values {
                    self.variables.insert(name.clone(), Some(value));
                    match self.list(body) {
                        Flow::On(_) => {}
                        other => return other,
                    }
                }
                Flow::On(Status::Yes)
            }
            CommandKind::Function { name, body } => {
                let name = self.bytes(&name.range).to_vec();
                self.functions.insert(name, body);
                Flow::On(Status::Yes)
            }
            CommandKind::While { body, .. } | CommandKind::ArithmeticFor { body, .. } => {
                self.skip(body);
                Flow::On(Status::Unknown)
            }
            CommandKind::Test(_) | CommandKind::Arithmetic(_) => Flow::On(Status::Unknown),
        }
    }

    /// Calls a function of the script.
    fn call(&mut self, body: &'a Command, arguments: Vec<Text>) -> Flow {
        if self.depth >= DEPTH {
            return Flow::On(Status::Unknown);
        }
        self.depth += 1;
        let before = std::mem::replace(&mut self.arguments, arguments);
        let flow = self.command(body);
        self.arguments = before;
        self.depth -= 1;
        match flow {
            Flow::Return(status) => Flow::On(status),
            other => other,
        }
    }

    fn bytes(&self, range: &std::ops::Range<usize>) -> &'a [u8] {
        self.script.bytes(range)
    }

    /// What is not followed because a condition cannot be told: it is listed
    /// where it would have changed something.
    fn skip(&mut self, list: &'a List) {
        for item in &list.items {
            self.skip_pipeline(&item.first);
            for (_, _, pipeline) in &item.rest {
                self.skip_pipeline(pipeline);
            }
        }
    }

    fn skip_pipeline(&mut self, pipeline: &'a Pipeline) {
        for command in &pipeline.commands {
            self.skip_command(command);
        }
    }

    fn skip_command(&mut self, command: &'a Command) {
        self.steps += 1;
        if self.steps > STEPS {
            return;
        }
        match &command.kind {
            CommandKind::Simple { assignments, words } => {
                // What it would have set is not known.
                for assignment in assignments {
                    let name = self.bytes(&assignment.name).to_vec();
                    self.variables.insert(name, None);
                }
                let name = words.first().and_then(|word| self.text(word));
                let Some(name) = name else {
                    if !words.is_empty() {
                        self.doubt(command);
                    }
                    return;
                };
                match self.functions.get(&name).copied() {
                    Some(body) if self.depth < DEPTH => {
                        self.depth += 1;
                        self.skip_command(body);
                        self.depth -= 1;
                    }
                    _ if self.is_harmless(command, &name) || tools::tidies_up(&name) => {}
                    _ if self.is_known_account(&name, words) => {}
                    _ => self.doubt(command),
                }
            }
            CommandKind::Group(list)
            | CommandKind::Subshell(list)
            | CommandKind::ArithmeticFor { body: list, .. }
            | CommandKind::While { body: list, .. }
            | CommandKind::For { body: list, .. } => self.skip(list),
            CommandKind::If {
                branches,
                otherwise,
            } => {
                for (_, body) in branches {
                    self.skip(body);
                }
                if let Some(otherwise) = otherwise {
                    self.skip(otherwise);
                }
            }
            CommandKind::Case { arms, .. } => {
                for arm in arms {
                    self.skip(&arm.body);
                }
            }
            CommandKind::Function { .. } | CommandKind::Test(_) | CommandKind::Arithmetic(_) => {}
        }
    }

    /// Whether a command is one without which the system is the same.
    fn is_harmless(&mut self, command: &'a Command, name: &[u8]) -> bool {
        const OF_ANOTHER: [&[u8]; 4] = [b"eval", b"exec", b"command", b"setcap"];
        let words = match &command.kind {
            CommandKind::Simple { words, .. } => words.as_slice(),
            _ => &[],
        };
        let first = words.get(1).map(|word| self.text(word));
        let option = first.flatten().unwrap_or_default();
        let is_other = match name {
            b"command" => !option.starts_with(b"-v"),
            b"sed" => option.starts_with(b"-i") || option.starts_with(b"--in-place"),
            _ => OF_ANOTHER.contains(&name),
        };
        tools::changes_nothing(name) && !is_other && !self.writes(command)
    }

    /// Whether its output goes to a file.
    fn writes(&mut self, command: &'a Command) -> bool {
        command.redirections.iter().any(|one| {
            let operator = self.bytes(&one.operator);
            operator.contains(&b'>')
                && !operator.ends_with(b"&")
                && self.text(&one.target).is_none_or(|to| to != b"/dev/null")
        })
    }

    /// Lists a command that was not followed.
    fn doubt(&mut self, command: &Command) {
        let text = String::from_utf8_lossy(self.bytes(&command.range)).into_owned();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().take(100).collect();
        let line = crate::error::escape(&format!("{}: {text}", self.package));
        if !self.unproven.contains(&line) {
            self.unproven.push(line);
        }
    }

    fn did(&mut self, what: String) {
        let line = crate::error::escape(&format!("{}: {what}", self.package));
        if !self.done.contains(&line) {
            self.done.push(line);
        }
    }
}
