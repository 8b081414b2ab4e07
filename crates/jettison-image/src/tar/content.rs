//! Where the reader is inside the content of the current entry.

use super::sparse::SparseMap;

/// What is left of the current entry.
#[derive(Default)]
pub(super) struct Content {
    /// Stored bytes not yet read, map blocks of sparse files not counted.
    pub(super) stored: u64,
    /// Zeros after the stored bytes, up to the next block.
    pub(super) padding: u64,
    /// Where the stored bytes go, for a sparse file.
    pub(super) sparse: Option<Holes>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// So many stored bytes, at least one.
    Data(u64),
    /// So many zeros that are not stored, at least one.
    Hole(u64),
    /// Nothing.
    End,
}

/// A position in a sparse file.
pub(super) struct Holes {
    map: SparseMap,
    index: usize,
    position: u64,
}

impl Holes {
    pub(super) fn new(map: SparseMap) -> Self {
        Self {
            map,
            index: 0,
            position: 0,
        }
    }
}

impl Content {
    /// Offset and length of what is stored of a sparse file.
    pub(super) fn stretches(&self) -> Option<Vec<(u64, u64)>> {
        let stretches = self.sparse.as_ref()?.map.stretches.iter();
        Some(stretches.map(|s| (s.offset, s.length)).collect())
    }

    pub(super) fn next(&self) -> Next {
        let Some(holes) = &self.sparse else {
            return if self.stored > 0 {
                Next::Data(self.stored)
            } else {
                Next::End
            };
        };
        match holes.map.stretches.get(holes.index) {
            Some(stretch) if holes.position < stretch.offset => {
                Next::Hole(stretch.offset - holes.position)
            }
            Some(stretch) => Next::Data(stretch.offset + stretch.length - holes.position),
            None if holes.position < holes.map.size_bytes => {
                Next::Hole(holes.map.size_bytes - holes.position)
            }
            None => Next::End,
        }
    }

    /// Notes that `count` bytes of what [`Content::next`] said were taken.
    pub(super) fn advance(&mut self, count: u64) {
        if let Next::Data(_) = self.next() {
            self.stored -= count;
        }
        if let Some(holes) = &mut self.sparse {
            holes.position += count;
            let stretch = holes.map.stretches.get(holes.index);
            if stretch.is_some_and(|s| holes.position >= s.offset + s.length) {
                holes.index += 1;
            }
        }
    }
}
