//! What holds for every small image, whatever its checks say: it is a part of the original, unchanged but where the plan says so.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;

use super::tree::{Entry, Path, Tree};

/// Group and others.
const WRITABLE_BY_MANY: u32 = 0o022;

/// Every law that is broken, with the first paths that break it.
pub(crate) fn broken(original: &Tree, small: &Tree, rewritten: &BTreeSet<Path>) -> Vec<String> {
    let mut added = Law::new("has what the original has not");
    let mut changed = Law::new("differs from the original");
    let mut parted = Law::new("is no longer the same file as its other names");
    let mut writable = Law::new("is a directory that more may write to");
    for (path, entry) in &small.entries {
        let before = original.entries.get(path);
        let was = before.map_or(0, |before| before.mode);
        if entry.kind == 'd' && entry.mode & WRITABLE_BY_MANY & !was != 0 {
            writable.note(path, &format!("{:o}, was {was:o}", entry.mode));
        }
        if rewritten.contains(path) {
            continue;
        }
        let Some(before) = before else {
            added.note(path, "");
            continue;
        };
        if let Some(what) = difference(before, entry) {
            changed.note(path, &what);
        }
        if entry.kind == 'f' && !shares_names(original, before, small, entry) {
            parted.note(path, "");
        }
    }
    [added, changed, parted, writable]
        .into_iter()
        .filter_map(Law::verdict)
        .collect()
}

/// How the small image with its complement differs from the original.
pub(crate) fn restored(original: &Tree, restored: &Tree) -> Vec<String> {
    let mut missing = Law::new("is not restored by the complement");
    for path in original.entries.keys() {
        if !restored.entries.contains_key(path) {
            missing.note(path, "");
        }
    }
    let mut all = broken(original, restored, &BTreeSet::new());
    all.extend(missing.verdict());
    all
}

/// Processes and mounts that still know of a store whose program has ended.
pub(crate) fn left_behind(store: &std::path::Path) -> Vec<String> {
    let store = store.as_os_str().as_bytes();
    let knows = |file: std::path::PathBuf| {
        let text = std::fs::read(file).unwrap_or_default();
        text.windows(store.len()).any(|part| part == store)
    };
    let mut left = Vec::new();
    if knows("/proc/self/mountinfo".into()) {
        left.push("a mount is left".to_owned());
    }
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let name = process.file_name().to_string_lossy().into_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit()) && knows(process.path().join("cmdline")) {
            left.push(format!("process {name} is left"));
        }
    }
    left
}

/// The names that are left of a file are still names of one file.
fn shares_names(original: &Tree, before: &Entry, small: &Tree, entry: &Entry) -> bool {
    // Most files have one name, and looking for others would be quadratic.
    if before.first_name == entry.first_name {
        return true;
    }
    let names: BTreeSet<&Path> = original.names(before).collect();
    let left: Vec<&Path> = small.names(entry).collect();
    let expected = names
        .iter()
        .filter(|name| small.entries.contains_key(**name))
        .count();
    left.len() == expected && left.iter().all(|name| names.contains(name))
}

fn difference(before: &Entry, entry: &Entry) -> Option<String> {
    let pairs = [
        ("kind", before.kind.to_string(), entry.kind.to_string()),
        (
            "mode",
            format!("{:o}", before.mode),
            format!("{:o}", entry.mode),
        ),
        (
            "owner",
            format!("{:?}", before.owner),
            format!("{:?}", entry.owner),
        ),
        (
            "size",
            before.size_bytes.to_string(),
            entry.size_bytes.to_string(),
        ),
        (
            "time",
            before.modified_s.to_string(),
            entry.modified_s.to_string(),
        ),
        ("target", lossy(&before.target), lossy(&entry.target)),
        (
            "device",
            format!("{:?}", before.device),
            format!("{:?}", entry.device),
        ),
        (
            "content",
            format!("{:?}", before.content),
            format!("{:?}", entry.content),
        ),
        (
            "attributes",
            format!("{:?}", before.attributes),
            format!("{:?}", entry.attributes),
        ),
    ];
    pairs
        .into_iter()
        .find(|(_, before, after)| before != after)
        .map(|(what, before, after)| format!("{what} {after}, was {before}"))
}

/// The paths that a plan lists as rewritten: a list of paths, or of objects with a `path`, or an object by path.
pub(crate) fn rewritten(plan: &Value) -> BTreeSet<Path> {
    let mut paths = BTreeSet::new();
    if let Some(list) = plan.get("rewritten") {
        match list {
            Value::Array(items) => paths.extend(items.iter().filter_map(|item| {
                item.as_str()
                    .or_else(|| item.get("path").and_then(Value::as_str))
            })),
            Value::Object(items) => paths.extend(items.keys().map(String::as_str)),
            _ => {}
        }
    }
    paths
        .into_iter()
        .map(|path| path.trim_start_matches('/').as_bytes().to_vec())
        .collect()
}

struct Law {
    broken: &'static str,
    count: usize,
    first: Vec<String>,
}

impl Law {
    fn new(broken: &'static str) -> Self {
        Self {
            broken,
            count: 0,
            first: Vec::new(),
        }
    }

    fn note(&mut self, path: &[u8], how: &str) {
        self.count += 1;
        if self.first.len() < 4 {
            let shown = format!("/{} {how}", lossy(path));
            self.first.push(shown.trim().to_owned());
        }
    }

    fn verdict(self) -> Option<String> {
        (self.count > 0)
            .then(|| format!("{} {}: {}", self.count, self.broken, self.first.join("; ")))
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{broken, restored, rewritten};
    use crate::cases::tree::{Entry, Tree};

    fn file(first_name: &str) -> Entry {
        Entry {
            kind: 'f',
            mode: 0o644,
            owner: (0, 0),
            size_bytes: 1,
            modified_s: 1,
            target: Vec::new(),
            device: (0, 0),
            content: Some("x".to_owned()),
            attributes: [].into(),
            first_name: first_name.into(),
        }
    }

    fn tree(entries: &[(&str, Entry)]) -> Tree {
        Tree {
            entries: entries
                .iter()
                .map(|(path, entry)| (path.as_bytes().to_vec(), entry.clone()))
                .collect(),
        }
    }

    fn check(small: &[(&str, Entry)], expected: &[&str]) {
        let original = tree(&[
            ("a", file("a")),
            ("b", file("a")),
            ("c", file("a")),
            (
                "etc",
                Entry {
                    kind: 'd',
                    mode: 0o755,
                    ..file("etc")
                },
            ),
        ]);
        let rewritten = BTreeSet::from([b"status".to_vec()]);
        let found = broken(&original, &tree(small), &rewritten);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn laws_are_broken_and_kept() {
        check(&[("a", file("a")), ("status", file("status"))], &[]);
        check(&[("b", file("b")), ("c", file("b"))], &[]);
        check(
            &[("b", file("b")), ("c", file("c"))],
            &["no longer the same"],
        );
        check(&[("z", file("z"))], &["has not: /z"]);
        check(
            &[(
                "a",
                Entry {
                    mode: 0o755,
                    ..file("a")
                },
            )],
            &["mode 755, was 644"],
        );
        check(
            &[(
                "etc",
                Entry {
                    kind: 'd',
                    mode: 0o777,
                    ..file("etc")
                },
            )],
            &["mode 777", "more may write"],
        );
    }

    #[test]
    fn what_is_restored_is_all_there() {
        let original = tree(&[("a", file("a")), ("b", file("b"))]);
        assert!(restored(&original, &original).is_empty());
        let found = restored(&original, &tree(&[("a", file("a"))]));
        assert!(
            found[0].contains("not restored by the complement: /b"),
            "{found:?}"
        );
        let found = restored(&tree(&[("a", file("a"))]), &original);
        assert!(found[0].contains("has not: /b"), "{found:?}");
    }

    #[test]
    fn rewritten_paths_of_a_plan() {
        let expected = BTreeSet::from([b"a/b".to_vec()]);
        assert_eq!(rewritten(&json!({"rewritten": ["/a/b"]})), expected);
        assert_eq!(
            rewritten(&json!({"rewritten": [{"path": "a/b"}]})),
            expected
        );
        assert_eq!(rewritten(&json!({"rewritten": {"/a/b": 1}})), expected);
    }
}
