//! update-ca-certificates(8): the authorities of ca-certificates in one file,
//! and each under its own name. The links by hash are not made: what reads
//! Debian's configuration reads the file.

use super::model::Model;

const AUTHORITIES: &str = "/usr/share/ca-certificates/";
const PLACE: &str = "/etc/ssl/certs";

pub(super) fn update(model: &mut Model<'_>, list: &[Vec<u8>]) -> Option<String> {
    let mut names: Vec<String> = list
        .iter()
        .filter_map(|path| std::str::from_utf8(path).ok()?.strip_prefix(AUTHORITIES))
        .filter(|name| name.ends_with(".crt"))
        .map(str::to_owned)
        .collect();
    names.sort();
    let mut bundle = Vec::new();
    let mut configuration = String::new();
    for name in &names {
        let path = format!("{AUTHORITIES}{name}");
        let Some(content) = model.read(path.as_bytes()) else {
            continue;
        };
        bundle.extend_from_slice(&content);
        if !content.ends_with(b"\n") {
            bundle.push(b'\n');
        }
        configuration += &format!("{name}\n");
        let file = name.rsplit('/').next().unwrap_or(name);
        let plain: String = file
            .trim_end_matches(".crt")
            .chars()
            .map(|letter| match letter {
                ' ' | ',' => '_',
                '(' | ')' => '=',
                other => other,
            })
            .collect();
        model.link(format!("{PLACE}/{plain}.pem").as_bytes(), path.as_bytes());
    }
    if bundle.is_empty() {
        return None;
    }
    model.write(
        b"/etc/ca-certificates.conf",
        configuration.into_bytes(),
        0o644,
    );
    model.write(
        format!("{PLACE}/ca-certificates.crt").as_bytes(),
        bundle,
        0o644,
    );
    Some(format!(
        "ca-certificates: {} authorities in {PLACE}/ca-certificates.crt, without links by hash",
        names.len()
    ))
}
