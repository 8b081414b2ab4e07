//! What a program writes, kept within bounds: the first and the last bytes.

use std::collections::VecDeque;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A stream's content, without its middle when it was too long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// From the start; everything when nothing was dropped.
    pub head: Vec<u8>,
    /// The end, after what was dropped.
    pub tail: Vec<u8>,
    /// How much lies between the two.
    pub dropped_bytes: u64,
}

impl Output {
    /// Head and tail, with a line between that says what is missing.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut all = self.head.clone();
        if self.dropped_bytes > 0 {
            all.extend_from_slice(
                format!("\n[{} bytes left out]\n", self.dropped_bytes).as_bytes(),
            );
        }
        all.extend_from_slice(&self.tail);
        all
    }

    /// As text; what is not UTF-8 is replaced.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.to_bytes()).into_owned()
    }

    /// The number of bytes that were written.
    pub fn written_bytes(&self) -> u64 {
        (self.head.len() as u64 + self.tail.len() as u64).saturating_add(self.dropped_bytes)
    }
}

#[derive(Debug, Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped_bytes: u64,
    closed: bool,
}

/// Reads a stream to its end in a thread of its own, so that the program is
/// never held up by a full pipe.
#[derive(Debug, Clone)]
pub(crate) struct Capture(Arc<(Mutex<Kept>, Condvar)>);

impl Capture {
    pub(crate) fn start(from: OwnedFd, most_bytes: usize) -> Self {
        let capture = Self(Arc::default());
        let shared = Arc::clone(&capture.0);
        let half = most_bytes.div_ceil(2);
        std::thread::spawn(move || {
            let mut from = std::fs::File::from(from);
            let mut buffer = vec![0; 32 << 10];
            loop {
                let count = match from.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                };
                let mut kept = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                kept.take(&buffer[..count], half);
                shared.1.notify_all();
            }
            shared
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .closed = true;
            shared.1.notify_all();
        });
        capture
    }

    /// What there is by now.
    pub(crate) fn so_far(&self) -> Output {
        let kept = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        Output {
            head: kept.head.clone(),
            tail: kept.tail.iter().copied().collect(),
            dropped_bytes: kept.dropped_bytes,
        }
    }

    /// Waits for the end of the stream, but not for long: whoever inherited
    /// it may outlive the program where nothing contains it.
    pub(crate) fn to_end(&self, patience: Duration) -> Output {
        let until = Instant::now() + patience;
        let mut kept = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !kept.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.1.wait_timeout(kept, left);
            kept = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(kept);
        self.so_far()
    }
}

impl Kept {
    fn take(&mut self, bytes: &[u8], half: usize) {
        let room = half.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        let rest_kept = &rest[rest.len().saturating_sub(half)..];
        self.dropped_bytes += (rest.len() - rest_kept.len()) as u64;
        self.tail.extend(rest_kept);
        let over = self.tail.len().saturating_sub(half);
        self.tail.drain(..over);
        self.dropped_bytes += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_and_end_are_kept_and_the_middle_is_counted() {
        let text: Vec<u8> = (0..1000_u32).map(|n| (n % 251) as u8).collect();
        for piece in [1, 7, 64, 1000] {
            let mut kept = Kept::default();
            for bytes in text.chunks(piece) {
                kept.take(bytes, 50);
            }
            assert_eq!(kept.head, text[..50]);
            assert_eq!(Vec::from(kept.tail), text[950..]);
            assert_eq!(kept.dropped_bytes, 900);
        }
    }
}
