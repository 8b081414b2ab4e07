//! The table of allowed calls, as ranges of numbers.

use std::sync::LazyLock;

type Ranges = Vec<(u32, u32)>;

static ALLOWED: LazyLock<[Ranges; 3]> =
    LazyLock::new(|| [0, 1, 2].map(|column| ranges(include_str!("allowed.txt"), column)));

/// Reads the table before a fork, whose children then find it read.
pub(crate) fn warm() {
    LazyLock::force(&ALLOWED);
}

/// First and last number of every run of allowed calls, in order.
pub(super) fn allowed(column: usize) -> Ranges {
    ALLOWED.get(column).cloned().unwrap_or_default()
}

fn ranges(text: &str, column: usize) -> Ranges {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut numbers: Vec<u32> = lines
        .filter_map(|line| line.split_whitespace().nth(column + 1)?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let mut ranges: Ranges = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number <= *last + 1 => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}
