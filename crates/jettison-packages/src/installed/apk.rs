//! Alpine's database, `lib/apk/db/installed`: one letter a line, an empty line
//! between packages; `F:` opens a directory, `R:` names a file in it.

use std::collections::HashSet;

use jettison_image::ImagePath;

use super::needs::Wants;
use super::owners::{Claim, Draft};
use super::{Package, PackageKind, Scan, known, package};

/// Older and merged-usr releases keep it in different places.
pub(crate) const PATHS: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// The names that were asked for.
pub(crate) const WORLD: &str = "etc/apk/world";

pub(super) fn is_database(path: &[u8]) -> bool {
    PATHS
        .iter()
        .chain(&[WORLD])
        .any(|known| known.as_bytes() == path)
}

pub(super) fn scan(scan: &mut Scan<'_>) {
    for path in PATHS {
        let record = known(path);
        if let Some(content) = scan.content(&record) {
            let world = scan.content(&known(WORLD));
            let world = world.map(|world| String::from_utf8_lossy(&world).into_owned());
            let world: Option<HashSet<&str>> = world.as_deref().map(|text| words(text).collect());
            return read(scan, &record, &content, world.as_ref());
        }
    }
}

fn read(scan: &mut Scan<'_>, record: &ImagePath, content: &[u8], world: Option<&HashSet<&str>>) {
    let mut open: Option<(Package, Vec<ImagePath>, Wants)> = None;
    let mut directory = ImagePath::root();
    let ended = std::iter::once(&b""[..]);
    for line in content.split(|&byte| byte == b'\n').chain(ended) {
        if line.is_empty() {
            if let Some((mut package, paths, wants)) = open.take() {
                package.requested = world.map(|names| names.contains(package.name.as_str()));
                if package.version.is_empty() {
                    scan.note(record, format_args!("{} has no version", package.name));
                } else {
                    scan.push(Draft {
                        package,
                        claim: Claim::paths(paths),
                        wants,
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
        let (package, paths, wants) = open.get_or_insert_with(|| {
            let package = package(PackageKind::Apk, "", "", record);
            (package, Vec::new(), Wants::default())
        });
        match letter {
            b'P' => package.name = text(),
            b'V' => package.version = text(),
            b'A' => package.architecture = Some(text()),
            b'L' => package.licence = Some(text()),
            b'o' => package.source = Some((text(), None)),
            b'D' => {
                let text = text();
                // A leading `!` names a conflict.
                let names = words(&text).filter(|name| !name.starts_with('!'));
                wants.needs = scan.wants(record, names);
            }
            b'p' => wants.provides = scan.names(record, words(&text())),
            b'F' => directory = ImagePath::new(value).unwrap_or_else(|_| ImagePath::root()),
            b'R' => paths.extend(scan.claim(record, directory.join(value).ok().into_iter())),
            _ => {}
        }
    }
}

/// Names without the versions that are asked for or offered.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
        .filter_map(|word| word.split(['=', '<', '>', '~', '@']).next())
        .filter(|name| !name.is_empty())
}
