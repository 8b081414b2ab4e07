//! The program as a person meets it: the real binary, with a store of its own
//! and no engine in reach. One module a command; paths, times and digests are
//! masked before they are compared.
#![expect(clippy::unwrap_used, reason = "tests")]

mod compare;
mod hostile;
mod inspect;
mod running;
mod support;
