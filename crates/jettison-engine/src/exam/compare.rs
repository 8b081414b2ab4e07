//! Original, candidate, original again: where the answers differ although the
//! original's own do not.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use jettison_plan::{
    ComparedProbe, ComparedStart, Comparison, Difference, Estimate, Isolation, Noise, Trace,
    Verdict,
};

use super::files;
use super::noise::{self, Finding, Reading};
use super::reply::{Reply, Shape};
use super::schedule::{Schedule, Start};
use super::sit::{Sat, Sitting};
use super::verdict::doubts;
use super::{ExamError, Examinee, Examiner, Traced};

/// Between two runs of the original: times are written in whole seconds.
pub(crate) const APART: Duration = Duration::from_millis(1100);
/// Further runs of the original on a difference.
const FURTHER: usize = 3;
/// Further runs of the candidate, to see whether a difference stays.
const AGAIN: usize = 2;

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
    if let Some((calmer, early)) = calmer(schedule, &judged, &differing(&found)) {
        let again = examiner.sit_some(candidate, &calmer, Traced::No, |n| early.contains(&n))?;
        let again = again.starts.into_iter().enumerate();
        for (number, sat) in again.filter(|(number, _)| early.contains(number)) {
            judged.starts[number] = sat;
        }
        found = hold_all(schedule, originals, &judged);
    }
    for round in 0..FURTHER {
        let odd = differing(&found);
        // A status that two runs agreed on will not change in a fifth.
        if odd.is_empty() || (round > 0 && odd.iter().all(|&n| is_coarse(&found[n]))) {
            break;
        }
        originals.push(sit(original, &|number| odd.contains(&number))?);
        found = hold_all(schedule, originals, &judged);
    }
    let mut doubts = doubts(schedule, &original.facts, &originals[0]);
    settle_odd(schedule, originals, &mut found, &mut doubts, |odd| {
        sit(candidate, &|number| odd.contains(&number))
    })?;
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

/// What came of one question.
#[derive(Debug, Default)]
struct Answers {
    differences: Vec<Difference>,
    noise: Vec<Noise>,
}

/// By start, by question.
type All = Vec<Vec<Answers>>;

fn hold_all(schedule: &Schedule, originals: &[Sitting], judged: &Sitting) -> All {
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

fn differing(found: &All) -> BTreeSet<usize> {
    let differs = |held: &[Answers]| held.iter().any(|held| !held.differences.is_empty());
    let numbered = found.iter().enumerate();
    numbered
        .filter_map(|(number, held)| differs(held).then_some(number))
        .collect()
}

/// Of the starts that differ those in which the program was asked too early,
/// and a schedule that gives them the time.
fn calmer(
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

/// True when answers differ in kind, status or exit code.
fn is_coarse(held: &[Answers]) -> bool {
    let mut all = held.iter().flat_map(|held| &held.differences);
    all.any(|d| matches!(d.part.as_str(), "answer" | "status" | "exit code"))
}

/// A difference that the candidate does not show again is no difference of
/// the images; one in kind leaves a doubt all the same.
fn settle_odd(
    schedule: &Schedule,
    originals: &[Sitting],
    found: &mut All,
    doubts: &mut Vec<String>,
    sit: impl Fn(&BTreeSet<usize>) -> Result<Sitting, ExamError>,
) -> Result<(), ExamError> {
    let mut odd = differing(found);
    for _ in 0..AGAIN {
        if odd.is_empty() {
            return Ok(());
        }
        let again = hold_all(schedule, originals, &sit(&odd)?);
        let stays = differing(&again);
        odd.retain(|number| !stays.contains(number));
    }
    for number in odd {
        for (held, question) in found[number]
            .iter_mut()
            .zip(&schedule.starts[number].questions)
        {
            if is_coarse(std::slice::from_ref(held)) {
                doubts.push(format!(
                    "{} was answered differently once, and not again in {AGAIN} further runs",
                    question.probe
                ));
            }
            let passing = std::mem::take(&mut held.differences).into_iter();
            held.noise.extend(passing.map(|difference| Noise {
                part: difference.part,
                varies: format!(
                    "`{}` in one run, and not in {AGAIN} further ones",
                    difference.candidate
                ),
            }));
        }
    }
    Ok(())
}

fn hold_start(start: &Start, originals: &[&Sat], judged: &Sat) -> Vec<Answers> {
    let questions = start.questions.iter().enumerate();
    questions
        .map(|(number, _)| {
            let said: Vec<&Reply> = originals.iter().map(|sat| &sat.replies[number].0).collect();
            let mut held = Answers::default();
            hold_reply(&said, &judged.replies[number].0, start.ends, &mut held);
            if number == 0 {
                let written: Vec<_> = originals.iter().map(|sat| &sat.files).collect();
                held.note("files", files::hold(&written, &judged.files));
            }
            held
        })
        .collect()
}

fn hold_reply(originals: &[&Reply], judged: &Reply, ends: bool, held: &mut Answers) {
    let Some(first) = originals.first() else {
        return;
    };
    let shape = judged.shape();
    let alike: Vec<&Reply> = originals
        .iter()
        .filter(|reply| reply.shape() == shape)
        .copied()
        .collect();
    if alike.is_empty() {
        let part = match (first.shape(), shape) {
            (Shape::Http(_), Shape::Http(_)) => "status",
            (Shape::Ended(_), Shape::Ended(_)) => "exit code",
            _ => "answer",
        };
        held.differences.push(Difference {
            part: part.to_owned(),
            original: told(first),
            candidate: told(judged),
        });
    } else if alike.len() < originals.len() {
        let others: BTreeSet<String> = originals.iter().map(|r| r.shape().to_string()).collect();
        held.noise.push(Noise {
            part: "answer".to_owned(),
            varies: others.into_iter().collect::<Vec<_>>().join(", "),
        });
    }
    // What a failing program says tells why it fails.
    let alike = if alike.is_empty() { originals } else { &alike };
    match judged {
        Reply::Http { headers, body, .. } => {
            let theirs: Vec<_> = alike.iter().filter_map(|reply| http(reply)).collect();
            if theirs.is_empty() || !held.differences.is_empty() {
                return;
            }
            let bodies: Vec<_> = theirs.iter().map(|(_, body)| *body).collect();
            let of_body = noise::hold(&bodies, body, Reading::Document);
            let lists: Vec<_> = theirs.iter().map(|(headers, _)| *headers).collect();
            hold_headers(&lists, headers, &of_body, held);
            held.note("body", of_body);
        }
        Reply::Connected { said } => {
            let theirs: Vec<_> = alike
                .iter()
                .filter_map(|reply| match reply {
                    Reply::Connected { said } => Some(said),
                    _ => None,
                })
                .collect();
            held.note("reply", noise::hold(&theirs, said, Reading::Document));
        }
        Reply::Ended { .. } | Reply::Running { .. } => {
            let theirs: Vec<_> = alike.iter().filter_map(|reply| reply.output()).collect();
            let Some((stdout, stderr)) = judged.output() else {
                return;
            };
            // A command's output has an order; a service's log has not.
            let reading = if ends {
                Reading::Document
            } else {
                Reading::Log
            };
            let outs: Vec<_> = theirs.iter().map(|(stdout, _)| *stdout).collect();
            held.note("stdout", noise::hold(&outs, stdout, reading));
            let errs: Vec<_> = theirs.iter().map(|(_, stderr)| *stderr).collect();
            held.note("stderr", noise::hold(&errs, stderr, Reading::Log));
        }
        Reply::Silent(_) => {}
    }
}

fn http(reply: &Reply) -> Option<(&[(String, String)], &super::reply::Bytes)> {
    match reply {
        Reply::Http { headers, body, .. } => Some((headers, body)),
        _ => None,
    }
}

/// Header by header. The length of a body that varies varies with it, also
/// where the original's happened to be of one length. An entity tag is opaque
/// (RFC 9110, section 8.8.3): servers make it of inode numbers, and of the same
/// body it says nothing more.
fn hold_headers(
    originals: &[&[(String, String)]],
    judged: &[(String, String)],
    body: &Finding,
    held: &mut Answers,
) {
    let value = |headers: &[(String, String)], wanted: &str| -> Option<String> {
        let named = headers.iter().filter(|(name, _)| name == wanted);
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    let lists = originals.iter().copied().chain([judged]);
    let names: BTreeSet<&str> = lists.flatten().map(|(name, _)| name.as_str()).collect();
    for name in names {
        if name == "content-length" && matches!(body, Finding::Noise(_)) {
            continue;
        }
        let part = format!("header {name}");
        let theirs: Vec<Option<String>> = originals.iter().map(|list| value(list, name)).collect();
        let ours = value(judged, name);
        let present: Vec<&str> = theirs.iter().flatten().map(String::as_str).collect();
        let finding = match &ours {
            Some(_) if present.is_empty() => {
                Finding::Differs("no such header".to_owned(), ours.unwrap_or_default())
            }
            Some(ours) => match noise::hold_value(&present, ours) {
                Finding::Differs(..) if name == "etag" && matches!(body, Finding::Same) => {
                    Finding::Noise("another name for the same body".to_owned())
                }
                finding => finding,
            },
            None if present.len() == theirs.len() => {
                Finding::Differs(present[0].to_owned(), "no such header".to_owned())
            }
            None => Finding::Noise("not in every answer".to_owned()),
        };
        held.note(&part, finding);
    }
}

impl Answers {
    fn note(&mut self, part: &str, finding: Finding) {
        let part = part.to_owned();
        match finding {
            Finding::Same => {}
            Finding::Noise(varies) => self.noise.push(Noise { part, varies }),
            Finding::Differs(original, candidate) => self.differences.push(Difference {
                part,
                original,
                candidate,
            }),
        }
    }
}

/// An answer in a few words.
fn told(reply: &Reply) -> String {
    match reply {
        Reply::Silent(reason) => reason.clone(),
        Reply::Http { status, body, .. } => {
            let body = body.text().unwrap_or_default().trim();
            match body.is_empty() {
                true => format!("status {status}"),
                false => format!("status {status}: {}", noise::excerpt(body)),
            }
        }
        Reply::Ended { code, stderr, .. } => {
            let said = String::from_utf8_lossy(&stderr.head);
            let last = said.trim().lines().next_back().unwrap_or_default();
            match last.is_empty() {
                true => format!("exit code {code}"),
                false => format!("exit code {code}: {}", noise::excerpt(last)),
            }
        }
        other => other.shape().to_string(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::reply::Bytes;

    #[test]
    fn entity_tags_of_the_same_body() {
        let reply = |tag: &str, body: &str| Reply::Http {
            status: 200,
            headers: vec![("etag".to_owned(), tag.to_owned())],
            body: Bytes::new(body.into()),
        };
        let parts = |judged: &Reply| -> Vec<String> {
            let original = reply("\"17-5\"", "hello");
            let mut held = Answers::default();
            hold_reply(&[&original, &original], judged, false, &mut held);
            held.differences.into_iter().map(|one| one.part).collect()
        };
        assert!(parts(&reply("\"99-5\"", "hello")).is_empty());
        let other = parts(&reply("\"99-5\"", "other"));
        assert_eq!(other, ["header etag", "body"]);
    }
}
