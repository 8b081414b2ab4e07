//! Directories worth a line: as deep as a line still says something, what is
//! too small on its own folded into the directory above.

use super::{GroupRow, Survey};
use crate::ImagePath;

/// What lies in a directory and below it, rows of their own aside.
#[derive(Clone, Copy, Default)]
struct Sums {
    files: u64,
    unpacked_bytes: u64,
    wire_bytes: u64,
}

impl Survey {
    /// At most about `most` directories, biggest first, that add up to the
    /// visible bytes. A directory's row has what is below it and is in no row
    /// of its own; the root's has whatever is left.
    pub fn largest_directories(&self, most: usize) -> Vec<GroupRow<ImagePath>> {
        let nodes = self.tree().len();
        let mut own = vec![Sums::default(); nodes];
        let mut directories = Vec::new();
        for node in self.tree().iter() {
            if node.is_directory() {
                let parent = node.parent().map_or(0, |parent| parent.id());
                directories.push((node.id(), parent));
            } else if node.is_file() && node.is_first_link() {
                let sums = &mut own[node.parent().map_or(0, |parent| parent.id())];
                sums.files += 1;
                sums.unpacked_bytes += node.size_bytes();
                sums.wire_bytes += self.wire_bytes(node);
            }
        }
        let total: u64 = own.iter().map(|sums| sums.unpacked_bytes).sum();
        // The share that is worth a row is found by trying: it depends on how
        // the bytes lie.
        let mut least = (total / (most.max(1) as u64).saturating_mul(8)).max(1);
        let rows = loop {
            let rows = carve(&own, &directories, least);
            if rows.len() <= most.max(1) || least > total {
                break rows;
            }
            least = least.saturating_add(least / 5 + 1);
        };
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|(id, sums)| GroupRow {
                key: self.tree().node(id as u32).path(),
                files: sums.files,
                unpacked_bytes: sums.unpacked_bytes,
                wire_bytes: sums.wire_bytes,
            })
            .collect();
        rows.sort_by(|a, b| {
            let sizes = b.unpacked_bytes.cmp(&a.unpacked_bytes);
            sizes.then_with(|| a.key.cmp(&b.key))
        });
        rows
    }
}

/// From the leaves up: a directory with at least so many bytes that no row
/// below it has is a row, any other leaves its bytes to the one above.
fn carve(own: &[Sums], directories: &[(usize, usize)], least: u64) -> Vec<(usize, Sums)> {
    let mut left = own.to_vec();
    let mut rows = Vec::new();
    // Parents come before what they hold.
    for &(id, parent) in directories.iter().rev() {
        let sums = left[id];
        if id == parent || sums.unpacked_bytes >= least {
            if sums.files > 0 {
                rows.push((id, sums));
            }
            continue;
        }
        let above = &mut left[parent];
        above.files += sums.files;
        above.unpacked_bytes += sums.unpacked_bytes;
        above.wire_bytes += sums.wire_bytes;
    }
    rows
}
