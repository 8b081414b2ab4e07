//! What the small image lacks, as its own probes show it.

use std::collections::{BTreeMap, BTreeSet};

use jettison_image::{Follow, Tree};
use jettison_plan::{FilePath, Touch, Trace};

/// What was missed so far.
#[derive(Debug, Default)]
pub(super) struct Misses {
    /// Probe and path; in the order in which they came up.
    pub(super) paths: Vec<(String, FilePath)>,
    /// What was listed on the small image, by the probe.
    pub(super) listed: Vec<(String, Trace)>,
    known: BTreeSet<FilePath>,
}

impl Misses {
    /// Takes in what probes on the small image looked for in vain although
    /// the original has it, and the directories that they listed and that are
    /// shorter now; says how many of either are new.
    pub(super) fn find(
        &mut self,
        traces: &[(String, Trace)],
        original: &Tree,
        small: &Tree,
    ) -> usize {
        let before = self.known.len();
        for (probe, trace) in traces {
            let mut listed = Trace::default();
            for (path, touch) in &trace.paths {
                let is_missing = touch.has(Touch::MISSING)
                    && original.resolve(path, Follow::AllButLast).is_ok()
                    && small.resolve(path, Follow::AllButLast).is_err();
                let is_shorter = touch.has(Touch::LISTED) && is_shorter(path, original, small);
                if !(is_missing || is_shorter) || !self.known.insert(path.clone()) {
                    continue;
                }
                if is_missing {
                    self.paths.push((probe.clone(), path.clone()));
                } else {
                    listed.touch(path.clone(), Touch::LISTED);
                }
            }
            if !listed.paths.is_empty() {
                self.listed.push((probe.clone(), listed));
            }
        }
        self.known.len() - before
    }

    /// The directories that were listed and are shorter now.
    pub(super) fn suspects(
        traces: &[(String, Trace)],
        original: &Tree,
        small: &Tree,
    ) -> Vec<FilePath> {
        let listed = traces
            .iter()
            .flat_map(|(_, trace)| trace.having(Touch::LISTED));
        let shorter: BTreeSet<&FilePath> = listed
            .filter(|path| is_shorter(path, original, small))
            .collect();
        shorter.into_iter().cloned().collect()
    }

    /// Puts back everything in the directories that were listed and are
    /// shorter now; true when there was any that is new.
    pub(super) fn restore(&mut self, suspects: &[FilePath], original: &Tree) -> bool {
        let mut found: BTreeMap<FilePath, String> = BTreeMap::new();
        for suspect in suspects {
            let Ok(directory) = original.resolve(suspect, Follow::All) else {
                continue;
            };
            // A directory comes back empty: it is its name that was listed.
            for child in directory.children() {
                let why = format!("{suspect} was listed, and an answer differs");
                found.insert(FilePath::new(child.path()), why);
            }
        }
        let before = self.paths.len();
        for (path, why) in found {
            if self.known.insert(path.clone()) {
                self.paths.push((why, path));
            }
        }
        self.paths.len() > before
    }
}

/// True when a directory holds fewer names than the original's.
fn is_shorter(path: &FilePath, original: &Tree, small: &Tree) -> bool {
    let names = |tree: &Tree| {
        let node = tree.resolve(path, Follow::All).ok()?;
        Some(node.children().len())
    };
    names(original).is_some_and(|was| names(small).is_none_or(|is| is < was))
}
