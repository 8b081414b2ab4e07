//! Where Debian packages would come from, and which certificate authorities
//! are believed.

use std::path::Path;

use jettison_image::Platform;

use super::{DoctorRequest, Row, State};
use crate::base::machine_archives;
use crate::files::{open_named, read_bounded};

const AREA: &str = "packages and certificates";
/// A bundle of all public authorities has about 250 KiB.
const BUNDLE_BYTES: u64 = 16 << 20;
/// Where distributions keep the bundle.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) fn rows(request: &DoctorRequest<'_>) -> Vec<Row> {
    let mut rows = archives();
    rows.push(system_bundle());
    rows.extend(request.ca_files.iter().map(|path| {
        let what = path.display().to_string();
        match certificates(path) {
            Ok(0) => Row::new(AREA, what, State::Limited, "no certificate in it".into()),
            Ok(count) => Row::new(AREA, what, State::Ok, format!("{count} certificates")),
            Err(error) => Row::new(AREA, what, State::Limited, error.to_string()),
        }
    }));
    rows
}

fn archives() -> Vec<Row> {
    let architecture = Platform::host().architecture;
    match machine_archives(&architecture) {
        Ok(found) => {
            let row = |archive: &jettison_packages::apt::Archive| {
                let roots: Vec<String> = archive.roots.iter().map(ToString::to_string).collect();
                let what = format!("Debian {}", archive.suite);
                Row::new(AREA, what, State::Ok, roots.join(", "))
            };
            found.archives.iter().map(row).collect()
        }
        Err(error) => {
            let what = "Debian packages";
            let row = Row::new(AREA, what, State::Missing, error.to_string());
            vec![row.hint("say which archive with --mirror URL, or mirror = in jettison.toml")]
        }
    }
}

fn system_bundle() -> Row {
    let what = "certificate authorities";
    let there = BUNDLES.iter().find(|path| Path::new(path).is_file());
    let hint = "apt-get install ca-certificates";
    match there.map(|path| (path, certificates(Path::new(path)))) {
        Some((path, Ok(count))) if count > 0 => Row::new(
            AREA,
            what,
            State::Ok,
            format!("{path}, {count} certificates"),
        ),
        Some((path, _)) => {
            Row::new(AREA, what, State::Limited, format!("{path} cannot be used")).hint(hint)
        }
        None => Row::new(AREA, what, State::Missing, "no bundle of the system".into()).hint(hint),
    }
}

fn certificates(path: &Path) -> std::io::Result<usize> {
    let bytes = open_named(path).and_then(|file| read_bounded(file, BUNDLE_BYTES))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.matches("-----BEGIN CERTIFICATE-----").count())
}
