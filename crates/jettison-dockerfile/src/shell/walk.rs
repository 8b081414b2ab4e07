//! Going through a tree: all simple commands, wherever they are nested, and words that say what they are.

use super::ast::{AndOr, Command, CommandKind, List, Part, ShellWord};
use super::script::ShellScript;

impl ShellScript {
    /// Every command of the text, those in substitutions, functions and conditions included, in the order they are
    /// written.
    pub fn commands(&self) -> Vec<&Command> {
        let mut out = Vec::new();
        list(&self.list, &mut out);
        out
    }

    /// What a word says, when nothing in it has to be expanded: quotes and escapes are resolved.
    pub fn literal(&self, word: &ShellWord) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.push_literal(&word.parts, &mut out).then_some(out)
    }

    fn push_literal(&self, parts: &[Part], out: &mut Vec<u8>) -> bool {
        parts.iter().all(|part| match part {
            Part::Literal(range) | Part::SingleQuoted(range) => {
                out.extend_from_slice(self.bytes(range));
                true
            }
            Part::Escaped(range) => {
                // A quoted line feed joins two lines.
                let escaped = self.bytes(range).get(1..).unwrap_or_default();
                out.extend_from_slice(if escaped == b"\n" { b"" } else { escaped });
                true
            }
            Part::DoubleQuoted(parts, _) => self.push_literal(parts, out),
            _ => false,
        })
    }
}

fn list<'a>(from: &'a List, out: &mut Vec<&'a Command>) {
    for AndOr { first, rest, .. } in &from.items {
        for pipeline in std::iter::once(first).chain(rest.iter().map(|(_, _, pipeline)| pipeline)) {
            pipeline.commands.iter().for_each(|from| command(from, out));
        }
    }
}

fn command<'a>(from: &'a Command, out: &mut Vec<&'a Command>) {
    out.push(from);
    match &from.kind {
        CommandKind::Simple { assignments, words } => {
            for assignment in assignments {
                word(&assignment.value, out);
                assignment
                    .array
                    .iter()
                    .flatten()
                    .for_each(|from| word(from, out));
            }
            words.iter().for_each(|from| word(from, out));
        }
        CommandKind::Subshell(body)
        | CommandKind::Group(body)
        | CommandKind::ArithmeticFor { body, .. } => list(body, out),
        CommandKind::If {
            branches,
            otherwise,
        } => {
            for (condition, body) in branches {
                list(condition, out);
                list(body, out);
            }
            otherwise.iter().for_each(|from| list(from, out));
        }
        CommandKind::For { words, body, .. } => {
            words.iter().flatten().for_each(|from| word(from, out));
            list(body, out);
        }
        CommandKind::While {
            condition, body, ..
        } => {
            list(condition, out);
            list(body, out);
        }
        CommandKind::Case {
            word: subject,
            arms,
        } => {
            word(subject, out);
            for arm in arms {
                arm.patterns.iter().for_each(|from| word(from, out));
                list(&arm.body, out);
            }
        }
        CommandKind::Function { body, .. } => command(body, out),
        CommandKind::Test(words) => words.iter().for_each(|from| word(from, out)),
        CommandKind::Arithmetic(_) => {}
    }
    from.redirections
        .iter()
        .for_each(|redirection| word(&redirection.target, out));
}

fn word<'a>(from: &'a ShellWord, out: &mut Vec<&'a Command>) {
    parts(&from.parts, out);
}

fn parts<'a>(from: &'a [Part], out: &mut Vec<&'a Command>) {
    for part in from {
        match part {
            Part::DoubleQuoted(inner, _) | Part::Arithmetic(inner, _) => parts(inner, out),
            Part::Parameter {
                operation: Some(inner),
                ..
            } => word(inner, out),
            Part::Substitution(inner, _) | Part::Process(inner, _) => list(inner, out),
            _ => {}
        }
    }
}
