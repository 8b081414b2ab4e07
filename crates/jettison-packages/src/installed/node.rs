//! npm packages: every `package.json` directly below `node_modules/NAME` or
//! `node_modules/@SCOPE/NAME`. A package owns what lies below it and below no
//! package nested in it.

use jettison_image::ImagePath;
use serde::Deserialize;

use super::needs::Wants;
use super::owners::{Claim, Draft};
use super::{PackageKind, Scan, package};

pub(super) fn is_database(path: &[u8]) -> bool {
    let Some(directory) = path.strip_suffix(b"/package.json") else {
        return false;
    };
    let mut parts = directory.rsplit(|&byte| byte == b'/');
    let name = parts.next().unwrap_or_default();
    let above = parts.next().unwrap_or_default();
    match above {
        b"node_modules" => !name.starts_with(b"@") && !name.starts_with(b"."),
        scope if scope.starts_with(b"@") => parts.next() == Some(b"node_modules"),
        _ => false,
    }
}

/// What npm keeps of a `node_modules` that it has written.
pub(crate) fn is_lock(path: &[u8]) -> bool {
    path.strip_suffix(b"/.package-lock.json")
        .is_some_and(|directory| {
            directory == b"node_modules" || directory.ends_with(b"/node_modules")
        })
}

#[derive(Deserialize)]
struct PackageJson {
    name: Option<String>,
    version: Option<String>,
    license: Option<serde_json::Value>,
    // Values, so that an odd one costs itself and not the package.
    #[serde(default)]
    dependencies: serde_json::Value,
    #[serde(default, rename = "optionalDependencies")]
    optional: serde_json::Value,
    #[serde(default, rename = "peerDependencies")]
    peers: serde_json::Value,
}

pub(super) fn scan(scan: &mut Scan<'_>, records: &[ImagePath]) {
    for record in records {
        let Some(content) = scan.content(record) else {
            continue;
        };
        let json: PackageJson = match serde_json::from_slice(&content) {
            Ok(json) => json,
            Err(error) => {
                scan.note(record, error);
                continue;
            }
        };
        let (Some(directory), Some(name), Some(version)) =
            (record.parent(), json.name, json.version)
        else {
            // Sub-packages that only set a module type have neither.
            continue;
        };
        let mut package = package(PackageKind::Npm, &name, &version, record);
        // The old form was an object with `type`.
        package.licence = json.license.and_then(|licence| match licence {
            serde_json::Value::String(text) => Some(text),
            other => other.get("type")?.as_str().map(str::to_owned),
        });
        let mut wants = Wants {
            home: Some(directory.clone()),
            ..Wants::default()
        };
        for names in [&json.dependencies, &json.optional, &json.peers] {
            let names = names.as_object().into_iter().flat_map(|names| names.keys());
            let names = scan.wants(record, names.map(String::as_str));
            wants.needs.extend(names);
        }
        let claim = Claim {
            below: vec![directory],
            ..Claim::default()
        };
        scan.push(Draft {
            package,
            claim,
            wants,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        for (path, expected) in [
            ("app/node_modules/a/package.json", true),
            ("app/node_modules/@s/a/package.json", true),
            ("app/node_modules/a/dist/package.json", false),
            ("app/node_modules/@s/package.json", false),
            ("app/package.json", false),
            ("node_modules/package.json", false),
            ("node_modules/a/node_modules/b/package.json", true),
        ] {
            assert_eq!(is_database(path.as_bytes()), expected, "{path}");
        }
    }
}
