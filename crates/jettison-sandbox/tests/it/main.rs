//! The sandbox with real programs. Every test that needs a privilege or a
//! program that is missing says so aloud and passes.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod basics;
mod images;
mod latency;
mod life;
mod network;
mod own_program;
mod profiles;
mod roots;
mod snapshots;
mod support;
mod tiers;
mod trace;
