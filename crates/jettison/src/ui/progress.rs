//! Progress on a terminal: nothing for the first half second, then one line a
//! running item with bytes and rate. Without a terminal nothing is drawn, and
//! the end of a large item is said in one line.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use jettison_engine::progress::{Progress, ProgressItem};

use super::escape;

const SPINNER: &str = "{spinner} {prefix} {elapsed} {wide_msg}";
const BYTES: &str =
    "{spinner} {prefix} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
/// Nothing is drawn before the first tick: short work leaves no trace.
const TICK: Duration = Duration::from_millis(500);

/// What of the work is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Nothing.
    Nothing,
    /// What is worth a line, with what programs write meanwhile or without.
    Lines {
        /// With it.
        with_output: bool,
    },
    /// Everything, on a terminal.
    Drawn,
}

/// Draws what long work reports.
pub struct TerminalProgress {
    shows: Shows,
    bars: Option<MultiProgress>,
    /// The number of the next item that says something.
    next: Arc<AtomicUsize>,
}

impl TerminalProgress {
    /// Draws on standard error, or writes lines there.
    pub fn new(shows: Shows) -> Self {
        let draw = || MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        Self {
            shows,
            bars: (shows == Shows::Drawn).then(draw),
            next: Arc::new(AtomicUsize::new(1)),
        }
    }

    /// Prints a finished line above whatever is being drawn. A standard error
    /// that went away is no reason to stop.
    pub fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.println(text)),
            None => drop(writeln!(io::stderr().lock(), "{text}")),
        }
    }

    /// Wipes what is being drawn, before something else is printed.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            drop(bars.clear());
        }
    }
}

impl Progress for TerminalProgress {
    fn begin(&self, what: &str, total_bytes: Option<u64>) -> Box<dyn ProgressItem> {
        if self.shows == (Shows::Lines { with_output: true }) {
            return Box::new(Lines {
                what: escape::line(what).into_owned(),
                number: OnceLock::new(),
                next: Arc::clone(&self.next),
            });
        }
        let Some(bars) = &self.bars else {
            return Box::new(Item(ProgressBar::hidden()));
        };
        let (bar, template) = match total_bytes {
            Some(total) => (ProgressBar::new(total), BYTES),
            None => (ProgressBar::new_spinner(), SPINNER),
        };
        let style = ProgressStyle::with_template(template);
        let bar = bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        bar.set_prefix(escape::line(what).into_owned());
        bar.enable_steady_tick(TICK);
        Box::new(Item(bar))
    }

    fn note(&self, text: &str) {
        if self.shows != Shows::Nothing {
            self.line(&escape::lines(text));
        }
    }
}

/// An item whose every word is a line, under a number that its first one tells.
struct Lines {
    what: String,
    number: OnceLock<usize>,
    next: Arc<AtomicUsize>,
}

impl ProgressItem for Lines {
    fn advance(&self, _bytes: u64) {}

    fn say(&self, text: &str) {
        let number = self.number.get_or_init(|| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            drop(writeln!(io::stderr().lock(), "#{number} {}", self.what));
            number
        });
        let text = escape::line(text);
        drop(writeln!(io::stderr().lock(), "#{number} {text}"));
    }
}

struct Item(ProgressBar);

impl ProgressItem for Item {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn say(&self, text: &str) {
        self.0.set_message(escape::line(text).into_owned());
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
