//! The single questions of a judgement, and how often each is repeated.

use std::thread;
use std::time::{Duration, Instant};

use jettison_plan::{Action, Expectation, HttpRequest, Origin, Outcome, Probe, Scheme};

use super::http;
use super::judge::{POLL, SETTLE, Session, connection, exited, sandbox, text};
use super::running::{Listener, Output, RunError, Running};
use super::tcp::{accepted, converse};
use super::verdict::problem;

/// Docker's own default between the stop signal and SIGKILL.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long a program may take to reply.
const REPLY: Duration = Duration::from_secs(5);
/// More ports than any honest program serves unasked.
pub(crate) const MOST_PORTS: usize = 16;

impl Session<'_> {
    pub(super) fn ask(&mut self, running: &dyn Running, probe: &Probe) -> Result<(), RunError> {
        match &probe.action {
            Action::Start | Action::Stop => Ok(()),
            Action::Http(request) => {
                self.until_good(running, probe, |session| session.http(running, request))
            }
            Action::Tcp { port, say } => {
                self.until_good(running, probe, |_| tcp(running, *port, say))
            }
            Action::Exec { argv } => {
                self.until_good(running, probe, |session| session.exec(running, argv))
            }
            Action::Shell { command } => self.until_good(running, probe, |session| {
                session.exec(running, &shell(command))
            }),
            Action::Healthcheck => match self.questions.healthcheck.clone() {
                Some(argv) => {
                    self.until_good(running, probe, |session| session.exec(running, &argv))
                }
                None => {
                    let reason = "the image has no HEALTHCHECK".to_owned();
                    self.observe(probe.clone(), Outcome::Silent { reason }, Instant::now());
                    Ok(())
                }
            },
        }
    }

    /// Repeats a question until it is answered well, the program has ended, or
    /// time is up. A definite
    /// answer (a status below 500) is repeated only while the program is
    /// young: servers bind their port before they can serve.
    pub(super) fn until_good(
        &mut self,
        running: &dyn Running,
        probe: &Probe,
        mut attempt: impl FnMut(&Self) -> Result<Outcome, RunError>,
    ) -> Result<(), RunError> {
        let begin = Instant::now();
        loop {
            let outcome = attempt(self)?;
            let definite = matches!(outcome, Outcome::Http { status, .. } if status < 500)
                && (self.begin.elapsed() > SETTLE || changes(&probe.action));
            let last_try = Instant::now() + POLL > self.deadline();
            if problem(probe, &outcome).is_none() || definite || last_try {
                self.observe(probe.clone(), outcome, begin);
                return Ok(());
            }
            let settled = self.ready_after.is_some() && begin.elapsed() > SETTLE;
            if settled || running.ended().map_err(sandbox)?.is_some() {
                self.observe(probe.clone(), outcome, begin);
                return Ok(());
            }
            thread::sleep(POLL * 5);
        }
    }

    fn http(&self, running: &dyn Running, request: &HttpRequest) -> Result<Outcome, RunError> {
        let port = match request.port {
            Some(port) => port,
            None => match guess_port(running, &self.questions.exposed)? {
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

    fn why_silent(&self, running: &dyn Running) -> Result<String, RunError> {
        if let Some(code) = running.ended().map_err(sandbox)? {
            return Ok(format!("the program had ended with code {code}"));
        }
        Ok("the program listens on no port".to_owned())
    }

    pub(super) fn exec(&self, running: &dyn Running, argv: &[String]) -> Result<Outcome, RunError> {
        let remaining = self.deadline().saturating_duration_since(Instant::now());
        match running.exec(argv, remaining.max(Duration::from_secs(1))) {
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
    pub(super) fn ask_freely(&mut self, running: &dyn Running) -> Result<(), RunError> {
        let open = open_ports(running)?;
        if open.len() > MOST_PORTS {
            self.notes.push(format!(
                "the program listens on {} ports; the first {MOST_PORTS} were asked",
                open.len()
            ));
        }
        for port in open.into_iter().take(MOST_PORTS) {
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
            let (action, outcome) = match answered {
                Some(answered) => answered,
                None => (connection(port), tcp(running, port, &[])?),
            };
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

    /// What the image says about its ports, held against what is open.
    pub(super) fn compare_ports(&mut self, running: &dyn Running) -> Result<(), RunError> {
        let open = open_ports(running)?;
        let exposed = &self.questions.exposed;
        let unsaid = open.iter().filter(|port| !exposed.contains(port));
        let unsaid = unsaid.map(|port| {
            format!(
                "the program listens on port {port}, which the image does not say: --expose {port}"
            )
        });
        let closed = exposed.iter().filter(|port| !open.contains(port));
        let closed = closed.map(|port| {
            format!("the image exposes port {port}, on which the program does not listen")
        });
        self.notes.extend(unsaid.chain(closed).collect::<Vec<_>>());
        Ok(())
    }

    pub(super) fn point_out_loopback(&mut self, running: &dyn Running) -> Result<(), RunError> {
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
                Action::Tcp { port: asked, .. } => *asked == port,
                _ => false,
            };
            let mut bad = self.observations.iter_mut().filter(|o| !o.answer.is_good());
            match bad.find(|observation| affected(&observation.probe)) {
                Some(observation) => observation.answer.problem = Some(problem),
                None if self.questions.exposed.contains(&port)
                    || open_ports(running)?.is_empty() =>
                {
                    let probe = Probe {
                        action: connection(port),
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
    pub(super) fn ask_to_stop(&mut self, running: &dyn Running) -> Result<(), RunError> {
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
}

/// The port of a request that names none: an exposed one that is open, else
/// the lowest open one.
pub(crate) fn guess_port(running: &dyn Running, exposed: &[u16]) -> Result<Option<u16>, RunError> {
    let mut open = open_ports(running)?;
    open.sort_by_key(|port| (!exposed.contains(port), *port));
    Ok(open.first().copied().or(exposed.first().copied()))
}

pub(crate) fn open_ports(running: &dyn Running) -> Result<Vec<u16>, RunError> {
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

fn tcp(running: &dyn Running, port: u16, say: &[u8]) -> Result<Outcome, RunError> {
    if say.is_empty() {
        return Ok(match accepted(running, port)? {
            Ok(_) => Outcome::Connected,
            Err(reason) => Outcome::Silent { reason },
        });
    }
    let silent = |reason: String| Outcome::Silent {
        reason: format!("port {port}: {reason}"),
    };
    Ok(match converse(running, port, say, REPLY) {
        Ok(bytes) if bytes.is_empty() => silent("no reply".to_owned()),
        Ok(bytes) => Outcome::Replied {
            bytes: text(&bytes),
        },
        Err(error) => silent(error.to_string()),
    })
}

/// Asked twice, such a request is another one.
pub(crate) fn changes(action: &Action) -> bool {
    match action {
        Action::Http(request) => !matches!(request.method.as_str(), "GET" | "HEAD"),
        _ => false,
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

pub(crate) fn shell(command: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), command.to_owned()]
}
