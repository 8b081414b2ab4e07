//! Layers, generated docs, the test set-up, benchmarks.

fn main() {}
