//! The exit codes of every command, in one place.

use std::process::ExitCode;

use jettison_plan::Verdict;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything is fine; an image that was judged is whole.
    Fine,
    /// 1: findings, a policy that is not met, answers that differ.
    Findings,
    /// 2: could not run: usage, input, environment.
    CouldNotRun,
    /// 3: no verdict either way; nothing here contains a stranger's image.
    CouldNotTell,
    /// `run` alone: the code of the program that was run, or 125 when the
    /// program could not be started for a reason of our own, 126 when it
    /// cannot be executed, 127 when it is not there, as docker does.
    Program(u8),
}

impl Exit {
    /// The paragraph that every command's long help ends with.
    pub const HELP: &'static str = "\
Exit codes:
  0  fine; an image that was judged is whole
  1  findings, a policy that is not met, answers that differ
  2  could not run: usage, input, environment
  3  could not tell: no verdict either way; no sandbox for images of others
`run` gives the program's own code, and 125 for failures of its own";

    fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Findings => 1,
            Self::CouldNotRun => 2,
            Self::CouldNotTell => 3,
            Self::Program(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Whole => Self::Fine,
            Verdict::Differs => Self::Findings,
            Verdict::CouldNotTell => Self::CouldNotTell,
        }
    }
}
