//! Python distributions: `*.dist-info` (PEP 376, 566, 639) and the older
//! `*.egg-info`, as a directory or as one file.

use jettison_image::ImagePath;

use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, package};
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
    scan.push(Draft {
        package,
        claim: Claim::Paths(paths),
    });
}

/// The first field of a line of comma-separated values (RFC 4180).
fn first_field(line: &[u8]) -> Vec<u8> {
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
fn relative(base: &ImagePath, path: &[u8]) -> Option<ImagePath> {
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
