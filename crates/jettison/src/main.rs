//! The command line: words in, words out.

fn main() {}
