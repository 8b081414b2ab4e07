//! Packages as data: apt sources, signed Debian indexes, `.deb` files, the
//! base composed from them and its lock, and the packages that an image holds.
//!
//! This crate opens no host file, reads no clock and touches no network. Texts
//! and the time are handed in, bytes come through [`Fetch`], and nothing that
//! comes through it is believed before its signature or hash was checked.

mod deb822;
mod error;
mod fetch;
mod limits;
mod lock;
mod time;

#[cfg(test)]
mod testing;

pub mod apt;
pub mod archive;
pub mod base;
pub mod deb;
pub mod droppable;
pub mod index;
pub mod installed;
pub mod release;
pub mod rewrite;
pub mod solve;
pub mod system;

pub use error::Error;
pub use fetch::{Fetch, FetchError, Location, Request};
pub use limits::PackageLimits;
pub use lock::{Lock, LockedBase, LockedPackage};
