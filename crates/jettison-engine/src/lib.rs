//! One function per deed: build, run, verify, inspect, copy; store, transports.

pub mod bake;
pub mod base;
pub mod build;
pub mod buildkit;
pub mod compare;
mod context;
pub mod copy;
pub mod dockerfile;
pub mod doctor;
pub mod exam;
pub mod export;
mod files;
pub mod http;
pub mod inspect;
mod one_line;
pub mod progress;
pub mod prove;
pub mod run;
mod scratch;
mod signal;
pub mod slim;
pub mod spool;
pub mod store;
mod store_source;
pub mod surroundings;
pub mod transport;

pub use context::Context;
pub use files::write_file;
pub use one_line::one_line;
