//! The commands of a script: builtins that run or look for others, programs
//! of PATH, and the files in arguments, tests and redirections.

use jettison_dockerfile::shell::{Command, CommandKind, ShellWord};

use super::program::{MOST_VALUES, Program, Unit, sourced};
use crate::How;
use crate::scripts::reader::{Reader, Text, UNKNOWN, last};
use crate::scripts::{command, wrappers};

impl Program {
    /// Adds what the commands of one text lead to.
    pub(super) fn commands(&self, reader: &mut Reader, unit: &Unit) {
        for command in unit.script.commands() {
            match &command.kind {
                CommandKind::Simple { assignments, words } => {
                    for assignment in assignments {
                        self.mentions(reader, unit, &assignment.value);
                        for word in assignment.array.iter().flatten() {
                            self.mentions(reader, unit, word);
                        }
                    }
                    if sourced(&unit.script, command).is_none() {
                        self.simple(reader, unit, words);
                    }
                }
                CommandKind::For { words, .. } => {
                    for word in words.iter().flatten() {
                        self.mentions(reader, unit, word);
                    }
                }
                CommandKind::Test(words) => {
                    for word in words {
                        self.mentions(reader, unit, word);
                    }
                }
                _ => {}
            }
            self.redirections(reader, unit, command);
        }
        for body in unit.script.heredocs.iter().filter(|body| body.expand) {
            heredoc(reader, unit.script.bytes(&body.range));
        }
    }

    /// The paths that a word may say.
    fn mentions(&self, reader: &mut Reader, unit: &Unit, word: &ShellWord) {
        for value in self.evaluate(reader, unit, word) {
            command::files(reader, &value);
        }
    }

    fn redirections(&self, reader: &mut Reader, unit: &Unit, command: &Command) {
        for redirection in &command.redirections {
            if redirection.heredoc.is_some() {
                continue;
            }
            self.mentions(reader, unit, &redirection.target);
        }
    }

    /// A simple command, once for every value that its words may have.
    fn simple(&self, reader: &mut Reader, unit: &Unit, words: &[ShellWord]) {
        if words.is_empty() {
            return;
        }
        let values: Vec<Vec<Vec<Text>>> = words
            .iter()
            .map(|word| self.split(reader, unit, word))
            .collect();
        let rounds = values
            .iter()
            .map(Vec::len)
            .max()
            .unwrap_or(0)
            .min(MOST_VALUES);
        for round in 0..rounds {
            let pick = |choices: &Vec<Vec<Text>>| match choices.len() {
                0 => Vec::new(),
                count => choices[round % count].clone(),
            };
            let argv: Vec<Text> = values.iter().flat_map(pick).collect();
            self.argv(reader, &argv);
        }
    }

    fn argv(&self, reader: &mut Reader, argv: &[Text]) {
        let mut rest = argv;
        while let Some((name, arguments)) = rest.split_first() {
            // `$SUDO command`: what is not known may be nothing.
            if name == &[UNKNOWN] || (name.is_empty() && !arguments.is_empty()) {
                rest = arguments;
                continue;
            }
            break;
        }
        let Some((name, arguments)) = rest.split_first() else {
            return;
        };
        if let Some(forwards) = self.functions.get(name) {
            self.arguments(reader, arguments);
            if *forwards {
                for at in 0..arguments.len().min(3) {
                    let rest = &arguments[at..];
                    if reader.program(&rest[0]).is_some() || is_builtin(&rest[0]) {
                        self.argv(reader, rest);
                        break;
                    }
                }
            }
            return;
        }
        match name.as_slice() {
            b"exec" => {
                let rest = wrappers::behind(b"exec", rest).unwrap_or(arguments);
                self.external(reader, rest);
            }
            b"command" | b"builtin" => self.builtin_command(reader, arguments),
            b"type" | b"which" | b"hash" => self.look_for(reader, arguments),
            b"eval" => {
                let text = arguments.join(&b' ');
                reader.nested(|reader| super::text(reader, &text));
            }
            b"trap" => {
                let is_text =
                    |word: &&Text| !word.starts_with(b"-") && !self.functions.contains_key(*word);
                if let Some(text) = arguments.first().filter(is_text) {
                    reader.nested(|reader| super::text(reader, text));
                }
            }
            b"set" => {
                // `set -- gosu user "$@"` is the command line of a later exec.
                let at = arguments.iter().position(|word| word == b"--");
                let rest = at.map_or(arguments, |at| &arguments[at + 1..]);
                if rest
                    .first()
                    .is_some_and(|word| reader.program(word).is_some())
                {
                    self.external(reader, rest);
                }
                self.arguments(reader, rest);
            }
            b"time" | b"coproc" | b"!" => self.argv(reader, arguments),
            builtin if is_builtin(builtin) => self.arguments(reader, arguments),
            _ => self.external(reader, rest),
        }
    }

    /// `command -v name` asks whether it is there, `command name` runs it.
    fn builtin_command(&self, reader: &mut Reader, arguments: &[Text]) {
        let asks = |word: &Text| matches!(&word[..], b"-v" | b"-V");
        if arguments.iter().take(2).any(asks) {
            self.look_for(reader, arguments);
            return;
        }
        let start = arguments.iter().position(|word| !word.starts_with(b"-"));
        let rest = &arguments[start.unwrap_or(arguments.len())..];
        match rest.first() {
            Some(name) if is_builtin(name) => self.arguments(reader, &rest[1..]),
            _ => self.external(reader, rest),
        }
    }

    fn look_for(&self, reader: &mut Reader, names: &[Text]) {
        for name in names.iter().filter(|name| !name.starts_with(b"-")) {
            if let Some(path) = reader.program(name)
                && !is_builtin(name)
            {
                let detail = format!("looks for {}", last(&path));
                reader.add(path, How::Runs, detail);
            }
        }
    }

    /// A program of the tree with its arguments.
    fn external(&self, reader: &mut Reader, argv: &[Text]) {
        reader.nested(|reader| command::line(reader, argv));
        self.arguments(reader, argv.get(1..).unwrap_or_default());
    }

    fn arguments(&self, reader: &mut Reader, arguments: &[Text]) {
        for argument in arguments {
            command::files(reader, argument);
        }
    }
}

/// A here-document is a quoted string in which only expansions count.
fn heredoc(reader: &mut Reader, body: &[u8]) {
    if !body.iter().any(|byte| matches!(byte, b'$' | b'`')) {
        return;
    }
    let mut text = b": \"".to_vec();
    for &byte in body {
        if byte == b'"' {
            text.push(b'\\');
        }
        text.push(byte);
    }
    text.push(b'"');
    reader.nested(|reader| super::text(reader, &text));
}

/// What a shell does itself, without a program.
pub(super) fn is_builtin(name: &[u8]) -> bool {
    const BUILTINS: &[&str] = &[
        ".",
        ":",
        "[",
        "[[",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "case",
        "cd",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "coproc",
        "declare",
        "dirs",
        "disown",
        "do",
        "done",
        "echo",
        "elif",
        "else",
        "enable",
        "esac",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "fi",
        "for",
        "function",
        "getopts",
        "hash",
        "help",
        "history",
        "if",
        "in",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "select",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "then",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "until",
        "wait",
        "while",
        "{",
        "}",
    ];
    std::str::from_utf8(name).is_ok_and(|name| BUILTINS.binary_search(&name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_builtin;

    #[test]
    fn builtins_are_found() {
        for name in [".", "[", "cd", "printf", "{", "}", "while", "export"] {
            assert!(is_builtin(name.as_bytes()), "{name}");
        }
        assert!(!is_builtin(b"gzip"));
    }
}
