//! One image sits one examination: every start of the schedule, every question
//! of each start.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jettison_plan::{Action, Trace};
use jettison_sandbox::Container;

use super::files::Files;
use super::life::{Facts, Life, STOP_GRACE};
use super::reply::{Reply, Shape};
use super::schedule::{Question, Start};
use crate::progress::ProgressItem;
use crate::prove::{RunError, Runner, run_error};

/// A program that opens no port and does not end is listened to this long.
const LISTENED: Duration = Duration::from_secs(3);
/// How much longer than the original another image may take, at least.
const PATIENCE: Duration = Duration::from_secs(3);
/// After the first answer a slow start is over; later answers are repeated
/// this long.
const WARM: Duration = Duration::from_millis(400);

/// How an image answered a schedule.
#[derive(Debug)]
pub struct Sitting {
    /// One per start of the schedule; none for a start that was left out.
    pub(crate) starts: Vec<Option<Sat>>,
    /// When it was over.
    pub(crate) ended: Instant,
}

/// How one start went.
#[derive(Debug)]
pub(crate) struct Sat {
    /// One per question, in the same order.
    pub(crate) replies: Vec<(Reply, Duration)>,
    /// What was written into the root.
    pub(crate) files: Files,
    /// What was touched, by question.
    pub(crate) traces: Vec<(String, Trace)>,
    /// It was asked before it could answer well; how long after it seemed ready
    /// it could. What it says of those questions is our doing.
    pub(crate) early: Option<Duration>,
    /// The ended container, where another start needs its volumes.
    pub(crate) kept: Option<Arc<Container>>,
}

impl Sitting {
    /// What every question touched, labelled by start and probe.
    pub fn traces(&self) -> impl Iterator<Item = (&str, &Trace)> {
        let sat = self.starts.iter().flatten();
        sat.flat_map(|sat| {
            sat.traces
                .iter()
                .map(|(label, trace)| (label.as_str(), trace))
        })
    }

    /// Everything that was touched, as one trace.
    pub fn trace(&self) -> Trace {
        let mut all = Trace::default();
        for (_, trace) in self.traces() {
            all.merge(trace.clone());
        }
        all
    }

    /// Everything that the programs said, for a reader of last words.
    pub fn output(&self) -> String {
        let mut text = String::new();
        let replies = self
            .starts
            .iter()
            .flatten()
            .filter_map(|sat| sat.replies.first());
        for (stdout, stderr) in replies.filter_map(|(reply, _)| reply.output()) {
            for part in [stdout, stderr] {
                text.push_str(&String::from_utf8_lossy(&part.head));
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// Carries out one start.
pub(super) fn sit(
    runner: &dyn Runner,
    facts: &Facts,
    start: &Start,
    timeout: Duration,
    item: &dyn ProgressItem,
    keeps: bool,
) -> Result<Sat, RunError> {
    let mut sat = Sat {
        replies: Vec::new(),
        files: Files::new(),
        traces: Vec::new(),
        early: None,
        kept: None,
    };
    let life = match Life::start(runner, facts, timeout)? {
        Ok(life) => life,
        Err(reason) => {
            let silent = |_| (Reply::Silent(reason.clone()), Duration::ZERO);
            sat.replies = start.questions.iter().map(silent).collect();
            return Ok(sat);
        }
    };
    let patience = (start.took * 5).max(PATIENCE).min(timeout);
    if start.ends {
        life.wait_for_end(patience)?;
    } else if start.ports.is_empty() {
        life.wait_for_end(LISTENED)?;
    } else {
        life.wait_for_ports(&start.ports, patience)?;
    }
    let ready = life.begin.elapsed();
    if !start.pause.is_zero() {
        life.wait_for_end(start.pause.min(patience))?;
    }
    let ended_by_itself = life.ended()?;
    let label = |question: &Question| format!("{}: {}", start.label, question.probe);
    if let Some(first) = start.questions.first() {
        life.trace(&label(first), &mut sat.traces)?;
    }
    let asked = start.questions.get(1..).unwrap_or_default();
    let mut replies = Vec::new();
    let mut warm = false;
    for question in asked.iter().filter(|q| q.probe.action != Action::Stop) {
        item.say(&format!("{} {}", start.label, question.probe));
        let begin = Instant::now();
        let reply = if start.ends && ended_by_itself.is_some() {
            let label = label(question);
            alone(
                runner,
                facts,
                question,
                timeout,
                Some((&label, &mut sat.traces)),
            )?
        } else {
            let patience = if warm { WARM } else { patience };
            let expected = question.expected;
            let asked = Cell::new(0);
            let reply = life.ask_until(&question.probe.action, expected, patience, |reply| {
                asked.set(asked.get() + 1);
                reply.shape() == expected
            })?;
            if !warm && asked.get() > 1 && reply.shape() == expected {
                sat.early = Some(life.begin.elapsed().saturating_sub(ready));
            }
            warm = true;
            reply
        };
        replies.push((reply, begin.elapsed()));
        life.trace(&label(question), &mut sat.traces)?;
    }
    // One that ended while it was asked ended by itself too.
    let ended_by_itself = life.ended()?;
    if let Some(question) = asked.iter().find(|q| q.probe.action == Action::Stop) {
        item.say(&format!("{} {}", start.label, question.probe));
        let begin = Instant::now();
        let reply = life.stop(STOP_GRACE.min(patience))?;
        replies.push((reply, begin.elapsed()));
        life.trace(&label(question), &mut sat.traces)?;
    }
    sat.replies.push((life.said(ended_by_itself), ready));
    sat.replies.extend(replies);
    sat.files = life.files()?;
    if keeps {
        sat.kept = life.running.keep().map_err(run_error)?;
    }
    Ok(sat)
}

/// A command in a container of its own, since the program has ended.
pub(super) fn alone(
    runner: &dyn Runner,
    facts: &Facts,
    question: &Question,
    timeout: Duration,
    traces: Option<(&str, &mut Vec<(String, Trace)>)>,
) -> Result<Reply, RunError> {
    let argv = match &question.probe.action {
        Action::Exec { argv } => argv.clone(),
        Action::Shell { command } => super::life::script(command),
        Action::Healthcheck if facts.healthcheck.is_some() => {
            facts.healthcheck.clone().unwrap_or_default()
        }
        _ => return Ok(Reply::Silent("the program had ended".to_owned())),
    };
    let other = Other { runner, argv };
    match Life::start(&other, facts, timeout)? {
        Ok(life) => {
            let ended = life.wait_for_end(timeout)?;
            if let Some((label, traces)) = traces {
                life.trace(label, traces)?;
            }
            match ended {
                Some(code) => Ok(life.said(Some(code))),
                None => {
                    let seconds = timeout.as_secs();
                    Ok(Reply::Silent(format!("it did not end in {seconds} s")))
                }
            }
        }
        Err(reason) => Ok(Reply::Silent(reason)),
    }
}

/// Starts another program in the place of the image's own.
struct Other<'a> {
    runner: &'a dyn Runner,
    argv: Vec<String>,
}

impl Runner for Other<'_> {
    fn start(
        &self,
        _argv: Option<&[String]>,
    ) -> Result<Box<dyn crate::prove::Running + '_>, RunError> {
        self.runner.start(Some(&self.argv))
    }
}

impl Shape {
    /// True for an answer that shows that the program works.
    pub(super) fn is_an_answer(self) -> bool {
        !matches!(self, Self::Silent)
    }
}
