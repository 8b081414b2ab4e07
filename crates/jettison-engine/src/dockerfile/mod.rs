//! `build` on a Dockerfile: executes it without a daemon, as BuildKit would.
//!
//! A stage is a row of layers, each a plain archive in the store. COPY and ADD
//! write one out of trees and contents and need no root and no privilege; RUN
//! works in the sandbox above the same layers, unpacked, and what it wrote
//! becomes the next. A step is known by what it reads.

pub mod add;
mod content;
pub mod context;
pub mod copy;

pub use content::FileSystem;
