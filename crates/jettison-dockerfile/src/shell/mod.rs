//! What RUN, CMD, ENTRYPOINT and HEALTHCHECK hand to a shell, parsed as shell: POSIX and the bash that Dockerfiles
//! use, every part with its bytes, continuations and comment lines of the Dockerfile between them included.
//!
//! Parsing never fails: what cannot be read is reported and stepped over. Nothing is expanded or run, aliases do not
//! exist, and the contents of backquotes are read without taking their inner backslashes away. Text for PowerShell
//! or `cmd` is no shell; [`is_posix`] tells.

mod ast;
mod command;
mod script;
mod simple;
mod walk;
mod word;

pub use ast::{
    AndOr, Arm, Assignment, Command, CommandKind, Connector, HeredocBody, List, Part, Pipeline,
    Redirection, ShellError, ShellErrorKind, ShellWord, Span,
};
pub use script::{ShellScript, is_posix, parse};
