//! Dockerfiles as values: bytes in, a lossless syntax tree and a list of errors out. It accepts what BuildKit 0.26
//! accepts and reads the same instructions, stages and heredocs out of it; `tests/oracle` holds it to that.
//!
//! - [`parse`] never fails and never panics; [`Tree::to_bytes`] gives the input back byte for byte.
//! - [`instruction`] is the typed view, [`stage`] the build stages, [`outline`] what a listing of a file shows.
//! - [`graph`] is what a target needs, [`expand`] resolves `$x` in words, [`ignore`] reads `.dockerignore`, [`shell`] parses what RUN, CMD and
//!   HEALTHCHECK hand to a shell, [`edit`] changes bytes of the tree and nothing else.
//!
//! Nothing here opens a path, reads the environment or runs anything.

pub mod edit;
pub mod expand;
pub mod graph;
pub mod ignore;
pub mod instruction;
pub mod outline;
pub mod shell;
pub mod stage;
pub mod syntax;

mod pattern;
mod text;

pub use syntax::{ParseError, ParseErrorKind, Phase, Tree, Word, parse};
