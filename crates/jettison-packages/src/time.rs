//! The dates of Release files: `Sat, 11 Jul 2026 10:16:37 UTC`
//! (Debian repository format, "Date, Valid-Until"; RFC 2822 with `UTC`,
//! `GMT`, `Z` or `+0000`). Anything else is refused, as apt refuses it.

/// Seconds since 1970 of a Release file's date.
pub(crate) fn parse_release_date(text: &str) -> Option<i64> {
    let rest = match text.split_once(',') {
        Some((weekday, rest)) if weekday.len() == 3 => rest,
        Some(_) => return None,
        None => text,
    };
    let mut words = rest.split_ascii_whitespace();
    let day: i64 = number(words.next()?, 2)?;
    let month = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    .iter()
    .position(|name| Some(*name) == rest.split_ascii_whitespace().nth(1))?;
    words.next();
    let year: i64 = number(words.next()?, 4)?;
    let mut clock = words.next()?.split(':');
    let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let second = number(clock.next()?, 2)?;
    let zone = words.next()?;
    if clock.next().is_some()
        || words.next().is_some()
        || !matches!(zone, "UTC" | "GMT" | "Z" | "+0000")
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    Some(days_since_1970(year, month as i64 + 1, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, most_digits: usize) -> Option<i64> {
    (text.len() <= most_digits && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Days of a Gregorian date, by counting years from 1 March so that the leap
/// day is the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_dates() {
        #[track_caller]
        fn check(text: &str, expected: Option<i64>) {
            assert_eq!(parse_release_date(text), expected, "{text}");
        }
        // From `date -u -d TEXT +%s`.
        check("Sat, 11 Jul 2026 10:16:37 UTC", Some(1_783_764_997));
        check("Thu, 01 Jan 1970 00:00:00 UTC", Some(0));
        check("Tue, 29 Feb 2000 23:59:59 GMT", Some(951_868_799));
        check("Sat, 1 Jul 2023 09:58:38 +0000", Some(1_688_205_518));
        check("Sat, 11 Jul 2026 10:16:37 +0200", None);
        check("Sat, 11 Foo 2026 10:16:37 UTC", None);
        check("11 Jul 2026 25:16:37 UTC", None);
        check("", None);
        check("Sat, 11 Jul 99999999999 10:16:37 UTC", None);
    }
}
