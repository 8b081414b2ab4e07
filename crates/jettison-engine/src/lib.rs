//! One function per deed: build, run, verify, inspect, copy; store, transports.

mod files;
pub mod store;
