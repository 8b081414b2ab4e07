//! Finds out, on the original, everything that can be asked without a hint:
//! what a person asked for first, then every open port and what it speaks, the
//! HEALTHCHECK, `--help`, the stop signal; and the same under variations that
//! the original bears.
//!
//! What is learned by asking everything once counts as the first sitting.
//!
//! Bounds: 16 ports a start, 40 pages and 10 s a port (see `crawl`), 5 s for
//! `--help`, 3 s for the end after the stop signal.

use std::thread;
use std::time::{Duration, Instant};

use jettison_image::RunConfig;
use jettison_plan::{Action, Expectation, Origin, Probe};
use jettison_sandbox::Container;

use super::abreast;
use super::crawl::crawl;
use super::life::{Life, STOP_GRACE};
use super::noise::excerpt;
use super::reply::{Reply, Shape};
use super::schedule::{Question, Schedule, Start, Variation, Words};
use super::sit::{Sat, alone, sit};
use super::talk::recognise;
use super::{ExamError, Examinee, Examiner, Traced, shown};
use crate::progress::ProgressItem;
use crate::prove::{
    Companions, MOST_PORTS, POLL, RunError, SETTLE, SandboxRunner, State, run_error, settle,
};
use crate::surroundings::Volume;

/// A program that only says how it is used has done so by then.
const HELP: Duration = Duration::from_secs(5);
/// Servers open their ports one after the other.
const NEXT_PORT: Duration = Duration::from_millis(100);
/// For a port that the image exposes and the program has not opened yet.
const EXPOSED_PORT: Duration = Duration::from_secs(2);
/// Questions of a start under a variation: what the plain start asks first.
const VARIED_QUESTIONS: usize = 16;
/// Programs to which `--help` says nothing about the image's own.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "env"];

/// What can be asked, and how the original answered as far as it was asked
/// that already: one of them per start.
pub(super) fn discover(
    examiner: &Examiner,
    original: &Examinee,
    traced: Traced,
    item: &dyn ProgressItem,
) -> Result<(Schedule, Vec<Option<Sat>>), ExamError> {
    let own = (!original.run.argv().is_empty()).then_some(Words::Own);
    let commands = examiner.request.commands.iter().cloned();
    let mut words = own.into_iter().chain(commands.map(Words::Command));
    let Some(first) = words.next() else {
        return Err(ExamError::NoProgram);
    };
    let with = |look: Look<'_>| with_companions(examiner, original, traced, item, look);
    let mut all = with(&|discovery, found| {
        let start = discovery.start(first.clone(), true, found)?;
        found.starts.push((start, None));
        Ok(())
    })?;
    // What the plain start showed is all that the others need to know.
    let plain = all.starts[0].0.clone();
    let mut further = vec![match is_restartable(examiner, original, &plain) {
        true => Further::Restart,
        false => Further::Plain,
    }];
    further.extend(words.map(Further::Words));
    if plain.is_answered() {
        let variations = original.premises.variations().into_iter();
        further.extend(variations.map(Further::Variation));
    }
    further.extend(tells_of_itself(&original.run).map(Further::Help));
    let look = |further: &Further| {
        with(&|discovery, found| {
            match further {
                Further::Plain => found.plain = Some(discovery.again(&plain)?),
                Further::Restart => discovery.restart(&plain, found)?,
                Further::Words(words) => {
                    let start = discovery.start(words.clone(), false, found)?;
                    found.starts.push((start, None));
                }
                Further::Variation(variation) => discovery.vary(&plain, variation, found),
                Further::Help(program) => discovery.help(program, found)?,
            }
            Ok(())
        })
    };
    let abreast = examiner.services.are_new_each_time();
    for found in abreast::each(&further, abreast, look)? {
        all.starts.extend(found.starts);
        all.notes.extend(found.notes);
        if found.plain.is_some() {
            all.starts[0].1 = found.plain;
        }
    }
    let (starts, sats) = all.starts.into_iter().unzip();
    let notes = all.notes;
    Ok((Schedule { starts, notes }, sats))
}

/// What one look brought.
#[derive(Default)]
struct Found {
    /// Starts, each with the original's answers where all of it was asked.
    starts: Vec<(Start, Option<Sat>)>,
    /// The original's answers to the plain start.
    plain: Option<Sat>,
    notes: Vec<String>,
}

type Look<'l> = &'l dyn Fn(&Discovery<'_>, &mut Found) -> Result<(), ExamError>;

/// Looks into one thing, with companions that know of nothing yet.
fn with_companions(
    examiner: &Examiner,
    original: &Examinee,
    traced: Traced,
    item: &dyn ProgressItem,
    look: Look<'_>,
) -> Result<Found, ExamError> {
    let services = examiner
        .services
        .start(&examiner.sandbox, &examiner.context)?;
    let discovery = Discovery {
        examiner,
        original,
        services: &services,
        traced,
        item,
    };
    let mut found = Found::default();
    look(&discovery, &mut found)?;
    for name in services.ended() {
        let note = format!("companion container {name} ended while it was needed");
        found.notes.push(note);
    }
    Ok(found)
}

/// What is looked into after the plain start.
enum Further {
    /// Everything that was learned of the plain start, asked of a fresh one.
    Plain,
    /// The plain start again on its volumes.
    Restart,
    /// Another command.
    Words(Words),
    /// The plain start with something changed around it.
    Variation(Variation),
    /// What the program of this name says about itself.
    Help(String),
}

struct Discovery<'a> {
    examiner: &'a Examiner,
    original: &'a Examinee,
    services: &'a Companions,
    /// Whether what counts as a sitting is traced.
    traced: Traced,
    item: &'a dyn ProgressItem,
}

impl Discovery<'_> {
    /// One way to start the program: what a person asked for belongs to the
    /// first one.
    fn start(&self, words: Words, is_first: bool, found: &mut Found) -> Result<Start, ExamError> {
        let notes = &mut found.notes;
        let mut start = self.stub(words);
        self.item.say(&start.label);
        let asked: &[Probe] = match is_first {
            true => &self.examiner.request.probes,
            false => &[],
        };
        let own = |probe: &&Probe| probe.action == Action::Start;
        let start_probe = asked.iter().find(own).cloned();
        let is_to_end = start_probe
            .as_ref()
            .is_some_and(|probe| matches!(probe.expectation, Expectation::Exactly(_)));
        let start_probe = start_probe.unwrap_or(free(Action::Start, Expectation::Success));
        let timeout = self.examiner.request.timeout;
        let runner = self.examiner.runner(self.original, self.services, &start);
        let facts = &self.original.facts;
        let life = match Life::start(&runner, facts, timeout)? {
            Ok(life) => life,
            Err(reason) => {
                notes.push(format!("the original's {reason}"));
                start.questions = vec![question(start_probe, Shape::Silent)];
                return Ok(start);
            }
        };
        let needs_port = !facts.exposed.is_empty() || asked.iter().any(needs_port);
        // A command that a person names may have long to do, and end then.
        let patience = match (needs_port || is_to_end, &start.words) {
            (true, _) => timeout,
            (false, Words::Command(_)) => (timeout / 2).max(SETTLE),
            (false, Words::Own) => timeout.min(SETTLE),
        };
        let state = settle(life.running.as_ref(), life.begin, patience, is_to_end)?;
        start.took = life.begin.elapsed();
        let rest = asked.iter().filter(|probe| !own(probe));
        let script = self.examiner.request.script.iter().filter(|_| is_first);
        let script = script.map(|text| {
            let command = text.clone();
            Probe::asked(Action::Shell { command }, Expectation::Success)
        });
        let rest: Vec<Probe> = rest.cloned().chain(script).collect();
        if let State::Ended(code) = state {
            start.ends = true;
            start
                .questions
                .push(question(start_probe, Shape::Ended(code)));
            for probe in rest {
                let stub = question(probe, Shape::Silent);
                let reply = alone(&runner, facts, &stub, timeout, None)?;
                self.check_shell(&stub.probe, &reply)?;
                start.questions.push(question(stub.probe, reply.shape()));
            }
            return Ok(start);
        }
        start.questions.push(question(start_probe, Shape::Running));
        start.ports = self.ports(&life)?;
        start.took = match start.ports.is_empty() {
            true => Duration::ZERO,
            false => life.begin.elapsed(),
        };
        for probe in rest.iter().filter(|probe| probe.action != Action::Stop) {
            self.item.say(&excerpt(&probe.to_string()));
            let reply = self.patiently(&life, probe)?;
            self.check_shell(probe, &reply)?;
            start.questions.push(question(probe.clone(), reply.shape()));
        }
        self.free_questions(&life, &mut start, &rest, notes)?;
        let stop = rest.iter().find(|probe| probe.action == Action::Stop);
        let free_stop = free(Action::Stop, Expectation::Success);
        if let Some(code) = life.ended()? {
            notes.push(format!(
                "the program ended with code {code} while it was being asked"
            ));
        } else {
            let grace = if stop.is_some() {
                STOP_GRACE
            } else {
                STOP_GRACE / 3
            };
            let reply = life.stop(grace)?;
            match (stop, reply.shape()) {
                (None, Shape::Silent) => notes
                    .push("the program does not end on its stop signal; it is killed".to_owned()),
                (stop, shape) => {
                    let probe = stop.cloned().unwrap_or(free_stop);
                    start.questions.push(question(probe, shape));
                }
            }
        }
        Ok(start)
    }

    fn stub(&self, words: Words) -> Start {
        let label = match &words {
            Words::Own => "plain start".to_owned(),
            Words::Command(command) => format!("start with {}", shown(command)),
        };
        Start::new(label, words)
    }

    /// The ports once no further one is opened.
    fn ports(&self, life: &Life<'_>) -> Result<Vec<u16>, RunError> {
        let begin = Instant::now();
        let mut ports = life.ports()?;
        if ports.is_empty() {
            return Ok(ports);
        }
        let mut changed = Instant::now();
        loop {
            thread::sleep(POLL);
            let now = life.ports()?;
            if now != ports {
                (ports, changed) = (now, Instant::now());
            }
            let exposed = &self.original.facts.exposed;
            let all = exposed.iter().all(|port| ports.contains(port));
            let over = all || begin.elapsed() > EXPOSED_PORT;
            if (over && changed.elapsed() > NEXT_PORT) || life.ended()?.is_some() {
                return Ok(ports);
            }
        }
    }

    /// Repeated until it is answered well, or the program is no longer young.
    fn patiently(&self, life: &Life<'_>, probe: &Probe) -> Result<Reply, RunError> {
        let timeout = self.examiner.request.timeout;
        let begin = life.begin;
        life.ask_until(&probe.action, Shape::Silent, timeout, |reply| {
            let is_definite = matches!(reply, Reply::Http { status, .. } if *status < 500);
            reply.is_good(probe)
                || (is_definite && begin.elapsed() > SETTLE)
                || begin.elapsed() > SETTLE * 2
        })
    }

    fn check_shell(&self, probe: &Probe, reply: &Reply) -> Result<(), ExamError> {
        let Some(script) = &self.examiner.request.script else {
            return Ok(());
        };
        match (&probe.action, reply) {
            (Action::Shell { command }, Reply::Silent(reason)) if command == script => {
                Err(ExamError::NoShell(reason.clone()))
            }
            _ => Ok(()),
        }
    }

    fn free_questions(
        &self,
        life: &Life<'_>,
        start: &mut Start,
        asked: &[Probe],
        notes: &mut Vec<String>,
    ) -> Result<(), RunError> {
        if start.ports.len() > MOST_PORTS {
            notes.push(format!(
                "the program listens on {} ports; the first {MOST_PORTS} were asked",
                start.ports.len()
            ));
        }
        for port in start.ports.iter().copied().take(MOST_PORTS) {
            self.item.say(&format!("port {port}"));
            let patience = SETTLE.saturating_sub(life.begin.elapsed());
            let spoken = recognise(life, port, patience)?;
            if spoken.reply.shape() == Shape::Silent {
                notes.push(format!("port {port} is open and does not answer"));
                continue;
            }
            let scheme = match &spoken.action {
                Action::Http(request) => Some(request.scheme),
                _ => None,
            };
            let probe = free(spoken.action, Expectation::AnyAnswer);
            let front = question(probe, spoken.expected);
            start.questions.push(front);
            if let Some(scheme) = scheme {
                start
                    .questions
                    .extend(crawl(life, scheme, port, &spoken.reply)?);
            }
        }
        let listeners = life.running.listeners().map_err(run_error)?;
        let hidden = listeners.iter().filter(|l| l.loopback_only);
        for port in hidden
            .map(|l| l.port)
            .filter(|port| !start.ports.contains(port))
        {
            notes.push(format!(
                "port {port} is open on 127.0.0.1 only and was not asked: nothing outside the container reaches it"
            ));
        }
        let is_asked = asked
            .iter()
            .any(|probe| probe.action == Action::Healthcheck);
        if self.original.facts.healthcheck.is_some() && !is_asked && start.words == Words::Own {
            self.item.say("HEALTHCHECK");
            let probe = Probe {
                action: Action::Healthcheck,
                expectation: Expectation::Success,
                origin: Origin::Image,
            };
            let reply = self.patiently(life, &probe)?;
            start.questions.push(question(probe, reply.shape()));
        }
        Ok(())
    }

    /// The plain start again under a variation that the original may bear.
    fn vary(&self, plain: &Start, variation: &Variation, found: &mut Found) {
        let label = variation.label();
        self.item.say(&label);
        let mut start = plain.clone();
        let keeps = |question: &Question| {
            question.probe.action != Action::Stop && question.expected.is_an_answer()
        };
        start.questions.retain(keeps);
        start.questions.truncate(VARIED_QUESTIONS);
        start.label = label;
        start.variation = variation.clone();
        let runner = self.sitting_runner(&start);
        let timeout = self.examiner.request.timeout;
        let facts = &self.original.facts;
        match sit(&runner, facts, &start, timeout, self.item, false) {
            Ok(sat) => take_what_is_borne(start, sat, found),
            // A user that this sandbox cannot give says nothing about the image.
            Err(error) => {
                let left_out = format!("left out: {}: {error}", start.label);
                found.notes.push(left_out);
            }
        }
    }

    /// The first start again on the volumes that it left: a database that was
    /// initialised takes another way than one that was not.
    fn restart(&self, plain: &Start, found: &mut Found) -> Result<(), ExamError> {
        let mut start = plain.clone();
        start.on_volumes = true;
        start.label = "on the volumes that the plain start left".to_owned();
        self.item.say(&start.label);
        let timeout = self.examiner.request.timeout;
        let facts = &self.original.facts;
        let mut runner = self.sitting_runner(plain);
        let mut first = sit(&runner, facts, plain, timeout, self.item, true)?;
        let kept = first.kept.take();
        runner.spec.volumes_of = kept.as_deref().map(Container::id);
        let sat = sit(&runner, facts, &start, timeout, self.item, false)?;
        found.plain = Some(first);
        take_what_is_borne(start, sat, found);
        Ok(())
    }

    /// A start whose questions are known.
    fn again(&self, start: &Start) -> Result<Sat, ExamError> {
        let runner = self.sitting_runner(start);
        let timeout = self.examiner.request.timeout;
        let facts = &self.original.facts;
        Ok(sit(&runner, facts, start, timeout, self.item, false)?)
    }

    fn sitting_runner(&self, start: &Start) -> SandboxRunner<'_> {
        let examiner = self.examiner;
        examiner.sitting_runner(self.original, self.services, start, self.traced)
    }

    /// What the program says about itself, each in a container of its own.
    fn help(&self, program: &str, found: &mut Found) -> Result<(), ExamError> {
        for flag in ["--help", "--version", "-h"] {
            if flag == "-h" && !found.starts.is_empty() {
                break;
            }
            let mut words = vec![flag.to_owned()];
            if self.original.run.entrypoint.is_empty() {
                words.insert(0, program.to_owned());
            }
            let mut start = self.stub(Words::Command(words));
            self.item.say(&start.label);
            (start.ends, start.is_about_itself) = (true, true);
            let runner = self.examiner.runner(self.original, self.services, &start);
            let facts = &self.original.facts;
            let Ok(life) = Life::start(&runner, facts, HELP)? else {
                continue;
            };
            let ended = life.wait_for_short_end(HELP)?;
            if ended.is_none() {
                // It takes no flags, and would run on with another as well.
                break;
            }
            if ended != Some(0) {
                continue;
            }
            let said = life.said(Some(0));
            let silent = |(stdout, stderr): (&super::reply::Bytes, &super::reply::Bytes)| {
                stdout.is_empty() && stderr.is_empty()
            };
            if said.output().is_none_or(silent) {
                continue;
            }
            start.took = life.begin.elapsed();
            let probe = free(Action::Start, Expectation::Success);
            start.questions.push(question(probe, Shape::Ended(0)));
            found.starts.push((start, None));
        }
        Ok(())
    }
}

/// True where the plain start leaves something behind for the next one.
fn is_restartable(examiner: &Examiner, original: &Examinee, plain: &Start) -> bool {
    let writes = |volume: &Volume| !volume.read_only;
    let own = &examiner.request.surroundings.volumes;
    let has_volumes = !original.run.volumes.is_empty() || own.iter().any(writes);
    has_volumes && !plain.ends && plain.is_answered()
}

/// The program that `--help` asks; none for a shell, which would speak of
/// itself.
fn tells_of_itself(run: &RunConfig) -> Option<String> {
    let argv = run.argv();
    let program = argv.first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let is_line = argv.len() == 3 && argv[1] == "-c";
    (!SHELLS.contains(&name) && !is_line).then(|| program.clone())
}

/// A start that the original answers as it answers the plain one is asked of
/// others too.
fn take_what_is_borne(start: Start, sat: Sat, found: &mut Found) {
    let mut pairs = start.questions.iter().zip(&sat.replies);
    let odd = pairs.find(|(question, (reply, _))| reply.shape() != question.expected);
    match odd {
        None => found.starts.push((start, Some(sat))),
        Some((question, (reply, _))) => found.notes.push(format!(
            "left out, since the original does not bear it: {} ({}: {})",
            start.label,
            question.probe,
            reply.shape()
        )),
    }
}

fn needs_port(probe: &Probe) -> bool {
    matches!(probe.action, Action::Http(_) | Action::Tcp { .. })
}

fn question(probe: Probe, expected: Shape) -> Question {
    Question { probe, expected }
}

fn free(action: Action, expectation: Expectation) -> Probe {
    Probe {
        action,
        expectation,
        origin: Origin::Free,
    }
}
