//! Questions to a running program: the first answer is waited for, later ones
//! come at once.

use std::cell::Cell;
use std::time::Duration;

use super::life::Life;
use super::reply::Reply;
use super::schedule::Question;
use crate::prove::RunError;

/// After the first answer a slow start is over; later answers are repeated
/// this long.
const WARM: Duration = Duration::from_millis(400);

/// The questions of one start.
pub(super) struct Questions<'a> {
    life: &'a Life<'a>,
    /// How long the first answer may take.
    patience: Duration,
    state: State,
    /// When it began to answer, where it was asked before it could.
    answered_at: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was asked.
    New,
    /// It was asked, and has not answered.
    Silent,
    /// It answered just now, after questions that it did not answer.
    Late,
    /// It has answered.
    Warm,
}

impl<'a> Questions<'a> {
    pub(super) fn new(life: &'a Life<'a>, patience: Duration) -> Self {
        Self {
            life,
            patience,
            state: State::New,
            answered_at: None,
        }
    }

    /// Asks, again and again until the answer is what the original's was, or
    /// patience is over.
    pub(super) fn ask(&mut self, question: &Question) -> Result<Reply, RunError> {
        let expected = question.expected;
        let patience = match self.state {
            State::New => self.patience,
            _ => WARM,
        };
        let asked = Cell::new(0);
        let action = &question.probe.action;
        let reply = self.life.ask_until(action, expected, patience, |reply| {
            asked.set(asked.get() + 1);
            reply.shape() == expected
        })?;
        let is_first = matches!(self.state, State::New | State::Silent);
        let was_early = self.state == State::Silent || asked.get() > 1;
        if is_first && was_early && reply.shape() == expected && expected.is_an_answer() {
            self.answered_at = Some(self.life.begin.elapsed());
        }
        self.state = match (self.state, reply.shape().is_an_answer()) {
            (State::Silent, true) => State::Late,
            (State::New, false) if !expected.is_an_answer() => State::New,
            (State::New | State::Silent, false) => State::Silent,
            _ => State::Warm,
        };
        Ok(reply)
    }

    /// True when the last answer was the first one, and questions before it
    /// stayed without.
    pub(super) fn has_come_late(&self) -> bool {
        self.state == State::Late
    }

    /// When it began to answer, if it was asked before it could.
    pub(super) fn answered_at(&self) -> Option<Duration> {
        self.answered_at
    }
}
