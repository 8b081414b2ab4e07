//! The files that a program wrote, and whether two images' programs wrote the
//! same: learned from runs of the original which ones vary.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use jettison_plan::FilePath;
use jettison_sandbox::{Change, Written};

use super::noise::Finding;

/// What was written, by path.
pub(crate) type Files = BTreeMap<FilePath, FileState>;

/// What became of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState {
    /// `file`, `directory`, `link`, `special` or `removed`.
    pub(crate) kind: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Of a file.
    pub(crate) size_bytes: u64,
    /// Of a file's content or a link's target.
    pub(crate) sha256: Option<Vec<u8>>,
}

pub(super) fn files(written: Vec<Written>) -> Files {
    let state = |written: &Written| FileState {
        kind: match written.change {
            Change::File => "file",
            Change::Directory => "directory",
            Change::Symlink => "link",
            Change::Special => "special",
            Change::Removed => "removed",
        },
        mode: written.mode,
        size_bytes: written.size_bytes,
        sha256: written.sha256.clone(),
    };
    let files = written.iter();
    files
        .map(|written| (FilePath::new(written.path.as_bytes()), state(written)))
        .collect()
}

/// Holds what was written against what the original wrote.
pub(super) fn hold(originals: &[&Files], candidate: &Files) -> Finding {
    let Some((first, others)) = originals.split_first() else {
        return Finding::Same;
    };
    let mut noise = Vec::new();
    for (path, state) in *first {
        let seen = others.iter().map(|other| other.get(path));
        if seen.clone().any(|other| other.is_none()) {
            noise.push(path);
            continue;
        }
        let Some(found) = candidate.get(path) else {
            let wrote = format!("{path} ({})", state.kind);
            return Finding::Differs(wrote, "not written".to_owned());
        };
        if found == state {
            continue;
        }
        let varies = seen.flatten().any(|other| other != state);
        if !varies || found.kind != state.kind {
            return Finding::Differs(described(path, state), described(path, found));
        }
        noise.push(path);
    }
    let by_some = others.iter().flat_map(|other| other.keys());
    noise.extend(by_some.filter(|path| !originals.iter().all(|run| run.contains_key(*path))));
    for (path, found) in candidate {
        if originals.iter().any(|run| run.contains_key(path)) {
            continue;
        }
        // A name made up anew each time, beside others of its kind.
        let beside = |known: &&&FilePath| parent(known) == parent(path);
        let below = |known: &&&FilePath| {
            let prefix = [known.as_bytes(), b"/"].concat();
            path.as_bytes().starts_with(&prefix)
        };
        let varies = |known: &&&FilePath| !originals.iter().all(|run| run.contains_key(**known));
        let is_noise = noise
            .iter()
            .filter(varies)
            .any(|known| beside(&known) || below(&known))
            || made_up_above(originals, candidate, path);
        if !is_noise {
            return Finding::Differs("not written".to_owned(), described(path, found));
        }
        noise.push(path);
    }
    match noise.first() {
        Some(path) => Finding::Noise(format!("{} paths vary, such as {path}", noise.len())),
        None => Finding::Same,
    }
}

/// True below a directory that was itself named anew.
fn made_up_above(originals: &[&Files], candidate: &Files, path: &FilePath) -> bool {
    let Some(above) = parent(path) else {
        return false;
    };
    let above = FilePath::new(above);
    let unknown = !originals.iter().any(|run| run.contains_key(&above));
    unknown
        && candidate
            .get(&above)
            .is_some_and(|state| state.kind == "directory")
}

fn parent(path: &FilePath) -> Option<&[u8]> {
    let bytes = path.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b'/')?;
    Some(&bytes[..at])
}

fn described(path: &FilePath, state: &FileState) -> String {
    let FileState {
        kind,
        mode,
        size_bytes,
        sha256,
    } = state;
    let hash = sha256.iter().flatten().take(6);
    let hash: String = hash.map(|byte| format!("{byte:02x}")).collect();
    format!("{path} ({kind}, mode {mode:o}, {size_bytes} bytes, {hash})")
}

#[cfg(test)]
mod tests {
    use super::{FilePath, FileState, Files, Finding, hold};

    fn files(list: &[(&str, &str)]) -> Files {
        let state = |content: &str| FileState {
            kind: if content == "dir" {
                "directory"
            } else {
                "file"
            },
            mode: 0o644,
            size_bytes: content.len() as u64,
            sha256: Some(content.into()),
        };
        let list = list.iter();
        list.map(|(path, content)| (FilePath::new(path), state(content)))
            .collect()
    }

    #[track_caller]
    fn check(originals: &[&[(&str, &str)]], candidate: &[(&str, &str)], expected: &str) {
        let originals: Vec<Files> = originals.iter().map(|list| files(list)).collect();
        let originals: Vec<&Files> = originals.iter().collect();
        let found = hold(&originals, &files(candidate));
        let said = match &found {
            Finding::Same => "same",
            Finding::Noise(_) => "noise",
            Finding::Differs(..) => "differs",
        };
        assert_eq!(said, expected, "{found:?}");
    }

    #[test]
    fn what_is_written() {
        let plain: &[(&str, &str)] = &[("run/app.pid", "1"), ("var/db", "data")];
        check(&[plain, plain], plain, "same");
        check(&[plain, plain], &plain[..1], "differs");
        check(
            &[plain, plain],
            &[plain, &[("core", "x")]].concat(),
            "differs",
        );
        check(
            &[plain, plain],
            &[("run/app.pid", "1"), ("var/db", "other")],
            "differs",
        );
        let log = |text| vec![("var/log/app", text)];
        check(&[&log("12:00"), &log("12:01")], &log("12:02"), "noise");
        check(&[&log("12:00"), &log("12:01")], &[], "differs");
        let made_up = |name| vec![("tmp/run", "x"), (name, "y")];
        check(
            &[&made_up("tmp/a1"), &made_up("tmp/b2")],
            &made_up("tmp/c3"),
            "noise",
        );
        check(
            &[&made_up("tmp/a1"), &made_up("tmp/b2")],
            &made_up("etc/c3"),
            "differs",
        );
        check(
            &[&made_up("tmp/a1"), &made_up("tmp/b2")],
            &[("tmp/a1", "y")],
            "differs",
        );
    }
}
