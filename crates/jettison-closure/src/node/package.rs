//! `package.json`.

use jettison_image::ImagePath;
use serde_json::Value;

use crate::World;

/// Larger ones are refused.
const MOST_BYTES: u64 = 4 << 20;
/// Conditions that Node, and what runs on it, may choose.
const CONDITIONS: &[&str] = &[
    "default",
    "development",
    "import",
    "module",
    "module-sync",
    "node",
    "node-addons",
    "production",
    "require",
];
/// Targets of one entry of `exports`, and how deep conditions nest.
const MOST_TARGETS: usize = 64;
const MOST_DEPTH: usize = 16;

/// A `package.json` of the tree.
pub(super) struct Package {
    pub(super) path: ImagePath,
    value: Value,
}

/// The package whose directory this is.
pub(super) fn of(world: &World, directory: &ImagePath) -> Option<Package> {
    let path = directory.join("package.json").ok()?;
    let data = world.contents.read(world.file(&path)?, MOST_BYTES).ok()?;
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data);
    let value = serde_json::from_slice(data).ok()?;
    Some(Package { path, value })
}

/// The package that a directory is part of.
pub(super) fn nearest(world: &World, directory: &ImagePath) -> Option<Package> {
    let mut at = Some(directory.clone());
    while let Some(directory) = at {
        if directory.file_name() == b"node_modules" {
            return None;
        }
        if let Some(package) = of(world, &directory) {
            return Some(package);
        }
        at = directory.parent();
    }
    None
}

impl Package {
    pub(super) fn directory(&self) -> ImagePath {
        self.path.parent().unwrap_or_else(ImagePath::root)
    }

    /// A text under keys.
    pub(super) fn text(&self, keys: &[&str]) -> Option<&str> {
        let mut value = &self.value;
        for key in keys {
            value = value.get(key)?;
        }
        value.as_str()
    }

    pub(super) fn has_exports(&self) -> bool {
        self.value
            .get("exports")
            .is_some_and(|exports| !exports.is_null())
    }

    /// What `exports` has for a subpath (`.`, `./x`).
    pub(super) fn exports(&self, subpath: &str) -> Vec<String> {
        let Some(exports) = self.value.get("exports") else {
            return Vec::new();
        };
        let is_map = exports
            .as_object()
            .is_some_and(|map| map.keys().any(|key| key.starts_with('.')));
        if is_map {
            return entry(exports, subpath);
        }
        let mut out = Vec::new();
        if subpath == "." {
            targets(exports, "", &mut out, 0);
        }
        out
    }

    /// What `imports` has for a name (`#x`).
    pub(super) fn imports(&self, name: &str) -> Vec<String> {
        self.value
            .get("imports")
            .map(|imports| entry(imports, name))
            .unwrap_or_default()
    }
}

/// The entry of a key, else of the longest pattern with a `*` that fits.
fn entry(map: &Value, key: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(value) = map.get(key) {
        targets(value, "", &mut out, 0);
        return out;
    }
    let patterns = map
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(pattern, value)| {
            let (before, after) = match pattern.split_once('*') {
                Some(halves) => halves,
                None => (pattern.strip_suffix('/').map(|_| pattern.as_str())?, ""),
            };
            let rest = key.strip_prefix(before)?.strip_suffix(after)?;
            Some((before.len(), rest, value, pattern.contains('*')))
        });
    if let Some((_, rest, value, is_star)) = patterns.max_by_key(|(length, ..)| *length) {
        targets(value, rest, &mut out, 0);
        if !is_star {
            // A directory, as older packages write it.
            out.iter_mut().for_each(|target| target.push_str(rest));
        }
    }
    out
}

fn targets(value: &Value, star: &str, out: &mut Vec<String>, depth: usize) {
    if out.len() >= MOST_TARGETS || depth > MOST_DEPTH {
        return;
    }
    match value {
        Value::String(target) => out.push(target.replace('*', star)),
        Value::Array(list) => list
            .iter()
            .for_each(|one| targets(one, star, out, depth + 1)),
        Value::Object(map) => {
            for (_, inner) in map
                .iter()
                .filter(|(name, _)| CONDITIONS.contains(&name.as_str()))
            {
                targets(inner, star, out, depth + 1);
            }
        }
        _ => {}
    }
}
