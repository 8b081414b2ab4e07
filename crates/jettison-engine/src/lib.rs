//! One function per deed: build, run, verify, inspect, copy; store, transports.

mod files;
pub mod progress;
pub mod prove;
pub mod store;
pub mod surroundings;
