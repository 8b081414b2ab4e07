//! Debian versions and their order (deb-version(7), Debian policy §5.6.12).

use std::cmp::Ordering;
use std::fmt;

/// A version, `[epoch:]upstream[-revision]`, ordered as dpkg orders it.
/// Equal means equal in order: `1.0` and `1.00` are.
#[derive(Debug, Clone)]
pub struct Version(Box<str>);

impl Version {
    /// Takes any text; what dpkg would refuse is still ordered somehow, since
    /// an odd version in an index must not hide the rest.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without the epoch, as file names carry it.
    pub fn without_epoch(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, rest)| rest)
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (epoch, rest) = self.0.split_once(':').unwrap_or(("0", &self.0));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch, upstream, revision)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::error::escape(&self.0))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.parts(), other.parts());
        compare_numbers(a.0.as_bytes(), b.0.as_bytes())
            .then_with(|| compare_part(a.1.as_bytes(), b.1.as_bytes()))
            .then_with(|| compare_part(a.2.as_bytes(), b.2.as_bytes()))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Runs of non-digits and of digits in turn.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = split(a, |byte| !byte.is_ascii_digit());
        let (text_b, rest_b) = split(b, |byte| !byte.is_ascii_digit());
        let (number_a, next_a) = split(rest_a, |byte| byte.is_ascii_digit());
        let (number_b, next_b) = split(rest_b, |byte| byte.is_ascii_digit());
        let order = compare_text(text_a, text_b).then_with(|| compare_numbers(number_a, number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (next_a, next_b);
    }
    Ordering::Equal
}

fn split(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    bytes.split_at(
        bytes
            .iter()
            .position(|&byte| !belongs(byte))
            .unwrap_or(bytes.len()),
    )
}

/// `~` before the end, the end before letters, letters before the rest.
fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |bytes: &[u8], at: usize| match bytes.get(at) {
        None => 0,
        Some(b'~') => -1,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|at| rank(a, at).cmp(&rank(b, at)))
        .find(|order| *order != Ordering::Equal)
        .unwrap_or(Ordering::Equal)
}

/// Digits of any length; no number at all is zero.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |digits: &[u8]| {
        digits
            .iter()
            .position(|&d| d != b'0')
            .unwrap_or(digits.len())
    };
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn dpkg(a: &str, b: &str) -> Option<Ordering> {
        let holds = |operator| {
            let output = Command::new("dpkg")
                .args(["--compare-versions", a, operator, b])
                .output();
            output
                .ok()
                .filter(|o| o.stderr.is_empty())
                .map(|o| o.status.success())
        };
        match (holds("lt")?, holds("eq")?) {
            (true, _) => Some(Ordering::Less),
            (_, true) => Some(Ordering::Equal),
            _ => Some(Ordering::Greater),
        }
    }

    #[test]
    fn orders() {
        #[track_caller]
        fn check(a: &str, b: &str, expected: Ordering) {
            assert_eq!(Version::new(a).cmp(&Version::new(b)), expected);
            assert_eq!(Version::new(b).cmp(&Version::new(a)), expected.reverse());
            match dpkg(a, b) {
                Some(order) => assert_eq!(order, expected, "dpkg on {a} {b}"),
                None => eprintln!("skipped: dpkg does not judge {a} {b}"),
            }
        }
        check("1.0~rc1", "1.0", Ordering::Less);
        check("1.0", "1.0-0", Ordering::Equal);
        check("1.0-1", "1.0-1+b1", Ordering::Less);
        check("1:0.1", "9", Ordering::Greater);
        check("12.4+deb12u5", "12.4+deb12u12", Ordering::Less);
        check("2024a-0+deb12u1", "2024a-0", Ordering::Greater);
        check("1.00", "1.0", Ordering::Equal);
        check("1a", "1+", Ordering::Less);
        check(
            "99999999999999999999999",
            "100000000000000000000000",
            Ordering::Less,
        );
        check("1.2-3-4", "1.2-3-10", Ordering::Less);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

        #[test]
        fn as_dpkg_orders(
            a in "([0-9]:)?[0-9][0-9a-c.+~]{0,4}(-[0-9a-b+~.]{1,3})?",
            b in "([0-9]:)?[0-9][0-9a-c.+~]{0,4}(-[0-9a-b+~.]{1,3})?",
        ) {
            if let Some(expected) = dpkg(&a, &b) {
                prop_assert_eq!(Version::new(a.as_str()).cmp(&Version::new(b.as_str())), expected);
            }
        }

        #[test]
        fn any_text_has_an_order(a in ".{0,12}", b in ".{0,12}") {
            let (a, b) = (Version::new(a), Version::new(b));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        }
    }
}
