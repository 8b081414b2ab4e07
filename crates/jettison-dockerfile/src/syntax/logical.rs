//! A logical line: the text of an instruction after continuations, and the comments and blank lines between them,
//! were taken out; each of its bytes still knows where it stands in the file.

use std::ops::Range;

/// Joined text with its way back to the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logical {
    text: Vec<u8>,
    /// Where each piece starts in the text and in the file, in order.
    pieces: Vec<(usize, usize)>,
}

impl Logical {
    /// Appends a piece of the file that starts at the given offset.
    pub fn push(&mut self, text: &[u8], source: usize) {
        let continues = self
            .pieces
            .last()
            .is_some_and(|(at, start)| start + (self.text.len() - at) == source);
        if !text.is_empty() && !continues {
            self.pieces.push((self.text.len(), source));
        }
        self.text.extend_from_slice(text);
    }

    /// The joined text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether the text is a single piece of the file.
    pub fn is_contiguous(&self) -> bool {
        self.pieces.len() <= 1
    }

    /// The file offset of a byte of the text; for the end of the text, the offset after its last byte.
    pub fn source_offset(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        if offset == self.text.len() && offset > 0 {
            return self.source_offset(offset - 1) + 1;
        }
        let index = self.pieces.partition_point(|(at, _)| *at <= offset);
        let piece = index
            .checked_sub(1)
            .and_then(|index| self.pieces.get(index));
        piece.map_or(0, |(at, source)| source + (offset - at))
    }

    /// The file range of a range of the text; with continuations inside it they are part of the range.
    pub fn source_range(&self, range: Range<usize>) -> Range<usize> {
        let start = self.source_offset(range.start);
        if range.is_empty() {
            return start..start;
        }
        start..self.source_offset(range.end - 1) + 1
    }

    /// The file ranges that a range of the text consists of.
    pub fn source_pieces(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut out = Vec::new();
        let first = self
            .pieces
            .partition_point(|(at, _)| *at <= range.start)
            .saturating_sub(1);
        for (index, (at, source)) in self.pieces.iter().enumerate().skip(first) {
            let end = self
                .pieces
                .get(index + 1)
                .map_or(self.text.len(), |(next, _)| *next);
            let (low, high) = (range.start.max(*at), range.end.min(end));
            if low < high {
                out.push(source + (low - at)..source + (high - at));
            }
            if end >= range.end {
                break;
            }
        }
        out
    }

    /// A part of the text as a logical line of its own.
    pub fn slice(&self, range: Range<usize>) -> Logical {
        let mut out = Logical::default();
        let mut at = range.start;
        for piece in self.source_pieces(range) {
            let length = piece.len();
            out.push(&self.text[at..at + length], piece.start);
            at += length;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_crosses_the_gaps() {
        let mut line = Logical::default();
        line.push(b"RUN a ", 10);
        line.push(b"b", 30);
        line.push(b"c", 31);
        assert_eq!(line.text(), b"RUN a bc");
        assert_eq!(
            [0, 5, 6, 7, 8].map(|offset| line.source_offset(offset)),
            [10, 15, 30, 31, 32]
        );
        assert_eq!(line.source_range(4..7), 14..31);
        assert_eq!(line.source_range(4..6), 14..16);
        assert_eq!(line.source_pieces(4..8), [14..16, 30..32]);
        assert_eq!(line.slice(5..8).source_offset(1), 30);
    }
}
