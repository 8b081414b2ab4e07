//! A program from its start to its end, and single questions to it.

use std::thread;
use std::time::{Duration, Instant};

use jettison_plan::{Action, HttpRequest, Trace};

use super::files::{Files, files};
use super::reply::{Bytes, Reply, Shape};
use crate::prove::{
    POLL, RunError, Runner, Running, accepted, changes, converse, exchange, guess_port, open_ports,
    run_error, shell,
};

/// Docker's own default between the stop signal and SIGKILL.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a program that says something first may take to say it.
const GREETING: Duration = Duration::from_secs(2);

/// What of an image's configuration questions need.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) exposed: Vec<u16>,
    pub(super) healthcheck: Option<Vec<String>>,
}

/// A started program.
pub(super) struct Life<'a> {
    pub(super) running: Box<dyn Running + 'a>,
    pub(super) begin: Instant,
    facts: &'a Facts,
    deadline: Instant,
}

impl<'a> Life<'a> {
    /// Starts the program; the inner error says why the image's program
    /// cannot be executed.
    pub(super) fn start(
        runner: &'a dyn Runner,
        facts: &'a Facts,
        timeout: Duration,
    ) -> Result<Result<Self, String>, RunError> {
        let begin = Instant::now();
        match runner.start(None) {
            Ok(running) => Ok(Ok(Self {
                running,
                begin,
                facts,
                deadline: begin + timeout,
            })),
            Err(RunError::Program { program, source }) => {
                Ok(Err(format!("{program} cannot be started: {source}")))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn ended(&self) -> Result<Option<i32>, RunError> {
        self.running.ended().map_err(run_error)
    }

    pub(super) fn ports(&self) -> Result<Vec<u16>, RunError> {
        open_ports(self.running.as_ref())
    }

    /// Waits until the program has opened these ports, has ended, or
    /// `patience` is over.
    pub(super) fn wait_for_ports(&self, ports: &[u16], patience: Duration) -> Result<(), RunError> {
        let until = Instant::now() + patience;
        while self.ended()?.is_none() {
            let open = self.ports()?;
            if ports.iter().all(|port| open.contains(port)) || Instant::now() > until {
                break;
            }
            thread::sleep(pause(until, patience));
        }
        Ok(())
    }

    /// Waits until the program ends by itself; its code.
    pub(super) fn wait_for_end(&self, patience: Duration) -> Result<Option<i32>, RunError> {
        let until = Instant::now() + patience;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() > until {
                return Ok(ended);
            }
            thread::sleep(pause(until, patience));
        }
    }

    /// Waits until the program ends by itself, or shows by a port that it is
    /// not going to; its code.
    pub(super) fn wait_for_short_end(&self, patience: Duration) -> Result<Option<i32>, RunError> {
        let until = Instant::now() + patience;
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() > until || !self.ports()?.is_empty() {
                return Ok(ended);
            }
            thread::sleep(pause(until, patience));
        }
    }

    /// Asks once.
    pub(super) fn ask(&self, action: &Action, expected: Shape) -> Result<Reply, RunError> {
        if let Some(code) = self.ended()? {
            return Ok(Reply::Silent(format!(
                "the program had ended with code {code}"
            )));
        }
        match action {
            Action::Http(request) => self.http(request),
            Action::Tcp { port, say } => self.tcp(*port, say, expected),
            Action::Exec { argv } => self.exec(argv),
            Action::Shell { command } => self.exec(&script(command)),
            Action::Healthcheck => match &self.facts.healthcheck {
                Some(argv) => self.exec(argv),
                None => Ok(Reply::Silent("the image has no HEALTHCHECK".to_owned())),
            },
            Action::Start | Action::Stop => Ok(Reply::Silent("nothing is asked here".to_owned())),
        }
    }

    /// Asks until the answer will do, the program has ended, or `patience` is
    /// over. A request that changes something is not repeated once it was
    /// answered.
    pub(super) fn ask_until(
        &self,
        action: &Action,
        expected: Shape,
        patience: Duration,
        will_do: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, RunError> {
        let until = Instant::now() + patience;
        loop {
            let reply = self.ask(action, expected)?;
            let is_definite = matches!(reply, Reply::Http { .. }) && changes(action);
            let over = Instant::now() >= until || Instant::now() >= self.deadline;
            if will_do(&reply) || is_definite || over || self.ended()?.is_some() {
                return Ok(reply);
            }
            thread::sleep(POLL * 2);
        }
    }

    fn http(&self, request: &HttpRequest) -> Result<Reply, RunError> {
        let port = match request.port {
            Some(port) => Some(port),
            None => guess_port(self.running.as_ref(), &self.facts.exposed)?,
        };
        let Some(port) = port else {
            return Ok(Reply::Silent("the program listens on no port".to_owned()));
        };
        let authority = format!("localhost:{port}");
        let answer = self
            .running
            .connect(port)
            .and_then(|stream| exchange(stream, &authority, request, self.remaining()));
        Ok(match answer {
            Ok(response) => Reply::Http {
                status: response.status,
                headers: response.headers,
                body: Bytes::new(response.body),
            },
            Err(error) => Reply::Silent(format!("port {port}: {error}")),
        })
    }

    fn tcp(&self, port: u16, say: &[u8], expected: Shape) -> Result<Reply, RunError> {
        let running = self.running.as_ref();
        if say.is_empty() && expected != Shape::Replied {
            return Ok(match accepted(running, port)? {
                Ok(_) => Reply::Connected {
                    said: Bytes::new(Vec::new()),
                },
                Err(reason) => Reply::Silent(reason),
            });
        }
        Ok(match converse(running, port, say, GREETING) {
            Ok(said) if said.is_empty() && !say.is_empty() => {
                Reply::Silent(format!("port {port}: no reply"))
            }
            Ok(said) => Reply::Connected {
                said: Bytes::new(said),
            },
            Err(error) => Reply::Silent(format!("port {port}: {error}")),
        })
    }

    fn exec(&self, argv: &[String]) -> Result<Reply, RunError> {
        match self.running.exec(argv, self.remaining()) {
            Ok(ended) => Ok(Reply::ended(
                ended.code,
                ended.output.stdout,
                ended.output.stderr,
            )),
            Err(error @ (RunError::Program { .. } | RunError::Timeout { .. })) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                Ok(Reply::Silent(format!(
                    "{error}{}",
                    cause.unwrap_or_default()
                )))
            }
            // It ended between our look and our question.
            Err(error) => match self.ended()? {
                Some(code) => {
                    let reason = format!("the program had ended with code {code}");
                    Ok(Reply::Silent(reason))
                }
                None => Err(error),
            },
        }
    }

    /// Sends the stop signal and waits for the end.
    pub(super) fn stop(&self, grace: Duration) -> Result<Reply, RunError> {
        if let Some(code) = self.ended()? {
            return Ok(Reply::Silent(format!(
                "the program had ended with code {code}"
            )));
        }
        self.running.stop().map_err(run_error)?;
        Ok(match self.wait_for_end(grace)? {
            Some(code) => Reply::ended(code, Vec::new(), Vec::new()),
            None => {
                let seconds = grace.as_secs_f64();
                Reply::Silent(format!("it still ran {seconds:.1} s after the stop signal"))
            }
        })
    }

    /// What the program itself said, and how it ended, when it did by itself.
    pub(super) fn said(&self, ended: Option<i32>) -> Reply {
        let output = self.running.output();
        match ended {
            Some(code) => Reply::ended(code, output.stdout, output.stderr),
            None => Reply::Running {
                stdout: Bytes::new(output.stdout),
                stderr: Bytes::new(output.stderr),
            },
        }
    }

    pub(super) fn files(&self) -> Result<Files, RunError> {
        Ok(files(self.running.written().map_err(run_error)?))
    }

    /// Adds what was touched since the last time under a label.
    pub(super) fn trace(
        &self,
        label: &str,
        traces: &mut Vec<(String, Trace)>,
    ) -> Result<(), RunError> {
        if let Some(trace) = self.running.take_trace().map_err(run_error)? {
            traces.push((label.to_owned(), trace));
        }
        Ok(())
    }

    fn remaining(&self) -> Duration {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        remaining.clamp(Duration::from_secs(1), ANSWER)
    }
}

/// How long to wait before looking again: the longer it takes, the less a
/// moment more matters, and to look costs the machine time that the program
/// could use.
fn pause(until: Instant, patience: Duration) -> Duration {
    let waited = patience.saturating_sub(until.saturating_duration_since(Instant::now()));
    (waited / 16).clamp(POLL / 4, POLL * 2)
}

/// The command line that runs a script by the shell it names in its first
/// line, or by the container's `/bin/sh`.
pub(super) fn script(text: &str) -> Vec<String> {
    const SHELLS: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"];
    let named = text.lines().next().and_then(|line| line.strip_prefix("#!"));
    let words: Vec<&str> = named
        .map(|line| line.split_whitespace().collect())
        .unwrap_or_default();
    let is_shell = |word: &&&str| SHELLS.contains(&word.rsplit('/').next().unwrap_or(word));
    match words
        .iter()
        .rev()
        .find(|word| !word.starts_with('-'))
        .filter(is_shell)
    {
        Some(_) => {
            let mut argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            argv.extend(["-c".to_owned(), text.to_owned()]);
            argv
        }
        None => shell(text),
    }
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn scripts_choose_their_shell() {
        let check = |text: &str, expected: &[&str]| {
            let argv = script(text);
            assert_eq!(argv[..argv.len() - 1], *expected, "{text}");
            assert_eq!(argv.last().map(String::as_str), Some(text));
        };
        check("true", &["/bin/sh", "-c"]);
        check("#!/bin/bash -e\ntrue", &["/bin/bash", "-e", "-c"]);
        check("#!/usr/bin/env bash\n", &["/usr/bin/env", "bash", "-c"]);
        check("#!/usr/bin/python3\n", &["/bin/sh", "-c"]);
    }
}
