//! The words of a judgement as values: what must keep working ([`Probe`]),
//! what it answered ([`Answer`]), what it touched ([`Trace`]), why a path is
//! kept ([`Reason`]), what was concluded ([`Verdict`]), and the documents with
//! versioned JSON that hold it all: [`Plan`], [`Evidence`] and [`Comparison`].
//!
//! Nothing here runs anything.

mod answer;
mod comparison;
mod estimate;
mod evidence;
mod file_path;
mod plan;
mod probe;
mod reason;
mod trace;
mod verdict;
pub mod words;

pub use answer::{Answer, Outcome, Text};
pub use comparison::{ComparedProbe, ComparedStart, Comparison, Difference, Noise};
pub use estimate::Estimate;
pub use evidence::{Evidence, Isolation, Observation, Subject};
pub use file_path::{FilePath, FilePathError};
pub use plan::{Bound, Dropped, Generosity, Grain, Kept, Plan, Reach, Rewritten};
pub use probe::{Action, Expectation, HttpRequest, Origin, Probe, ProbeParseError, Scheme};
pub use reason::{Reason, ReasonKind};
pub use trace::{Touch, Trace};
pub use verdict::Verdict;
