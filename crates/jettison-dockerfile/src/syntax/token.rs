//! Tokens: the file cut into pieces without gap or overlap.

use std::ops::Range;

use super::node::Node;
use crate::text;

/// A piece of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes.
    pub range: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// The byte-order mark.
    ByteOrderMark,
    /// A parser directive's line.
    Directive,
    /// A comment's line, also between continued lines.
    Comment,
    /// A blank line, also between continued lines.
    BlankLine,
    /// White space inside an instruction.
    Space,
    /// The instruction's keyword (with ONBUILD, the second one as well).
    Keyword,
    /// A flag.
    Flag,
    /// An argument or a part of one.
    Argument,
    /// Text of an instruction that is none of those: delimiters, `--`, arguments of unknown instructions.
    Text,
    /// The escape character at the end of a line with all that follows it on the line.
    Continuation,
    /// The end of an instruction's line.
    LineEnd,
    /// Contents of a heredoc.
    HeredocBody,
    /// The line that ends a heredoc.
    HeredocEnd,
}

/// Cuts a line's text at the words of its node.
pub(super) fn cut(node: &Node, source: &[u8], out: &mut Vec<Token>) {
    let mut marks: Vec<(Range<usize>, TokenKind)> = Vec::new();
    let mut current = Some(node);
    while let Some(node) = current {
        marks.push((node.keyword.range.clone(), TokenKind::Keyword));
        marks.extend(
            node.flags
                .iter()
                .map(|flag| (flag.range.clone(), TokenKind::Flag)),
        );
        marks.extend(
            node.arguments
                .iter()
                .map(|argument| (argument.range.clone(), TokenKind::Argument)),
        );
        current = node.trigger.as_deref();
    }
    marks.retain(|(range, _)| !range.is_empty());
    marks.sort_by_key(|(range, _)| range.start);
    let mut marks = marks.into_iter().peekable();
    for piece in node.logical.source_pieces(0..node.logical.text().len()) {
        let mut at = piece.start;
        while at < piece.end {
            while marks.peek().is_some_and(|(range, _)| range.end <= at) {
                marks.next();
            }
            let (end, marked) = match marks.peek() {
                Some((range, kind)) if range.start <= at => (range.end.min(piece.end), Some(*kind)),
                Some((range, _)) => (range.start.min(piece.end), None),
                None => (piece.end, None),
            };
            let is_blank = source[at..end]
                .iter()
                .all(|byte| text::is_space_byte(*byte));
            let kind = marked.unwrap_or(if is_blank {
                TokenKind::Space
            } else {
                TokenKind::Text
            });
            out.push(Token {
                kind,
                range: at..end,
            });
            at = end;
        }
    }
}
