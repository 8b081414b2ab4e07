//! One image sits one examination: every start of the schedule, every question
//! of each start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jettison_plan::{Action, Trace};
use jettison_sandbox::Container;

use super::files::Files;
use super::life::{Facts, Life, STOP_GRACE};
use super::questions::Questions;
use super::reply::{Reply, Shape};
use super::schedule::{Question, Start};
use crate::progress::ProgressItem;
use crate::prove::{RunError, Runner, run_error};

/// A program that opens no port and does not end is listened to this long.
const LISTENED: Duration = Duration::from_secs(3);
/// How much longer than the original another image may take, at least.
const PATIENCE: Duration = Duration::from_secs(3);
/// Ports of an unusual start may never open: many an image bears no other user.
const UNUSUAL: Duration = Duration::from_secs(10);

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
    let ready = wait(&life, start, patience, timeout)?;
    let ended_by_itself = life.ended()?;
    let label = |question: &Question| format!("{}: {}", start.label, question.probe);
    if let Some(first) = start.questions.first() {
        life.trace(&label(first), &mut sat.traces)?;
    }
    let (stops, asked): (Vec<&Question>, Vec<&Question>) = start
        .questions
        .iter()
        .skip(1)
        .partition(|question| question.probe.action == Action::Stop);
    let mut replies = Vec::new();
    let mut questions = Questions::new(&life, patience);
    for &question in &asked {
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
            questions.ask(question)?
        };
        replies.push((reply, begin.elapsed()));
        if questions.has_come_late() {
            // Whoever was asked before that is asked now.
            for (question, (reply, _)) in asked.iter().zip(&mut replies) {
                if question.expected.is_an_answer() && !reply.shape().is_an_answer() {
                    *reply = questions.ask(question)?;
                }
            }
        }
        life.trace(&label(question), &mut sat.traces)?;
    }
    sat.early = questions.answered_at().map(|at| at.saturating_sub(ready));
    // One that ended while it was asked ended by itself too.
    let ended_by_itself = life.ended()?;
    if let Some(question) = stops.first() {
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

/// Waits until a start has ended, or seems ready; how long that took.
fn wait(
    life: &Life<'_>,
    start: &Start,
    patience: Duration,
    timeout: Duration,
) -> Result<Duration, RunError> {
    if start.ends {
        life.wait_for_end(patience)?;
    } else if start.ports.is_empty() {
        life.wait_for_end(LISTENED)?;
    } else {
        let until_open = match start.variation == Default::default() {
            true => timeout,
            false => patience.max(UNUSUAL).min(timeout),
        };
        life.wait_for_ports(&start.ports, until_open)?;
    }
    let ready = life.begin.elapsed();
    if !start.pause.is_zero() {
        life.wait_for_end(start.pause.min(patience))?;
    }
    Ok(ready)
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

    /// True for an answer, and none that speaks of the server's own failure.
    pub(super) fn is_proper(self) -> bool {
        !matches!(self, Self::Silent | Self::Http(500..))
    }
}
