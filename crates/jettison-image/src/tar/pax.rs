//! PAX extended header records (POSIX pax, "pax Extended Header"): reading,
//! writing, times. Records are as liberal as Go's reader is: text need not be
//! UTF-8, values may hold any byte where the key is not a name's.

use std::collections::BTreeMap;

use crate::Timestamp;

/// Records in front of one entry. Honest entries have a dozen, plus one per
/// extended attribute; a million tiny ones would cost memory out of
/// proportion to their bytes.
pub(super) const RECORDS_LIMIT: usize = 4096;

/// Key and value.
pub(super) type Record<'a> = (&'a [u8], &'a [u8]);

/// The records of one extended header. The list keeps order and repetitions,
/// which sparse format 0.0 needs.
pub(super) fn parse(mut data: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let mut records = Vec::new();
    while !data.is_empty() {
        let (key, value, rest) = record(data).ok_or("extended header has a malformed record")?;
        if matches!(key, b"path" | b"linkpath" | b"uname" | b"gname") && value.contains(&0) {
            return Err(format!(
                "extended header has a NUL byte in its {}",
                super::quoted(key)
            ));
        }
        records.push((key, value));
        data = rest;
    }
    Ok(records)
}

/// `LENGTH KEY=VALUE\n`, the length counting itself.
fn record(data: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = data.iter().take(20).position(|&b| b == b' ')?;
    let length = usize::try_from(decimal(&data[..space])?).ok()?;
    if length < 5 || length > data.len() || length < space + 2 {
        return None;
    }
    let (key_value, newline) = data[space + 1..length].split_at(length - space - 2);
    let equals = key_value.iter().position(|&b| b == b'=')?;
    let (key, value) = (&key_value[..equals], &key_value[equals + 1..]);
    let fine = newline == b"\n" && !key.is_empty() && !key.contains(&0);
    fine.then_some((key, value, &data[length..]))
}

/// Writes records in the order of their keys.
pub(super) fn format(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + digits(rest);
        if digits(length) != digits(rest) {
            length = rest + digits(length);
        }
        out.extend_from_slice(format!("{length} ").as_bytes());
        out.extend_from_slice(key);
        out.push(b'=');
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A signed decimal number, nothing around it.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds with an optional fraction; more than nine digits are cut off.
pub(super) fn time(text: &[u8]) -> Option<Timestamp> {
    let mut parts = text.splitn(2, |&b| b == b'.');
    let whole = parts.next()?;
    let seconds = decimal(whole)?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanoseconds = 0;
    for at in 0..9 {
        nanoseconds = nanoseconds * 10 + u32::from(fraction.get(at).map_or(0, |b| b - b'0'));
    }
    if whole.starts_with(b"-") && nanoseconds > 0 {
        // -1.25 is a quarter before the second before the epoch.
        return Some(Timestamp {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(Timestamp {
        seconds,
        nanoseconds,
    })
}

/// The reverse of [`time`], as short as it can be.
pub(super) fn format_time(time: Timestamp) -> String {
    if time.nanoseconds == 0 {
        return time.seconds.to_string();
    }
    let (sign, seconds, nanoseconds) = if time.seconds < 0 {
        (
            "-",
            (time.seconds + 1).unsigned_abs(),
            1_000_000_000 - time.nanoseconds,
        )
    } else {
        ("", time.seconds.unsigned_abs(), time.nanoseconds)
    };
    format!("{sign}{seconds}.{nanoseconds:09}")
        .trim_end_matches('0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        fn check(data: &[u8], expected: Option<&[(&[u8], &[u8])]>) {
            assert_eq!(parse(data).ok().as_deref(), expected, "{data:?}");
        }
        check(b"", Some(&[]));
        check(b"6 a=b\n", Some(&[(b"a", b"b")]));
        check(b"5 a=\n", Some(&[(b"a", b"")]));
        check(b"06 a=b\n", None);
        check(b"7 a=b=\n6 c=d\n", Some(&[(b"a", b"b="), (b"c", b"d")]));
        check(b"6 a=\0\n", Some(&[(b"a", b"\0")]));
        check(b"9 path=\0\n", None);
        check(b"6 a=bc", None);
        check(b"7 a=b\n", None);
        check(b"4 =\n", None);
        check(b"6 \0=b\n", None);
        check(b"-6 a=b\n", None);
        check(b"99999999999999999999 a=b\n", None);
        check(b"3 \n", None);
    }

    #[test]
    fn record_lengths_count_themselves() {
        for length in [1, 4, 5, 6, 90, 93, 94, 95, 96, 989, 990, 991, 992, 993] {
            let records = BTreeMap::from([(b"k".to_vec(), vec![b'v'; length])]);
            let data = format(&records);
            let parsed = parse(&data).expect("what is written can be read");
            assert_eq!(parsed, [(&b"k"[..], &vec![b'v'; length][..])]);
        }
    }

    #[test]
    fn times() {
        fn check(text: &str, seconds: i64, nanoseconds: u32, written: &str) {
            let time = time(text.as_bytes()).expect(text);
            assert_eq!(
                time,
                Timestamp {
                    seconds,
                    nanoseconds
                },
                "{text}"
            );
            assert_eq!(format_time(time), written);
        }
        check("0", 0, 0, "0");
        check("1.5", 1, 500_000_000, "1.5");
        check("1.", 1, 0, "1");
        check("1.0000000019", 1, 1, "1.000000001");
        check("-1.25", -2, 750_000_000, "-1.25");
        check("-0.5", -1, 500_000_000, "-0.5");
        check("-3", -3, 0, "-3");
        for text in ["", ".5", "1.x", "1.-5", "x", "9223372036854775808"] {
            assert_eq!(super::time(text.as_bytes()), None, "{text}");
        }
    }
}
