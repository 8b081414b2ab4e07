//! What can go wrong on the way to a server.

use std::io;
use std::time::Duration;

/// Why something could not be fetched or sent. Queries are left out of the
/// URLs, for they hold signatures and tokens.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL is not one that is understood here.
    #[error("{url:?}: {problem}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No connection came about.
    #[error("{url}: {problem}")]
    Unreachable {
        /// Which resource.
        url: String,
        /// The innermost causes, joined.
        problem: String,
    },
    /// A connection broke.
    #[error("{url}: {problem}")]
    Connection {
        /// Which resource.
        url: String,
        /// The innermost causes, joined.
        problem: String,
    },
    /// The server is not who it should be, or we are not.
    #[error("{url}: {problem}")]
    Certificates {
        /// Which resource.
        url: String,
        /// What is wrong with its certificate.
        problem: String,
    },
    /// The server said no.
    #[error("{url}: the server answered {status}{}", detail_text(detail))]
    Status {
        /// Which resource.
        url: String,
        /// The status code.
        status: u16,
        /// What the server said besides, escaped and cut.
        detail: String,
    },
    /// The server asks to come back later than anybody would wait.
    #[error("{url}: the server asks to wait {} seconds before the next try", wait.as_secs())]
    Wait {
        /// Which resource.
        url: String,
        /// How long.
        wait: Duration,
    },
    /// More bytes than were asked for.
    #[error("{url}: longer than {limit_bytes} bytes")]
    TooLong {
        /// Which resource.
        url: String,
        /// The bound.
        limit_bytes: u64,
    },
    /// A certificate file cannot be used.
    #[error("certificate authority {path}: {problem}")]
    Certificate {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The client itself cannot be set up.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(String),
    /// A local file, or the body handed in, cannot be read.
    #[error("{url} cannot be read")]
    File {
        /// Which file.
        url: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl HttpError {
    /// The status code, where the server answered with one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A server's words, cut and without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.trim()
        .chars()
        .take(300)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A URL without its query, fragment and credentials.
pub(crate) fn plain_url(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail for URLs that cannot have credentials, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Joins what a chain of errors says, outermost left out where it only
/// repeats the URL.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let timed_out = error.is_timeout();
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    let mut text = shown(&texts.join(": "));
    if timed_out {
        text.push_str(" (timed out)");
    }
    if text.contains("UnknownIssuer") {
        text.push_str("; its certificate comes from no authority known here, --ca FILE adds one");
    }
    text
}

fn detail_text(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    }
}
