//! What interpreted programs lead to: command lines, `#!`, shell scripts and
//! configuration.
//!
//! Nothing is run. A branch that is not taken counts as one that is, and in
//! doubt a thing is needed. Everything is bounded ([`Reader`]): what is beyond
//! the bounds is left out, never waited for.

pub mod any;
pub mod command;
mod data;
mod interpreters;
pub(crate) mod nesting;
pub(crate) mod paths;
pub(crate) mod pattern;
mod reader;
pub(crate) mod shebang;
pub mod shell;
mod supervisors;
mod wrappers;

#[cfg(test)]
pub(crate) mod testing;

pub(crate) use reader::{Reader, Text, UNKNOWN, existing, is_system};
