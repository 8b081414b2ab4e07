//! Lossless syntax: every byte of the file belongs to exactly one [`Token`], and every [`Node`] knows the bytes and
//! lines it was read from. What the words of an instruction mean is [`crate::instruction`]'s business.

mod directive;
mod error;
mod heredoc;
mod json;
mod lines;
mod logical;
mod node;
mod parse;
mod split;
mod token;
mod words;

use std::ops::Range;

pub use directive::{Directive, DirectiveName};
pub use error::{ParseError, ParseErrorKind, Phase};
pub use heredoc::{Heredoc, HeredocWord};
pub use logical::Logical;
pub use node::{Form, Lines, Node, Word};
pub use parse::parse;
pub use token::{Token, TokenKind};

pub(crate) use heredoc::{parse_word as parse_heredoc_word, remove_leading_tabs};
pub(crate) use words::go_quote;

use crate::instruction::{Body, Instruction};
use crate::stage::Stages;

/// A Dockerfile: its bytes, the tokens they consist of, the nodes read from them and the instructions they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    source: Vec<u8>,
    tokens: Vec<Token>,
    directives: Vec<Directive>,
    escape: u8,
    nodes: Vec<Node>,
    instructions: Vec<Instruction>,
    stages: Stages,
    /// For each instruction, the index of the SHELL in force.
    shells: Vec<Option<usize>>,
    line_starts: Vec<usize>,
}

impl Tree {
    /// The file as it was read.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Prints the tree: the texts of all tokens, one after the other.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.source.len());
        for token in &self.tokens {
            out.extend_from_slice(self.text(&token.range));
        }
        out
    }

    /// The bytes of a range; empty where the range is not inside the file.
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        self.source.get(range.clone()).unwrap_or_default()
    }

    /// Tokens in file order, without gaps.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Tokens that touch a range.
    pub fn tokens_in(&self, range: &Range<usize>) -> &[Token] {
        let first = self
            .tokens
            .partition_point(|token| token.range.end <= range.start);
        let last = self
            .tokens
            .partition_point(|token| token.range.start < range.end);
        self.tokens.get(first..last.max(first)).unwrap_or_default()
    }

    /// Parser directives (`# syntax`, `# escape`, `# check`) that were recognised.
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// The escape character in force.
    pub fn escape(&self) -> u8 {
        self.escape
    }

    /// One node for each instruction, unknown ones included.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The typed view of [`Tree::nodes`], index by index.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Build stages and the global arguments before them.
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// The SHELL in force at an instruction (by its index), where its stage sets one.
    pub fn shell_before(&self, instruction: usize) -> Option<&[Word]> {
        let index = self.shells.get(instruction).copied().flatten()?;
        match &self.instructions.get(index)?.body {
            Body::Shell(words) => Some(words),
            _ => None,
        }
    }

    /// The line (from 1) that a byte is on.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= offset)
            .max(1)
    }

    /// Line and column (both from 1, the column in bytes) of a byte.
    pub fn position_of(&self, offset: usize) -> (usize, usize) {
        let line = self.line_of(offset);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        (line, offset.saturating_sub(start) + 1)
    }

    /// The offset at which a line (from 1) starts; the end of the file for a line that is not there.
    pub fn line_start(&self, number: usize) -> usize {
        let start = number
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index));
        start.copied().unwrap_or(self.source.len())
    }

    /// The bytes of a line (from 1), its line feed included.
    pub fn line(&self, number: usize) -> &[u8] {
        let Some(start) = number
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index))
        else {
            return &[];
        };
        let end = self
            .line_starts
            .get(number)
            .copied()
            .unwrap_or(self.source.len());
        self.text(&(*start..end))
    }

    /// The line ending in use: that of the first line, a line feed where there is none.
    pub fn line_ending(&self) -> &'static [u8] {
        if self.line(1).ends_with(b"\r\n") {
            b"\r\n"
        } else {
            b"\n"
        }
    }
}
