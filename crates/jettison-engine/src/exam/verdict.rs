//! Whether the original has shown enough for a verdict: two images that fail
//! alike prove nothing.

use jettison_plan::{Action, Expectation, Origin};

use super::life::Facts;
use super::reply::{Reply, Shape};
use super::schedule::{Question, Schedule, Words};
use super::sit::{Sat, Sitting};
use crate::prove::recognise;

/// Why nothing can be told from the original's answers; empty when it can.
pub(super) fn doubts(schedule: &Schedule, facts: &Facts, original: &Sitting) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut proven = false;
    let mut is_ill = false;
    for (start, sat) in schedule.starts.iter().zip(&original.starts) {
        let Some(sat) = sat else { continue };
        // What a program says about itself is no proof that it does its work.
        let is_main = start.variation == Default::default() && !start.is_about_itself;
        for (question, (reply, _)) in start.questions.iter().zip(&sat.replies) {
            is_ill |= matches!(reply.shape(), Shape::Silent | Shape::Http(500..));
            if is_main && question.probe.origin == Origin::Asked && !reply.is_good(&question.probe)
            {
                let answer = reply.answer(&question.probe, 0);
                doubts.push(format!(
                    "the original itself does not answer {} well: {}",
                    question.probe,
                    answer.problem.unwrap_or_default()
                ));
            }
            proven |= is_main && proves(question, reply, sat);
        }
        if start.words == Words::Own && is_main {
            let found = own_start(start.questions.first(), sat, facts);
            is_ill |= found.is_some();
            doubts.extend(found);
        }
    }
    if !proven && doubts.is_empty() {
        doubts.push(
            "the original answered nothing well: say what it must answer with --probe, \
             that it ends by itself with --probe 'start -> 0', or what it can do with --cmd"
                .to_owned(),
        );
    }
    if (is_ill || !doubts.is_empty())
        && let Some(symptom) = recognise(&original.output()).filter(|s| s.surroundings)
    {
        doubts.push(format!("{}: {}", symptom.cause, symptom.remedy));
    }
    doubts
}

/// True for an answer that shows the program at its work.
fn proves(question: &Question, reply: &Reply, sat: &Sat) -> bool {
    let probe = &question.probe;
    match (&probe.action, probe.origin, reply) {
        (Action::Stop, ..) => false,
        // That something runs says little, unless a person says that it is enough.
        (Action::Start, Origin::Asked, _) => reply.is_good(probe),
        (
            Action::Start,
            _,
            Reply::Ended {
                code: 0,
                stdout,
                stderr,
            },
        ) => !stdout.is_empty() || !stderr.is_empty() || !sat.files.is_empty(),
        (Action::Start, ..) => false,
        (_, _, Reply::Http { status, .. }) if probe.origin == Origin::Free => *status < 400,
        _ => reply.is_good(probe),
    }
}

/// What is wrong with the image's own program, when nobody said how it ends.
fn own_start(question: Option<&Question>, sat: &Sat, facts: &Facts) -> Option<String> {
    let question = question?;
    if matches!(question.probe.expectation, Expectation::Exactly(_)) {
        return None;
    }
    let (reply, _) = sat.replies.first()?;
    match reply {
        Reply::Ended { code, .. } if !facts.exposed.is_empty() || facts.healthcheck.is_some() => {
            Some(format!(
                "the image says that it serves, and the original's program ended with code {code}"
            ))
        }
        Reply::Ended {
            code,
            stdout,
            stderr,
        } if *code != 0 => {
            let says = |text: &[u8]| {
                let text = String::from_utf8_lossy(text).to_ascii_lowercase();
                text.contains("usage")
            };
            let is_usage = says(&stdout.head) || says(&stderr.head);
            (!is_usage).then(|| {
                format!(
                    "the original's program ended with code {code}; if that is right, say so with \
                     --probe 'start -> {code}'"
                )
            })
        }
        Reply::Silent(reason) => Some(format!("the original does not start: {reason}")),
        _ => None,
    }
}
