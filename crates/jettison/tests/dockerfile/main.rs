//! `jettison build` on Dockerfiles, as root and as an ordinary user: what is
//! in the image, what is left when a build fails, is killed or finds no room,
//! and what builds at the same time do to each other.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::print_stdout,
    reason = "a test that could not run says so aloud"
)]

mod add_url;
mod approaches;
mod at_once;
mod buildkit;
mod cache;
mod caches;
mod composed;
mod contexts;
mod delivered;
mod diagnoses;
mod killed;
mod outputs;
mod room;
mod slimmed;
mod ssh;
mod steps;
mod support;
mod tidy;
