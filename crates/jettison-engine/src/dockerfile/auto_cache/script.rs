//! What a RUN runs, as far as it can be told without running it.

use jettison_dockerfile::shell::{Assignment, CommandKind, ShellScript, parse};
use jettison_dockerfile::syntax::Logical;

use super::tools::Tool;

/// Shells whose language is read.
const SHELLS: [&[u8]; 6] = [b"sh", b"bash", b"dash", b"ash", b"ksh", b"zsh"];
/// Programs that run what follows.
const WRAPPERS: [&[u8]; 7] = [
    b"env",
    b"time",
    b"exec",
    b"command",
    b"nice",
    b"sudo",
    b"corepack",
];
/// Builtins that set variables.
const SETTERS: [&[u8]; 6] = [
    b"export",
    b"declare",
    b"local",
    b"readonly",
    b"read",
    b"unset",
];

/// A command: its name without its directory, and its words after that; none
/// for a word that only the shell knows.
pub(super) struct Command {
    pub(super) name: Vec<u8>,
    pub(super) words: Vec<Option<Vec<u8>>>,
}

impl Command {
    /// Whether it is a program of a tool.
    pub(super) fn is_of(&self, tool: &Tool) -> bool {
        tool.programs
            .iter()
            .any(|known| self.name == known.as_bytes())
    }
}

/// The commands of a RUN, and the variables that it sets.
#[derive(Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    pub(super) assigned: Vec<Vec<u8>>,
}

impl Script {
    /// Of arguments; none where a shell's text cannot be read.
    pub(super) fn of_arguments(argv: &[Vec<u8>]) -> Option<Self> {
        let program = base_name(argv.first()?);
        let is_shell = SHELLS.contains(&program);
        if is_shell && argv.len() == 1 {
            return None;
        }
        if is_shell {
            let options = &argv[1..argv.len() - 1];
            let is_text = options
                .last()
                .is_some_and(|option| option.starts_with(b"-") && option.ends_with(b"c"));
            return is_text.then(|| Self::of_text(argv.last()?)).flatten();
        }
        let mut script = Self::default();
        script.push(argv.iter().cloned().map(Some).collect());
        Some(script)
    }

    /// Of a shell's text.
    pub(super) fn of_text(text: &[u8]) -> Option<Self> {
        if let Some(first) = text.strip_prefix(b"#!") {
            // Another language may look like a shell's.
            let line = first.split(|byte| *byte == b'\n').next()?;
            let mut words = line.split(u8::is_ascii_whitespace);
            let mut programs = words.by_ref().map(base_name);
            let program = programs.find(|word| !word.is_empty() && *word != b"env");
            if !SHELLS.contains(&program?) {
                return None;
            }
        }
        let mut logical = Logical::default();
        logical.push(text, 0);
        let parsed: ShellScript = parse(logical);
        if !parsed.errors.is_empty() {
            return None;
        }
        let mut script = Self::default();
        for command in parsed.commands() {
            let CommandKind::Simple { assignments, words } = &command.kind else {
                continue;
            };
            for Assignment { name, .. } in assignments {
                script.assigned.push(parsed.bytes(name).to_vec());
            }
            script.push(words.iter().map(|word| parsed.literal(word)).collect());
        }
        Some(script)
    }

    fn push(&mut self, words: Vec<Option<Vec<u8>>>) {
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            // A program that only the shell knows.
            let Some(word) = word else { return };
            let name = base_name(&word).to_vec();
            if WRAPPERS.contains(&&name[..]) {
                continue;
            }
            if let Some(at) = word.iter().position(|byte| *byte == b'=') {
                self.assigned.push(word[..at].to_vec());
                continue;
            }
            if word.starts_with(b"-") {
                continue;
            }
            let words: Vec<_> = words.collect();
            if SETTERS.contains(&&name[..]) {
                let names = words.iter().flatten();
                let names = names.filter_map(|word| word.split(|byte| *byte == b'=').next());
                self.assigned.extend(names.map(<[u8]>::to_vec));
            }
            let is_module = |name: &[u8]| words.iter().flatten().any(|word| word == name);
            let name = match name.starts_with(b"python") && is_module(b"pip") {
                true => b"pip".to_vec(),
                false => name,
            };
            self.commands.push(Command { name, words });
            return;
        }
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
