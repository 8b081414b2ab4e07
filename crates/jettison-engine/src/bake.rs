//! A repository of many services: the directories that have a Dockerfile, each
//! with a name that buildx bake takes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::dockerfile;

/// How deep services lie in any repository that a person keeps in order.
const DEEPEST: usize = 16;
/// Directories that are looked into.
const MOST_DIRECTORIES: usize = 200_000;
/// What holds other people's files.
const FOREIGN: [&str; 5] = [
    "node_modules",
    "vendor",
    "target",
    "testdata",
    "__pycache__",
];

/// A directory with a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Unique, and made of letters, digits, `-` and `_`.
    pub name: String,
    /// Its directory, relative to the repository; `.` for the repository itself.
    pub directory: PathBuf,
    /// The name of the Dockerfile in it.
    pub file: String,
}

/// The services of a repository, sorted by directory. Hidden directories,
/// links and what holds other people's files are not looked into.
pub fn services(repository: &Path) -> io::Result<Vec<Service>> {
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    let mut open = vec![(PathBuf::new(), 0)];
    let mut seen = 0_usize;
    while let Some((below, depth)) = open.pop() {
        seen += 1;
        if seen > MOST_DIRECTORIES {
            return Err(io::Error::other(format!(
                "more than {MOST_DIRECTORIES} directories"
            )));
        }
        let directory = repository.join(&below);
        let file = dockerfile::find(&directory);
        if let Some(file) = file.as_deref().and_then(Path::file_name) {
            found.push((below.clone(), file.to_string_lossy().into_owned()));
        }
        // What cannot be read has no Dockerfile for us; the repository itself must be.
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
            Ok(entries) => entries,
        };
        for entry in entries.flatten() {
            // JSON has no other names.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_own = !name.starts_with('.') && !FOREIGN.contains(&name.as_str());
            if is_directory && is_own && depth < DEEPEST {
                open.push((below.join(name), depth + 1));
            }
        }
    }
    found.sort();
    Ok(named(repository, found))
}

/// A service is called after its directory; two of one name after their whole
/// paths, and what is still not unique gets a number.
fn named(repository: &Path, found: Vec<(PathBuf, String)>) -> Vec<Service> {
    let last = |directory: &Path| match directory.file_name() {
        Some(name) => plain(&name.to_string_lossy()),
        None => {
            let whole = std::path::absolute(repository);
            let whole = whole.and_then(|path| path.canonicalize());
            let name = whole.ok().and_then(|path| {
                let name = path.file_name()?;
                Some(plain(&name.to_string_lossy()))
            });
            name.unwrap_or_else(|| "app".to_owned())
        }
    };
    let short: Vec<String> = found.iter().map(|(directory, _)| last(directory)).collect();
    // The group of all is called so.
    let mut taken = BTreeSet::from(["default".to_owned()]);
    let mut services = Vec::new();
    for ((directory, file), name) in found.into_iter().zip(&short) {
        let is_only = short.iter().filter(|other| *other == name).count() == 1;
        let wanted = match is_only || directory.as_os_str().is_empty() {
            true => name.clone(),
            false => plain(&directory.to_string_lossy()),
        };
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut names = std::iter::once(wanted.clone()).chain(numbered);
        let name = names.find(|name| !taken.contains(name)).unwrap_or(wanted);
        taken.insert(name.clone());
        services.push(Service {
            name,
            directory: match directory.as_os_str().is_empty() {
                true => PathBuf::from("."),
                false => directory,
            },
            file,
        });
    }
    services
}

/// The characters that bake allows in the name of a target.
fn plain(text: &str) -> String {
    let plain = text.to_ascii_lowercase();
    let plain: String = plain
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '_' => c,
            _ => '-',
        })
        .collect();
    match plain.trim_matches(['-', '_']) {
        "" => "app".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_valid() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("My Shop");
        for (directory, file) in [
            ("", "Dockerfile"),
            ("services/api", "Dockerfile"),
            ("tools/api", "Containerfile"),
            ("services/Web.App", "Dockerfile"),
            ("default", "Dockerfile"),
            ("a/ü", "Dockerfile"),
            ("node_modules/x", "Dockerfile"),
            (".git/x", "Dockerfile"),
            ("none", "README"),
        ] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
            std::fs::write(root.join(directory).join(file), "FROM scratch\n").unwrap();
        }
        std::os::unix::fs::symlink("..", root.join("services/loop")).unwrap();
        let services = services(&root).unwrap();
        let found: Vec<String> = services
            .iter()
            .map(|it| format!("{} {} {}", it.name, it.directory.display(), it.file))
            .collect();
        let expected = [
            "my-shop . Dockerfile",
            "app a/ü Dockerfile",
            "default-2 default Dockerfile",
            "web-app services/Web.App Dockerfile",
            "services-api services/api Dockerfile",
            "tools-api tools/api Containerfile",
        ];
        assert_eq!(found, expected);
    }
}
