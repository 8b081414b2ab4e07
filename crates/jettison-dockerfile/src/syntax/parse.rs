//! The walk over the file: lines are joined into instructions, heredocs collected, every byte put into a token.

use std::mem;

use super::directive::{DirectiveName, Reader};
use super::error::{ParseError, ParseErrorKind};
use super::heredoc::{self, Heredoc, HeredocWord};
use super::lines::{self, Scanner};
use super::logical::Logical;
use super::node::{Form, Lines, Node, Word};
use super::split;
use super::token::{self, Token, TokenKind};
use super::words::{self, RawWord};
use super::{Directive, Tree};
use crate::instruction::{Body, Instruction, Kind};
use crate::stage::Stages;
use crate::text;

/// ONBUILD inside ONBUILD that is looked into; BuildKit refuses the second one anyway.
const MAX_TRIGGER_DEPTH: usize = 16;

/// Parses a Dockerfile. The tree is always complete; the list holds what BuildKit would refuse the file for, in file
/// order, and is empty exactly when BuildKit accepts the file.
pub fn parse(source: &[u8]) -> (Tree, Vec<ParseError>) {
    let mut parser = Parser::new(source);
    parser.run();
    let Parser {
        tokens,
        directives,
        escape,
        nodes,
        invalid,
        mut errors,
        ..
    } = parser;
    if source.is_empty() {
        errors.push(ParseError {
            kind: ParseErrorKind::EmptyFile,
            line: 1,
            range: 0..0,
        });
    } else if nodes.is_empty() {
        errors.push(ParseError {
            kind: ParseErrorKind::NoInstructions,
            line: 1,
            range: source.len()..source.len(),
        });
    }
    let mut instructions = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        if invalid.binary_search(&index).is_ok() {
            instructions.push(Instruction::invalid(node));
            continue;
        }
        let (instruction, problem) = Instruction::from_node(node);
        errors.extend(problem.map(|kind| ParseError {
            kind,
            line: node.lines.start,
            range: node.range.clone(),
        }));
        instructions.push(instruction);
    }
    let stages = Stages::collect(&nodes, &instructions, &mut errors);
    let shells = shells(&instructions);
    errors.sort_by_key(|error| error.range.start);
    let line_starts = std::iter::once(0)
        .chain(
            source
                .iter()
                .enumerate()
                .filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1),
        )
        .collect();
    (
        Tree {
            source: source.to_vec(),
            tokens,
            directives,
            escape,
            nodes,
            instructions,
            stages,
            shells,
            line_starts,
        },
        errors,
    )
}

/// For each instruction, the SHELL of its stage that is in force.
fn shells(instructions: &[Instruction]) -> Vec<Option<usize>> {
    let mut current = None;
    let mut out = Vec::with_capacity(instructions.len());
    for (index, instruction) in instructions.iter().enumerate() {
        if instruction.kind == Kind::From {
            current = None;
        }
        out.push(current);
        if matches!(instruction.body, Body::Shell(_)) {
            current = Some(index);
        }
    }
    out
}

struct Parser<'a> {
    source: &'a [u8],
    scanner: Scanner<'a>,
    tokens: Vec<Token>,
    reader: Reader,
    directives: Vec<Directive>,
    escape: u8,
    comments: Vec<Vec<u8>>,
    nodes: Vec<Node>,
    /// Indices of nodes whose words could not be read, ascending.
    invalid: Vec<usize>,
    errors: Vec<ParseError>,
}

impl<'a> Parser<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            scanner: Scanner::new(source),
            tokens: Vec::new(),
            reader: Reader::default(),
            directives: Vec::new(),
            escape: b'\\',
            comments: Vec::new(),
            nodes: Vec::new(),
            invalid: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn run(&mut self) {
        while let Some(line) = self.next_line() {
            let mut start = line.range.start;
            if line.number == 1 && self.source.starts_with(b"\xEF\xBB\xBF") {
                start += 3;
                self.token(TokenKind::ByteOrderMark, 0, 3);
            }
            let end = line.range.end;
            let is_comment = lines::is_comment(&self.source[start..end]);
            if is_comment {
                // The first byte goes, whether it is the hash or a blank in front of it.
                let (_, comment) = text::trim(&self.source[start + 1..end]);
                if comment.is_empty() {
                    self.comments.clear();
                } else {
                    self.comments.push(comment.to_vec());
                }
            }
            let without_ending = lines::without_ending(&self.source[start..end]);
            let content_end = start + without_ending.len();
            let content_start = start + text::leading_space(without_ending);
            let is_directive = self.directive(content_start, content_end, line.number);
            if is_comment || content_start == content_end {
                let kind = match (is_directive, is_comment) {
                    (true, _) => TokenKind::Directive,
                    (_, true) => TokenKind::Comment,
                    _ => TokenKind::BlankLine,
                };
                self.token(kind, start, end);
                continue;
            }
            self.token(TokenKind::Space, start, content_start);
            self.instruction(content_start, content_end, end, line.number);
        }
        self.tokens.sort_by_key(|token| token.range.start);
    }

    fn next_line(&mut self) -> Option<lines::Line> {
        let line = self.scanner.next()?;
        if line.too_long {
            self.error(ParseErrorKind::LineTooLong, line.number, line.range.clone());
        }
        Some(line)
    }

    fn token(&mut self, kind: TokenKind, start: usize, end: usize) {
        if start < end {
            self.tokens.push(Token {
                kind,
                range: start..end,
            });
        }
    }

    fn error(&mut self, kind: ParseErrorKind, line: usize, range: std::ops::Range<usize>) {
        self.errors.push(ParseError { kind, line, range });
    }

    fn directive(&mut self, start: usize, end: usize, number: usize) -> bool {
        match self.reader.read(&self.source[start..end], start, number) {
            Ok(None) => false,
            Err(kind) => {
                self.error(kind, number, start..end);
                false
            }
            Ok(Some(directive)) => {
                self.comments.pop();
                if directive.name == DirectiveName::Escape {
                    match directive.value.as_slice() {
                        [escape @ (b'\\' | b'`')] => self.escape = *escape,
                        other => self.error(
                            ParseErrorKind::InvalidEscape(text::lossy(other)),
                            number,
                            start..end,
                        ),
                    }
                }
                self.directives.push(directive);
                true
            }
        }
    }

    /// Takes one line of an instruction and says whether the next one belongs to it.
    fn piece(&mut self, logical: &mut Logical, start: usize, end: usize, line_end: usize) -> bool {
        let continued = lines::continuation(&self.source[start..end], self.escape);
        let text_end = continued.map_or(end, |length| start + length);
        logical.push(&self.source[start..text_end], start);
        let kind = if continued.is_some() {
            TokenKind::Continuation
        } else {
            TokenKind::LineEnd
        };
        self.token(kind, text_end, line_end);
        continued.is_some()
    }

    fn instruction(&mut self, start: usize, end: usize, line_end: usize, number: usize) {
        let mut logical = Logical::default();
        let mut goes_on = self.piece(&mut logical, start, end, line_end);
        while goes_on {
            let Some(line) = self.next_line() else { break };
            let content = lines::without_ending(&self.source[line.range.clone()]);
            if lines::is_comment(content) {
                self.token(TokenKind::Comment, line.range.start, line.range.end);
            } else if text::leading_space(content) == content.len() {
                self.token(TokenKind::BlankLine, line.range.start, line.range.end);
            } else {
                let content_end = line.range.start + content.len();
                goes_on = self.piece(&mut logical, line.range.start, content_end, line.range.end);
            }
        }
        let text_end = if logical.text().is_empty() {
            start
        } else {
            logical.source_offset(logical.text().len())
        };
        let (mut node, problem) = node(logical, self.escape);
        node.comments = mem::take(&mut self.comments);
        node.lines.start = number;
        node.range = start..text_end;
        match problem {
            Some(kind) => {
                self.invalid.push(self.nodes.len());
                self.error(kind, number, start..text_end);
            }
            None => self.heredocs(&mut node, number),
        }
        node.lines.end = self.scanner.line_number();
        token::cut(&node, self.source, &mut self.tokens);
        self.nodes.push(node);
    }

    fn heredocs(&mut self, node: &mut Node, number: usize) {
        if !can_open_heredoc(node) || !node.logical.text().windows(2).any(|pair| pair == b"<<") {
            return;
        }
        let words = match heredoc::find(node.logical.text()) {
            Ok(words) => words,
            Err(kind) => {
                self.invalid.push(self.nodes.len());
                self.error(kind, number, node.range.clone());
                return;
            }
        };
        for word in words {
            let (heredoc, terminated) = self.heredoc(word);
            node.range.end = heredoc.terminator.end.max(heredoc.range.end);
            node.heredocs.push(heredoc);
            if !terminated {
                self.invalid.push(self.nodes.len());
                self.error(
                    ParseErrorKind::UnterminatedHeredoc,
                    number,
                    node.range.clone(),
                );
                return;
            }
        }
    }

    fn heredoc(&mut self, word: HeredocWord) -> (Heredoc, bool) {
        let body_start = self.scanner.offset();
        let mut body_end = body_start;
        while let Some(line) = self.next_line() {
            let mut content = lines::without_ending(&self.source[line.range.clone()]);
            let length = content.len();
            if word.chomp {
                let tabs = content.iter().take_while(|byte| **byte == b'\t').count();
                content = &content[tabs..];
            }
            if content == word.name {
                self.token(TokenKind::HeredocBody, body_start, body_end);
                self.token(TokenKind::HeredocEnd, line.range.start, line.range.end);
                let end = line.range.start + length;
                let terminator = end - content.len()..end;
                let content = self.source[body_start..body_end].to_vec();
                return (
                    Heredoc {
                        word,
                        content,
                        range: body_start..body_end,
                        terminator,
                    },
                    true,
                );
            }
            body_end = line.range.end;
        }
        self.token(TokenKind::HeredocBody, body_start, body_end);
        let content = self.source[body_start..body_end].to_vec();
        (
            Heredoc {
                word,
                content,
                range: body_start..body_end,
                terminator: body_end..body_end,
            },
            false,
        )
    }
}

fn can_open_heredoc(node: &Node) -> bool {
    let node = node.trigger.as_deref().unwrap_or(node);
    !node.form.is_json() && matches!(node.name().as_slice(), b"add" | b"copy" | b"run")
}

/// Reads an instruction out of its logical line. With an error there is a node all the same, without arguments.
fn node(logical: Logical, escape: u8) -> (Node, Option<ParseErrorKind>) {
    let whole = 0..logical.text().len();
    let (mut node, problem) = node_in(&logical, whole, escape, 0);
    node.logical = logical;
    (node, problem)
}

fn node_in(
    logical: &Logical,
    range: std::ops::Range<usize>,
    escape: u8,
    depth: usize,
) -> (Node, Option<ParseErrorKind>) {
    let base = range.start;
    let line = &logical.text()[range.clone()];
    let parts = split::split(line, escape);
    let word = |value: Vec<u8>, range: std::ops::Range<usize>| Word {
        value,
        range: logical.source_range(base + range.start..base + range.end),
    };
    let keyword = line[parts.keyword.clone()].to_vec();
    let name = text::lower(&keyword);
    let mut node = Node {
        range: logical.source_range(range),
        lines: Lines::default(),
        logical: Logical::default(),
        keyword: word(keyword, parts.keyword),
        flags: parts
            .flags
            .into_iter()
            .map(|flag| word(flag.value, flag.range))
            .collect(),
        rest: base + parts.rest.start..base + parts.rest.end,
        form: Form::Unknown,
        arguments: Vec::new(),
        trigger: None,
        heredocs: Vec::new(),
        comments: Vec::new(),
    };
    if name == b"onbuild" {
        node.form = Form::Instruction;
        if !node.rest.is_empty() && depth < MAX_TRIGGER_DEPTH {
            let (trigger, problem) = node_in(logical, node.rest.clone(), escape, depth + 1);
            node.trigger = Some(Box::new(trigger));
            return (node, problem);
        }
        return (node, None);
    }
    match arguments(&name, line, parts.rest, escape) {
        Ok((form, raw)) => {
            node.form = form;
            node.arguments = raw
                .into_iter()
                .map(|raw| word(raw.value, raw.range))
                .collect();
            (node, None)
        }
        Err(kind) => (node, Some(kind)),
    }
}

fn arguments(
    name: &[u8],
    line: &[u8],
    rest: std::ops::Range<usize>,
    escape: u8,
) -> Result<(Form, Vec<RawWord>), ParseErrorKind> {
    match name {
        b"add" | b"copy" | b"volume" => words::json_or_words(line, rest),
        b"cmd" | b"entrypoint" | b"run" | b"shell" => words::json_or_whole(line, rest),
        b"expose" | b"from" => Ok((Form::Words, words::at_blanks(line, rest))),
        b"maintainer" | b"stopsignal" | b"user" | b"workdir" => {
            Ok((Form::Whole, words::whole(line, rest)))
        }
        b"arg" => Ok((Form::Words, words::quoted(line, rest, escape))),
        b"env" => words::pairs(line, rest, escape, "ENV"),
        b"label" => words::pairs(line, rest, escape, "LABEL"),
        b"healthcheck" => words::type_and_command(line, rest),
        _ => Ok((Form::Unknown, Vec::new())),
    }
}
