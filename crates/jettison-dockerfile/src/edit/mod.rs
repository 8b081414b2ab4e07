//! Changes to a file: replacements of ranges, checked against each other, everything else byte for byte as it was.
//! An edit never prints a tree anew; what the changed file means is found out by parsing it again, which
//! [`Edits::apply_checked`] does.

use std::ops::Range;

use crate::syntax::{Node, TokenKind};
use crate::{ParseError, Tree, parse};

/// Replacements to be made in one tree.
#[derive(Debug, Clone)]
pub struct Edits<'a> {
    tree: &'a Tree,
    /// Sorted by place; none overlaps another.
    replacements: Vec<(Range<usize>, Vec<u8>)>,
}

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The range is not inside the file.
    #[error("bytes {start}..{end} are not inside the file")]
    Outside {
        /// First byte.
        start: usize,
        /// Byte after the last.
        end: usize,
    },
    /// Another edit changes the same bytes.
    #[error("bytes {start}..{end} are changed twice")]
    Overlap {
        /// First byte.
        start: usize,
        /// Byte after the last.
        end: usize,
    },
    /// The file had no error before and has one now.
    #[error("the change would break the file: {0}")]
    Breaks(ParseError),
}

impl<'a> Edits<'a> {
    /// No change yet.
    pub fn new(tree: &'a Tree) -> Self {
        Self {
            tree,
            replacements: Vec::new(),
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.replacements.is_empty()
    }

    /// Puts text in the place of a range. An empty range inserts; two insertions at one place keep their order.
    pub fn replace(
        &mut self,
        range: Range<usize>,
        text: impl Into<Vec<u8>>,
    ) -> Result<(), EditError> {
        let (start, end) = (range.start, range.end);
        if start > end || end > self.tree.source().len() {
            return Err(EditError::Outside { start, end });
        }
        let index = self.replacements.partition_point(|(other, _)| {
            other.start < start
                || (other.start == start && (other.is_empty() || other.end <= start))
        });
        let before = index
            .checked_sub(1)
            .and_then(|index| self.replacements.get(index));
        let after = self.replacements.get(index);
        if before.is_some_and(|(other, _)| other.end > start)
            || after.is_some_and(|(other, _)| other.start < end)
        {
            return Err(EditError::Overlap { start, end });
        }
        self.replacements.insert(index, (range, text.into()));
        Ok(())
    }

    /// Takes a range out.
    pub fn remove(&mut self, range: Range<usize>) -> Result<(), EditError> {
        self.replace(range, Vec::new())
    }

    /// Puts lines in front of an instruction; each gets the file's line ending.
    pub fn insert_before(&mut self, node: &Node, lines: &[&[u8]]) -> Result<(), EditError> {
        let start = self.line_start(node.range.start);
        self.replace(start..start, self.joined(lines))
    }

    /// Puts lines behind an instruction, its heredocs included.
    pub fn insert_after(&mut self, node: &Node, lines: &[&[u8]]) -> Result<(), EditError> {
        let end = self.last_line_end(node);
        let mut text = self.joined(lines);
        if !self.tree.source()[..end].ends_with(b"\n") {
            // The last line of the file has no ending: it gets one, and the new last line goes without.
            let ending = self.tree.line_ending();
            text.truncate(text.len() - ending.len().min(text.len()));
            text = [ending, text.as_slice()].concat();
        }
        self.replace(end..end, text)
    }

    /// Takes an instruction out with all of its lines, the comments between continued lines included. Comments
    /// above it stay.
    pub fn remove_instruction(&mut self, node: &Node) -> Result<(), EditError> {
        self.remove(self.line_start(node.range.start)..self.last_line_end(node))
    }

    /// The changed file.
    pub fn apply(&self) -> Vec<u8> {
        let source = self.tree.source();
        let mut out = Vec::with_capacity(source.len());
        let mut at = 0;
        for (range, text) in &self.replacements {
            out.extend_from_slice(&source[at..range.start]);
            out.extend_from_slice(text);
            at = range.end;
        }
        out.extend_from_slice(&source[at..]);
        out
    }

    /// The changed file, parsed. A file that could be built before and could not be built after is refused.
    pub fn apply_checked(&self) -> Result<Tree, EditError> {
        let (changed, errors) = parse(&self.apply());
        let Some(error) = errors.into_iter().next() else {
            return Ok(changed);
        };
        match parse(self.tree.source()).1.is_empty() {
            true => Err(EditError::Breaks(error)),
            false => Ok(changed),
        }
    }

    fn joined(&self, lines: &[&[u8]]) -> Vec<u8> {
        lines
            .iter()
            .flat_map(|line| [*line, self.tree.line_ending()].concat())
            .collect()
    }

    /// The start of the line, behind a byte-order mark.
    fn line_start(&self, offset: usize) -> usize {
        let before = &self.tree.source()[..offset.min(self.tree.source().len())];
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let mark = self
            .tree
            .tokens()
            .first()
            .filter(|token| token.kind == TokenKind::ByteOrderMark);
        start.max(mark.map_or(0, |token| token.range.end))
    }

    /// The end of the instruction's last line with its line feed.
    fn last_line_end(&self, node: &Node) -> usize {
        self.tree.line_start(node.lines.end) + self.tree.line(node.lines.end).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_changed_changes() {
        let file = b"\xEF\xBB\xBFFROM a\r\n# c\r\nRUN x \\\r\n # d\r\n  y\r\nCOPY <<E /x\r\nz\r\nE\r\nCMD q";
        let (tree, _) = parse(file);
        let nodes = tree.nodes();
        let mut edits = Edits::new(&tree);
        edits
            .replace(nodes[0].arguments[0].range.clone(), "b")
            .expect("inside");
        edits.remove_instruction(&nodes[1]).expect("inside");
        edits.insert_after(&nodes[2], &[b"USER u"]).expect("inside");
        edits
            .insert_before(&nodes[3], &[b"# last"])
            .expect("inside");
        edits
            .insert_after(&nodes[3], &[b"EXPOSE 1"])
            .expect("inside");
        let expected = b"\xEF\xBB\xBFFROM b\r\n# c\r\nCOPY <<E /x\r\nz\r\nE\r\nUSER u\r\n# last\r\nCMD q\r\nEXPOSE 1";
        assert_eq!(
            String::from_utf8_lossy(&edits.apply()),
            String::from_utf8_lossy(expected)
        );
        assert!(edits.apply_checked().is_ok());
    }

    #[test]
    fn conflicts_and_broken_files_are_refused() {
        let (tree, _) = parse(b"FROM a\nUSER b\n");
        let mut edits = Edits::new(&tree);
        edits.replace(0..6, "FROM c").expect("inside");
        assert_eq!(
            edits.replace(5..6, "d"),
            Err(EditError::Overlap { start: 5, end: 6 })
        );
        assert_eq!(
            edits.replace(5..5, "d"),
            Err(EditError::Overlap { start: 5, end: 5 })
        );
        assert_eq!(
            edits.replace(9..99, "d"),
            Err(EditError::Outside { start: 9, end: 99 })
        );
        let mut edits = Edits::new(&tree);
        edits
            .remove(tree.nodes()[1].arguments[0].range.clone())
            .expect("inside");
        assert!(matches!(edits.apply_checked(), Err(EditError::Breaks(_))));
    }
}
