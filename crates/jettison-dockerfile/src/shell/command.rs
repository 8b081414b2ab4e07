//! One machine: commands, lists and compound commands by recursive descent, straight over the bytes. Every loop
//! either moves on or ends, and nesting is bounded, so that hostile text costs time in proportion to its length.

use super::ast::{
    AndOr, Arm, Command, CommandKind, Connector, HeredocBody, List, Pipeline, ShellError,
    ShellErrorKind, ShellWord, Span,
};

/// Levels of nesting that are followed.
const MAX_DEPTH: usize = 100;
/// Errors that are kept.
const MAX_ERRORS: usize = 100;

/// Reserved words that no command begins with.
const CLOSING: [&str; 9] = [
    "}", "then", "do", "done", "fi", "else", "elif", "esac", "in",
];

pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// Where the part being read ends: the text's end, or a closing backquote.
    pub(super) end: usize,
    pub(super) heredocs: Vec<HeredocBody>,
    pub(super) errors: Vec<ShellError>,
    pub(super) pending: Vec<Pending>,
    depth: usize,
}

/// A heredoc whose contents come after the next line feed.
pub(super) struct Pending {
    pub(super) index: usize,
    pub(super) delimiter: Vec<u8>,
    pub(super) strip: bool,
}

/// Words that end a list.
type Ends = &'static [&'static str];

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            end: text.len(),
            heredocs: Vec::new(),
            errors: Vec::new(),
            pending: Vec::new(),
            depth: 0,
        }
    }

    /// Reads everything; what ends a list that was never opened is reported and stepped over.
    pub(super) fn script(&mut self) -> List {
        let mut all = self.list(&[]);
        while self.at < self.end {
            let start = self.at;
            self.error(ShellErrorKind::Unexpected, start..start + 1);
            self.at += 1;
            let more = self.list(&[]);
            all.range.end = all.range.end.max(more.range.end);
            all.items.extend(more.items);
        }
        self.read_heredocs();
        all
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text
            .get(self.at + ahead)
            .copied()
            .filter(|_| self.at + ahead < self.end)
    }

    pub(super) fn starts(&self, text: &str) -> bool {
        self.text[self.at.min(self.end)..self.end].starts_with(text.as_bytes())
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let hit = self.starts(text);
        self.at += if hit { text.len() } else { 0 };
        hit
    }

    pub(super) fn error(&mut self, kind: ShellErrorKind, range: Span) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ShellError { kind, range });
        }
    }

    pub(super) fn missing(&mut self, what: &'static str, from: usize) {
        let at = self.at;
        self.error(ShellErrorKind::Missing(what), from..at.max(from));
    }

    /// Goes one level down; `None`, with everything up to the end skipped, when that is one too many.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            let at = self.at;
            self.error(ShellErrorKind::TooDeep, at..self.end);
            self.at = self.end;
            return None;
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        Some(result)
    }

    /// Blanks, joined lines and comments.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                Some(b'#') => self.at = self.line_end(),
                _ => return,
            }
        }
    }

    /// The same and line feeds, after which pending heredocs are read.
    pub(super) fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'\n') {
                return;
            }
            self.at += 1;
            self.read_heredocs();
        }
    }

    fn line_end(&self) -> usize {
        self.text[self.at..self.end]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.end, |length| self.at + length)
    }

    fn read_heredocs(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            let start = self.at;
            loop {
                let line_start = self.at;
                if line_start >= self.end {
                    self.heredocs[pending.index].range = start..line_start.max(start);
                    self.missing("the end of a heredoc", start);
                    break;
                }
                let line_end = self.line_end();
                self.at = (line_end + 1).min(self.end);
                let line = &self.text[line_start..line_end];
                let tabs = if pending.strip {
                    line.iter().take_while(|byte| **byte == b'\t').count()
                } else {
                    0
                };
                if line[tabs..] == pending.delimiter {
                    self.heredocs[pending.index].range = start..line_start;
                    break;
                }
            }
        }
    }

    /// The word at this place when it is made of plain characters only.
    fn keyword(&self) -> &'a str {
        let rest = &self.text[self.at.min(self.end)..self.end];
        let length = rest
            .iter()
            .position(|byte| is_break(*byte))
            .unwrap_or(rest.len());
        let word = &rest[..length.min(16)];
        std::str::from_utf8(word).unwrap_or_default()
    }

    fn eat_keyword(&mut self, word: &str) -> bool {
        let hit = self.keyword() == word;
        self.at += if hit { word.len() } else { 0 };
        hit
    }

    /// Steps over blanks and line feeds and wants a keyword.
    fn want(&mut self, word: &'static str, from: usize) -> bool {
        self.skip_lines();
        let hit = self.eat_keyword(word);
        if !hit {
            self.missing(word, from);
        }
        hit
    }

    /// Reads commands up to a closing character, one of the words, or the end.
    pub(super) fn list(&mut self, ends: Ends) -> List {
        let mut list = List {
            items: Vec::new(),
            range: self.at..self.at,
        };
        loop {
            self.skip_lines();
            if self.at >= self.end
                || self.peek() == Some(b')')
                || self.starts(";;")
                || self.starts(";&")
            {
                break;
            }
            if ends.contains(&self.keyword()) {
                break;
            }
            let start = self.at;
            if let Some(item) = self.and_or(ends) {
                if list.items.is_empty() {
                    list.range.start = item.range.start;
                }
                list.range.end = item.range.end;
                list.items.push(item);
            }
            if self.at == start {
                // Nothing could be read here: report the character and go on behind it.
                self.error(ShellErrorKind::Unexpected, start..start + 1);
                self.at += 1;
            }
        }
        list
    }

    fn and_or(&mut self, ends: Ends) -> Option<AndOr> {
        let first = self.pipeline(ends)?;
        let start = first.range.start;
        let mut end = first.range.end;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let operator = self.at;
            let connector = if self.eat("&&") {
                Connector::And
            } else if self.eat("||") {
                Connector::Or
            } else {
                break;
            };
            self.skip_lines();
            match self.pipeline(ends) {
                Some(next) => {
                    end = next.range.end;
                    rest.push((connector, operator..operator + 2, next));
                }
                None => {
                    self.error(ShellErrorKind::Empty, operator..operator + 2);
                    break;
                }
            }
        }
        let mut background = false;
        match self.peek() {
            Some(b'&') => {
                background = true;
                self.at += 1;
            }
            Some(b';') if !self.starts(";;") && !self.starts(";&") => self.at += 1,
            _ => {}
        }
        Some(AndOr {
            first,
            rest,
            background,
            range: start..end,
        })
    }

    fn pipeline(&mut self, ends: Ends) -> Option<Pipeline> {
        let start = self.at;
        let mut negated = false;
        loop {
            self.skip_blanks();
            if self.eat_keyword("!") {
                negated = !negated;
            } else if self.eat_keyword("time") {
                self.skip_blanks();
                self.eat_keyword("-p");
            } else {
                break;
            }
        }
        let mut commands = Vec::new();
        loop {
            match self.command(ends) {
                Some(command) => commands.push(command),
                None if commands.is_empty() => return None,
                None => {
                    let at = self.at;
                    self.error(ShellErrorKind::Empty, at.saturating_sub(1)..at);
                    break;
                }
            }
            self.skip_blanks();
            if self.starts("||") || !(self.eat("|&") || self.eat("|")) {
                break;
            }
            self.skip_lines();
        }
        let end = commands
            .last()
            .map_or(start, |command: &Command| command.range.end);
        Some(Pipeline {
            negated,
            commands,
            range: start..end,
        })
    }

    fn command(&mut self, ends: Ends) -> Option<Command> {
        self.skip_blanks();
        let start = self.at;
        if self.at >= self.end {
            return None;
        }
        let kind = self.deeper(|parser| parser.compound())?;
        let Some(kind) = kind else {
            let keyword = self.keyword();
            if ends.contains(&keyword) {
                return None;
            }
            if CLOSING.contains(&keyword) {
                // It closes nothing that is open; what follows is read as a command all the same.
                self.error(ShellErrorKind::Unexpected, start..start + keyword.len());
            }
            return self.simple();
        };
        let mut redirections = Vec::new();
        loop {
            self.skip_blanks();
            match self.redirection() {
                Some(redirection) => redirections.push(redirection),
                None => break,
            }
        }
        Some(Command {
            kind,
            redirections,
            range: start..self.back_over_blanks(start),
        })
    }

    fn back_over_blanks(&self, start: usize) -> usize {
        let read = &self.text[start..self.at];
        start
            + read
                .iter()
                .rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))
                .map_or(0, |at| at + 1)
    }

    fn compound(&mut self) -> Option<CommandKind> {
        let start = self.at;
        if self.starts("((")
            && let Some(close) = self.closing_parentheses(start + 2)
        {
            self.at = close + 2;
            return Some(CommandKind::Arithmetic(start + 2..close));
        }
        if self.eat("(") {
            let body = self.list(&[]);
            if !self.eat(")") {
                self.missing(")", start);
            }
            return Some(CommandKind::Subshell(body));
        }
        match self.keyword() {
            "{" => {
                self.at += 1;
                let body = self.list(&["}"]);
                self.want("}", start);
                Some(CommandKind::Group(body))
            }
            "if" => Some(self.conditional(start)),
            "for" | "select" => Some(self.for_loop(start)),
            word @ ("while" | "until") => {
                self.at += word.len();
                let condition = self.list(&["do"]);
                let body = self.body(start);
                Some(CommandKind::While {
                    until: word == "until",
                    condition,
                    body,
                })
            }
            "case" => Some(self.case(start)),
            "function" => {
                self.at += "function".len();
                self.skip_blanks();
                let name = self.word()?;
                self.skip_blanks();
                if self.eat("(") {
                    self.skip_blanks();
                    if !self.eat(")") {
                        self.missing(")", start);
                    }
                }
                self.function(name)
            }
            "[[" => {
                self.at += 2;
                Some(CommandKind::Test(self.test(start)))
            }
            _ => self.named_function(),
        }
    }

    fn named_function(&mut self) -> Option<CommandKind> {
        let start = self.at;
        let name_length = self.text[start..self.end]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte))
            .count();
        let mut after = start + name_length;
        while matches!(self.text.get(after), Some(b' ' | b'\t')) {
            after += 1;
        }
        if name_length == 0 || after >= self.end || self.text[after] != b'(' {
            return None;
        }
        let mut close = after + 1;
        while matches!(self.text.get(close), Some(b' ' | b'\t')) {
            close += 1;
        }
        if close >= self.end || self.text[close] != b')' {
            return None;
        }
        let name = self.word()?;
        self.at = close + 1;
        self.function(name)
    }

    fn function(&mut self, name: ShellWord) -> Option<CommandKind> {
        self.skip_lines();
        let start = name.range.start;
        match self.command(&[]) {
            Some(body) => Some(CommandKind::Function {
                name,
                body: Box::new(body),
            }),
            None => {
                self.missing("a function's body", start);
                Some(CommandKind::Simple {
                    assignments: Vec::new(),
                    words: vec![name],
                })
            }
        }
    }

    fn conditional(&mut self, start: usize) -> CommandKind {
        self.at += "if".len();
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.list(&["then", "fi", "else", "elif"]);
            self.want("then", start);
            let body = self.list(&["elif", "else", "fi"]);
            branches.push((condition, body));
            if self.eat_keyword("elif") {
                continue;
            }
            if self.eat_keyword("else") {
                otherwise = Some(self.list(&["fi"]));
            }
            self.want("fi", start);
            return CommandKind::If {
                branches,
                otherwise,
            };
        }
    }

    fn body(&mut self, start: usize) -> List {
        self.skip_lines();
        // bash takes braces as well.
        if self.eat_keyword("{") {
            let body = self.list(&["}"]);
            self.want("}", start);
            return body;
        }
        self.want("do", start);
        let body = self.list(&["done"]);
        self.want("done", start);
        body
    }

    fn for_loop(&mut self, start: usize) -> CommandKind {
        self.at += self.keyword().len();
        self.skip_blanks();
        let header = self.at;
        if self.starts("((")
            && let Some(close) = self.closing_parentheses(header + 2)
        {
            self.at = close + 2;
            self.skip_blanks();
            self.eat(";");
            let body = self.body(start);
            return CommandKind::ArithmeticFor {
                header: header + 2..close,
                body,
            };
        }
        let name = self.word().unwrap_or_else(|| {
            self.missing("a name", start);
            ShellWord {
                parts: Vec::new(),
                range: header..header,
            }
        });
        self.skip_lines();
        let words = self.eat_keyword("in").then(|| self.words());
        self.skip_blanks();
        self.eat(";");
        let body = self.body(start);
        CommandKind::For { name, words, body }
    }

    fn words(&mut self) -> Vec<ShellWord> {
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.word() {
                Some(word) => words.push(word),
                None => return words,
            }
        }
    }

    fn case(&mut self, start: usize) -> CommandKind {
        self.at += "case".len();
        self.skip_blanks();
        let word = self.word().unwrap_or_else(|| {
            self.missing("a word", start);
            ShellWord::default()
        });
        self.want("in", start);
        let mut arms = Vec::new();
        loop {
            self.skip_lines();
            if self.eat_keyword("esac") {
                break;
            }
            let arm_start = self.at;
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.extend(self.word());
                self.skip_blanks();
                if !self.eat("|") {
                    break;
                }
            }
            if !self.eat(")") {
                self.missing("esac", start);
                break;
            }
            if patterns.is_empty() {
                self.error(ShellErrorKind::Empty, arm_start..arm_start + 1);
            }
            let body = self.list(&["esac"]);
            arms.push(Arm { patterns, body });
            if !(self.eat(";;&") || self.eat(";;") || self.eat(";&")) && self.keyword() != "esac" {
                self.missing("esac", start);
                break;
            }
        }
        CommandKind::Case { word, arms }
    }

    fn test(&mut self, start: usize) -> Vec<ShellWord> {
        let mut words: Vec<ShellWord> = Vec::new();
        loop {
            self.skip_lines();
            if self.at >= self.end {
                self.missing("]]", start);
                return words;
            }
            if self.eat_keyword("]]") {
                return words;
            }
            let at = self.at;
            let length = ["&&", "||"]
                .iter()
                .find(|operator| self.starts(operator))
                .map_or(1, |operator| operator.len());
            if matches!(
                self.peek(),
                Some(b'&' | b'|' | b'(' | b')' | b'<' | b'>' | b';')
            ) {
                if length == 1 && matches!(self.peek(), Some(b'&' | b'|' | b';')) {
                    self.missing("]]", start);
                    return words;
                }
                self.at += length;
                words.push(ShellWord {
                    parts: vec![super::ast::Part::Literal(at..self.at)],
                    range: at..self.at,
                });
                continue;
            }
            let is_regex = words
                .last()
                .is_some_and(|word| self.text.get(word.range.clone()) == Some(b"=~"));
            let word = if is_regex { self.regex() } else { self.word() };
            match word {
                Some(word) => words.push(word),
                None => {
                    self.missing("]]", start);
                    return words;
                }
            }
        }
    }

    /// The offset of `))` that closes what was opened before `from`, with nothing but balanced parentheses between.
    pub(super) fn closing_parentheses(&self, from: usize) -> Option<usize> {
        let mut open = 0_usize;
        let mut at = from;
        while at < self.end {
            match self.text[at] {
                b'\\' => at += 1,
                b'(' => open += 1,
                b')' if open > 0 => open -= 1,
                b')' => return (at + 1 < self.end && self.text[at + 1] == b')').then_some(at),
                _ => {}
            }
            at += 1;
        }
        None
    }
}

/// Characters that end a plain word.
pub(super) fn is_break(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>'
    )
}
