//! The signal that stops an image: a number, or a name with or without `SIG` (moby/sys/signal).

/// A signal that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid signal: {0}")]
pub struct SignalError(String);

const NAMES: [&str; 34] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// Refuses what is no signal of Linux.
pub(crate) fn check_signal(text: &str) -> Result<(), SignalError> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |prefix: &str, sign: char, most: u8| {
        let rest = name.strip_prefix(prefix)?;
        let number: u8 = match rest.strip_prefix(sign) {
            Some(number) => number.parse().ok()?,
            None if rest.is_empty() => 0,
            None => return None,
        };
        (number <= most).then_some(())
    };
    let known = text.parse::<u8>().is_ok_and(|number| number > 0)
        || NAMES.contains(&name)
        || real_time("RTMIN", '+', 15).is_some()
        || real_time("RTMAX", '-', 14).is_some();
    match known {
        true => Ok(()),
        false => Err(SignalError(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, good) in [
            ("SIGTERM", true),
            ("term", true),
            ("9", true),
            ("RTMIN+3", true),
            ("SIGRTMAX", true),
            ("RTMIN+99", false),
            ("0", false),
            ("SIGNOT", false),
            ("", false),
        ] {
            assert_eq!(check_signal(text).is_ok(), good, "{text}");
        }
    }
}
