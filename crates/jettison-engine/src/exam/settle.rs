//! Whether a difference stays: what another image does not show again is no
//! difference of the images.
//!
//! Where nothing but lines of a service's log differs, one counts that every
//! run says, since processes race; all else counts when one further run shows
//! any difference.

use std::collections::BTreeSet;

use jettison_plan::Noise;

use super::ExamError;
use super::compare::{All, differing, hold_all};
use super::hold::Answers;
use super::noise;
use super::reply::Bytes;
use super::schedule::{Schedule, Start};
use super::sit::{Sat, Sitting};

/// Further runs of the candidate, to see whether a difference stays.
const AGAIN: usize = 2;

/// Takes out what does not stay. One in kind leaves a doubt all the same.
pub(super) fn settle(
    schedule: &Schedule,
    originals: &[Sitting],
    judged: &Sitting,
    found: &mut All,
    doubts: &mut Vec<String>,
    sit: impl Fn(&BTreeSet<usize>) -> Result<Sitting, ExamError>,
) -> Result<(), ExamError> {
    let oddities = |number: usize, sitting: &Sitting, held: &All| {
        Oddities::of(schedule, originals, sitting, held, number)
    };
    // Starts that may turn out not to differ.
    let mut odd: Vec<(usize, Staying)> = differing(found)
        .into_iter()
        .map(|number| (number, Staying::of(oddities(number, judged, found))))
        .collect();
    for _ in 0..AGAIN {
        if odd.is_empty() {
            return Ok(());
        }
        let numbers = odd.iter().map(|(number, _)| *number).collect();
        let again = sit(&numbers)?;
        let held = hold_all(schedule, originals, &again);
        odd.retain_mut(|(number, staying)| !staying.is_met_by(oddities(*number, &again, &held)));
    }
    for (number, _) in odd.into_iter().filter(|(_, staying)| staying.is_gone()) {
        pass_over(&schedule.starts[number], &mut found[number], doubts);
    }
    Ok(())
}

/// What differed once is noise.
fn pass_over(start: &Start, found: &mut [Answers], doubts: &mut Vec<String>) {
    for (held, question) in found.iter_mut().zip(&start.questions) {
        if held.is_coarse() {
            doubts.push(format!(
                "{} was answered differently once, and not again in {AGAIN} further runs",
                question.probe
            ));
        }
        let passing = std::mem::take(&mut held.differences).into_iter();
        held.noise.extend(passing.map(|difference| Noise {
            part: difference.part,
            varies: format!(
                "`{}` instead of `{}` in one run, and not in each of {AGAIN} further ones",
                difference.candidate, difference.original
            ),
        }));
    }
}

/// What of the differences of a start was in every run so far.
struct Staying {
    /// Of the first run, where these alone differed.
    first: Option<Vec<String>>,
    /// Of the further runs, once there was one.
    further: Option<Vec<String>>,
}

impl Staying {
    fn of(first: Oddities) -> Self {
        Self {
            first: (!first.has_others).then_some(first.lines),
            further: None,
        }
    }

    /// True where a further run shows that the images differ; else what stays
    /// becomes less.
    fn is_met_by(&mut self, again: Oddities) -> bool {
        let differs = again.has_others || !again.lines.is_empty();
        let Some(first) = self.first.as_mut().filter(|_| !again.has_others) else {
            return differs;
        };
        let is_there = |line: &String| again.lines.iter().any(|other| noise::is_alike(line, other));
        first.retain(is_there);
        match &mut self.further {
            Some(further) => further.retain(is_there),
            None => self.further = Some(again.lines),
        }
        false
    }

    fn is_gone(&self) -> bool {
        let is_empty = |lines: &Option<Vec<String>>| lines.as_ref().is_none_or(Vec::is_empty);
        is_empty(&self.first) && is_empty(&self.further)
    }
}

/// In what one run of a start differs.
pub(super) struct Oddities {
    /// Lines of the log.
    lines: Vec<String>,
    /// Something else.
    pub(super) has_others: bool,
}

impl Oddities {
    pub(super) fn of(
        schedule: &Schedule,
        originals: &[Sitting],
        sitting: &Sitting,
        held: &All,
        number: usize,
    ) -> Self {
        let mut all = Self {
            lines: Vec::new(),
            has_others: false,
        };
        let sats = originals.iter();
        let sats: Vec<&Sat> = sats
            .filter_map(|sitting| sitting.starts[number].as_ref())
            .collect();
        let sat = sitting.starts[number].as_ref();
        for (question, answers) in held[number].iter().enumerate() {
            let is_log = question == 0 && !schedule.starts[number].ends;
            for difference in &answers.differences {
                let lines = sat.filter(|_| is_log);
                match lines.and_then(|sat| odd_lines(&sats, sat, &difference.part)) {
                    Some(lines) => all.lines.extend(lines),
                    None => all.has_others = true,
                }
            }
        }
        all
    }
}

/// The lines by which what a service says differs; none for what is no log, or
/// differs otherwise.
fn odd_lines(originals: &[&Sat], sat: &Sat, part: &str) -> Option<Vec<String>> {
    let said = log(sat, part)?;
    let shape = sat.replies.first()?.0.shape();
    let is_alike = |other: &&&Sat| {
        let first = other.replies.first();
        first.is_some_and(|(reply, _)| reply.shape() == shape)
    };
    let alike = originals.iter().filter(is_alike);
    let alike: Vec<&Bytes> = alike.filter_map(|sat| log(sat, part)).collect();
    let lines = noise::odd_lines(&alike, said)?;
    (!lines.is_empty()).then_some(lines)
}

fn log<'s>(sat: &'s Sat, part: &str) -> Option<&'s Bytes> {
    let (stdout, stderr) = sat.replies.first()?.0.output()?;
    match part {
        "stdout" => Some(stdout),
        "stderr" => Some(stderr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use jettison_plan::{Action, Expectation, Origin, Probe};

    use super::*;
    use crate::exam::reply::{Reply, Shape};
    use crate::exam::schedule::{Question, Words};

    /// A run of a service that said this, and whose question was answered so.
    fn run(log: &str, status: u16) -> Sitting {
        let nothing = || Bytes::new(Vec::new());
        let said = Reply::Running {
            stdout: Bytes::new(log.into()),
            stderr: nothing(),
        };
        let answer = Reply::Http {
            status,
            headers: Vec::new(),
            body: nothing(),
        };
        let sat = Sat {
            replies: [said, answer].map(|reply| (reply, Duration::ZERO)).into(),
            files: BTreeMap::new(),
            traces: Vec::new(),
            early: None,
            kept: None,
        };
        Sitting {
            starts: vec![Some(sat)],
            ended: Instant::now(),
        }
    }

    /// Whether a difference of the first run stays, and whether it leaves a doubt.
    #[track_caller]
    fn check(runs: [(&str, u16); 3], stays: bool, doubted: bool) {
        let mut start = Start::new("plain start".to_owned(), Words::Own);
        for (action, expected) in [
            (Action::Start, Shape::Running),
            (Action::Stop, Shape::Http(200)),
        ] {
            let probe = Probe {
                action,
                expectation: Expectation::AnyAnswer,
                origin: Origin::Free,
            };
            start.questions.push(Question { probe, expected });
        }
        let schedule = Schedule {
            starts: vec![start],
            notes: Vec::new(),
        };
        let originals = ["at 1\nready\n", "at 2\nready\n"].map(|log| run(log, 200));
        let [judged, further @ ..] = runs.map(|(log, status)| run(log, status));
        let mut found = hold_all(&schedule, &originals, &judged);
        let mut doubts = Vec::new();
        let further = RefCell::new(further.into_iter());
        let sit = |_: &BTreeSet<usize>| Ok(further.borrow_mut().next().expect("two at most"));
        settle(&schedule, &originals, &judged, &mut found, &mut doubts, sit).expect("runs");
        assert_eq!(!differing(&found).is_empty(), stays);
        assert_eq!(!doubts.is_empty(), doubted, "{doubts:?}");
    }

    #[test]
    fn what_stays_is_a_difference() {
        let good = ("at 3\nready\n", 200);
        let raced = ("at 4\nready\nclient 7 hung up\n", 200);
        let raced_otherwise = ("at 4\nready\nclient 9 hung up\n", 200);
        let slow = ("at 5\nready\nstill waiting\n", 200);
        let broken = ("at 6\nready\n", 500);
        check([raced, good, good], false, false);
        check([raced, raced_otherwise, good], false, false);
        check([raced, raced_otherwise, raced], true, false);
        check([raced, slow, good], false, false);
        check([raced, slow, slow], true, false);
        check([broken, good, good], false, true);
        check([broken, good, broken], true, false);
        check([raced, broken, good], true, false);
        // An identifier of letters and digits, another one each time.
        let failed = [
            ("at 3\nready\nerror a9f3: no such file x\n", 200),
            ("at 3\nready\nerror 77bc: no such file x\n", 200),
            ("at 3\nready\nerror 00fe: no such file x\n", 200),
        ];
        check(failed, true, false);
        // What only the further runs say, and every one of them.
        check([raced, failed[0], failed[1]], true, false);
        check([broken, failed[0], good], true, false);
    }
}
