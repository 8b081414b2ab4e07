//! What came back to a question, with all of its bytes: evidence keeps the
//! beginnings, a comparison needs the rest.

use jettison_image::Digest;
use jettison_plan::{Answer, Outcome, Probe, Text};

use crate::prove::problem;

/// Bytes of one answer that are kept; longer ones are compared by their hash.
const KEPT_BYTES: usize = 4 << 20;

/// Bytes, bounded, with the hash of all of them.
#[derive(Debug, Clone)]
pub(crate) struct Bytes {
    /// All of them, or the beginning.
    pub(crate) head: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.size == other.size
    }
}

impl Eq for Bytes {}

impl Bytes {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        let (size, digest) = (bytes.len() as u64, Digest::of(&bytes));
        bytes.truncate(KEPT_BYTES);
        bytes.shrink_to_fit();
        Self {
            head: bytes,
            size,
            digest,
        }
    }

    /// The whole of it as text, when it is text and was kept whole.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_whole = self.size == self.head.len() as u64;
        let text = std::str::from_utf8(&self.head).ok();
        text.filter(|text| is_whole && !text.contains('\0'))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size == 0
    }

    fn summary(&self) -> Text {
        let mut text = Text::new(&self.head, self.digest.hex());
        text.size_bytes = self.size;
        text
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// An HTTP response.
    Http {
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
    },
    /// A TCP connection was accepted, and this was said over it.
    Connected { said: Bytes },
    /// A program ended.
    Ended {
        code: i32,
        stdout: Bytes,
        stderr: Bytes,
    },
    /// The program did not end by itself.
    Running { stdout: Bytes, stderr: Bytes },
    /// Nothing, and why.
    Silent(String),
}

impl Reply {
    pub(crate) fn ended(code: i32, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Self::Ended {
            code,
            stdout: Bytes::new(stdout),
            stderr: Bytes::new(stderr),
        }
    }

    /// As the documents have it.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Http {
                status,
                headers,
                body,
            } => Outcome::Http {
                status: *status,
                headers: headers.clone(),
                body: body.summary(),
            },
            Self::Connected { said } if said.is_empty() => Outcome::Connected,
            Self::Connected { said } => Outcome::Replied {
                bytes: said.summary(),
            },
            Self::Ended {
                code,
                stdout,
                stderr,
            } => Outcome::Exited {
                code: *code,
                stdout: stdout.summary(),
                stderr: stderr.summary(),
            },
            Self::Running { .. } => Outcome::Running,
            Self::Silent(reason) => Outcome::Silent {
                reason: reason.clone(),
            },
        }
    }

    pub(crate) fn answer(&self, probe: &Probe, elapsed_ms: u64) -> Answer {
        let outcome = self.outcome();
        Answer {
            problem: problem(probe, &outcome),
            outcome,
            elapsed_ms,
        }
    }

    /// True when it is what the probe expects.
    pub(crate) fn is_good(&self, probe: &Probe) -> bool {
        problem(probe, &self.outcome()).is_none()
    }

    /// The coarse form of an answer: its kind with its status or exit code.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Http { status, .. } => Shape::Http(*status),
            Self::Connected { said } if said.is_empty() => Shape::Connected,
            Self::Connected { .. } => Shape::Replied,
            Self::Ended { code, .. } => Shape::Ended(*code),
            Self::Running { .. } => Shape::Running,
            Self::Silent(_) => Shape::Silent,
        }
    }

    /// What it said as a program.
    pub(crate) fn output(&self) -> Option<(&Bytes, &Bytes)> {
        match self {
            Self::Ended { stdout, stderr, .. } | Self::Running { stdout, stderr } => {
                Some((stdout, stderr))
            }
            _ => None,
        }
    }
}

/// The coarse form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Http(u16),
    Connected,
    Replied,
    Ended(i32),
    Running,
    Silent,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(status) => write!(f, "status {status}"),
            Self::Connected => f.write_str("a connection, nothing said"),
            Self::Replied => f.write_str("a reply"),
            Self::Ended(code) => write!(f, "exit code {code}"),
            Self::Running => f.write_str("it runs"),
            Self::Silent => f.write_str("no answer"),
        }
    }
}
