//! Words: quoting and expansions, nested as deeply as they come.

use super::ast::{Part, ShellErrorKind, ShellWord};
use super::command::{Parser, is_break};

impl Parser<'_> {
    /// Reads a word; `None` where none starts.
    pub(super) fn word(&mut self) -> Option<ShellWord> {
        let start = self.at;
        let mut parts = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b'<' | b'>' if self.peek_at(1) == Some(b'(') => {
                    let from = self.at;
                    self.at += 2;
                    parts.extend(
                        self.commands_until_parenthesis(from)
                            .map(|list| Part::Process(list, from..self.at)),
                    );
                }
                // Patterns in parentheses.
                b'@' | b'?' | b'*' | b'+' | b'!'
                    if self.peek_at(1) == Some(b'(') && (byte != b'!' || self.at > start) =>
                {
                    let from = self.at;
                    match self.balanced(self.at + 2) {
                        Some(close) => self.at = close + 1,
                        None => {
                            self.missing(")", from);
                            self.at += 1;
                        }
                    }
                    push_literal(&mut parts, from, self.at);
                }
                _ if is_break(byte) => break,
                b'\\' if self.peek_at(1) == Some(b'\n') => self.at += 2,
                _ => self.part(&mut parts, false),
            }
        }
        (self.at > start
            && !(parts.is_empty()
                && self.text[start..self.at]
                    .iter()
                    .all(|byte| matches!(byte, b'\\' | b'\n'))))
        .then_some(ShellWord {
            parts,
            range: start..self.at,
        })
    }

    /// Reads the right side of `=~`: to the next blank outside parentheses.
    pub(super) fn regex(&mut self) -> Option<ShellWord> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => break,
                b' ' | b'\t' if open == 0 => break,
                b')' if open == 0 => break,
                b'(' => open += 1,
                b')' => open -= 1,
                b'\'' | b'"' | b'$' | b'\\' | b'`' => {
                    self.part(&mut parts, false);
                    continue;
                }
                _ => {}
            }
            push_literal(&mut parts, self.at, self.at + 1);
            self.at += 1;
        }
        (self.at > start).then_some(ShellWord {
            parts,
            range: start..self.at,
        })
    }

    /// Reads one part at a place where there is a byte; always moves on.
    fn part(&mut self, parts: &mut Vec<Part>, quoted: bool) {
        let start = self.at;
        match self.text[start] {
            b'\\' => {
                let width = crate::text::decode(&self.text[(start + 1).min(self.end)..self.end]).1;
                self.at += 1 + width;
                let escapes = !quoted
                    || matches!(
                        self.text.get(start + 1),
                        Some(b'$' | b'`' | b'"' | b'\\' | b'\n')
                    );
                if escapes && width > 0 {
                    parts.push(Part::Escaped(start..self.at));
                } else {
                    push_literal(parts, start, self.at);
                }
            }
            b'\'' if !quoted => {
                self.at += 1;
                let close = self.find(b'\'');
                parts.push(Part::SingleQuoted(start + 1..close));
            }
            b'"' if !quoted => {
                self.at += 1;
                let inner = self
                    .deeper(|parser| parser.double_quoted(start))
                    .unwrap_or_default();
                parts.push(Part::DoubleQuoted(inner, start..self.at));
            }
            b'`' => self.backquoted(parts),
            b'$' => self.dollar(parts, quoted),
            _ => {
                self.at += 1;
                push_literal(parts, start, self.at);
            }
        }
    }

    /// Goes behind the next such byte and says where it stood.
    fn find(&mut self, wanted: u8) -> usize {
        let from = self.at;
        match self.text[from..self.end]
            .iter()
            .position(|byte| *byte == wanted)
        {
            Some(length) => {
                self.at = from + length + 1;
                from + length
            }
            None => {
                self.at = self.end;
                self.missing("'", from - 1);
                self.end
            }
        }
    }

    fn double_quoted(&mut self, start: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        loop {
            match self.peek() {
                None => {
                    self.missing("\"", start);
                    return parts;
                }
                Some(b'"') => {
                    self.at += 1;
                    return parts;
                }
                Some(_) => self.part(&mut parts, true),
            }
        }
    }

    fn backquoted(&mut self, parts: &mut Vec<Part>) {
        let start = self.at;
        let mut close = start + 1;
        while close < self.end && self.text[close] != b'`' {
            close += 1 + usize::from(self.text[close] == b'\\');
        }
        if close >= self.end {
            self.at = self.end;
            self.missing("`", start);
            push_literal(parts, start, self.end);
            return;
        }
        let outer = std::mem::replace(&mut self.end, close);
        self.at = start + 1;
        let list = self.deeper(Parser::script).unwrap_or_default();
        self.end = outer;
        self.at = close + 1;
        parts.push(Part::Substitution(list, start..self.at));
    }

    fn dollar(&mut self, parts: &mut Vec<Part>, quoted: bool) {
        let start = self.at;
        match self.peek_at(1) {
            Some(b'(')
                if self.peek_at(2) == Some(b'(')
                    && self.closing_parentheses(start + 3).is_some() =>
            {
                let close = self.closing_parentheses(start + 3).unwrap_or(self.end);
                self.at = start + 3;
                let outer = std::mem::replace(&mut self.end, close);
                let inner = self.deeper(|parser| {
                    let mut inner = Vec::new();
                    while parser.at < parser.end {
                        parser.part(&mut inner, true);
                    }
                    inner
                });
                self.end = outer;
                self.at = close + 2;
                parts.push(Part::Arithmetic(inner.unwrap_or_default(), start..self.at));
            }
            Some(b'(') => {
                self.at += 2;
                parts.extend(
                    self.commands_until_parenthesis(start)
                        .map(|list| Part::Substitution(list, start..self.at)),
                );
            }
            Some(b'{') => self.braced(parts, quoted),
            Some(b'\'') if !quoted => {
                self.at += 2;
                let inner = self.at;
                while self.peek().is_some_and(|byte| byte != b'\'') {
                    self.at += 1 + usize::from(self.peek() == Some(b'\\'));
                }
                let close = self.at.min(self.end);
                self.at = close;
                if !self.eat("'") {
                    self.missing("'", start);
                }
                parts.push(Part::AnsiQuoted(inner..close));
            }
            // A translated string is a quoted string.
            Some(b'"') if !quoted => self.at += 1,
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                let name = &self.text[start + 1..self.end];
                let length = name
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                    .count();
                self.at += 1 + length;
                parts.push(Part::Parameter {
                    name: start + 1..self.at,
                    operation: None,
                    range: start..self.at,
                });
            }
            Some(b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => {
                self.at += 2;
                parts.push(Part::Parameter {
                    name: start + 1..self.at,
                    operation: None,
                    range: start..self.at,
                });
            }
            _ => {
                self.at += 1;
                push_literal(parts, start, self.at);
            }
        }
    }

    /// `${…}`: an optional `!` or `#`, the name, an optional subscript, and whatever operates on it.
    fn braced(&mut self, parts: &mut Vec<Part>, quoted: bool) {
        let start = self.at;
        self.at += 2;
        if matches!(self.peek(), Some(b'#' | b'!'))
            && !matches!(
                self.peek_at(1),
                None | Some(b'}' | b':' | b'-' | b'+' | b'=' | b'?' | b'%')
            )
        {
            self.at += 1;
        }
        let name_start = self.at;
        let rest = &self.text[name_start..self.end];
        let mut length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        if length == 0
            && matches!(
                self.peek(),
                Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
            )
        {
            length = 1;
        }
        self.at += length;
        let name = name_start..self.at;
        let operation_start = self.at;
        let operation = self.deeper(|parser| {
            let mut inner = Vec::new();
            while parser.peek().is_some_and(|byte| byte != b'}') {
                parser.part(&mut inner, quoted && parser.peek() != Some(b'"'));
            }
            inner
        });
        let operation_end = self.at;
        if !self.eat("}") {
            self.missing("}", start);
        } else if name.is_empty() {
            self.error(ShellErrorKind::Empty, start..operation_end);
        }
        let operation = operation
            .filter(|_| operation_end > operation_start)
            .map(|parts| {
                Box::new(ShellWord {
                    parts,
                    range: operation_start..operation_end,
                })
            });
        parts.push(Part::Parameter {
            name,
            operation,
            range: start..self.at,
        });
    }

    fn commands_until_parenthesis(&mut self, start: usize) -> Option<super::ast::List> {
        self.deeper(|parser| {
            let list = parser.list(&[]);
            if !parser.eat(")") {
                parser.missing(")", start);
            }
            list
        })
    }

    fn balanced(&self, from: usize) -> Option<usize> {
        let mut open = 0_usize;
        let mut at = from;
        while at < self.end {
            match self.text[at] {
                b'\\' => at += 1,
                b'(' => open += 1,
                b')' if open == 0 => return Some(at),
                b')' => open -= 1,
                b'\n' => return None,
                _ => {}
            }
            at += 1;
        }
        None
    }
}

/// Adds plain text, to the text before it where there is some.
fn push_literal(parts: &mut Vec<Part>, start: usize, end: usize) {
    match parts.last_mut() {
        Some(Part::Literal(range)) if range.end == start => range.end = end,
        _ => parts.push(Part::Literal(start..end)),
    }
}
