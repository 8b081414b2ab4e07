//! The person's own terminal while a program has it: raw, and given back as it
//! was on every way out but SIGKILL.

use std::io;

use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// Whether standard input and standard output are terminals.
pub fn is_terminal() -> (bool, bool) {
    (isatty(stdin()), isatty(stdout()))
}

/// Rows and columns of the terminal on standard output, else of the one on
/// standard input.
pub fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin()));
    let size = size.ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Passes every key on unread, until this is dropped.
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Makes the terminal on standard input raw.
    pub fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // Drained: what the program wrote last is shown as it meant it.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &self.before);
    }
}
