//! How soon an image answers: started as Docker would start it, and asked
//! without a pause until the first good answer.
//!
//! The time runs from the start of the container, what the sandbox needs for
//! that included, for it is the same for every image. Nothing is said about an
//! image that was not seen answering: the reason is a word in the place of the
//! time.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use jettison_image::{Image, Tree};
use jettison_plan::{Action, Expectation, Outcome, Probe, Text};
use jettison_sandbox::{Options, Profile, Root, Sandbox};

use super::StartRequest;
use super::value::StartUp;
use crate::Context;
use crate::build::{exposed_ports, healthcheck_argv};
use crate::prove::{
    Output, PreparedServices, RunError, Runner, Running, SETTLE, SandboxRunner, container_spec,
    converse, exchange, foreign, guess_port, problem, run_error, shell, stop_signal,
};

/// A median needs three.
const RUNS: usize = 3;
/// Between two looks: a static server is up in a few of these.
const PAUSE: Duration = Duration::from_millis(1);
/// Characters of the last words that are kept.
const WORDS: usize = 200;

/// A sandbox that images are started in, one after the other.
pub(super) struct Starter<'a> {
    request: &'a StartRequest,
    context: &'a Context,
    /// Or why nothing can be started here.
    place: Result<(PreparedServices, Sandbox), Unstarted>,
}

/// Why there is no time: in a word, and in a sentence.
#[derive(Debug, Clone)]
struct Unstarted {
    word: String,
    detail: String,
}

impl Unstarted {
    fn new(word: impl Into<String>, detail: impl ToString) -> Self {
        Self {
            word: word.into(),
            detail: detail.to_string(),
        }
    }
}

impl From<RunError> for Unstarted {
    fn from(error: RunError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let detail = format!("{error}{}", cause.unwrap_or_default());
        match &error {
            RunError::Program { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Self::new("missing", detail)
            }
            RunError::Program { .. } => Self::new("unexecutable", detail),
            RunError::Timeout { .. } => Self::new("silent", detail),
            RunError::Sandbox(_) => Self::new("failed", detail),
        }
    }
}

impl<'a> Starter<'a> {
    /// Opens a sandbox; without one, images are compared all the same.
    pub(super) fn open(request: &'a StartRequest, context: &'a Context) -> Self {
        Self {
            request,
            context,
            place: place(request, context),
        }
    }

    /// Starts an image, whose tree was read already, and takes the time.
    pub(super) fn measure(&self, image: &Image, tree: &Tree) -> StartUp {
        let mut runs = Vec::new();
        match self.runs(image, tree, &mut runs) {
            Ok(answer) => StartUp {
                median_ms: median(&runs).map(milliseconds),
                runs_ms: runs.into_iter().map(milliseconds).collect(),
                answer: Some(answer),
                problem: None,
                detail: None,
            },
            Err(unstarted) => StartUp {
                median_ms: None,
                runs_ms: runs.into_iter().map(milliseconds).collect(),
                answer: None,
                problem: Some(unstarted.word),
                detail: Some(unstarted.detail),
            },
        }
    }

    /// What every start answered.
    fn runs(
        &self,
        image: &Image,
        tree: &Tree,
        runs: &mut Vec<Duration>,
    ) -> Result<String, Unstarted> {
        if let Some(reason) = foreign(&image.config.platform()) {
            return Err(Unstarted::new("foreign", reason));
        }
        let run = &image.config.run;
        if run.argv().is_empty() {
            let detail = "the image has neither ENTRYPOINT nor CMD";
            return Err(Unstarted::new("no-program", detail));
        }
        let (services, sandbox) = self.place.as_ref().map_err(Clone::clone)?;
        let item = self.context.progress.begin("preparing the container", None);
        let root: Root = sandbox
            .prepare(image, tree, self.context.limits())
            .map_err(|error| Unstarted::new("failed", error))?;
        drop(item);
        let asking = Asking {
            question: question(&self.request.probes),
            exposed: exposed_ports(&image.config),
            healthcheck: healthcheck_argv(&image.config),
            timeout: self.request.timeout,
        };
        let _item = self
            .context
            .progress
            .begin("taking the time of starts", None);
        let mut answer = String::new();
        for _ in 0..RUNS {
            // What one start leaves in a database is not met by the next.
            let services = services
                .start(sandbox, self.context)
                .map_err(|error| Unstarted::new("failed", error))?;
            let mut spec = container_spec(run, Profile::AS_SHIPPED, &self.request.surroundings);
            spec.hosts.extend(services.hosts.clone());
            let runner = SandboxRunner {
                sandbox,
                root: Some(&root),
                spec,
                stop_signal: stop_signal(run.stop_signal.as_deref()),
            };
            let (time, what) = asking.once(&runner)?;
            runs.push(time);
            answer = what;
        }
        Ok(answer)
    }
}

fn place(
    request: &StartRequest,
    context: &Context,
) -> Result<(PreparedServices, Sandbox), Unstarted> {
    let options = Options {
        scratch_dir: context.scratch().ok(),
        ..Options::default()
    };
    let uncontained = |detail: String| Unstarted::new("uncontained", detail);
    let sandbox = Sandbox::open(&options).map_err(|error| uncontained(error.to_string()))?;
    if !sandbox.tier().contains_strangers() {
        let tier = sandbox.tier();
        return Err(uncontained(format!("only {tier} is possible here")));
    }
    let services = PreparedServices::prepare(&sandbox, &request.surroundings, context)
        .map_err(|error| Unstarted::new("failed", error))?;
    Ok((services, sandbox))
}

/// The first probe that asks something. That a program runs, or ends at a
/// signal, says nothing of when it is ready.
fn question(probes: &[Probe]) -> Option<&Probe> {
    let asks = |probe: &&Probe| match probe.action {
        Action::Stop => false,
        Action::Start => matches!(probe.expectation, Expectation::Exactly(_)),
        _ => true,
    };
    probes.iter().find(asks)
}

/// What is asked of each start.
struct Asking<'a> {
    question: Option<&'a Probe>,
    exposed: Vec<u16>,
    healthcheck: Option<Vec<String>>,
    timeout: Duration,
}

impl Asking<'_> {
    /// One start, from the container to the first good answer.
    fn once(&self, runner: &dyn Runner) -> Result<(Duration, String), Unstarted> {
        let begin = Instant::now();
        let running = runner.start(None)?;
        let mut last = None;
        loop {
            if let Some(code) = running.ended().map_err(failed)? {
                let time = begin.elapsed();
                return self.ended(runner, code, time, &running.output());
            }
            match self.ask(running.as_ref(), begin)? {
                Ok(answer) => return Ok((begin.elapsed(), answer)),
                Err(Some(unstarted)) => last = Some(unstarted),
                Err(None) => {}
            }
            // Servers bind their port before they can serve; after that, what
            // they say is what they mean.
            let definite = last
                .as_ref()
                .is_some_and(|last: &Unstarted| last.word.starts_with("status-"));
            if begin.elapsed() > self.patience() || (definite && begin.elapsed() > SETTLE) {
                return Err(match last {
                    Some(last) => last,
                    None => self.silent(running.as_ref()),
                });
            }
            thread::sleep(PAUSE);
        }
    }

    /// Nobody knows that a program without a port will open one.
    fn patience(&self) -> Duration {
        if self.question.is_some() || !self.exposed.is_empty() {
            return self.timeout;
        }
        self.timeout.min(SETTLE)
    }

    /// Asks once: the answer, or what is wrong with it where there is one.
    fn ask(
        &self,
        running: &dyn Running,
        begin: Instant,
    ) -> Result<Result<String, Option<Unstarted>>, Unstarted> {
        let Some(probe) = self.question else {
            let listeners = running.listeners().map_err(failed)?;
            let open = listeners.iter().find(|listener| !listener.loopback_only);
            let Some(open) = open else {
                return Ok(Err(None));
            };
            return Ok(match takes_connections(running, open.port)? {
                true => Ok(format!("port {}", open.port)),
                false => Err(None),
            });
        };
        let left = self.timeout.saturating_sub(begin.elapsed());
        let Some(outcome) = self.outcome(running, probe, left.max(PAUSE))? else {
            return Ok(Err(None));
        };
        Ok(match (problem(probe, &outcome), &outcome) {
            (None, _) => Ok(probe.to_string()),
            (Some(detail), Outcome::Http { status, .. }) => {
                Err(Some(Unstarted::new(format!("status-{status}"), detail)))
            }
            (Some(detail), Outcome::Exited { code, .. }) => {
                Err(Some(Unstarted::new(format!("exit-{code}"), detail)))
            }
            (Some(detail), _) => Err(Some(Unstarted::new("silent", detail))),
        })
    }

    /// None: there is nothing to ask yet.
    fn outcome(
        &self,
        running: &dyn Running,
        probe: &Probe,
        left: Duration,
    ) -> Result<Option<Outcome>, Unstarted> {
        let silent = |error: io::Error| Outcome::Silent {
            reason: error.to_string(),
        };
        let exec = |argv: &[String]| match running.exec(argv, left) {
            Ok(ended) => Ok(Some(exited(ended.code))),
            // It may have ended just now.
            Err(RunError::Sandbox(_)) => Ok(None),
            Err(error) => Err(Unstarted::from(error)),
        };
        match &probe.action {
            Action::Http(request) => {
                let port = match request.port {
                    Some(port) => Some(port),
                    None => guess_port(running, &self.exposed)?,
                };
                let Some(port) = port else {
                    return Ok(None);
                };
                let authority = format!("localhost:{port}");
                let answer = running
                    .connect(port)
                    .and_then(|stream| exchange(stream, &authority, request, left));
                Ok(Some(match answer {
                    Ok(response) => Outcome::Http {
                        status: response.status,
                        headers: Vec::new(),
                        body: nothing(),
                    },
                    Err(error) => silent(error),
                }))
            }
            Action::Tcp { port, say } if say.is_empty() => {
                Ok(takes_connections(running, *port)?.then_some(Outcome::Connected))
            }
            Action::Tcp { port, say } => Ok(match converse(running, *port, say, left) {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(_) => Some(Outcome::Replied { bytes: nothing() }),
                Err(error) => Some(silent(error)),
            }),
            Action::Exec { argv } => exec(argv),
            Action::Shell { command } => exec(&shell(command)),
            Action::Healthcheck => match &self.healthcheck {
                Some(argv) => exec(argv),
                None => Err(Unstarted::new("silent", "the image has no HEALTHCHECK")),
            },
            // It is over when the program ends.
            Action::Start | Action::Stop => Ok(None),
        }
    }

    /// The program has ended by itself: its end is the answer where none was
    /// asked for, and a command of a probe is a start of its own.
    fn ended(
        &self,
        runner: &dyn Runner,
        code: i32,
        time: Duration,
        output: &Output,
    ) -> Result<(Duration, String), Unstarted> {
        let end = |expected: i32| match code == expected {
            true => Ok((time, "the end".to_owned())),
            false => Err(Unstarted::new(format!("exit-{code}"), said(code, output))),
        };
        let argv = match self.question {
            None => return end(0),
            Some(probe) => match (&probe.action, probe.expectation) {
                (Action::Start, Expectation::Exactly(expected)) => return end(expected),
                (Action::Exec { argv }, _) => argv.clone(),
                (Action::Shell { command }, _) => shell(command),
                _ => return Err(Unstarted::new(format!("exit-{code}"), said(code, output))),
            },
        };
        let begin = Instant::now();
        let running = runner.start(Some(&argv))?;
        while begin.elapsed() <= self.timeout {
            let Some(code) = running.ended().map_err(failed)? else {
                thread::sleep(PAUSE);
                continue;
            };
            let time = begin.elapsed();
            let problem = self
                .question
                .and_then(|probe| problem(probe, &exited(code)));
            return match problem {
                None => Ok((time, argv.join(" "))),
                Some(_) => Err(Unstarted::new(
                    format!("exit-{code}"),
                    said(code, &running.output()),
                )),
            };
        }
        Err(self.silent(running.as_ref()))
    }

    fn silent(&self, running: &dyn Running) -> Unstarted {
        let seconds = self.patience().as_secs();
        match running.listeners() {
            Ok(listeners) if !listeners.is_empty() && listeners.iter().all(|l| l.loopback_only) => {
                let detail = "the program listens on 127.0.0.1 only";
                Unstarted::new("loopback", detail)
            }
            _ => {
                let detail = format!("no answer and no end in {seconds} s");
                Unstarted::new("silent", detail)
            }
        }
    }
}

/// The kernel makes connections for whoever listens; this one counts when the
/// program has taken it.
fn takes_connections(running: &dyn Running, port: u16) -> Result<bool, Unstarted> {
    let begin = Instant::now();
    let Ok(_connection) = running.connect(port) else {
        return Ok(false);
    };
    while begin.elapsed() < SETTLE {
        let listeners = running.listeners().map_err(failed)?;
        if !listeners.iter().any(|l| l.port == port && l.waiting > 0) {
            return Ok(true);
        }
        thread::sleep(PAUSE);
    }
    Ok(false)
}

fn failed(error: io::Error) -> Unstarted {
    run_error(error).into()
}

fn exited(code: i32) -> Outcome {
    Outcome::Exited {
        code,
        stdout: nothing(),
        stderr: nothing(),
    }
}

/// What was said is not kept here.
fn nothing() -> Text {
    Text::new(&[], String::new())
}

/// The code, and the last line of what the program said.
fn said(code: i32, output: &Output) -> String {
    let text = output.text();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    match last {
        Some(line) => {
            let line: String = line.trim().chars().take(WORDS).collect();
            format!("it ended with code {code}: {line}")
        }
        None => format!("it ended with code {code} without a word"),
    }
}

fn median(runs: &[Duration]) -> Option<Duration> {
    let mut sorted = runs.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

/// To a tenth of a millisecond.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jettison_plan::Probe;

    use super::{median, milliseconds, question};

    #[test]
    fn the_first_probe_that_asks_is_the_question() {
        let check = |lines: &[&str], expected: Option<&str>| {
            let probes: Vec<Probe> = lines.iter().map(|line| line.parse().unwrap()).collect();
            let found = question(&probes).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{lines:?}");
        };
        check(&[], None);
        check(&["start", "stop"], None);
        check(&["start", "/health", "/other"], Some("/health"));
        check(&["start -> 0", "/health"], Some("start -> 0"));
        check(&["stop", "tcp:5432"], Some("tcp:5432"));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let ms = Duration::from_micros;
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[ms(9), ms(1), ms(5)]), Some(ms(5)));
        assert_eq!(milliseconds(ms(12_345)), 12.3);
    }
}
