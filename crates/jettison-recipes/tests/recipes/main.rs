//! Projects are recognised, and their recipes carried out with the machine's
//! own toolchains.

#![expect(clippy::print_stdout, reason = "tests say aloud what they skip")]

mod builds;
mod detect;
mod examples;
mod machine;
