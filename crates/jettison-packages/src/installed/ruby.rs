//! Ruby gems: `specifications/NAME-VERSION[-PLATFORM].gemspec` beside
//! `gems/NAME-VERSION[-PLATFORM]`, with `extensions/PLATFORM/API/NAME-VERSION`
//! for what was compiled, and the documentation and archive that `gem` leaves.
//! A gemspec is a Ruby program: its file's name says what it is, and of its
//! text only the lines that RubyGems writes for dependencies are read.

use std::collections::HashMap;

use jettison_image::ImagePath;

use super::needs::Wants;
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

/// A file that is made beside an extension that was compiled.
const BUILT: &[u8] = b"gem.build_complete";

pub(super) fn is_part(path: &[u8]) -> bool {
    path.strip_suffix(BUILT)
        .is_some_and(|path| path.ends_with(b"/") && extension_home(path).is_some())
}

/// The gem home that holds `extensions/PLATFORM/API/STEM/`.
fn extension_home(directory: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = directory
        .strip_suffix(b"/")?
        .rsplitn(5, |&byte| byte == b'/');
    let stem = parts.next()?;
    let extensions = parts.nth(2)?;
    (extensions == b"extensions").then_some((parts.next()?, stem))
}

pub(super) fn scan(scan: &mut Scan<'_>, records: &[ImagePath], parts: &[ImagePath]) {
    let mut extensions: HashMap<(Vec<u8>, Vec<u8>), Vec<ImagePath>> = HashMap::new();
    for path in parts {
        let directory = path.as_bytes().strip_suffix(BUILT).unwrap_or_default();
        if let (Some((home, stem)), Some(directory)) = (extension_home(directory), path.parent()) {
            let of = (home.to_vec(), stem.to_vec());
            extensions.entry(of).or_default().push(directory);
        }
    }
    for record in records {
        let file_name = String::from_utf8_lossy(record.file_name()).into_owned();
        let stem = file_name.trim_end_matches(".gemspec");
        let Some((name, version, platform)) = split(stem) else {
            scan.note(record, "its name has no version");
            continue;
        };
        let mut package = package(PackageKind::Gem, name, version, record);
        package.architecture = platform.map(str::to_owned);
        let mut wants = Wants::default();
        if let Some(content) = scan.content(record) {
            let content = String::from_utf8_lossy(&content);
            wants.needs = scan.wants(record, content.lines().filter_map(dependency));
        }
        let mut claim = Claim::paths(vec![record.clone()]);
        if let Some(home) = home(record) {
            claim.paths.extend(
                [
                    format!("cache/{stem}.gem"),
                    format!("build_info/{stem}.info"),
                ]
                .iter()
                .filter_map(|path| home.join(path).ok()),
            );
            claim.below.extend(
                [format!("gems/{stem}"), format!("doc/{stem}")]
                    .iter()
                    .filter_map(|path| home.join(path).ok()),
            );
            let of = (home.as_bytes().to_vec(), stem.as_bytes().to_vec());
            claim
                .below
                .extend(extensions.remove(&of).into_iter().flatten());
            wants.home = Some(home);
        }
        scan.push(Draft {
            package,
            claim,
            wants,
        });
    }
}

/// The directory that holds `specifications`.
fn home(record: &ImagePath) -> Option<ImagePath> {
    let mut directory = record.parent()?;
    if directory.file_name() == b"default" {
        directory = directory.parent()?;
    }
    directory.parent()
}

/// `s.add_runtime_dependency(%q<rack>.freeze, ["~> 2.0"])`, and as people write
/// it.
fn dependency(line: &str) -> Option<&str> {
    let rest = ["add_runtime_dependency", "add_dependency"]
        .iter()
        .find_map(|word| Some(line.split_once(word)?.1))?;
    let rest = rest.trim_start_matches(['(', ' ']);
    let (end, rest) = match rest.strip_prefix("%q<") {
        Some(rest) => ('>', rest),
        None => (
            rest.chars().next().filter(|c| "'\"".contains(*c))?,
            &rest[1..],
        ),
    };
    rest.split_once(end).map(|(name, _)| name)
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
    fn dependencies_and_extensions() {
        for (line, expected) in [
            (
                "  s.add_runtime_dependency(%q<rack>.freeze, [\"~> 2.0\".freeze])",
                Some("rack"),
            ),
            ("    spec.add_dependency 'puma', '>= 5'", Some("puma")),
            ("s.add_dependency(\"a-b\".freeze)", Some("a-b")),
            ("  s.add_development_dependency(%q<rspec>)", None),
            ("  s.add_dependency name", None),
            ("add_dependency", None),
        ] {
            assert_eq!(dependency(line), expected, "{line}");
        }
        assert!(is_part(
            b"g/extensions/x86_64-linux/3.1.0/puma-6.0/gem.build_complete"
        ));
        assert!(!is_part(
            b"g/ext/x86_64-linux/3.1.0/puma-6.0/gem.build_complete"
        ));
        assert!(!is_part(b"gem.build_complete"));
    }

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
