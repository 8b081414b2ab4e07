//! Original, candidate, original again: where the answers differ although the
//! original's own do not.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use jettison_plan::{
    ComparedProbe, ComparedStart, Comparison, Estimate, Isolation, Trace, Verdict,
};

use super::hold::{Answers, hold_start};
use super::patience::calmer;
use super::schedule::{Schedule, Start};
use super::settle::{Oddities, settle};
use super::sit::{Sat, Sitting};
use super::verdict::doubts;
use super::{ExamError, Examinee, Examiner, Traced};

/// Between two runs of the original: times are written in whole seconds.
pub(crate) const APART: Duration = Duration::from_millis(1100);
/// Further runs of the original on a difference.
const FURTHER: usize = 3;

/// Sittings that were held already.
pub struct Held<'a> {
    /// Of the original; takes those that are held in addition.
    pub originals: &'a mut Vec<Sitting>,
    /// Of the candidate.
    pub candidate: Option<Sitting>,
}

pub(super) fn compare(
    examiner: &Examiner,
    schedule: &Schedule,
    original: &Examinee,
    candidate: &Examinee,
    held: Held<'_>,
) -> Result<Comparison, ExamError> {
    let Held {
        originals,
        candidate: judged,
    } = held;
    let sit = |examinee, wanted: &dyn Fn(usize) -> bool| {
        examiner.sit_some(examinee, schedule, Traced::No, wanted)
    };
    let all = |_: usize| true;
    if originals.is_empty() {
        originals.push(sit(original, &all)?);
    }
    let mut judged = match judged {
        Some(sitting) => sitting,
        None => sit(candidate, &all)?,
    };
    if let [first] = originals.as_slice() {
        thread::sleep((first.ended + APART).saturating_duration_since(Instant::now()));
        originals.push(sit(original, &all)?);
    }
    let mut notes = schedule.notes.clone();
    let mut found = hold_all(schedule, originals, &judged);
    let mut odd = differing(&found);
    // Whatever else differs than a log is not for having been asked too early.
    odd.retain(|&number| {
        let is_early = |sat: &Sat| sat.early.is_some();
        judged.starts[number].as_ref().is_some_and(is_early)
            && !Oddities::of(schedule, originals, &judged, &found, number).has_others
    });
    if let Some((calmer, early)) = calmer(schedule, &judged, &odd) {
        let again = examiner.sit_some(candidate, &calmer, Traced::No, |n| early.contains(&n))?;
        let again = again.starts.into_iter().enumerate();
        for (number, sat) in again.filter(|(number, _)| early.contains(number)) {
            let label = &schedule.starts[number].label;
            notes.push(format!(
                "{label}: it was asked before it could answer, and once more with patience"
            ));
            judged.starts[number] = sat;
        }
        found = hold_all(schedule, originals, &judged);
    }
    for round in 0..FURTHER {
        let odd = differing(&found);
        // A status that two runs agreed on will not change in a fifth.
        if odd.is_empty()
            || (round > 0 && odd.iter().all(|&n| found[n].iter().any(Answers::is_coarse)))
        {
            break;
        }
        originals.push(sit(original, &|number| odd.contains(&number))?);
        found = hold_all(schedule, originals, &judged);
    }
    let mut doubts = doubts(schedule, &original.facts, &originals[0]);
    settle(
        schedule,
        originals,
        &judged,
        &mut found,
        &mut doubts,
        |odd| sit(candidate, &|number| odd.contains(&number)),
    )?;
    let traces: Vec<Trace> = originals.iter().map(Sitting::trace).collect();
    let lost: u64 = traces.iter().map(|trace| trace.lost).sum();
    if lost > 0 {
        doubts.push(format!("the trace was cut: {lost} events were lost"));
    }
    let traced: Vec<&Trace> = traces
        .iter()
        .filter(|trace| !trace.paths.is_empty())
        .collect();
    let verdict = match (differing(&found).is_empty(), doubts.is_empty()) {
        (false, _) => Verdict::Differs,
        (true, false) => Verdict::CouldNotTell,
        (true, true) => Verdict::Whole,
    };
    notes.extend(doubts);
    let starts = schedule.starts.iter().zip(found).enumerate();
    let starts = starts.map(|(number, (start, held))| {
        let pair = [&originals[0], &judged].map(|sitting| sitting.starts[number].as_ref());
        document(start, original, pair, held)
    });
    Ok(Comparison {
        schema: Comparison::SCHEMA.to_owned(),
        original: original.subject.clone(),
        candidate: candidate.subject.clone(),
        isolation: Isolation::Sandbox {
            tier: examiner.sandbox.tier().to_string(),
            profile: "as shipped".to_owned(),
        },
        starts: starts.collect(),
        original_runs: u32::try_from(originals.len()).unwrap_or(u32::MAX),
        estimate: Estimate::from_runs(traced),
        notes,
        verdict,
    })
}

/// By start, by question.
pub(super) type All = Vec<Vec<Answers>>;

pub(super) fn hold_all(schedule: &Schedule, originals: &[Sitting], judged: &Sitting) -> All {
    let starts = schedule.starts.iter().enumerate();
    starts
        .map(|(number, start)| {
            let originals: Vec<&Sat> = originals
                .iter()
                .filter_map(|sitting| sitting.starts[number].as_ref())
                .collect();
            match &judged.starts[number] {
                Some(judged) => hold_start(start, &originals, judged),
                None => Vec::new(),
            }
        })
        .collect()
}

pub(super) fn differing(found: &All) -> BTreeSet<usize> {
    let differs = |held: &[Answers]| held.iter().any(|held| !held.differences.is_empty());
    let numbered = found.iter().enumerate();
    numbered
        .filter_map(|(number, held)| differs(held).then_some(number))
        .collect()
}

fn document(
    start: &Start,
    original: &Examinee,
    pair: [Option<&Sat>; 2],
    held: Vec<Answers>,
) -> ComparedStart {
    let [Some(before), Some(after)] = pair else {
        return ComparedStart {
            label: start.label.clone(),
            argv: start.argv(&original.run),
            probes: Vec::new(),
        };
    };
    let questions = start.questions.iter().zip(held).enumerate();
    let probes = questions.map(|(number, (question, held))| {
        let answer = |sat: &Sat| {
            let (reply, took) = &sat.replies[number];
            let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            reply.answer(&question.probe, elapsed_ms)
        };
        ComparedProbe {
            probe: question.probe.clone(),
            original: answer(before),
            candidate: answer(after),
            differences: held.differences,
            noise: held.noise,
        }
    });
    ComparedStart {
        label: start.label.clone(),
        argv: start.argv(&original.run),
        probes: probes.collect(),
    }
}
