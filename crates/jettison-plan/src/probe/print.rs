//! The grammar of the module's head, written. Parsing what is written gives
//! the same probe back.

use std::fmt;

use super::parse::is_exit_code_of;
use super::{Action, Expectation, HttpRequest, Probe, Scheme};
use crate::words::quote;

pub(super) fn probe(probe: &Probe, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match &probe.action {
        Action::Http(request) => http(request, f)?,
        Action::Tcp { port, say } if say.is_empty() => write!(f, "tcp:{port}")?,
        Action::Tcp { port, say } => write!(f, "tcp:{port} -d {}", quote(&escaped(say)))?,
        Action::Exec { argv } if argv.len() > 1 && argv[argv.len() - 2] == "->" => {
            // Only the JSON form can say that the arrow is an argument.
            write!(
                f,
                "exec:{}",
                serde_json::to_string(argv).map_err(|_| fmt::Error)?
            )?;
        }
        Action::Exec { argv } => {
            let words: Vec<_> = argv.iter().map(|word| quote(word)).collect();
            write!(f, "exec:{}", words.join(" "))?;
        }
        Action::Shell { command } => shell(command, probe.expectation, f)?,
        Action::Start => f.write_str("start")?,
        Action::Healthcheck => f.write_str("healthcheck")?,
        Action::Stop => f.write_str("stop")?,
    }
    match probe.expectation {
        Expectation::Exactly(code) => write!(f, " -> {code}"),
        Expectation::Success | Expectation::AnyAnswer => Ok(()),
    }
}

/// A command that itself ends like an expectation needs one behind it.
fn shell(command: &str, expectation: Expectation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "sh:{command}")?;
    let is_ambiguous = command
        .rsplit_once("->")
        .is_some_and(|(before, code)| is_exit_code_of(before, code));
    if is_ambiguous && !matches!(expectation, Expectation::Exactly(_)) {
        f.write_str(" -> 0")?;
    }
    Ok(())
}

/// Bytes as the grammar has them.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'\r' => text.push_str(r"\r"),
            b'\n' => text.push_str(r"\n"),
            b'\t' => text.push_str(r"\t"),
            b'\\' => text.push_str(r"\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text.push_str(&format!(r"\x{other:02x}")),
        }
    }
    text
}

fn http(request: &HttpRequest, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if request.method != "GET" {
        write!(f, "{} ", request.method)?;
    }
    if request.scheme == Scheme::Https {
        f.write_str("https")?;
    }
    if let Some(port) = request.port {
        write!(f, ":{port}")?;
    }
    f.write_str(&request.path)?;
    for (name, value) in &request.headers {
        write!(f, " -H {}", quote(&format!("{name}: {value}")))?;
    }
    if let Some(body) = &request.body {
        write!(f, " -d {}", quote(body))?;
    }
    Ok(())
}
