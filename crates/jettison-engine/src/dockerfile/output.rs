//! What a RUN writes: shown line by line while it runs, its end kept for the
//! message when it fails.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use jettison_image::escape;
use jettison_sandbox::Stdio;

use crate::progress::Progress;

/// Lines that are kept of a command that fails.
const LINES: usize = 40;
/// Bytes of one line that are shown.
const LINE_BYTES: usize = 2000;

/// The output of one command, both streams in the order in which they come.
pub(crate) struct Log {
    reader: JoinHandle<VecDeque<String>>,
}

impl Log {
    /// The streams to start a command with, and where they are read.
    pub(crate) fn open(step: &str, progress: &Arc<dyn Progress>) -> io::Result<(Self, [Stdio; 2])> {
        let (reader, writer) = io::pipe()?;
        let other = writer.try_clone()?;
        let (progress, step) = (Arc::clone(progress), step.to_owned());
        let log = Self {
            reader: std::thread::spawn(move || read(reader, &step, &*progress)),
        };
        let stream = |writer| Stdio::Fd(Arc::new(OwnedFd::from(writer)));
        Ok((log, [stream(writer), stream(other)]))
    }

    /// The last lines; every process that could write has ended.
    pub(crate) fn close(self) -> String {
        let lines = self.reader.join().unwrap_or_default();
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }
}

fn read(pipe: PipeReader, step: &str, progress: &dyn Progress) -> VecDeque<String> {
    let item = progress.begin(step, None);
    let mut lines = VecDeque::new();
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(more) = next_line(&mut pipe, &mut line)
        && more
    {
        let shown = escape(&String::from_utf8_lossy(&line));
        item.say(&shown);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(shown);
    }
    lines
}

/// A line without its end; of a long one its beginning.
fn next_line(pipe: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut is_any = false;
    loop {
        let bytes = match pipe.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok(is_any);
        }
        is_any = true;
        let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let part = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_BYTES - line.len())]);
        let used = part.len() + usize::from(end.is_some());
        pipe.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let long = "x".repeat(5000);
        let text = format!("a\n{long}\nb");
        let mut pipe = BufReader::with_capacity(7, text.as_bytes());
        let mut line = Vec::new();
        let mut lengths = Vec::new();
        while next_line(&mut pipe, &mut line).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, LINE_BYTES, 1]);
    }
}
