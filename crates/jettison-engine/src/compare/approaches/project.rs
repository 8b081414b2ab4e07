//! A copy of the project in which a line can be changed: nothing is ever written
//! to the project itself.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is made anew, or speaks of the checkout and not of the program: its name,
/// and the file beside it that says so. Another `target` may be what is shipped.
const LEFT_OUT: [(&str, &str); 3] = [(".git", ""), ("__pycache__", ""), ("target", "Cargo.toml")];
/// Sources by the end of their name, with a line that changes nothing else.
const SOURCES: [(&str, &str); 9] = [
    (".go", "var jettisonChanged = "),
    (
        ".rs",
        "#[allow(dead_code)] pub const JETTISON_CHANGED: u8 = ",
    ),
    (".py", "# changed "),
    (".rb", "# changed "),
    (".js", "// changed "),
    (".ts", "// changed "),
    (".java", "// changed "),
    (".php", "// changed "),
    (".c", "// changed "),
];
/// More than any project has.
const MOST_FILES: usize = 200_000;

/// Copies a directory; links stay links, what is neither file nor directory
/// stays behind.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut count = 0;
    copy_counted(from, to, &mut count)
}

fn copy_counted(from: &Path, to: &Path, count: &mut usize) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if LEFT_OUT
            .iter()
            .any(|(left, beside)| name == *left && from.join(beside).exists())
        {
            continue;
        }
        *count += 1;
        if *count > MOST_FILES {
            let problem = format!("more than {MOST_FILES} files");
            return Err(io::Error::other(problem));
        }
        let target = to.join(&name);
        if kind.is_dir() {
            copy_counted(&entry.path(), &target, count)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A source whose change makes a build do its work again: the shallowest below a
/// directory, `main` before others.
pub(super) fn source(directory: &Path) -> Option<(PathBuf, &'static str)> {
    let mut level = vec![directory.to_owned()];
    while !level.is_empty() {
        let (mut found, mut below) = (Vec::new(), Vec::new());
        for entry in level.iter().flat_map(fs::read_dir).flatten().flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                below.push(entry.path());
            } else if kind.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_test = name.contains("_test.") || name.contains(".test.");
                let known = SOURCES.iter().find(|(end, _)| name.ends_with(end));
                if let Some((_, line)) = known.filter(|_| !is_test && name != "build.rs") {
                    let is_main = ["main.", "app.", "index.", "server."]
                        .iter()
                        .any(|start| name.starts_with(start));
                    found.push((!is_main, entry.path(), *line));
                }
            }
        }
        found.sort();
        if let Some((_, path, line)) = found.into_iter().next() {
            return Some((path, line));
        }
        below.sort();
        level = below;
    }
    None
}

/// Adds a line that was never there before.
pub(super) fn change(source: &Path, line: &str, number: usize) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().append(true).open(source)?;
    let end = if line.ends_with("u8 = ") { ";" } else { "" };
    // A name may be declared once only.
    let line = match number {
        0 => line.to_owned(),
        _ => line
            .replace("jettisonChanged", &format!("jettisonChanged{number}"))
            .replace("JETTISON_CHANGED", &format!("JETTISON_CHANGED_{number}")),
    };
    file.write_all(format!("\n{line}{number}{end}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_changed_and_originals_are_not() {
        let scratch = tempfile::tempdir().expect("a directory");
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        fs::create_dir_all(from.join("cmd/shop")).expect("room");
        fs::create_dir_all(from.join(".git")).expect("room");
        fs::write(from.join("cmd/shop/main.go"), "package main\n").expect("room");
        fs::write(from.join("cmd/shop/a_test.go"), "package main\n").expect("room");
        fs::write(from.join("README"), "x").expect("room");
        copy(&from, &to).expect("a copy");
        assert!(!to.join(".git").exists());
        let (path, line) = source(&to).expect("a source");
        assert_eq!(path, to.join("cmd/shop/main.go"));
        change(&path, line, 0).expect("room");
        change(&path, line, 1).expect("room");
        let text = fs::read_to_string(&path).expect("readable");
        assert_eq!(
            text,
            "package main\n\nvar jettisonChanged = 0\n\nvar jettisonChanged1 = 1\n"
        );
        let original = fs::read_to_string(from.join("cmd/shop/main.go")).expect("readable");
        assert_eq!(original, "package main\n");
    }
}
