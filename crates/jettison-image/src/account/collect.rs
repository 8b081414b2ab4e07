//! Contents that are kept while layers are read, so that package databases
//! need no second pass.
//!
//! Of several layers' copies of one name only the highest is held: a lower one
//! cannot be what the finished image shows under it. Together they are held to
//! a bound; what does not fit is counted and left out.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{ImagePath, Tree};

/// Which files' contents are kept.
#[derive(Debug, Clone, Copy)]
pub struct Collect {
    /// True for paths, without a leading slash, whose content is wanted.
    pub wanted: fn(&[u8]) -> bool,
    /// Bytes of one file at most.
    pub file_bytes: u64,
    /// Bytes of all of them at most, with what holding them costs.
    pub total_bytes: u64,
}

/// What a file costs beside its content and its name.
const OVERHEAD_BYTES: u64 = 128;

pub(super) struct Collection {
    rule: Option<Collect>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    files: HashMap<ImagePath, HeldFile>,
    bytes: u64,
    left_out: u64,
}

struct HeldFile {
    layer: u32,
    record: u32,
    content: Vec<u8>,
}

impl Collection {
    pub(super) fn new(rule: Option<Collect>) -> Self {
        Self {
            rule,
            held: Mutex::default(),
        }
    }

    /// Whether a file that begins now should be handed to [`Self::keep`].
    pub(super) fn wants(&self, path: &ImagePath, layer: u32, size_bytes: u64) -> bool {
        let Some(rule) = &self.rule else {
            return false;
        };
        if !(rule.wanted)(path.as_bytes()) {
            return false;
        }
        let mut held = self.lock();
        let present = held.files.get(path);
        if present.is_some_and(|present| present.layer > layer) {
            return false;
        }
        let freed = present.map_or(0, |present| cost(path, present.content.len() as u64));
        let after = (held.bytes - freed).saturating_add(cost(path, size_bytes));
        let fits = size_bytes <= rule.file_bytes && after <= rule.total_bytes;
        held.left_out += u64::from(!fits);
        if fits {
            // Claimed at once: several layers are read at the same time.
            held.bytes += cost(path, size_bytes);
        }
        fits
    }

    pub(super) fn keep(&self, path: ImagePath, layer: u32, record: u32, content: Vec<u8>) {
        let mut held = self.lock();
        let file = HeldFile {
            layer,
            record,
            content,
        };
        let gone = match held.files.entry(path) {
            Slot::Vacant(slot) => {
                slot.insert(file);
                return;
            }
            Slot::Occupied(mut slot) => {
                let gone = match slot.get().layer > layer {
                    true => file,
                    false => slot.insert(file),
                };
                cost(slot.key(), gone.content.len() as u64)
            }
        };
        held.bytes -= gone;
    }

    /// The contents of visible files, and how many did not fit.
    pub(super) fn finish(self, tree: &Tree) -> (HashMap<ImagePath, Vec<u8>>, u64) {
        let held = self
            .held
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut by_record: HashMap<(u32, u32), Vec<u8>> = held
            .files
            .into_values()
            .map(|file| ((file.layer, file.record), file.content))
            .collect();
        let mut visible = HashMap::new();
        if !by_record.is_empty() {
            for node in tree
                .iter()
                .filter(|node| node.is_file() && node.is_first_link())
            {
                if let Some(content) = node.content_record().and_then(|at| by_record.remove(&at)) {
                    visible.insert(node.path(), content);
                }
            }
        }
        (visible, held.left_out)
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(path: &ImagePath, size_bytes: u64) -> u64 {
    size_bytes.saturating_add(path.as_bytes().len() as u64 + OVERHEAD_BYTES)
}
