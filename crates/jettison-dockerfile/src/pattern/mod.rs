//! Matching in time that grows with pattern times text, never faster than that: a small regular-expression machine
//! that keeps all possibilities at once. Two users: the `${x#pattern}` family and `.dockerignore`, whose reference
//! hands patterns to Go's `regexp` with some characters unescaped, so that its syntax is part of the format.
//! Refuses patterns that expand to more than [`MAX_STATES`] states.

mod classes;
mod machine;
mod syntax;

pub(crate) use machine::{Machine, State};
pub(crate) use syntax::compile;

/// Bound on the size of a compiled pattern; repetition counts multiply.
pub(crate) const MAX_STATES: usize = 20_000;

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadPattern;
