//! One file per command: its arguments, one function, done.

pub mod approaches;
pub mod attach;
pub mod bake;
pub mod build;
pub mod compare;
pub mod completions;
pub mod copy;
pub mod csv;
pub mod delivery;
pub mod dockerfile;
pub mod doctor;
pub mod inspect;
pub mod output;
pub mod plan;
pub mod reference;
pub mod run;
pub mod shared;
pub mod slim;
pub mod store;
pub mod verify;
pub mod why;
pub mod words;
