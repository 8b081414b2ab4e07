//! Ruby gems: `specifications/NAME-VERSION[-PLATFORM].gemspec` beside
//! `gems/NAME-VERSION[-PLATFORM]`. A gemspec is a Ruby program, so only its
//! name is read.

use jettison_image::ImagePath;

use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, package};

pub(super) fn is_record(path: &[u8]) -> bool {
    let Some(stem) = path.strip_suffix(b".gemspec") else {
        return false;
    };
    let mut parts = stem.rsplit(|&byte| byte == b'/');
    parts.next();
    match parts.next() {
        Some(b"specifications") => true,
        Some(b"default") => parts.next() == Some(b"specifications"),
        _ => false,
    }
}

pub(super) fn scan(scan: &mut Scan<'_>, records: &[ImagePath]) {
    for record in records {
        let file_name = String::from_utf8_lossy(record.file_name()).into_owned();
        let stem = file_name.trim_end_matches(".gemspec");
        let Some((name, version, platform)) = split(stem) else {
            scan.note(record, "its name has no version");
            continue;
        };
        let mut package = package(PackageKind::Gem, name, version, record);
        package.architecture = platform.map(str::to_owned);
        let home = record
            .parent()
            .and_then(|dir| {
                if dir.file_name() == b"default" {
                    dir.parent()
                } else {
                    Some(dir)
                }
            })
            .and_then(|specifications| specifications.parent())
            .and_then(|home| home.join("gems").ok()?.join(stem).ok());
        let claim = match home {
            Some(home) => Claim::Below(home),
            None => Claim::Paths(vec![record.clone()]),
        };
        scan.push(Draft { package, claim });
    }
}

/// The version begins at the first `-` that a digit follows.
fn split(stem: &str) -> Option<(&str, &str, Option<&str>)> {
    let at = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    let (name, rest) = (&stem[..at], &stem[at + 1..]);
    match rest.split_once('-') {
        Some((version, platform)) => Some((name, version, Some(platform))),
        None => Some((name, rest, None)),
    }
    .filter(|(name, ..)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions() {
        assert_eq!(split("net-http-0.3.2"), Some(("net-http", "0.3.2", None)));
        assert_eq!(
            split("nokogiri-1.16.0-x86_64-linux"),
            Some(("nokogiri", "1.16.0", Some("x86_64-linux")))
        );
        assert_eq!(split("rake"), None);
        assert_eq!(split("-1"), None);
        assert!(is_record(b"var/lib/gems/3.1.0/specifications/a-1.gemspec"));
        assert!(is_record(b"x/specifications/default/a-1.gemspec"));
        assert!(!is_record(b"x/gems/a-1/a.gemspec"));
    }
}
