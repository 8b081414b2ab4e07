//! Progress on a terminal: nothing for the first half second, then one line a
//! running item with bytes and rate. Without a terminal nothing is drawn, and
//! the end of a large item is said in one line.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::escape;

/// Draws what long work reports.
pub struct TerminalProgress {
    bars: Option<MultiProgress>,
}

impl TerminalProgress {
    /// `draws`: standard error is a terminal and the person wants to see it.
    pub fn new(draws: bool) -> Self {
        let bars =
            draws.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self { bars }
    }

    /// Starts a line without a known length.
    pub fn spinner(&self, what: &str) -> ProgressBar {
        self.add(ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}", what)
    }

    /// Starts a line of a known length in bytes.
    pub fn bytes(&self, what: &str, total_bytes: u64) -> ProgressBar {
        let template = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
        self.add(ProgressBar::new(total_bytes), template, what)
    }

    fn add(&self, bar: ProgressBar, template: &str, what: &str) -> ProgressBar {
        let Some(bars) = &self.bars else { return ProgressBar::hidden() };
        let style = ProgressStyle::with_template(template);
        let bar = bars.add(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        bar.set_message(escape::line(what).into_owned());
        bar.enable_steady_tick(Duration::from_millis(500));
        bar
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
