//! What a further run would still touch that no run has touched yet: the
//! estimate of Good and Turing (Good 1953, "The population frequencies of
//! species and the estimation of population parameters") over runs as samples
//! (Chao and Colwell 2017, incidence data).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FilePath, Touch, Trace};

/// How much of what a program touches the runs have shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// How many runs it stands on.
    pub runs: u32,
    /// How many different paths they touched together.
    pub seen: u64,
    /// How many of those only one run touched.
    pub seen_once: u64,
    /// The chance that a path which the next run touches is a new one.
    pub unseen_share: f64,
    /// How many new paths the next run is expected to touch.
    pub expected_new: f64,
}

/// Directories of the kernel: what is there is not the image's.
const NOT_OF_THE_IMAGE: [&[u8]; 3] = [b"proc", b"sys", b"dev"];

impl Estimate {
    /// From runs that did the same; none when there are fewer than two, or
    /// when one of them lost events.
    pub fn from_runs<'a>(runs: impl IntoIterator<Item = &'a Trace>) -> Option<Self> {
        let mut count = 0_u32;
        let mut incidences = 0_u64;
        let mut runs_of: BTreeMap<&FilePath, u32> = BTreeMap::new();
        for run in runs {
            if run.lost > 0 {
                return None;
            }
            count = count.checked_add(1)?;
            for path in run.paths.iter().filter_map(found) {
                incidences += 1;
                *runs_of.entry(path).or_default() += 1;
            }
        }
        if count < 2 {
            return None;
        }
        let seen_once = runs_of.values().filter(|&&runs| runs == 1).count() as u64;
        // Good–Turing: the singletons' share of all sightings.
        let unseen_share = if incidences == 0 {
            0.0
        } else {
            seen_once as f64 / incidences as f64
        };
        Some(Self {
            runs: count,
            seen: runs_of.len() as u64,
            seen_once,
            unseen_share,
            expected_new: seen_once as f64 / f64::from(count),
        })
    }
}

/// A path that was there and was used; what was merely looked for, or made by
/// the program itself, is no part of the image.
fn found<'a>((path, touch): (&'a FilePath, &Touch)) -> Option<&'a FilePath> {
    let used = [
        Touch::OPENED,
        Touch::EXECUTED,
        Touch::LINK,
        Touch::LISTED,
        Touch::ASKED,
    ];
    let was_used = used.into_iter().any(|one| touch.has(one));
    let bytes = path.as_bytes();
    let first = bytes.split(|&byte| byte == b'/').next().unwrap_or_default();
    (was_used && !touch.has(Touch::CHANGED) && !NOT_OF_THE_IMAGE.contains(&first)).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{Estimate, FilePath, Touch, Trace};

    fn run(paths: &[&str]) -> Trace {
        let mut trace = Trace::default();
        for path in paths {
            trace.touch(FilePath::new(path), Touch::OPENED);
        }
        trace
    }

    fn check(runs: &[&[&str]], share: f64, expected_new: f64) {
        let runs: Vec<Trace> = runs.iter().map(|paths| run(paths)).collect();
        let estimate = Estimate::from_runs(&runs).expect("two runs");
        assert!((estimate.unseen_share - share).abs() < 1e-9, "{estimate:?}");
        assert!(
            (estimate.expected_new - expected_new).abs() < 1e-9,
            "{estimate:?}"
        );
    }

    #[test]
    fn singletons_tell() {
        check(&[&["a", "b"], &["a", "b"]], 0.0, 0.0);
        check(&[&["a", "b"], &["a", "c"]], 0.5, 1.0);
        check(&[&["a"], &["a", "b"], &["a"]], 0.25, 1.0 / 3.0);
        check(&[&["proc/1/stat"], &["proc/2/stat"]], 0.0, 0.0);
        check(&[&[], &[]], 0.0, 0.0);
    }

    #[test]
    fn one_run_or_a_cut_one_tells_nothing() {
        assert_eq!(Estimate::from_runs(&[run(&["a"])]), None);
        let cut = Trace {
            lost: 1,
            ..Trace::default()
        };
        assert_eq!(Estimate::from_runs(&[run(&["a"]), cut]), None);
    }

    #[test]
    fn what_is_missing_or_written_is_no_part_of_the_image() {
        let mut one = run(&["a"]);
        one.touch(FilePath::new("nowhere"), Touch::MISSING);
        one.touch(FilePath::new("log"), Touch::OPENED.with(Touch::CHANGED));
        let estimate = Estimate::from_runs([&one, &run(&["a"])]).expect("two runs");
        assert_eq!((estimate.seen, estimate.seen_once), (1, 0));
    }
}
