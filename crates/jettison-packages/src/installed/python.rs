//! Python distributions: `*.dist-info` (PEP 376, 566, 639) and the older
//! `*.egg-info`, as a directory or as one file.

use jettison_image::ImagePath;

use super::needs::Wants;
use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, package, requirement};
use crate::deb822::Paragraph;

/// The file that says what a distribution is.
pub(super) fn is_record(path: &[u8]) -> bool {
    path.ends_with(b".dist-info/METADATA")
        || path.ends_with(b".egg-info/PKG-INFO")
        || path.ends_with(b".egg-info")
}

pub(super) fn is_database(path: &[u8]) -> bool {
    is_record(path)
        || path.ends_with(b".dist-info/RECORD")
        || path.ends_with(b".egg-info/installed-files.txt")
        || path.ends_with(b".egg-info/requires.txt")
}

pub(super) fn scan(scan: &mut Scan<'_>, records: &[ImagePath]) {
    for record in records {
        let Some(content) = scan.content(record) else {
            continue;
        };
        read(scan, record, &content);
    }
}

fn read(scan: &mut Scan<'_>, record: &ImagePath, content: &[u8]) {
    // The description after the first empty line is of no interest.
    let metadata = match Paragraph::first(content, scan.limits.paragraph_bytes) {
        Ok(metadata) => metadata,
        Err(error) => return scan.note(record, error),
    };
    let (Some(name), Some(version)) = (metadata.get("Name"), metadata.get("Version")) else {
        return scan.note(record, "no Name or no Version");
    };
    let mut package = package(PackageKind::Python, name, version, record);
    // Some projects put a whole licence text into the field.
    package.licence = ["License-Expression", "License"]
        .iter()
        .find_map(|field| metadata.get(field))
        .filter(|licence| !licence.is_empty() && !licence.contains('\n') && *licence != "UNKNOWN")
        .map(str::to_owned);

    let mut paths = vec![record.clone()];
    if let Some(directory) = record.parent() {
        if record.as_bytes().ends_with(b".dist-info/METADATA") {
            let list = directory
                .join("RECORD")
                .ok()
                .and_then(|path| scan.content(&path));
            let parent = directory.parent().unwrap_or_else(ImagePath::root);
            let list = list.unwrap_or_default();
            let lines = list.split(|&byte| byte == b'\n');
            let listed = lines.filter_map(|line| relative(&parent, &first_field(line)));
            paths.extend(scan.claim(record, listed));
        } else if record.as_bytes().ends_with(b"/PKG-INFO") {
            let list = directory
                .join("installed-files.txt")
                .ok()
                .and_then(|path| scan.content(&path));
            let list = list.unwrap_or_default();
            let lines = list.split(|&byte| byte == b'\n');
            let listed = lines.filter_map(|line| relative(&directory, line));
            paths.extend(scan.claim(record, listed));
        }
    }
    let wants = wants(scan, record, &metadata);
    scan.push(Draft {
        package,
        claim: Claim::paths(paths),
        wants,
    });
}

fn wants(scan: &mut Scan<'_>, record: &ImagePath, metadata: &Paragraph) -> Wants {
    let mut wants = Wants::default();
    let directory = record.parent();
    let mut take = |scan: &mut Scan<'_>, text: &str, developers: bool| {
        if let Some(found) = requirement::parse(text) {
            let names = scan.wants(record, std::iter::once(found.name));
            match developers || found.only_developers {
                true => wants.recommends.extend(names),
                false => wants.needs.extend(names),
            }
        }
    };
    for text in metadata.all("Requires-Dist") {
        take(scan, text, false);
    }
    // setuptools' older form: `[extra:marker]` heads what follows.
    let listed = directory
        .as_ref()
        .filter(|_| record.file_name() == b"PKG-INFO")
        .and_then(|directory| directory.join("requires.txt").ok())
        .and_then(|path| scan.content(&path))
        .unwrap_or_default();
    let (mut developers, mut marker) = (false, String::new());
    for line in String::from_utf8_lossy(&listed).lines() {
        match line.trim().strip_prefix('[') {
            Some(head) => {
                let head = head.trim_end_matches(']');
                let (extra, condition) = head.split_once(':').unwrap_or((head, ""));
                developers = requirement::is_developers(extra);
                marker = condition.to_owned();
            }
            None => take(scan, &format!("{line};{marker}"), developers),
        }
    }
    // The directory that holds the distributions.
    wants.home = match record.file_name() {
        b"METADATA" | b"PKG-INFO" => directory.and_then(|directory| directory.parent()),
        _ => directory,
    };
    wants
}

/// The first field of a line of comma-separated values (RFC 4180).
pub(crate) fn first_field(line: &[u8]) -> Vec<u8> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(quoted) = line.strip_prefix(b"\"") else {
        return line
            .split(|&byte| byte == b',')
            .next()
            .unwrap_or_default()
            .to_vec();
    };
    let mut field = Vec::new();
    let mut bytes = quoted.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' {
            if bytes.peek() != Some(&&b'"') {
                break;
            }
            bytes.next();
        }
        field.push(byte);
    }
    field
}

/// A path beside `base`, where `..` climbs but never above the root.
pub(crate) fn relative(base: &ImagePath, path: &[u8]) -> Option<ImagePath> {
    if path.is_empty() {
        return None;
    }
    let mut at = if path[0] == b'/' {
        ImagePath::root()
    } else {
        base.clone()
    };
    for component in path.split(|&byte| byte == b'/') {
        at = match component {
            b".." => at.parent()?,
            other => at.join(other).ok()?,
        };
    }
    (!at.is_root()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_paths() {
        assert_eq!(first_field(b"a/b.py,sha256=x,1"), b"a/b.py");
        assert_eq!(first_field(b"\"a,\"\"b\"\".py\",,\r"), b"a,\"b\".py");
        let base = ImagePath::new("usr/lib/python3/site-packages").unwrap();
        let show = |path: &[u8]| relative(&base, path).map(|path| path.display().to_string());
        assert_eq!(show(b"../../../bin/x").as_deref(), Some("/usr/bin/x"));
        assert_eq!(show(b"/opt/x").as_deref(), Some("/opt/x"));
        assert_eq!(show(b"../../../../../../etc/passwd"), None);
        assert_eq!(show(b""), None);
    }
}
