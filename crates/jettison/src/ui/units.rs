//! Numbers with their units, as docker prints them: decimal prefixes, three
//! significant digits or so.

/// `532 B`, `1.4 kB`, `12.3 MB`, `1.87 GB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else {
        usize::from(value < 99.95)
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `38.5 %` of a whole; nothing of nothing is 0.
pub fn share(part: u64, whole: u64) -> String {
    let percent = if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64 * 100.0
    };
    let digits = if percent > 0.0 && percent < 0.1 { 2 } else { 1 };
    format!("{percent:.digits$} %")
}

/// `340 ms`, `12.3 s`, `2 min 5 s`.
pub fn milliseconds(count: u64) -> String {
    match count {
        0..1000 => format!("{count} ms"),
        1000..60_000 => format!("{:.1} s", count as f64 / 1000.0),
        _ => format!("{} min {} s", count / 60_000, count % 60_000 / 1000),
    }
}

/// `1 file`, `2,345 files`.
pub fn count(number: u64, singular: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", grouped(number))
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{bytes, grouped, milliseconds, share};

    #[test]
    fn numbers() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.00 kB");
        assert_eq!(bytes(999_499), "999 kB");
        assert_eq!(bytes(999_500), "1.00 MB");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(bytes(1_870_000_000), "1.87 GB");
        assert_eq!(share(1, 3), "33.3 %");
        assert_eq!(share(1, 10_000), "0.01 %");
        assert_eq!(share(0, 0), "0.0 %");
        assert_eq!(milliseconds(125_400), "2 min 5 s");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
