//! The grammar of the module's head, read.

use super::{Action, Expectation, HttpRequest, Probe, Scheme};
use crate::words::{self, Word};

/// Why a text is not a probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeParseError {
    /// Nothing is there.
    #[error("a probe is empty")]
    Empty,
    /// A quote or a backslash at the end has no partner.
    #[error("a quote does not end")]
    Quote,
    /// The port is missing or not from 1 to 65535.
    #[error("`{0}` is not a port (1 to 65535)")]
    Port(String),
    /// `exec:` or `sh:` without a command.
    #[error("`{0}` needs a command behind it")]
    Command(&'static str),
    /// `exec:[…` is not a JSON array of strings.
    #[error("`exec:[…]` is not a JSON array of strings")]
    Json,
    /// The text behind `->` is not a number in range.
    #[error("`{0}` is not an expected status or exit code")]
    Status(String),
    /// A header is not `NAME: VALUE`.
    #[error("`{0}` is not a header of the form 'Name: value'")]
    Header(String),
    /// An option lacks its value.
    #[error("`{0}` needs a value behind it")]
    Value(&'static str),
    /// The bytes behind `-d` have an escape that is none.
    #[error("`{0}` has a backslash that begins none of \\r, \\n, \\t, \\\\ and \\xNN")]
    Escape(String),
    /// A path has a character that a request line cannot carry.
    #[error("`{0}` is not a request path; percent-encode blanks and characters beyond ASCII")]
    Path(String),
    /// The text is none of the forms.
    #[error(
        "`{0}` is not a probe; write /path, 'POST :8080/path', https:8443/path, tcp:PORT, \
         'exec:PROGRAM ARG', 'sh:COMMAND', start, healthcheck or stop"
    )]
    Form(String),
}

use ProbeParseError as E;

pub(super) fn probe(text: &str) -> Result<Probe, E> {
    let text = text.trim();
    match text {
        "" => return Err(E::Empty),
        "healthcheck" => return Ok(Probe::asked(Action::Healthcheck, Expectation::Success)),
        _ => {}
    }
    if let Some(port) = text.strip_prefix("tcp:") {
        return tcp(port, text);
    }
    if let Some(command) = text.strip_prefix("sh:") {
        return shell(command.trim());
    }
    if let Some(command) = text.strip_prefix("exec:") {
        return exec(command.trim());
    }
    let words = words::split_with_json(text).ok_or(E::Quote)?;
    match words[0].text.as_str() {
        "start" => life(Action::Start, &words[1..], text),
        "stop" => life(Action::Stop, &words[1..], text),
        _ => http(&words, text),
    }
}

fn tcp(rest: &str, text: &str) -> Result<Probe, E> {
    let words = words::split(rest).ok_or(E::Quote)?;
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let (port, say) = match texts[..] {
        [port] => (port, Vec::new()),
        [_, "-d"] => return Err(E::Value("-d")),
        [port, "-d", bytes] => (port, unescaped(bytes)?),
        [] => return Err(E::Port(String::new())),
        _ => return Err(E::Form(text.to_owned())),
    };
    let port = parse_port(port)?;
    Ok(Probe::asked(
        Action::Tcp { port, say },
        Expectation::Success,
    ))
}

fn unescaped(text: &str) -> Result<Vec<u8>, E> {
    let bad = || E::Escape(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next().ok_or_else(bad)? {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                value
                    .and_then(|value| u8::try_from(value).ok())
                    .ok_or_else(bad)?
            }
            _ => return Err(bad()),
        });
    }
    Ok(bytes)
}

fn shell(command: &str) -> Result<Probe, E> {
    let (command, expectation) = match command.rsplit_once("->") {
        Some((command, code)) if is_exit_code_of(command, code) => (
            command.trim_end(),
            Expectation::Exactly(parse_exit_code(code.trim())?),
        ),
        _ => (command, Expectation::Success),
    };
    if command.is_empty() {
        return Err(E::Command("sh:"));
    }
    let action = Action::Shell {
        command: command.to_owned(),
    };
    Ok(Probe::asked(action, expectation))
}

/// The text is the shell's own; only a number behind a free-standing arrow at its very end is not.
pub(super) fn is_exit_code_of(command: &str, code: &str) -> bool {
    let code = code.trim();
    (command.is_empty() || command.ends_with(char::is_whitespace))
        && !code.is_empty()
        && code.bytes().all(|b| b.is_ascii_digit())
}

/// The start or the stop, with the code that the program ends with.
fn life(action: Action, rest: &[Word], text: &str) -> Result<Probe, E> {
    match rest {
        [] => Ok(Probe::asked(action, Expectation::Success)),
        [arrow, code] if is_arrow(arrow) => {
            let code = parse_exit_code(&code.text)?;
            Ok(Probe::asked(action, Expectation::Exactly(code)))
        }
        _ => Err(E::Form(text.to_owned())),
    }
}

fn exec(command: &str) -> Result<Probe, E> {
    if command.starts_with('[') {
        let argv: Vec<String> = serde_json::from_str(command).map_err(|_| E::Json)?;
        return exec_argv(argv, Expectation::Success);
    }
    let mut words = words::split(command).ok_or(E::Quote)?;
    let mut expectation = Expectation::Success;
    if let [.., arrow, code] = words.as_slice()
        && is_arrow(arrow)
    {
        expectation = Expectation::Exactly(parse_exit_code(&code.text)?);
        words.truncate(words.len() - 2);
    }
    exec_argv(
        words.into_iter().map(|word| word.text).collect(),
        expectation,
    )
}

fn exec_argv(argv: Vec<String>, expectation: Expectation) -> Result<Probe, E> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(E::Command("exec:"));
    }
    Ok(Probe::asked(Action::Exec { argv }, expectation))
}

fn http(words: &[Word], text: &str) -> Result<Probe, E> {
    let form = || E::Form(text.to_owned());
    let mut rest = words.iter();
    let mut word = rest.next().ok_or(E::Empty)?;
    let mut method = "GET".to_owned();
    if is_method(&word.text) {
        method.clone_from(&word.text);
        word = rest.next().ok_or_else(form)?;
    }
    let mut target = word.text.clone();
    if target == "http" || target == "https" {
        target = format!("{target}{}", rest.next().ok_or_else(form)?.text);
    }
    let (scheme, port, path) = parse_target(&target)?.ok_or_else(form)?;
    let mut request = HttpRequest {
        scheme,
        method,
        port,
        path,
        headers: Vec::new(),
        body: None,
    };
    let mut expectation = Expectation::Success;
    while let Some(option) = rest.next() {
        match option.text.as_str() {
            "-H" => {
                let header = &rest.next().ok_or(E::Value("-H"))?.text;
                request.headers.push(parse_header(header)?);
            }
            "-d" => request.body = Some(rest.next().ok_or(E::Value("-d"))?.text.clone()),
            _ if is_arrow(option) => {
                let status = &rest.next().ok_or(E::Value("->"))?.text;
                expectation = Expectation::Exactly(parse_status(status)?);
            }
            _ => return Err(form()),
        }
    }
    Ok(Probe::asked(Action::Http(request), expectation))
}

fn is_arrow(word: &Word) -> bool {
    !word.quoted && word.text == "->"
}

/// Methods are tokens (RFC 9110, 5.6.2); capitals tell them from paths and schemes.
fn is_method(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        && word.as_bytes()[0] != b'-'
}

/// `None` when the text has no target's form at all.
fn parse_target(target: &str) -> Result<Option<(Scheme, Option<u16>, String)>, E> {
    let (scheme, rest) = match target.strip_prefix("https") {
        Some(rest) => (Scheme::Https, rest),
        None => (Scheme::Http, target.strip_prefix("http").unwrap_or(target)),
    };
    // `https://localhost:8443/path`, as it is pasted from a browser.
    let rest = match rest.strip_prefix("://") {
        Some(url) => url
            .trim_start_matches("localhost")
            .trim_start_matches("127.0.0.1"),
        None => rest,
    };
    let (port, path) = match rest.strip_prefix(':') {
        Some(behind) => {
            let end = behind.find('/').unwrap_or(behind.len());
            (Some(parse_port(&behind[..end])?), &behind[end..])
        }
        None => (None, rest),
    };
    let path = match path {
        "" if port.is_some() || target.contains("://") => "/",
        path if path.starts_with('/') => path,
        _ => return Ok(None),
    };
    if path.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
        return Err(E::Path(path.to_owned()));
    }
    Ok(Some((scheme, port, path.to_owned())))
}

fn parse_port(text: &str) -> Result<u16, E> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(E::Port(text.to_owned())),
    }
}

fn parse_status(text: &str) -> Result<i32, E> {
    match text.parse() {
        Ok(status @ 100..=599) => Ok(status),
        _ => Err(E::Status(text.to_owned())),
    }
}

fn parse_exit_code(text: &str) -> Result<i32, E> {
    match text.parse() {
        Ok(code @ 0..=255) => Ok(code),
        _ => Err(E::Status(text.to_owned())),
    }
}

/// RFC 9110, 5.1 and 5.5: a token, and a value without control characters.
fn parse_header(text: &str) -> Result<(String, String), E> {
    let bad = || E::Header(text.to_owned());
    let (name, value) = text.split_once(':').ok_or_else(bad)?;
    let value = value.trim();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_token) || value.chars().any(char::is_control) {
        return Err(bad());
    }
    Ok((name.to_owned(), value.to_owned()))
}
