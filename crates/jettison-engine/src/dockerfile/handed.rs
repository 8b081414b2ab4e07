//! What stages hand on to each other: a stage that others stand on hands on
//! everything, one that is copied from the layers that came of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jettison_image::{Compression, Digest, NewLayer};

use super::StageReport;
use crate::store::Store;

/// Filled while stages are built, side by side.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    by_stage: Mutex<BTreeMap<usize, What>>,
}

#[derive(Debug, Default, Clone)]
struct What {
    is_whole: bool,
    is_mounted: bool,
    /// What is copied twice is handed on once.
    layers: BTreeMap<Digest, u64>,
}

impl Handed {
    /// A stage is the base of another, or the target.
    pub(crate) fn whole(&self, stage: usize) {
        self.change(stage, |what| what.is_whole = true);
    }

    /// A RUN of another stage sees it.
    pub(crate) fn mounted(&self, stage: usize) {
        self.change(stage, |what| what.is_mounted = true);
    }

    /// A COPY made this layer out of it.
    pub(crate) fn layer(&self, stage: usize, layer: &NewLayer) {
        self.change(stage, |what| {
            what.layers.insert(layer.digest, layer.size_bytes);
        });
    }

    fn change(&self, stage: usize, change: impl FnOnce(&mut What)) {
        let held = self.by_stage.lock();
        let mut held = held.unwrap_or_else(PoisonError::into_inner);
        change(held.entry(stage).or_default());
    }

    /// Writes it down for a stage that is complete.
    pub(crate) fn report(&self, report: &mut StageReport) {
        let held = self.by_stage.lock();
        let held = held.unwrap_or_else(PoisonError::into_inner);
        let what = held.get(&report.index).cloned().unwrap_or_default();
        let all = report
            .base_bytes
            .map(|base| base.saturating_add(report.size_bytes));
        report.is_mounted = what.is_mounted;
        report.handed_bytes = match what.is_whole {
            true => all.unwrap_or(report.size_bytes),
            false => what.layers.values().copied().fold(0, u64::saturating_add),
        };
        report.discarded_bytes = match what.is_whole {
            true => Some(0),
            // A copy out of links may be larger than what it was made of.
            false => all.map(|all| all.saturating_sub(report.handed_bytes)),
        };
    }
}

/// What layers hold unpacked; none where a packed one was never read.
pub(crate) fn unpacked(layers: &[NewLayer], store: &Store) -> Option<u64> {
    let sizes = layers.iter().map(|layer| match layer.compression {
        Compression::None => Some(layer.size_bytes),
        _ => Some(store.layer_facts(&layer.digest)?.unpacked_bytes),
    });
    sizes.sum()
}
