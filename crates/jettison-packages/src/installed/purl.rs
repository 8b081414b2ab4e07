//! Package URLs (purl-spec, and its type definitions for deb, apk, pypi, npm
//! and gem).

use super::{Package, PackageKind};

pub(super) fn render(package: &Package) -> String {
    let mut purl = format!("pkg:{}/", package.kind.as_str());
    let system = package
        .of
        .distribution
        .as_ref()
        .filter(|_| package.kind.is_system());
    match package.kind {
        PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm => {
            let fallback = match package.kind {
                PackageKind::Deb => "debian",
                PackageKind::Apk => "alpine",
                _ => "redhat",
            };
            push(&mut purl, system.map_or(fallback, |(id, _)| id));
            purl.push('/');
            // Names of rpms keep their case (purl-spec, types).
            match package.kind {
                PackageKind::Rpm => push(&mut purl, &package.name),
                _ => push(&mut purl, &package.name.to_ascii_lowercase()),
            }
        }
        // PEP 503: runs of `-_.` are one `-`; the purl type asks for `_` only.
        PackageKind::Python => push(
            &mut purl,
            &package.name.to_ascii_lowercase().replace('_', "-"),
        ),
        PackageKind::Npm => match package.name.split_once('/') {
            Some((scope, name)) => {
                push(&mut purl, scope);
                purl.push('/');
                push(&mut purl, name);
            }
            None => push(&mut purl, &package.name),
        },
        PackageKind::Gem => push(&mut purl, &package.name),
    }
    purl.push('@');
    push(&mut purl, &package.version);

    let mut qualifiers = Vec::new();
    if let Some(architecture) = &package.architecture {
        let key = if package.kind == PackageKind::Gem {
            "platform"
        } else {
            "arch"
        };
        qualifiers.push((key, architecture.clone()));
    }
    if let Some(epoch) = package.epoch {
        qualifiers.push(("epoch", epoch.to_string()));
    }
    if let Some((id, version)) = system.filter(|(_, version)| !version.is_empty()) {
        qualifiers.push(("distro", format!("{id}-{version}")));
    }
    if let Some((source, version)) = package.source.as_ref().filter(|_| package.kind.is_system()) {
        let upstream = match version {
            Some(version) => format!("{source}@{version}"),
            None => source.clone(),
        };
        qualifiers.push(("upstream", upstream));
    }
    for (at, (key, value)) in qualifiers.iter().enumerate() {
        purl.push(if at == 0 { '?' } else { '&' });
        purl.push_str(key);
        purl.push('=');
        push(&mut purl, value);
    }
    purl
}

/// Percent-encodes everything but the unreserved characters and the colon,
/// which the specification leaves as it is.
fn push(purl: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            purl.push(char::from(byte));
        } else {
            purl.push_str(&format!("%{byte:02X}"));
        }
    }
}
