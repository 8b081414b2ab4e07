//! Sparse files: the four ways of writing down which stretches of a file are
//! stored (GNU tar manual, "Sparse Formats"). Everything that overlaps, is
//! out of order, exceeds the file or does not match the stored bytes is
//! refused before anything is read.

use super::header::number;
use super::pax::decimal;

/// A stretch of a file that is stored; what lies between stretches is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The stretches of a sparse file and its apparent size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SparseMap {
    pub(super) size_bytes: u64,
    pub(super) stretches: Vec<Stretch>,
}

impl SparseMap {
    /// Checks the stretches against the apparent size and the stored bytes.
    pub(super) fn new(
        size_bytes: i64,
        pairs: Vec<(i64, i64)>,
        stored_bytes: u64,
    ) -> Result<Self, String> {
        let size_bytes = u64::try_from(size_bytes).map_err(|_| "sparse size is negative")?;
        let mut stretches = Vec::with_capacity(pairs.len());
        let (mut end, mut total) = (0, 0_u64);
        for (offset, length) in pairs {
            let offset = u64::try_from(offset).map_err(|_| "sparse map has a negative offset")?;
            let length = u64::try_from(length).map_err(|_| "sparse map has a negative length")?;
            if offset < end {
                return Err("sparse map has stretches that overlap or are out of order".into());
            }
            // Both come from i64, their sum cannot overflow u64.
            end = offset + length;
            if end > size_bytes {
                return Err("sparse map goes beyond the file's size".into());
            }
            total += length;
            // GNU tar ends a file that ends in a hole with an empty stretch.
            if length > 0 {
                stretches.push(Stretch { offset, length });
            }
        }
        if total != stored_bytes {
            return Err(format!(
                "sparse map wants {total} stored bytes, but the archive has {stored_bytes}"
            ));
        }
        Ok(Self {
            size_bytes,
            stretches,
        })
    }
}

/// Reads a block of the old GNU format: pairs of 12-byte numbers, then a
/// byte that says whether another block follows.
pub(super) fn old_gnu(block: &[u8], pairs: &mut Vec<(i64, i64)>) -> Result<bool, String> {
    let entries = block.len() / 24;
    for entry in block.chunks_exact(24).take(entries) {
        if entry[0] == 0 {
            break;
        }
        let pair = number(&entry[..12]).zip(number(&entry[12..24]));
        pairs.push(pair.ok_or("sparse map has something that is not a number")?);
    }
    Ok(block.get(entries * 24).is_some_and(|&more| more != 0))
}

/// Reads formats 0.0 and 0.1, numbers from the extended header.
pub(super) fn pax_0(count: Option<&[u8]>, numbers: &[&[u8]]) -> Result<Vec<(i64, i64)>, String> {
    let count = count
        .and_then(decimal)
        .and_then(|count| usize::try_from(count).ok());
    if count.and_then(|count| count.checked_mul(2)) != Some(numbers.len()) {
        return Err("sparse map does not have the number of stretches it says".into());
    }
    pairs(numbers.iter().map(|text| decimal(text)))
}

/// Collects format 1.0: decimal lines in blocks at the start of the content.
#[derive(Default)]
pub(super) struct Pax1 {
    text: Vec<u8>,
    lines: usize,
    wanted: Option<usize>,
}

impl Pax1 {
    /// Takes a block; whether it was the last one.
    pub(super) fn push(&mut self, block: &[u8]) -> Result<bool, String> {
        self.text.extend_from_slice(block);
        self.lines += block.iter().filter(|&&b| b == b'\n').count();
        if self.wanted.is_none() && self.lines > 0 {
            let count = self.text.split(|&b| b == b'\n').next().and_then(decimal);
            let wanted = count
                .and_then(|count| usize::try_from(count).ok())
                .and_then(|count| count.checked_mul(2)?.checked_add(1));
            self.wanted = Some(wanted.ok_or("sparse map has a count that is not one")?);
        }
        Ok(self.wanted.is_some_and(|wanted| self.lines >= wanted))
    }

    /// The stretches, after the last block.
    pub(super) fn finish(self) -> Result<Vec<(i64, i64)>, String> {
        let numbers = self.wanted.unwrap_or(1) - 1;
        pairs(
            self.text
                .split(|&b| b == b'\n')
                .skip(1)
                .take(numbers)
                .map(decimal),
        )
    }
}

fn pairs(mut numbers: impl Iterator<Item = Option<i64>>) -> Result<Vec<(i64, i64)>, String> {
    let mut pairs = Vec::new();
    while let (Some(offset), Some(length)) = (numbers.next(), numbers.next()) {
        let pair = offset.zip(length);
        pairs.push(pair.ok_or("sparse map has something that is not a number")?);
    }
    Ok(pairs)
}
