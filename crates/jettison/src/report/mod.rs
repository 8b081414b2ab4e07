//! One renderer a command: values in, text or documents out.

pub mod build;
pub mod inspect;
pub mod verify;
mod words;
