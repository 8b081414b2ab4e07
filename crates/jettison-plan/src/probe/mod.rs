//! One thing that must keep working, and the one-line grammar in which every
//! command, file and document writes it.
//!
//! ```text
//! PROBE   = HTTP | "tcp:" PORT [ "-d" BYTES ] | "exec:" COMMAND
//!         | "sh:" TEXT [ "->" EXIT-CODE ] | "start" [ "->" EXIT-CODE ] | "healthcheck" | "stop"
//! HTTP    = [ METHOD ] TARGET { OPTION }
//! TARGET  = [ SCHEME ] [ ":" PORT ] "/" PATH        SCHEME = "http" | "https"
//! OPTION  = "-H" "NAME: VALUE" | "-d" BODY | "->" STATUS
//! COMMAND = WORD { WORD } [ "->" EXIT-CODE ]   |   JSON array of strings
//! ```
//!
//! Words are separated by blanks; single and double quotes and backslashes
//! work as in a shell. The text behind `sh:` is the shell's own, up to a number
//! behind a free-standing arrow at its very end. BYTES are text with the
//! escapes `\r`, `\n`, `\t`, `\\` and `\xNN`; quote it, since the words' own
//! backslashes come first.

mod parse;
mod print;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use parse::ProbeParseError;

/// One thing that must keep working.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Probe {
    /// What is done.
    pub action: Action,
    /// What must come back.
    pub expectation: Expectation,
    /// Who asked for it.
    pub origin: Origin,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Sends an HTTP request from outside the container.
    Http(HttpRequest),
    /// Opens a TCP connection from outside the container.
    Tcp {
        /// The port.
        port: u16,
        /// What is said; a reply is expected then. Empty: nothing.
        say: Vec<u8>,
    },
    /// Runs a program inside the container, without a shell.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Runs a command inside the container by the container's `/bin/sh`.
    Shell {
        /// The text given to `sh -c`.
        command: String,
    },
    /// The image's own program starts, and stays or ends with the expected code.
    Start,
    /// The image's own HEALTHCHECK says healthy.
    Healthcheck,
    /// The program ends by itself after the image's stop signal.
    Stop,
}

/// An HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpRequest {
    /// With or without TLS.
    pub scheme: Scheme,
    /// In capitals.
    pub method: String,
    /// None: the port that the image exposes, or the one it listens on.
    pub port: Option<u16>,
    /// Path and query, beginning with a slash.
    pub path: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body, if one is sent.
    pub body: Option<String>,
}

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS; the server's certificate is not verified.
    Https,
}

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expectation {
    /// A 2xx or 3xx status, an exit code of 0, a connection.
    Success,
    /// Exactly this HTTP status or exit code.
    Exactly(i32),
    /// Any HTTP response below 500: asked by ourselves at a path that we guessed.
    AnyAnswer,
}

/// Who asked for a probe. It does not change what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A person, by a flag or a file.
    #[default]
    Asked,
    /// The image's own configuration.
    Image,
    /// We did, without any hint.
    Free,
}

impl Probe {
    /// A probe that a person asked for.
    pub fn asked(action: Action, expectation: Expectation) -> Self {
        Self {
            action,
            expectation,
            origin: Origin::Asked,
        }
    }

    /// Reads probes one a line; empty lines and lines that begin with `#`
    /// are passed over.
    ///
    /// # Errors
    /// The number of the first line that is no probe, counted from 1, and why.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, (usize, ProbeParseError)> {
        let mut probes = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            probes.push(line.parse().map_err(|error| (index + 1, error))?);
        }
        Ok(probes)
    }
}

impl FromStr for Probe {
    type Err = ProbeParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::probe(text)
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::probe(self, f)
    }
}

/// The form of a probe in a document: its line, and who asked.
#[derive(Serialize, Deserialize)]
struct Document {
    line: String,
    #[serde(default)]
    origin: Origin,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    any_answer: bool,
}

impl Serialize for Probe {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document {
            line: self.to_string(),
            origin: self.origin,
            any_answer: self.expectation == Expectation::AnyAnswer,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        let mut probe: Self = document.line.parse().map_err(serde::de::Error::custom)?;
        probe.origin = document.origin;
        if document.any_answer {
            probe.expectation = Expectation::AnyAnswer;
        }
        Ok(probe)
    }
}
