//! What a probe got back.

use serde::{Deserialize, Serialize};

/// One probe's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What came back.
    pub outcome: Outcome,
    /// Why the answer is not the expected one; none when it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// From the first attempt to the answer.
    pub elapsed_ms: u64,
}

impl Answer {
    /// True when the answer is the expected one.
    pub fn is_good(&self) -> bool {
        self.problem.is_none()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// An HTTP response.
    Http {
        /// Status code.
        status: u16,
        /// Header fields in the order received, names in lower case.
        headers: Vec<(String, String)>,
        /// The body.
        body: Text,
    },
    /// A TCP connection was accepted.
    Connected,
    /// A TCP connection was accepted, and something was said over it.
    Replied {
        /// What was said.
        bytes: Text,
    },
    /// A command or the program itself ended.
    Exited {
        /// Exit code; 128 + signal when a signal ended it.
        code: i32,
        /// Standard output.
        stdout: Text,
        /// Standard error.
        stderr: Text,
    },
    /// The program is still running, as a service should.
    Running,
    /// No answer in time, or none at all.
    Silent {
        /// What was tried last and what came of it.
        reason: String,
    },
}

/// Bytes of an answer: their number and hash always, their beginning for a
/// person to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Text {
    /// Number of bytes received.
    pub size_bytes: u64,
    /// SHA-256 of all of them, hexadecimal.
    pub sha256: String,
    /// The first bytes as text, lossy.
    pub head: String,
}

impl Text {
    /// How many bytes of an answer are kept for reading.
    pub const HEAD_BYTES: usize = 2048;

    /// Describes bytes whose hash is already known.
    pub fn new(bytes: &[u8], sha256_hex: String) -> Self {
        let head = &bytes[..bytes.len().min(Self::HEAD_BYTES)];
        Self {
            size_bytes: bytes.len() as u64,
            sha256: sha256_hex,
            head: String::from_utf8_lossy(head).into_owned(),
        }
    }
}
