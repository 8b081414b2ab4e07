//! The words of a judgement as values: what must keep working ([`Probe`]),
//! what it answered ([`Answer`]), what was concluded ([`Verdict`]), and all of
//! it together with its versioned JSON ([`Evidence`]).
//!
//! Nothing here runs anything.

mod answer;
mod evidence;
mod probe;
mod verdict;
pub mod words;

pub use answer::{Answer, Outcome, Text};
pub use evidence::{Evidence, Isolation, Observation, Subject};
pub use probe::{Action, Expectation, HttpRequest, Origin, Probe, ProbeParseError, Scheme};
pub use verdict::Verdict;
