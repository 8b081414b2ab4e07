//! The order of a judgement: start, wait until it is ready, ask, stop; and
//! what follows from the answers.
//!
//! Nothing is guessed: a program that runs without ever having answered is
//! *could not tell*, and so is one whose surroundings were missing.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use jettison_image::Digest;
use jettison_plan::{
    Action, Answer, Expectation, Observation, Origin, Outcome, Probe, Text, Verdict,
};

use super::asking::shell;
use super::running::{Output, RunError, Runner, Running};
use super::symptoms::{self, Symptom};
use super::verdict::{problem, verdict};

/// What is asked, and how long the answers may take.
#[derive(Debug, Clone)]
pub(crate) struct Questions {
    /// What a person asked for.
    pub(crate) probes: Vec<Probe>,
    /// Ports that the image says it listens on.
    pub(crate) exposed: Vec<u16>,
    /// The image's HEALTHCHECK as a command line.
    pub(crate) healthcheck: Option<Vec<String>>,
    /// From the start to the last good answer.
    pub(crate) timeout: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) observations: Vec<Observation>,
    pub(crate) ready_after: Option<Duration>,
    pub(crate) notes: Vec<String>,
    pub(crate) verdict: Verdict,
    /// Everything the program said, last words at the end.
    pub(crate) output: String,
    pub(crate) symptom: Option<&'static Symptom>,
}

/// A program that shows no port is left alone this long before it counts as
/// one that just runs.
pub(crate) const SETTLE: Duration = Duration::from_secs(5);
/// Between two looks at the program.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// Asks everything.
pub(crate) fn judge(runner: &dyn Runner, questions: &Questions) -> Result<Judgement, RunError> {
    let mut session = Session {
        questions,
        begin: Instant::now(),
        observations: Vec::new(),
        notes: Vec::new(),
        ready_after: None,
    };
    let running = match runner.start(None) {
        Ok(running) => running,
        Err(RunError::Program { program, source }) => {
            session.could_not_start(&program, &source);
            let mut judgement = session.conclude(Output::default());
            judgement.symptom = symptoms::of_start(&source);
            return Ok(judgement);
        }
        Err(error) => return Err(error),
    };
    match session.wait_until_ready(running.as_ref())? {
        State::Ended(code) => session.ask_ended(runner, running.as_ref(), code)?,
        State::Ready | State::Settled => session.ask_running(running.as_ref())?,
    }
    session.notes.extend(running.bounds());
    let output = running.output();
    Ok(session.conclude(output))
}

/// What became of a program after its start.
pub(crate) enum State {
    Ended(i32),
    /// It accepts connections.
    Ready,
    /// It runs and shows no port.
    Settled,
}

pub(super) struct Session<'a> {
    pub(super) questions: &'a Questions,
    pub(super) begin: Instant,
    pub(super) observations: Vec<Observation>,
    pub(super) notes: Vec<String>,
    pub(super) ready_after: Option<Duration>,
}

impl Session<'_> {
    pub(super) fn deadline(&self) -> Instant {
        self.begin + self.questions.timeout
    }

    pub(super) fn observe(&mut self, probe: Probe, outcome: Outcome, begin: Instant) {
        let problem = problem(&probe, &outcome);
        if problem.is_none() && self.ready_after.is_none() {
            self.ready_after = Some(self.begin.elapsed());
        }
        let elapsed_ms = begin.elapsed().as_millis() as u64;
        self.observations.push(Observation {
            probe,
            answer: Answer {
                outcome,
                problem,
                elapsed_ms,
            },
        });
    }

    /// The last observation's problem in better words.
    pub(super) fn explain(&mut self, problem: String) {
        if let Some(last) = self.observations.last_mut() {
            last.answer.problem = Some(problem);
        }
    }

    pub(super) fn asked(&self, which: impl Fn(&Action) -> bool) -> Option<&Probe> {
        self.questions
            .probes
            .iter()
            .find(|probe| which(&probe.action))
    }

    /// The probe of the start itself: the one asked for, or our own.
    pub(super) fn start_probe(&self) -> Probe {
        let free = Probe {
            action: Action::Start,
            expectation: Expectation::Success,
            origin: Origin::Free,
        };
        self.asked(|action| *action == Action::Start)
            .cloned()
            .unwrap_or(free)
    }

    fn could_not_start(&mut self, program: &str, error: &io::Error) {
        let reason = format!("{program} cannot be started: {error}");
        self.observe(self.start_probe(), Outcome::Silent { reason }, self.begin);
    }

    fn wait_until_ready(&self, running: &dyn Running) -> Result<State, RunError> {
        let ends = |probe: &Probe| matches!(probe.expectation, Expectation::Exactly(_));
        let is_to_end = self
            .asked(|action| *action == Action::Start)
            .is_some_and(ends);
        let needs_port = !self.questions.exposed.is_empty() || self.asked(speaks).is_some();
        let patience = self.questions.timeout;
        let patience = if needs_port || is_to_end {
            patience
        } else {
            patience.min(SETTLE)
        };
        settle(running, self.begin, patience, is_to_end)
    }

    fn ask_ended(
        &mut self,
        runner: &dyn Runner,
        running: &dyn Running,
        code: i32,
    ) -> Result<(), RunError> {
        let output = running.output();
        self.observe(self.start_probe(), exited(code, &output), self.begin);
        if code == 0 && self.questions.probes.is_empty() {
            self.expect_a_server(code);
        }
        for probe in &self.questions.probes {
            let begin = Instant::now();
            let outcome = match &probe.action {
                Action::Start => continue,
                Action::Exec { argv } => self.run_alone(runner, argv)?,
                Action::Shell { command } => self.run_alone(runner, &shell(command))?,
                _ => Outcome::Silent {
                    reason: format!("the program had ended with code {code}"),
                },
            };
            self.observe(probe.clone(), outcome, begin);
        }
        Ok(())
    }

    /// Whose image says that it serves has not done its work by ending.
    fn expect_a_server(&mut self, code: i32) {
        let ports = self.questions.exposed.iter();
        let mut actions: Vec<Action> = ports.map(|&port| connection(port)).collect();
        if self.questions.healthcheck.is_some() {
            actions.push(Action::Healthcheck);
        }
        for action in actions {
            let probe = Probe {
                action,
                expectation: Expectation::Success,
                origin: Origin::Image,
            };
            let reason = format!("the program had ended with code {code}");
            self.observe(probe, Outcome::Silent { reason }, Instant::now());
        }
    }

    /// A command in a container of its own, since the program has ended.
    fn run_alone(&self, runner: &dyn Runner, argv: &[String]) -> Result<Outcome, RunError> {
        let running = match runner.start(Some(argv)) {
            Err(RunError::Program { program, source }) => {
                let reason = format!("{program} cannot be started: {source}");
                return Ok(Outcome::Silent { reason });
            }
            other => other?,
        };
        let deadline = Instant::now() + self.questions.timeout;
        loop {
            if let Some(code) = running.ended().map_err(sandbox)? {
                return Ok(exited(code, &running.output()));
            }
            if Instant::now() > deadline {
                let seconds = self.questions.timeout.as_secs();
                return Ok(Outcome::Silent {
                    reason: format!("it did not end in {seconds} s"),
                });
            }
            thread::sleep(POLL);
        }
    }

    fn ask_running(&mut self, running: &dyn Running) -> Result<(), RunError> {
        if self.asked(|action| *action == Action::Start).is_some() {
            self.observe(self.start_probe(), Outcome::Running, self.begin);
        }
        let probes = self.questions.probes.clone();
        for probe in probes.iter().filter(|probe| probe.action != Action::Stop) {
            self.ask(running, probe)?;
        }
        if self.asked(speaks).is_none() {
            self.ask_freely(running)?;
        }
        if let Some(argv) = &self.questions.healthcheck
            && self
                .asked(|action| *action == Action::Healthcheck)
                .is_none()
        {
            let probe = Probe {
                action: Action::Healthcheck,
                expectation: Expectation::Success,
                origin: Origin::Image,
            };
            let argv = argv.clone();
            self.until_good(running, &probe, |session| session.exec(running, &argv))?;
        }
        self.point_out_loopback(running)?;
        self.compare_ports(running)?;
        self.ask_to_stop(running)
    }

    fn conclude(mut self, output: Output) -> Judgement {
        let output = output.text();
        let failed = self.observations.iter().any(|o| !o.answer.is_good());
        let symptom = if failed || self.observations.is_empty() {
            symptoms::recognise(&output)
        } else {
            None
        };
        let verdict = verdict(&self.observations, symptom);
        if self
            .observations
            .iter()
            .all(|o| o.probe.action == Action::Stop)
        {
            self.notes.push(
                "the program runs, shows no port and was asked nothing: say what it must answer with \
                 --probe, or that running is enough with --probe start, or \
                 that it ends by itself with --probe 'start -> 0'"
                    .to_owned(),
            );
        }
        Judgement {
            observations: self.observations,
            ready_after: self.ready_after,
            notes: self.notes,
            verdict,
            output,
            symptom,
        }
    }
}

/// Waits until the program accepts connections, has ended, or `patience`
/// since `begin` is over. One that `is_to_end` may listen meanwhile.
pub(crate) fn settle(
    running: &dyn Running,
    begin: Instant,
    patience: Duration,
    is_to_end: bool,
) -> Result<State, RunError> {
    loop {
        if let Some(code) = running.ended().map_err(sandbox)? {
            return Ok(State::Ended(code));
        }
        let listeners = running.listeners().map_err(sandbox)?;
        if !is_to_end && listeners.iter().any(|listener| !listener.loopback_only) {
            return Ok(State::Ready);
        }
        // One that listens for itself alone will not change its mind.
        let decided = !listeners.is_empty() && begin.elapsed() > Duration::from_secs(2);
        if decided || begin.elapsed() > patience {
            return Ok(State::Settled);
        }
        thread::sleep(POLL);
    }
}

/// True for what needs a port.
pub(crate) fn speaks(action: &Action) -> bool {
    matches!(action, Action::Http(_) | Action::Tcp { .. })
}

/// A bare connection.
pub(crate) fn connection(port: u16) -> Action {
    Action::Tcp {
        port,
        say: Vec::new(),
    }
}

pub(super) fn exited(code: i32, output: &Output) -> Outcome {
    Outcome::Exited {
        code,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

pub(super) fn text(bytes: &[u8]) -> Text {
    Text::new(bytes, Digest::of(bytes).hex())
}

pub(crate) fn sandbox(error: io::Error) -> RunError {
    RunError::Sandbox(Box::new(error))
}
