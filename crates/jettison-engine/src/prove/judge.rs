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
    Action, Answer, Expectation, HttpRequest, Observation, Origin, Outcome, Probe, Scheme, Text,
    Verdict,
};

use super::http;
use super::running::{Listener, Output, RunError, Runner, Running};
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
const SETTLE: Duration = Duration::from_secs(5);
/// Docker's own default between the stop signal and SIGKILL.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Between two looks at the program.
const POLL: Duration = Duration::from_millis(20);

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
            return Ok(session.conclude(Output::default()));
        }
        Err(error) => return Err(error),
    };
    match session.wait_until_ready(running.as_ref())? {
        State::Ended(code) => session.ask_ended(runner, running.as_ref(), code)?,
        State::Ready | State::Settled => session.ask_running(running.as_ref())?,
    }
    let output = running.output();
    Ok(session.conclude(output))
}

/// What became of a program after its start.
enum State {
    Ended(i32),
    /// It accepts connections.
    Ready,
    /// It runs and shows no port.
    Settled,
}

struct Session<'a> {
    questions: &'a Questions,
    begin: Instant,
    observations: Vec<Observation>,
    notes: Vec<String>,
    ready_after: Option<Duration>,
}

impl Session<'_> {
    fn deadline(&self) -> Instant {
        self.begin + self.questions.timeout
    }

    fn observe(&mut self, probe: Probe, outcome: Outcome, begin: Instant) {
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
    fn explain(&mut self, problem: String) {
        if let Some(last) = self.observations.last_mut() {
            last.answer.problem = Some(problem);
        }
    }

    fn asked(&self, which: impl Fn(&Action) -> bool) -> Option<&Probe> {
        self.questions
            .probes
            .iter()
            .find(|probe| which(&probe.action))
    }

    /// The probe of the start itself: the one asked for, or our own.
    fn start_probe(&self) -> Probe {
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
        let needs_port = !self.questions.exposed.is_empty() || self.asked(speaks).is_some();
        let patience = self.questions.timeout;
        let patience = if needs_port {
            patience
        } else {
            patience.min(SETTLE)
        };
        loop {
            if let Some(code) = running.ended().map_err(sandbox)? {
                return Ok(State::Ended(code));
            }
            let listeners = running.listeners().map_err(sandbox)?;
            if listeners.iter().any(|listener| !listener.loopback_only) {
                return Ok(State::Ready);
            }
            // One that listens for itself alone will not change its mind.
            let decided = !listeners.is_empty() && self.begin.elapsed() > Duration::from_secs(2);
            if decided || self.begin.elapsed() > patience {
                return Ok(State::Settled);
            }
            thread::sleep(POLL);
        }
    }

    fn ask_ended(
        &mut self,
        runner: &dyn Runner,
        running: &dyn Running,
        code: i32,
    ) -> Result<(), RunError> {
        let output = running.output();
        self.observe(self.start_probe(), exited(code, &output), self.begin);
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
            self.until_good(&probe, |session| session.exec(running, &argv))?;
        }
        self.point_out_loopback(running)?;
        self.ask_to_stop(running)
    }

    fn ask(&mut self, running: &dyn Running, probe: &Probe) -> Result<(), RunError> {
        match &probe.action {
            Action::Start | Action::Stop => Ok(()),
            Action::Http(request) => {
                self.until_good(probe, |session| session.http(running, request))
            }
            Action::Tcp { port } => self.until_good(probe, |_| Ok(tcp(running, *port))),
            Action::Exec { argv } => self.until_good(probe, |session| session.exec(running, argv)),
            Action::Shell { command } => {
                self.until_good(probe, |session| session.exec(running, &shell(command)))
            }
            Action::Healthcheck => match self.questions.healthcheck.clone() {
                Some(argv) => self.until_good(probe, |session| session.exec(running, &argv)),
                None => {
                    let reason = "the image has no HEALTHCHECK".to_owned();
                    self.observe(probe.clone(), Outcome::Silent { reason }, Instant::now());
                    Ok(())
                }
            },
        }
    }

    /// Repeats a question until it is answered well, the program has ended, or
    /// time is up. A definite answer (a status below 500, an exit code while
    /// nothing else is expected to change) is repeated only while the program
    /// is young: servers bind their port before they can serve.
    fn until_good(
        &mut self,
        probe: &Probe,
        mut attempt: impl FnMut(&Self) -> Result<Outcome, RunError>,
    ) -> Result<(), RunError> {
        let begin = Instant::now();
        loop {
            let outcome = attempt(self)?;
            let definite = matches!(outcome, Outcome::Http { status, .. } if status < 500);
            let last_try = Instant::now() + POLL > self.deadline();
            if problem(probe, &outcome).is_none() || definite || last_try {
                self.observe(probe.clone(), outcome, begin);
                return Ok(());
            }
            let settled = self.ready_after.is_some() && begin.elapsed() > SETTLE;
            if settled {
                self.observe(probe.clone(), outcome, begin);
                return Ok(());
            }
            thread::sleep(POLL * 5);
        }
    }

    fn http(&self, running: &dyn Running, request: &HttpRequest) -> Result<Outcome, RunError> {
        let port = match request.port {
            Some(port) => port,
            None => match self.guess_port(running)? {
                Some(port) => port,
                None => {
                    return Ok(Outcome::Silent {
                        reason: self.why_silent(running)?,
                    });
                }
            },
        };
        let remaining = self.deadline().saturating_duration_since(Instant::now());
        let patience = remaining.clamp(Duration::from_secs(1), Duration::from_secs(30));
        let answer = running.connect(port).and_then(|stream| {
            http::exchange(stream, &format!("localhost:{port}"), request, patience)
        });
        Ok(match answer {
            Ok(response) => Outcome::Http {
                status: response.status,
                headers: response.headers,
                body: text(&response.body),
            },
            Err(error) => Outcome::Silent {
                reason: format!("port {port}: {error}"),
            },
        })
    }

    /// The port of a request that names none: an exposed one that is open,
    /// else the lowest open one.
    fn guess_port(&self, running: &dyn Running) -> Result<Option<u16>, RunError> {
        let mut open = open_ports(running)?;
        open.sort_by_key(|port| (!self.questions.exposed.contains(port), *port));
        Ok(open
            .first()
            .copied()
            .or(self.questions.exposed.first().copied()))
    }

    fn why_silent(&self, running: &dyn Running) -> Result<String, RunError> {
        if let Some(code) = running.ended().map_err(sandbox)? {
            return Ok(format!("the program had ended with code {code}"));
        }
        Ok("the program listens on no port".to_owned())
    }

    fn exec(&self, running: &dyn Running, argv: &[String]) -> Result<Outcome, RunError> {
        match running.exec(argv, self.questions.timeout) {
            Ok(ended) => Ok(exited(ended.code, &ended.output)),
            Err(error @ (RunError::Program { .. } | RunError::Timeout { .. })) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let reason = format!("{error}{}", cause.unwrap_or_default());
                Ok(Outcome::Silent { reason })
            }
            Err(error) => Err(error),
        }
    }

    /// `GET /` on every open port, over TLS where plain HTTP is not spoken, a
    /// connection where neither is.
    fn ask_freely(&mut self, running: &dyn Running) -> Result<(), RunError> {
        for port in open_ports(running)? {
            let begin = Instant::now();
            let mut answered = None;
            for scheme in [Scheme::Http, Scheme::Https] {
                let request = free_request(scheme, port);
                let outcome = self.http(running, &request)?;
                // A TLS server answers plain HTTP with 400 (nginx, Go) or not at all.
                let refused = matches!(outcome, Outcome::Http { status: 400, .. });
                if matches!(outcome, Outcome::Http { .. }) {
                    answered = Some((Action::Http(request), outcome));
                    if !refused {
                        break;
                    }
                }
            }
            let (action, outcome) =
                answered.unwrap_or_else(|| (Action::Tcp { port }, tcp(running, port)));
            let probe = Probe {
                action,
                expectation: Expectation::AnyAnswer,
                origin: Origin::Free,
            };
            if let Outcome::Http { status: 404, .. } = outcome {
                self.notes.push(format!(
                    "port {port} answers, but not at /: say which path should be asked with --probe /path"
                ));
            }
            self.observe(probe, outcome, begin);
        }
        Ok(())
    }

    fn point_out_loopback(&mut self, running: &dyn Running) -> Result<(), RunError> {
        let listeners = running.listeners().map_err(sandbox)?;
        let open = |port| {
            listeners
                .iter()
                .any(|l: &Listener| l.port == port && !l.loopback_only)
        };
        let hidden: Vec<u16> = listeners
            .iter()
            .map(|l| l.port)
            .filter(|&port| !open(port))
            .collect();
        for port in hidden {
            let problem = format!(
                "the program listens on 127.0.0.1:{port} only, where nothing outside the container \
                 reaches it; let it listen on 0.0.0.0"
            );
            let affected = |probe: &Probe| match &probe.action {
                Action::Http(request) => request.port.is_none_or(|asked| asked == port),
                Action::Tcp { port: asked } => *asked == port,
                _ => false,
            };
            let mut bad = self.observations.iter_mut().filter(|o| !o.answer.is_good());
            match bad.find(|observation| affected(&observation.probe)) {
                Some(observation) => observation.answer.problem = Some(problem),
                None if self.questions.exposed.contains(&port)
                    || open_ports(running)?.is_empty() =>
                {
                    let probe = Probe {
                        action: Action::Tcp { port },
                        expectation: Expectation::Success,
                        origin: Origin::Image,
                    };
                    let reason = "connection refused".to_owned();
                    self.observe(probe, Outcome::Silent { reason }, Instant::now());
                    self.explain(problem);
                }
                None => self.notes.push(problem),
            }
        }
        Ok(())
    }

    /// The last question. Unasked, a program that has to be killed is only
    /// pointed out.
    fn ask_to_stop(&mut self, running: &dyn Running) -> Result<(), RunError> {
        if let Some(code) = running.ended().map_err(sandbox)? {
            self.observe(
                self.start_probe(),
                exited(code, &running.output()),
                Instant::now(),
            );
            self.explain(format!(
                "the program ended with code {code} while it was being asked"
            ));
            return Ok(());
        }
        let asked = self.asked(|action| *action == Action::Stop).is_some();
        let grace = if asked { STOP_GRACE } else { STOP_GRACE / 3 };
        let begin = Instant::now();
        running.stop().map_err(sandbox)?;
        let outcome = loop {
            if let Some(code) = running.ended().map_err(sandbox)? {
                break exited(code, &Output::default());
            }
            if begin.elapsed() > grace {
                let seconds = grace.as_secs();
                let reason = format!("it still ran {seconds} s after the stop signal");
                break Outcome::Silent { reason };
            }
            thread::sleep(POLL);
        };
        let origin = if asked { Origin::Asked } else { Origin::Free };
        let probe = Probe {
            action: Action::Stop,
            expectation: Expectation::Success,
            origin,
        };
        self.observe(probe, outcome, begin);
        Ok(())
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
                 --probe, or that running is enough with --probe start"
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

/// True for what needs a port.
fn speaks(action: &Action) -> bool {
    matches!(action, Action::Http(_) | Action::Tcp { .. })
}

fn open_ports(running: &dyn Running) -> Result<Vec<u16>, RunError> {
    let listeners = running.listeners().map_err(sandbox)?;
    let mut ports: Vec<u16> = listeners
        .iter()
        .filter(|listener| !listener.loopback_only)
        .map(|l| l.port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

fn tcp(running: &dyn Running, port: u16) -> Outcome {
    match running.connect(port) {
        Ok(_) => Outcome::Connected,
        Err(error) => Outcome::Silent {
            reason: format!("port {port}: {error}"),
        },
    }
}

fn free_request(scheme: Scheme, port: u16) -> HttpRequest {
    HttpRequest {
        scheme,
        method: "GET".to_owned(),
        port: Some(port),
        path: "/".to_owned(),
        headers: Vec::new(),
        body: None,
    }
}

fn shell(command: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()]
}

fn exited(code: i32, output: &Output) -> Outcome {
    Outcome::Exited {
        code,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

fn text(bytes: &[u8]) -> Text {
    Text::new(bytes, Digest::of(bytes).hex())
}

fn sandbox(error: io::Error) -> RunError {
    RunError::Sandbox(Box::new(error))
}
