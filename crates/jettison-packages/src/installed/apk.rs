//! Alpine's database, `lib/apk/db/installed`: one letter a line, an empty line
//! between packages; `F:` opens a directory, `R:` names a file in it.

use jettison_image::ImagePath;

use super::owners::{Claim, Draft};
use super::{Package, PackageKind, Scan, known, package};

/// Older and merged-usr releases keep it in different places.
const PATHS: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

pub(super) fn is_database(path: &[u8]) -> bool {
    PATHS.iter().any(|known| known.as_bytes() == path)
}

pub(super) fn scan(scan: &mut Scan<'_>) {
    for path in PATHS {
        let record = known(path);
        if let Some(content) = scan.content(&record) {
            return read(scan, &record, &content);
        }
    }
}

fn read(scan: &mut Scan<'_>, record: &ImagePath, content: &[u8]) {
    let mut open: Option<(Package, Vec<ImagePath>)> = None;
    let mut directory = ImagePath::root();
    let ended = std::iter::once(&b""[..]);
    for line in content.split(|&byte| byte == b'\n').chain(ended) {
        if line.is_empty() {
            if let Some((package, paths)) = open.take() {
                if package.version.is_empty() {
                    scan.note(record, format_args!("{} has no version", package.name));
                } else {
                    scan.push(Draft {
                        package,
                        claim: Claim::Paths(paths),
                    });
                }
            }
            continue;
        }
        let [letter, b':', value @ ..] = line else {
            continue;
        };
        let text = || String::from_utf8_lossy(value).into_owned();
        if *letter == b'P' || open.is_none() {
            directory = ImagePath::root();
        }
        let (package, paths) =
            open.get_or_insert_with(|| (package(PackageKind::Apk, "", "", record), Vec::new()));
        match letter {
            b'P' => package.name = text(),
            b'V' => package.version = text(),
            b'A' => package.architecture = Some(text()),
            b'L' => package.licence = Some(text()),
            b'o' => package.source = Some((text(), None)),
            b'F' => directory = ImagePath::new(value).unwrap_or_else(|_| ImagePath::root()),
            b'R' => paths.extend(scan.claim(record, directory.join(value).ok().into_iter())),
            _ => {}
        }
    }
}
