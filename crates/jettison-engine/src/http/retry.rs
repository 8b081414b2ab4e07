//! When to try again, and after how long.

use std::time::Duration;

use super::{HttpError, Response};

/// How often and how patiently a request is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first one.
    pub times: u32,
    /// The pause before the second try; it doubles from try to try.
    pub first_pause: Duration,
    /// No pause is longer, and a server that asks for a longer one is not
    /// waited for.
    pub longest_pause: Duration,
}

/// Tries after the first one where nobody answers: a wrong name or a machine
/// without a network should be told of soon.
const TIMES_UNREACHABLE: u32 = 2;

impl Default for Retry {
    fn default() -> Self {
        Self {
            times: 5,
            first_pause: Duration::from_millis(400),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl Retry {
    /// The pause after `failures` failures in a row; none when it is enough.
    pub(crate) fn pause(&self, failures: u32) -> Option<Duration> {
        if failures > self.times {
            return None;
        }
        let doubled = self
            .first_pause
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        // Clients that failed together should not come back together.
        let jitter = doubled.mul_f64(f64::from(std::process::id() % 256) / 1024.0);
        Some((doubled + jitter).min(self.longest_pause))
    }
}

/// What to make of one try.
pub(crate) enum Verdict {
    /// An answer, good or bad, that will not change.
    Final(Result<Response, HttpError>),
    /// Another try may go better; the server may have said when.
    Again(HttpError, Option<Duration>),
}

/// Looks at one try. Connection errors, 408, 429 and 5xx (501 and 505 aside)
/// may pass; everything else is the server's considered answer.
pub(crate) fn judge(outcome: Result<Response, HttpError>) -> Verdict {
    match outcome {
        Ok(response) => match response.status() {
            501 | 505 => Verdict::Final(Ok(response)),
            408 | 429 | 500..=599 => {
                let after = response
                    .header("retry-after")
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map(Duration::from_secs);
                Verdict::Again(response.into_error(), after)
            }
            _ => Verdict::Final(Ok(response)),
        },
        Err(error @ (HttpError::Connection { .. } | HttpError::Unreachable { .. })) => {
            Verdict::Again(error, None)
        }
        Err(error) => Verdict::Final(Err(error)),
    }
}

/// Tries until there is an answer or patience ends.
pub(crate) fn until_answered(
    retry: &Retry,
    mut attempt: impl FnMut() -> Result<Response, HttpError>,
) -> Result<Response, HttpError> {
    let mut failures = 0;
    loop {
        let (error, after) = match judge(attempt()) {
            Verdict::Final(outcome) => return outcome,
            Verdict::Again(error, after) => (error, after),
        };
        failures += 1;
        rest(retry, failures, error, after)?;
    }
}

/// Sleeps before the next try, or gives the error back when it is enough.
pub(crate) fn rest(
    retry: &Retry,
    failures: u32,
    error: HttpError,
    after: Option<Duration>,
) -> Result<(), HttpError> {
    if failures > TIMES_UNREACHABLE && matches!(error, HttpError::Unreachable { .. }) {
        return Err(error);
    }
    let Some(pause) = retry.pause(failures) else {
        return Err(error);
    };
    if let (Some(wait), HttpError::Status { url, .. }) = (after, &error)
        && wait > retry.longest_pause
    {
        return Err(HttpError::Wait {
            url: url.clone(),
            wait,
        });
    }
    std::thread::sleep(after.unwrap_or(pause));
    Ok(())
}
