//! One renderer a command: values in, text or documents out.

pub mod approaches;
pub mod build;
pub mod compare;
pub mod dockerfile;
pub mod inspect;
pub mod plan;
pub mod slim;
pub mod trace;
pub mod verify;
pub mod why;
mod words;
