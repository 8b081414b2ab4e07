//! Bodies on both ways, as synchronous readers.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::HttpError;
use super::error::{causes, plain_url, shown};

/// Pieces in which a body is read for sending.
const PIECE_BYTES: usize = 128 << 10;
/// Pieces that may wait to be sent.
const PIECES: usize = 4;

/// What is sent along.
pub(crate) enum Body {
    Empty,
    Bytes(Vec<u8>),
    /// Sent with a Content-Length while it is fed ([`channel`]).
    Fed(FedBody),
}

/// The sending end of a body that is read elsewhere.
pub(crate) struct FedBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    size_bytes: u64,
}

/// The reading end of such a body.
pub(crate) struct Feeder {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    size_bytes: u64,
}

/// A body of known length that another thread reads ([`Feeder::feed`]) while
/// the request is under way.
pub(crate) fn channel(size_bytes: u64) -> (Feeder, Body) {
    let (sender, receiver) = mpsc::channel(PIECES);
    let body = Body::Fed(FedBody {
        pieces: receiver,
        size_bytes,
    });
    (
        Feeder {
            pieces: sender,
            size_bytes,
        },
        body,
    )
}

impl Feeder {
    /// Reads until the promised length is reached or nobody takes more. An
    /// error of the reader breaks the request off and is returned.
    pub(crate) fn feed(self, mut reader: impl Read) -> io::Result<()> {
        let mut left = self.size_bytes;
        while left > 0 {
            let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(left).unwrap_or(PIECE_BYTES))];
            let outcome = match reader.read(&mut piece) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    piece.truncate(count);
                    left -= count as u64;
                    Ok(piece)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(piece) => {
                    // The request has ended, with an answer or without one.
                    if self.pieces.blocking_send(Ok(piece.into())).is_err() {
                        return Ok(());
                    }
                }
                Err(error) => {
                    let _ = self
                        .pieces
                        .blocking_send(Err(io::ErrorKind::BrokenPipe.into()));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl Body {
    /// The body for the client underneath with its length, and a counter that
    /// moves as long as bytes are taken off it.
    pub(super) fn into_parts(self) -> (Option<(reqwest::Body, u64)>, Arc<AtomicU64>) {
        let taken = Arc::new(AtomicU64::new(0));
        let body = match self {
            Self::Empty => None,
            Self::Bytes(bytes) => {
                let size = bytes.len() as u64;
                Some((bytes.into(), size))
            }
            Self::Fed(FedBody { pieces, size_bytes }) => {
                let counter = taken.clone();
                let stream = futures_util::stream::unfold(pieces, move |mut pieces| {
                    let counter = counter.clone();
                    async move {
                        let piece = pieces.recv().await?;
                        let count = piece.as_ref().map_or(0, Bytes::len);
                        counter.fetch_add(count as u64, Ordering::Relaxed);
                        Some((piece, pieces))
                    }
                });
                Some((reqwest::Body::wrap_stream(stream), size_bytes))
            }
        };
        (body, taken)
    }
}

/// An answer; its body is read from the network as it is asked for.
pub(crate) struct Response {
    runtime: Arc<Runtime>,
    response: reqwest::Response,
    piece: Bytes,
    stall_timeout: Duration,
}

impl Response {
    pub(super) fn new(
        runtime: Arc<Runtime>,
        response: reqwest::Response,
        stall_timeout: Duration,
    ) -> Self {
        Self {
            runtime,
            response,
            piece: Bytes::new(),
            stall_timeout,
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Where the answer came from in the end.
    pub(crate) fn url(&self) -> &reqwest::Url {
        self.response.url()
    }

    /// A header's value when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// All values of a header that are text.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.response
            .headers()
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Reads all of the body, or fails when there is more than `limit_bytes`.
    pub(crate) fn bytes(mut self, limit_bytes: u64) -> Result<Vec<u8>, HttpError> {
        let url = plain_url(self.url());
        let mut bytes = Vec::new();
        match (&mut self)
            .take(limit_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
        {
            Ok(_) if bytes.len() as u64 > limit_bytes => {
                Err(HttpError::TooLong { url, limit_bytes })
            }
            Ok(_) => Ok(bytes),
            Err(error) => Err(HttpError::Connection {
                url,
                problem: error.to_string(),
            }),
        }
    }

    /// An error out of an answer that is not the wanted one. Registries say
    /// more in `errors[].message`, others in plain text.
    pub(crate) fn into_error(mut self) -> HttpError {
        let (url, status) = (plain_url(self.url()), self.status());
        let mut text = Vec::new();
        let _ = (&mut self).take(4096).read_to_end(&mut text);
        let detail = serde_json::from_slice::<serde_json::Value>(&text)
            .ok()
            .and_then(|json| {
                let first = json.get("errors")?.get(0)?;
                let message = first.get("message").or_else(|| first.get("code"))?;
                Some(message.as_str()?.to_owned())
            })
            .or_else(|| {
                String::from_utf8(text)
                    .ok()
                    .filter(|text| !text.contains('<'))
            })
            .unwrap_or_default();
        HttpError::Status {
            url,
            status,
            detail: shown(&detail),
        }
    }
}

impl Read for Response {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let next =
                async { tokio::time::timeout(self.stall_timeout, self.response.chunk()).await };
            match self.runtime.block_on(next) {
                Ok(Ok(Some(piece))) => self.piece = piece,
                Ok(Ok(None)) => return Ok(0),
                Ok(Err(error)) => return Err(io::Error::other(causes(error))),
                Err(_) => {
                    let seconds = self.stall_timeout.as_secs();
                    return Err(io::Error::other(format!(
                        "nothing came for {seconds} seconds"
                    )));
                }
            }
        }
        let count = buf.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buf[..count]);
        Ok(count)
    }
}
