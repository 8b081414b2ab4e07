//! One renderer a command: values in, text or documents out.

pub mod build;
