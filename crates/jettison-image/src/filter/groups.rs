//! Which layer a file goes to: what changes together lies together, what
//! changes least lies lowest, so that a new version of a program moves one
//! small layer and images that share a runtime share its bytes.

use super::Selection;
use crate::{Node, Tree};

/// The layers by how often they change, rarest first: an [`Owner`]'s number is
/// its place here.
pub const GROUPS: [&str; 3] = ["runtime", "dependencies", "application"];

/// What is smaller costs more as a layer of its own (a request, a tar's end, a
/// row in every list) than it saves when another layer changes.
const LEAST_BYTES: u64 = 64 << 10;

/// What one entry's headers take.
const ENTRY_BYTES: u64 = 512;

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A package of the operating system's, or a runtime that no package owns.
    System,
    /// A package of a language's.
    Language,
    /// The image's own program, and whatever nobody else owns.
    Application,
}

impl Selection {
    /// Sends every node to its owner's layer. A layer of hardly anything goes
    /// up into the next one that there is.
    pub fn split(&mut self, tree: &Tree, owner_of: &dyn Fn(Node<'_>) -> Owner) {
        let mut bytes = [0_u64; GROUPS.len()];
        let kept: Vec<_> = tree.iter().filter(|&node| self.keeps(node)).collect();
        for &node in &kept {
            let group = owner_of(node) as u8;
            self.set_group(node, group);
            // Directories come with what they hold.
            if !node.is_directory() && node.is_first_link() {
                let content = match self.rewritten().get(&node.id()) {
                    Some(content) => content.len() as u64,
                    None => node.size_bytes(),
                };
                let sum = &mut bytes[usize::from(group)];
                *sum = sum.saturating_add(content).saturating_add(ENTRY_BYTES);
            }
        }
        let moved = merged(bytes);
        for node in kept {
            let group = moved[usize::from(self.group(node)).min(GROUPS.len() - 1)];
            self.set_group(node, group);
        }
    }
}

/// Where each group's files go, from the bytes of each.
fn merged(mut bytes: [u64; GROUPS.len()]) -> [u8; GROUPS.len()] {
    let mut target = [0, 1, 2];
    for group in 0..GROUPS.len() {
        let next = (group + 1..GROUPS.len()).find(|&next| bytes[next] > 0);
        let Some(next) = next.filter(|_| bytes[group] < LEAST_BYTES) else {
            continue;
        };
        bytes[next] = bytes[next].saturating_add(bytes[group]);
        for slot in &mut target {
            if usize::from(*slot) == group {
                *slot = next as u8;
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::merged;

    #[test]
    fn small_layers_go_up() {
        const BIG: u64 = 1 << 20;
        let check = |bytes, expected: [u8; 3]| assert_eq!(merged(bytes), expected, "{bytes:?}");
        check([BIG, BIG, BIG], [0, 1, 2]);
        check([BIG, BIG, 10], [0, 1, 2]);
        check([BIG, 10, BIG], [0, 2, 2]);
        check([10, BIG, BIG], [1, 1, 2]);
        check([10, 10, BIG], [2, 2, 2]);
        check([10, 0, BIG], [2, 2, 2]);
        check([10, 0, 0], [0, 1, 2]);
        check([40 << 10, 40 << 10, BIG], [1, 1, 2]);
        check([0, 0, 0], [0, 1, 2]);
    }
}
