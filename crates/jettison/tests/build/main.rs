//! `jettison build` on projects as people have them: compiled by the machine's
//! own toolchain, run, judged, and read back by other programs. A binary of
//! its own, since compilers take the memory that the other tests of the
//! command line hold the program to.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::print_stdout,
    reason = "a test that could not run says so aloud"
)]

mod ask;
mod bases;
mod companions;
mod database;
mod deliveries;
mod engines;
mod failures;
mod postgres;
mod support;
mod toolchains;
mod users;
