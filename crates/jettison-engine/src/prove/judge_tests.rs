//! Judgements of programs that are made up: what is asked, in which order, and
//! what is concluded.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use jettison_plan::{Outcome, Probe, Verdict};

use super::judge::{Judgement, Questions, judge};
use super::running::{Ended, Listener, Output, RunError, Runner, Running};

/// A program of which everything is known beforehand.
#[derive(Default)]
struct Fake {
    /// Ends at once with this code.
    code: Option<i32>,
    stdout: &'static str,
    /// The port as the container sees it, and whether loopback only.
    listens: Option<(u16, bool)>,
    /// Connections that it never accepts.
    waiting: u32,
    /// The full response to any request.
    response: &'static str,
    stops: bool,
    stopped: Cell<bool>,
}

impl Runner for Fake {
    fn start(&self, argv: Option<&[String]>) -> Result<Box<dyn Running + '_>, RunError> {
        self.stopped.set(false);
        match argv {
            Some([program, ..]) if program == "/missing" => Err(RunError::Program {
                program: program.clone(),
                source: io::ErrorKind::NotFound.into(),
            }),
            _ => Ok(Box::new(self)),
        }
    }
}

impl Running for &Fake {
    fn ended(&self) -> io::Result<Option<i32>> {
        Ok(self.code.or(self.stopped.get().then_some(143)))
    }

    fn output(&self) -> Output {
        Output {
            stdout: self.stdout.into(),
            stderr: Vec::new(),
        }
    }

    fn listeners(&self) -> io::Result<Vec<Listener>> {
        let listener = self.listens.map(|(port, loopback_only)| Listener {
            port,
            loopback_only,
            waiting: self.waiting,
        });
        Ok(listener.into_iter().collect())
    }

    fn connect(&self, port: u16) -> io::Result<TcpStream> {
        if self.listens != Some((port, false)) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let response = self.response;
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            if stream.read(&mut request).is_ok() {
                stream.write_all(response.as_bytes()).ok();
            }
        });
        Ok(stream)
    }

    fn exec(&self, argv: &[String], _timeout: Duration) -> Result<Ended, RunError> {
        Ok(Ended {
            code: i32::from(argv[0] == "/bad"),
            output: Output::default(),
        })
    }

    fn stop(&self) -> io::Result<()> {
        self.stopped.set(self.stops);
        Ok(())
    }
}

fn judged(fake: &Fake, probes: &[&str]) -> Judgement {
    let questions = Questions {
        probes: probes
            .iter()
            .map(|line| line.parse::<Probe>().expect("a probe"))
            .collect(),
        exposed: Vec::new(),
        healthcheck: None,
        timeout: Duration::from_millis(200),
    };
    judge(fake, &questions).expect("a judgement")
}

#[track_caller]
fn check(fake: &Fake, probes: &[&str], verdict: Verdict, seen: &[&str]) -> Judgement {
    let judgement = judged(fake, probes);
    let lines: Vec<String> = judgement
        .observations
        .iter()
        .map(|o| match &o.answer.problem {
            Some(problem) => format!("{}: {problem}", o.probe),
            None => o.probe.to_string(),
        })
        .collect();
    assert_eq!(lines, seen);
    assert_eq!(judgement.verdict, verdict);
    judgement
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn server(response: &'static str) -> Fake {
    Fake {
        listens: Some((8080, false)),
        response,
        stops: true,
        ..Fake::default()
    }
}

#[test]
fn a_server_is_asked_freely() {
    let judgement = check(&server(OK), &[], Verdict::Whole, &[":8080/", "stop"]);
    assert!(judgement.ready_after.is_some());
}

#[test]
fn a_server_is_asked_what_a_person_asked() {
    check(
        &server(OK),
        &["/health", "exec:/ok"],
        Verdict::Whole,
        &["/health", "exec:/ok", "stop"],
    );
    check(
        &server(OK),
        &["/health -> 201", "exec:/bad"],
        Verdict::Differs,
        &[
            "/health -> 201: status 200 instead of 201",
            "exec:/bad: exit code 1",
            "stop",
        ],
    );
}

#[test]
fn an_unknown_path_is_pointed_out() {
    let missing = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let judgement = check(&missing, &[], Verdict::Whole, &[":8080/", "stop"]);
    assert!(judgement.notes[0].contains("--probe /path"));
}

#[test]
fn an_error_at_a_guessed_path_proves_nothing() {
    let broken = server("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    check(
        &broken,
        &[],
        Verdict::CouldNotTell,
        &[":8080/: status 500", "stop"],
    );
    check(
        &broken,
        &["/"],
        Verdict::Differs,
        &["/: status 500 instead of 2xx or 3xx", "stop"],
    );
}

#[test]
fn who_hangs_has_not_answered() {
    let hangs = Fake {
        waiting: 1,
        ..server("nonsense")
    };
    let problem = "port 8080: the program listens, but accepts no connection";
    check(
        &hangs,
        &[],
        Verdict::CouldNotTell,
        &[&format!("tcp:8080: {problem}"), "stop"],
    );
    check(
        &server("nonsense"),
        &[],
        Verdict::Whole,
        &["tcp:8080", "stop"],
    );
}

#[test]
fn a_server_that_ends_well_has_not_served() {
    let ends = Fake {
        code: Some(0),
        ..Fake::default()
    };
    let mut questions = Questions {
        probes: Vec::new(),
        exposed: vec![8080],
        healthcheck: None,
        timeout: Duration::from_millis(200),
    };
    let verdict = |questions: &Questions| judge(&ends, questions).expect("a judgement").verdict;
    assert_eq!(verdict(&questions), Verdict::Differs);
    questions.probes = vec!["start -> 0".parse().expect("a probe")];
    assert_eq!(verdict(&questions), Verdict::Whole);
}

#[test]
fn a_loopback_server_is_found_out() {
    let fake = Fake {
        listens: Some((8080, true)),
        stops: true,
        ..Fake::default()
    };
    let judgement = judged(&fake, &[]);
    assert_eq!(judgement.verdict, Verdict::Differs);
    let problem = judgement.observations[0]
        .answer
        .problem
        .as_deref()
        .expect("a problem");
    assert!(problem.contains("127.0.0.1:8080 only"), "{problem}");
}

#[test]
fn a_command_ends_by_itself() {
    let fake = Fake {
        code: Some(0),
        stdout: "hello\n",
        ..Fake::default()
    };
    let judgement = check(&fake, &[], Verdict::Whole, &["start"]);
    assert!(matches!(&judgement.observations[0].answer.outcome,
        Outcome::Exited { code: 0, stdout, .. } if stdout.head == "hello\n"));
    check(
        &Fake {
            code: Some(3),
            ..Fake::default()
        },
        &["start -> 3", "exec:/x -> 3"],
        Verdict::Whole,
        &["start -> 3", "exec:/x -> 3"],
    );
    check(
        &Fake {
            code: Some(3),
            ..Fake::default()
        },
        &[],
        Verdict::Differs,
        &["start: exit code 3"],
    );
}

#[test]
fn missing_surroundings_are_no_fault_of_the_image() {
    let fake = Fake {
        code: Some(1),
        stdout: "dial tcp 10.0.0.1:5432: connect: connection refused\n",
        ..Fake::default()
    };
    let judgement = check(&fake, &[], Verdict::CouldNotTell, &["start: exit code 1"]);
    assert!(
        judgement
            .symptom
            .expect("a symptom")
            .remedy
            .contains("--service")
    );
}

#[test]
fn a_program_that_only_runs_was_asked_nothing() {
    let fake = Fake {
        stops: true,
        ..Fake::default()
    };
    let judgement = check(&fake, &[], Verdict::CouldNotTell, &["stop"]);
    assert!(judgement.notes[0].contains("--probe start"));
    check(&fake, &["start"], Verdict::Whole, &["start", "stop"]);
}
