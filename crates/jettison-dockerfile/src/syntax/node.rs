//! One instruction as read from the file, before anybody asks what its words mean.

use std::borrow::Cow;
use std::ops::Range;

use super::heredoc::Heredoc;
use super::logical::Logical;
use crate::text;

/// First and last line (both from 1, both included).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// First line.
    pub start: usize,
    /// Last line.
    pub end: usize,
}

/// A word: what it says, and the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// The value as BuildKit sees it (quotes and escapes are resolved or kept as the place demands).
    pub value: Vec<u8>,
    /// The bytes of the file; continuations inside are included.
    pub range: Range<usize>,
}

impl Word {
    /// The value as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }
}

/// How the arguments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON array of strings.
    Json,
    /// Words split at white space.
    Words,
    /// Everything after the flags as one piece (shell form, USER, WORKDIR, …).
    Whole,
    /// Name, value and delimiter in turn (ENV, LABEL); the delimiter is `=` or, in the old form, empty.
    Pairs,
    /// HEALTHCHECK: the type, then a command as one piece.
    TypeAndWhole,
    /// HEALTHCHECK: the type, then a JSON array.
    TypeAndJson,
    /// ONBUILD: another instruction.
    Instruction,
    /// The instruction is not known; its arguments are not looked at.
    Unknown,
}

impl Form {
    /// Whether the arguments, or the command in them, are a JSON array.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::TypeAndJson)
    }
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// From the first byte of the keyword's line (white space excluded) to the last byte of the last heredoc.
    pub range: Range<usize>,
    /// The lines BuildKit gives it.
    pub lines: Lines,
    /// The whole instruction on one line.
    pub logical: Logical,
    /// The keyword as written.
    pub keyword: Word,
    /// The flags with their `--`, quotes resolved.
    pub flags: Vec<Word>,
    /// Where the arguments stand in the logical line.
    pub rest: Range<usize>,
    /// How the arguments are written.
    pub form: Form,
    /// The arguments.
    pub arguments: Vec<Word>,
    /// The instruction after ONBUILD.
    pub trigger: Option<Box<Node>>,
    /// Heredocs in order.
    pub heredocs: Vec<Heredoc>,
    /// The comment lines directly above, without their hash.
    pub comments: Vec<Vec<u8>>,
}

impl Node {
    /// The keyword in lower case.
    pub fn name(&self) -> Vec<u8> {
        text::lower(&self.keyword.value)
    }

    /// The arguments as one list in which ONBUILD's trigger is flattened, as BuildKit hands them on.
    pub fn flat_arguments(&self) -> Vec<&Word> {
        let mut out = Vec::new();
        let mut node = self;
        loop {
            out.extend(&node.arguments);
            match node.trigger.as_deref() {
                Some(trigger) => {
                    out.push(&trigger.keyword);
                    node = trigger;
                }
                None => return out,
            }
        }
    }
}
