//! HEALTHCHECK, and the durations its flags take.

use super::flags::{Flags, Takes};
use crate::ParseErrorKind;
use crate::syntax::{Node, Word};
use crate::text;

/// HEALTHCHECK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healthcheck {
    /// What is run.
    pub test: HealthcheckTest,
    /// `--interval` in nanoseconds; 0 means the default.
    pub interval_ns: i64,
    /// `--timeout` in nanoseconds.
    pub timeout_ns: i64,
    /// `--start-period` in nanoseconds.
    pub start_period_ns: i64,
    /// `--start-interval` in nanoseconds.
    pub start_interval_ns: i64,
    /// `--retries`; 0 means the default.
    pub retries: u32,
}

/// What a health check runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthcheckTest {
    /// Nothing; the base's check is switched off.
    None,
    /// A program and its arguments.
    Exec(Vec<Word>),
    /// Text for the shell.
    Shell(Word),
}

pub(super) fn read(node: &Node) -> Result<Healthcheck, ParseErrorKind> {
    let Some((kind, command)) = node.arguments.split_first() else {
        return Err(ParseErrorKind::AtLeastOneArgument("HEALTHCHECK"));
    };
    let mut check = Healthcheck {
        test: HealthcheckTest::None,
        interval_ns: 0,
        timeout_ns: 0,
        start_period_ns: 0,
        start_interval_ns: 0,
        retries: 0,
    };
    let kind = text::upper(&kind.value);
    if kind == b"NONE" {
        return if command.is_empty() {
            Ok(check)
        } else {
            Err(ParseErrorKind::HealthcheckNone)
        };
    }
    const KNOWN: [(&str, Takes); 5] = [
        ("interval", Takes::Value),
        ("timeout", Takes::Value),
        ("start-period", Takes::Value),
        ("start-interval", Takes::Value),
        ("retries", Takes::Value),
    ];
    let flags = Flags::read(node, &KNOWN)?;
    if kind != b"CMD" {
        return Err(ParseErrorKind::HealthcheckType(crate::syntax::go_quote(
            &kind,
        )));
    }
    check.test = match command {
        [] => return Err(ParseErrorKind::HealthcheckMissingCommand),
        [text] if !node.form.is_json() => HealthcheckTest::Shell(text.clone()),
        words => HealthcheckTest::Exec(words.to_vec()),
    };
    let interval = |name: &str| {
        flags
            .value(name)
            .map_or(Ok(0), |word| interval(name, &word.value))
    };
    check.interval_ns = interval("interval")?;
    check.timeout_ns = interval("timeout")?;
    check.start_period_ns = interval("start-period")?;
    check.start_interval_ns = interval("start-interval")?;
    check.retries = flags
        .value("retries")
        .map_or(Ok(0), |word| retries(&word.value))?;
    Ok(check)
}

fn interval(name: &str, value: &[u8]) -> Result<i64, ParseErrorKind> {
    if value.is_empty() {
        return Ok(0);
    }
    let duration = duration(value)?;
    if duration != 0 && duration < 1_000_000 {
        return Err(ParseErrorKind::IntervalTooShort(format!("{name:?}")));
    }
    Ok(duration)
}

fn retries(value: &[u8]) -> Result<u32, ParseErrorKind> {
    if value.is_empty() {
        return Ok(0);
    }
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse::<i32>().ok());
    let number = number.ok_or_else(|| ParseErrorKind::Retries(text::lossy(value)))?;
    u32::try_from(number).map_err(|_| ParseErrorKind::NegativeRetries(number.into()))
}

/// Go's `time.ParseDuration`: a signed sequence of decimal numbers with units, in nanoseconds.
fn duration(value: &[u8]) -> Result<i64, ParseErrorKind> {
    let invalid = || {
        ParseErrorKind::Duration(format!(
            "invalid duration {}",
            crate::syntax::go_quote(value)
        ))
    };
    let (negative, mut rest) = match value {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    const LIMIT: u64 = 1 << 63;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut whole = 0_u64;
        for digit in &rest[..digits] {
            whole = whole
                .checked_mul(10)
                .and_then(|whole| whole.checked_add(u64::from(digit - b'0')))
                .filter(|whole| *whole <= LIMIT)
                .ok_or_else(invalid)?;
        }
        rest = &rest[digits..];
        let (mut fraction, mut scale, mut fraction_digits) = (0_u64, 1_f64, 0);
        if let Some(after) = rest.strip_prefix(b".") {
            fraction_digits = after
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let mut overflow = false;
            for digit in &after[..fraction_digits] {
                let next = fraction
                    .checked_mul(10)
                    .and_then(|next| next.checked_add(u64::from(digit - b'0')));
                match next
                    .filter(|next| *next <= LIMIT && !overflow && fraction <= (LIMIT - 1) / 10)
                {
                    Some(next) => {
                        fraction = next;
                        scale *= 10.0;
                    }
                    None => overflow = true,
                }
            }
            rest = &after[fraction_digits..];
        }
        if digits == 0 && fraction_digits == 0 {
            return Err(invalid());
        }
        let unit_length = rest
            .iter()
            .take_while(|byte| **byte != b'.' && !byte.is_ascii_digit())
            .count();
        let unit: u64 = match &rest[..unit_length] {
            b"ns" => 1,
            b"us" | b"\xC2\xB5s" | b"\xCE\xBCs" => 1_000,
            b"ms" => 1_000_000,
            b"s" => 1_000_000_000,
            b"m" => 60_000_000_000,
            b"h" => 3_600_000_000_000,
            b"" => {
                return Err(ParseErrorKind::Duration(format!(
                    "missing unit in duration {}",
                    crate::syntax::go_quote(value)
                )));
            }
            other => {
                let (unit, value) = (
                    crate::syntax::go_quote(other),
                    crate::syntax::go_quote(value),
                );
                return Err(ParseErrorKind::Duration(format!(
                    "unknown unit {unit} in duration {value}"
                )));
            }
        };
        rest = &rest[unit_length..];
        let mut part = whole
            .checked_mul(unit)
            .filter(|part| *part <= LIMIT)
            .ok_or_else(invalid)?;
        if fraction > 0 {
            // The fraction is under one unit, an hour at most, so this neither overflows nor loses its sign.
            part = part
                .checked_add((fraction as f64 * (unit as f64 / scale)) as u64)
                .filter(|part| *part <= LIMIT)
                .ok_or_else(invalid)?;
        }
        total = total
            .checked_add(part)
            .filter(|total| *total <= LIMIT)
            .ok_or_else(invalid)?;
    }
    if negative {
        return Ok(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(duration(text.as_bytes()).ok(), expected, "{text}")
        };
        check("1m30s", Some(90_000_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check("-0", Some(0));
        check(".5s", Some(500_000_000));
        check("100\u{B5}s", Some(100_000));
        for bad in [
            "",
            "1",
            "s",
            "1x",
            "-",
            ".s",
            "9223372036854775808ns",
            "3000000h",
        ] {
            check(bad, None);
        }
    }
}
