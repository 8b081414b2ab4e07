//! The labels that an image gets without being asked: the annotation keys of
//! the OCI image spec (annotations.md), filled from the manifest, the
//! repository and the build's own time stamp.

use std::collections::BTreeMap;

use crate::recipe::PackageFacts;

/// What the repository and the caller know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelFacts {
    /// The image's title: its name without a registry and tag.
    pub title: Option<String>,
    /// The version that is built.
    pub version: Option<String>,
    /// The commit that is built.
    pub revision: Option<String>,
    /// The remote of the repository, as git has it.
    pub remote: Option<String>,
    /// SOURCE_DATE_EPOCH, or the time of the commit: seconds since 1970.
    pub created_seconds: Option<u64>,
}

/// The derived labels. The manifest's version stands in for the repository's,
/// the manifest's repository for a remote.
pub fn labels(package: &PackageFacts, facts: &LabelFacts) -> BTreeMap<String, String> {
    let remote = facts.remote.as_deref().and_then(source_url);
    let values = [
        ("title", facts.title.clone()),
        (
            "version",
            facts.version.clone().or_else(|| package.version.clone()),
        ),
        ("revision", facts.revision.clone()),
        ("source", remote.or_else(|| package.repository.clone())),
        ("description", package.description.clone()),
        ("licenses", package.license.clone()),
        ("created", facts.created_seconds.and_then(rfc3339)),
    ];
    values
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value))
        .collect()
}

/// The address that a person can open, of a git remote. User names and
/// passwords in it go: a label is public. None for paths on the machine.
pub fn source_url(remote: &str) -> Option<String> {
    let remote = remote.trim().trim_end_matches('/');
    let remote = remote.strip_suffix(".git").unwrap_or(remote);
    if let Some((scheme, rest)) = remote.split_once("://") {
        if !matches!(scheme, "https" | "http" | "ssh" | "git" | "git+ssh") {
            return None;
        }
        let (host, path) = rest.split_once('/')?;
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        // The port of ssh is not the one of the web.
        let host = if scheme.starts_with("http") {
            host
        } else {
            host.split(':').next()?
        };
        let scheme = if scheme == "http" { "http" } else { "https" };
        return (!host.is_empty()).then(|| format!("{scheme}://{host}/{path}"));
    }
    // `git@host:owner/name`, as scp writes it.
    let (host, path) = remote.split_once(':')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let is_host = !host.is_empty() && !host.contains('/');
    is_host.then(|| format!("https://{host}/{}", path.trim_start_matches('/')))
}

/// Seconds since 1970 as RFC 3339 in UTC; none past the year 9999.
pub fn rfc3339(seconds: u64) -> Option<String> {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Civil date of a day count (H. Hinnant, "chrono-Compatible Low-Level Date
    // Algorithms"): eras of 400 years that begin on 1 March.
    let shifted = days.checked_add(719_468)?;
    let era_day = shifted % 146_097;
    let era_year = (era_day - era_day / 1_460 + era_day / 36_524 - era_day / 146_096) / 365;
    let year_day = era_day - (365 * era_year + era_year / 4 - era_year / 100);
    let month_index = (5 * year_day + 2) / 153;
    let day = year_day - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = era_year + shifted / 146_097 * 400 + u64::from(month <= 2);
    if year > 9999 {
        return None;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_become_addresses_without_secrets() {
        for (remote, expected) in [
            (
                "git@example.org:owner/name.git",
                Some("https://example.org/owner/name"),
            ),
            (
                "https://user:token@example.org/owner/name.git",
                Some("https://example.org/owner/name"),
            ),
            (
                "ssh://git@example.org:2222/owner/name",
                Some("https://example.org/owner/name"),
            ),
            (
                "http://example.org:3000/a/b/",
                Some("http://example.org:3000/a/b"),
            ),
            ("/srv/git/name.git", None),
            ("file:///srv/git/name", None),
            ("../name", None),
            ("", None),
        ] {
            assert_eq!(source_url(remote).as_deref(), expected, "{remote}");
        }
    }

    /// Held against `date -u -d @N +%FT%TZ`.
    #[test]
    fn times_are_written_as_rfc_3339() {
        for (seconds, expected) in [
            (0, Some("1970-01-01T00:00:00Z")),
            (951_782_399, Some("2000-02-28T23:59:59Z")),
            (951_782_400, Some("2000-02-29T00:00:00Z")),
            (1_709_251_199, Some("2024-02-29T23:59:59Z")),
            (1_767_225_599, Some("2025-12-31T23:59:59Z")),
            (4_107_542_400, Some("2100-03-01T00:00:00Z")),
            (253_402_300_799, Some("9999-12-31T23:59:59Z")),
            (253_402_300_800, None),
            (u64::MAX, None),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), expected, "{seconds}");
        }
    }

    #[test]
    fn labels_come_from_where_there_is_something() {
        let package = PackageFacts {
            version: Some("1.2.3".into()),
            repository: Some("https://example.org/r".into()),
            ..PackageFacts::default()
        };
        let found = labels(
            &package,
            &LabelFacts {
                created_seconds: Some(0),
                ..LabelFacts::default()
            },
        );
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("org.opencontainers.image.created", "1970-01-01T00:00:00Z"),
                ("org.opencontainers.image.source", "https://example.org/r"),
                ("org.opencontainers.image.version", "1.2.3"),
            ]
        );
    }
}
