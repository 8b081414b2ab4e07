//! Simple commands: assignments, words and redirections in any order.

use super::ast::{
    Assignment, Command, CommandKind, HeredocBody, Redirection, ShellErrorKind, ShellWord,
};
use super::command::{Parser, Pending, is_break};

impl Parser<'_> {
    pub(super) fn simple(&mut self) -> Option<Command> {
        let start = self.at;
        let mut assignments = Vec::new();
        let mut words = Vec::new();
        let mut redirections = Vec::new();
        let mut end = start;
        loop {
            self.skip_blanks();
            if let Some(redirection) = self.redirection() {
                redirections.push(redirection);
            } else if let (true, Some(assignment)) = (
                words.is_empty() || is_declaration(self.text, &words),
                self.assignment(),
            ) {
                if words.is_empty() {
                    assignments.push(assignment);
                } else {
                    words.push(assignment.value);
                    words.extend(assignment.array.into_iter().flatten());
                }
            } else if let Some(word) = self.word() {
                words.push(word);
            } else {
                break;
            }
            end = self.at;
        }
        if assignments.is_empty() && words.is_empty() && redirections.is_empty() {
            return None;
        }
        if self.peek() == Some(b'(') {
            let at = self.at;
            self.error(ShellErrorKind::Unexpected, at..at + 1);
        }
        Some(Command {
            kind: CommandKind::Simple { assignments, words },
            redirections,
            range: start..end,
        })
    }

    /// `NAME=`, `NAME+=` or `NAME[…]=` and the value.
    fn assignment(&mut self) -> Option<Assignment> {
        let start = self.at;
        let rest = &self.text[start..self.end];
        let mut length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        if length == 0 || rest[0].is_ascii_digit() {
            return None;
        }
        if rest.get(length) == Some(&b'[') {
            let close = rest[length..]
                .iter()
                .take_while(|byte| !is_break(**byte))
                .position(|byte| *byte == b']')?;
            length += close + 1;
        }
        let name = start..start + length;
        let append = rest.get(length) == Some(&b'+');
        let equals = length + usize::from(append);
        if rest.get(equals) != Some(&b'=') {
            return None;
        }
        self.at = start + equals + 1;
        let value_start = self.at;
        if self.eat("(") {
            let mut elements = Vec::new();
            loop {
                self.skip_lines();
                match self.word() {
                    Some(word) => elements.push(word),
                    None => break,
                }
            }
            if !self.eat(")") {
                self.missing(")", value_start);
            }
            let value = ShellWord {
                parts: Vec::new(),
                range: value_start..self.at,
            };
            return Some(Assignment {
                name,
                append,
                value,
                array: Some(elements),
            });
        }
        let value = self.word().unwrap_or(ShellWord {
            parts: Vec::new(),
            range: value_start..value_start,
        });
        Some(Assignment {
            name,
            append,
            value,
            array: None,
        })
    }

    pub(super) fn redirection(&mut self) -> Option<Redirection> {
        let start = self.at;
        let rest = &self.text[start..self.end];
        let mut length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if rest.first() == Some(&b'{') {
            let name = rest[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count();
            length = if name > 0 && rest.get(name + 1) == Some(&b'}') {
                name + 2
            } else {
                return None;
            };
        }
        let after = &rest[length..];
        const OPERATORS: [&str; 12] = [
            "<<<", "<<-", "&>>", "<<", "<&", "<>", ">>", ">&", ">|", "&>", "<", ">",
        ];
        let operator = OPERATORS
            .iter()
            .find(|operator| after.starts_with(operator.as_bytes()))?;
        if (length > 0 && operator.starts_with('&'))
            || (matches!(*operator, "<" | ">") && after.get(1) == Some(&b'('))
        {
            return None;
        }
        let operator_range = start + length..start + length + operator.len();
        self.at = operator_range.end;
        self.skip_blanks();
        let target = self.word().unwrap_or_else(|| {
            self.error(ShellErrorKind::Empty, operator_range.clone());
            ShellWord {
                parts: Vec::new(),
                range: operator_range.end..operator_range.end,
            }
        });
        let heredoc = operator
            .starts_with("<<")
            .then_some(())
            .filter(|()| *operator != "<<<")
            .map(|()| self.open_heredoc(&target, *operator == "<<-"));
        Some(Redirection {
            descriptor: (length > 0).then(|| start..start + length),
            operator: operator_range,
            target,
            heredoc,
        })
    }

    fn open_heredoc(&mut self, delimiter: &ShellWord, strip: bool) -> usize {
        let raw = &self.text[delimiter.range.clone()];
        let quoted = raw.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'\\'));
        let name: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'\'' | b'"' | b'\\'))
            .collect();
        let index = self.heredocs.len();
        self.heredocs.push(HeredocBody {
            range: self.at..self.at,
            expand: !quoted,
        });
        self.pending.push(Pending {
            index,
            delimiter: name,
            strip,
        });
        index
    }
}

/// `declare A=(…)` and its relatives take assignments as arguments.
fn is_declaration(text: &[u8], words: &[ShellWord]) -> bool {
    let name = words.first().and_then(|word| text.get(word.range.clone()));
    matches!(
        name,
        Some(b"declare" | b"local" | b"export" | b"readonly" | b"typeset")
    )
}
