//! EXPOSE: `80`, `80/udp`, `8000-8002/tcp`, and docker's `HOST:CONTAINER`, of
//! which the container's part counts.

use std::collections::BTreeSet;

/// A port that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no port: PORT, FIRST-LAST, each with /tcp, /udp or /sctp")]
pub struct PortError(String);

/// The ports that words mean, each with its protocol.
pub(crate) fn ports<'a>(
    words: impl IntoIterator<Item = &'a [u8]>,
) -> Result<BTreeSet<String>, PortError> {
    let mut found = BTreeSet::new();
    for word in words {
        let text = String::from_utf8_lossy(word);
        let (range, protocol) = read(&text).ok_or_else(|| PortError(text.clone().into_owned()))?;
        found.extend(range.map(|port| format!("{port}/{protocol}")));
    }
    Ok(found)
}

fn read(text: &str) -> Option<(std::ops::RangeInclusive<u16>, String)> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase() {
        empty if empty.is_empty() => "tcp".to_owned(),
        known if matches!(known.as_str(), "tcp" | "udp" | "sctp") => known,
        _ => return None,
    };
    let container = ports.rsplit(':').next().unwrap_or(ports);
    let (first, last) = container.split_once('-').unwrap_or((container, container));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first..=last, protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (text, expected) in [
            ("80", Some("80/tcp")),
            ("53/UDP", Some("53/udp")),
            ("8000-8002/tcp", Some("8000/tcp 8001/tcp 8002/tcp")),
            ("127.0.0.1:80:8080", Some("8080/tcp")),
            ("70000", None),
            ("9-8", None),
            ("80/icmp", None),
            ("", None),
        ] {
            let found = ports([text.as_bytes()]).ok();
            let found = found.map(|set| set.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
