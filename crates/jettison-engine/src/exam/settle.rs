//! Whether a difference stays: what another image does not show again is no
//! difference of the images.
//!
//! A program that was asked too early says so in its log, and is asked again
//! with patience. A line of a log counts when every further run says it, since
//! processes race; everything else counts when one further run shows it.

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

/// Of the starts that differ those in which the program was asked too early,
/// and a schedule that gives them the time.
pub(super) fn calmer(
    schedule: &Schedule,
    judged: &Sitting,
    odd: &BTreeSet<usize>,
) -> Option<(Schedule, BTreeSet<usize>)> {
    let mut calmer = schedule.clone();
    let mut early = BTreeSet::new();
    for &number in odd {
        let sat = judged.starts[number].as_ref();
        if let Some(after) = sat.and_then(|sat| sat.early) {
            calmer.starts[number].settle = after * 2;
            early.insert(number);
        }
    }
    (!early.is_empty()).then_some((calmer, early))
}

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
        let sats = originals
            .iter()
            .filter_map(|sitting| sitting.starts[number].as_ref());
        let sats: Vec<&Sat> = sats.collect();
        let sat = sitting.starts[number].as_ref();
        sat.map(|sat| Oddities::of(&schedule.starts[number], &sats, sat, &held[number]))
    };
    // Starts that may turn out not to differ, with the lines that stay so far.
    let mut odd: Vec<(usize, Oddities)> = differing(found)
        .into_iter()
        .filter_map(|number| Some((number, oddities(number, judged, found)?)))
        .collect();
    for _ in 0..AGAIN {
        if odd.is_empty() {
            return Ok(());
        }
        let numbers = odd.iter().map(|(number, _)| *number).collect();
        let again = sit(&numbers)?;
        let held = hold_all(schedule, originals, &again);
        odd.retain_mut(|(number, before)| {
            let Some(now) = oddities(*number, &again, &held) else {
                return false;
            };
            before.lines.retain(|line| now.lines.contains(line));
            !now.has_others
        });
    }
    odd.retain(|(_, oddities)| oddities.lines.is_empty());
    for (number, _) in odd {
        for (held, question) in found[number]
            .iter_mut()
            .zip(&schedule.starts[number].questions)
        {
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
                    "`{}` instead of `{}` in one run, and not in {AGAIN} further ones",
                    difference.candidate, difference.original
                ),
            }));
        }
    }
    Ok(())
}

/// In what one run of a start differs.
struct Oddities {
    /// Lines of logs: question, part, and the line without its digits.
    lines: BTreeSet<(usize, String, String)>,
    /// Something else.
    has_others: bool,
}

impl Oddities {
    fn of(start: &Start, originals: &[&Sat], sat: &Sat, held: &[Answers]) -> Self {
        let mut all = Self {
            lines: BTreeSet::new(),
            has_others: false,
        };
        for (number, answers) in held.iter().enumerate() {
            for difference in &answers.differences {
                let part = &difference.part;
                match odd_lines(start, originals, sat, number, part) {
                    Some(lines) => {
                        let lines = lines.into_iter().map(|line| (number, part.clone(), line));
                        all.lines.extend(lines);
                    }
                    None => all.has_others = true,
                }
            }
        }
        all
    }
}

/// The lines by which a log differs; none for what is no log.
fn odd_lines(
    start: &Start,
    originals: &[&Sat],
    sat: &Sat,
    question: usize,
    part: &str,
) -> Option<BTreeSet<String>> {
    let judged = log(start, sat, question, part)?;
    let theirs = originals.iter();
    let theirs: Vec<&Bytes> = theirs
        .filter_map(|sat| log(start, sat, question, part))
        .collect();
    let lines = noise::odd_lines(&theirs, judged)?;
    let without_digits = |line: &str| line.chars().filter(|c| !c.is_ascii_digit()).collect();
    Some(lines.iter().map(|line| without_digits(line)).collect())
}

fn log<'s>(start: &Start, sat: &'s Sat, question: usize, part: &str) -> Option<&'s Bytes> {
    let (stdout, stderr) = sat.replies[question].0.output()?;
    match part {
        "stdout" if !start.ends => Some(stdout),
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
        check([raced, slow, slow], false, false);
        check([broken, good, good], false, true);
        check([broken, good, broken], true, false);
        check([raced, broken, good], true, false);
    }
}
