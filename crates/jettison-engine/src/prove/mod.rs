//! Starts an image and asks it what it was asked to answer.

mod http;
mod judge;
#[cfg(test)]
mod judge_tests;
mod running;
mod symptoms;
mod verdict;

pub use running::RunError;
pub use symptoms::Symptom;
