//! What a port speaks: HTTP, HTTPS, or one of a few protocols that answer a
//! harmless question, or a greeting, or nothing that we know.

use std::time::Duration;

use jettison_plan::{Action, HttpRequest, Scheme};

use super::life::Life;
use super::reply::{Reply, Shape};
use crate::prove::{RunError, connection, converse};

/// How long a program that speaks first is listened to.
const GREETING: Duration = Duration::from_millis(300);

/// A question that a server answers unasked for rights, and how its answer
/// begins.
struct Hello {
    port: u16,
    say: &'static [u8],
    answers: &'static [&'static [u8]],
}

const HELLOS: [Hello; 3] = [
    // Redis serialization protocol, inline commands; -NOAUTH is an answer too.
    Hello {
        port: 6379,
        say: b"PING\r\n",
        answers: &[b"+PONG", b"-NOAUTH", b"-DENIED"],
    },
    // PostgreSQL, 55.2.11: SSLRequest, answered by one byte.
    Hello {
        port: 5432,
        say: b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        answers: &[b"N", b"S"],
    },
    // memcached's text protocol.
    Hello {
        port: 11211,
        say: b"version\r\n",
        answers: &[b"VERSION "],
    },
];

/// What was found on a port.
pub(super) struct Spoken {
    pub(super) action: Action,
    pub(super) reply: Reply,
    pub(super) expected: Shape,
}

/// Finds what a port speaks. `patience` is for a server that has bound its
/// port and cannot serve yet.
pub(super) fn recognise(
    life: &Life<'_>,
    port: u16,
    patience: Duration,
) -> Result<Spoken, RunError> {
    let known = HELLOS.iter().filter(|hello| hello.port == port);
    let others = HELLOS.iter().filter(|hello| hello.port != port);
    if let Some(spoken) = known.clone().find_map(|hello| say(life, port, hello)) {
        return Ok(spoken);
    }
    // Whoever speaks first wants no request (SSH, SMTP, FTP, MySQL).
    let greeting = converse(life.running.as_ref(), port, b"", GREETING).unwrap_or_default();
    if greeting.is_empty() {
        for scheme in [Scheme::Http, Scheme::Https] {
            let action = Action::Http(get(scheme, port, "/"));
            let mut patience = patience;
            if scheme == Scheme::Https {
                patience = Duration::ZERO;
            }
            let reply = life.ask_until(&action, Shape::Http(200), patience, |reply| {
                // A TLS server hangs up on plain HTTP, or answers with 400.
                matches!(reply, Reply::Http { status, .. } if *status < 500)
                    || matches!(reply, Reply::Silent(_))
            })?;
            match &reply {
                Reply::Http { status: 400, .. } if scheme == Scheme::Http => {
                    let tls = Action::Http(get(Scheme::Https, port, "/"));
                    let over_tls = life.ask(&tls, Shape::Http(200))?;
                    if matches!(over_tls, Reply::Http { .. }) {
                        return Ok(spoken(tls, over_tls));
                    }
                    return Ok(spoken(action, reply));
                }
                Reply::Http { .. } => return Ok(spoken(action, reply)),
                _ => {}
            }
        }
        if let Some(spoken) = others.into_iter().find_map(|hello| say(life, port, hello)) {
            return Ok(spoken);
        }
    }
    let action = connection(port);
    let expected = match greeting.is_empty() {
        true => Shape::Connected,
        false => Shape::Replied,
    };
    let reply = life.ask(&action, expected)?;
    Ok(Spoken {
        action,
        reply,
        expected,
    })
}

fn say(life: &Life<'_>, port: u16, hello: &Hello) -> Option<Spoken> {
    let action = Action::Tcp {
        port,
        say: hello.say.to_vec(),
    };
    let reply = life.ask(&action, Shape::Replied).ok()?;
    let Reply::Connected { said } = &reply else {
        return None;
    };
    let begins = |answer: &&&[u8]| said.head.starts_with(answer);
    hello.answers.iter().find(begins)?;
    Some(spoken(action, reply))
}

fn spoken(action: Action, reply: Reply) -> Spoken {
    Spoken {
        action,
        expected: reply.shape(),
        reply,
    }
}

/// A plain request.
pub(super) fn get(scheme: Scheme, port: u16, path: &str) -> HttpRequest {
    HttpRequest {
        scheme,
        method: "GET".to_owned(),
        port: Some(port),
        path: path.to_owned(),
        headers: Vec::new(),
        body: None,
    }
}
