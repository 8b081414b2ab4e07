//! A program that is asked before it can answer says so in its log. That is
//! the examiner's doing, so it is asked again with patience.

use std::collections::BTreeSet;

use super::schedule::Schedule;
use super::sit::Sitting;

/// Of some starts those in which the program was asked too early, and a
/// schedule that gives them the time.
pub(super) fn calmer(
    schedule: &Schedule,
    judged: &Sitting,
    among: &BTreeSet<usize>,
) -> Option<(Schedule, BTreeSet<usize>)> {
    let mut calmer = schedule.clone();
    let mut early = BTreeSet::new();
    for &number in among {
        let sat = judged.starts[number].as_ref();
        if let Some(after) = sat.and_then(|sat| sat.early) {
            calmer.starts[number].pause = after * 2;
            early.insert(number);
        }
    }
    (!early.is_empty()).then_some((calmer, early))
}
