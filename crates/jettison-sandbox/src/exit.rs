//! How a program ended.

use crate::wire::wire_struct;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 128 plus the signal's number for a killed program.
    pub code: i32,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Who ended it.
    pub reason: ExitReason,
}

/// Who ended a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// It ended by itself, or by a signal that somebody sent.
    Ended,
    /// Its time was over.
    Time,
    /// It used more memory than allowed.
    Memory,
    /// It had more processes than allowed.
    Processes,
}

wire_struct!(Exit {
    code,
    signal,
    reason
});
