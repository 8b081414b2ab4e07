//! One function per deed: build, run, verify, inspect, copy; store, transports.

pub mod build;
mod context;
mod files;
pub mod progress;
pub mod prove;
pub mod store;
mod store_source;
pub mod surroundings;

pub use context::Context;
