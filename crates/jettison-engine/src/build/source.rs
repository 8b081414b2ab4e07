//! A project on the host as the recipes want to see it: a listing, and files
//! read on demand. Links to directories are not followed and nothing but
//! regular files is read, so neither a loop nor a FIFO stops us.

use std::fs;
use std::path::{Path, PathBuf};

use jettison_recipes::{Source, is_skipped_directory};

use crate::files;

/// More files than any project has; a home directory named by mistake has more.
const MOST_FILES: usize = 500_000;

/// Manifests of what may surround a project.
const SURROUNDING: [&str; 3] = ["go.work", "go.mod", "Cargo.toml"];

/// A project's directory, or the repository around it.
pub(crate) struct HostSource {
    root: PathBuf,
    root_name: String,
    files: Vec<String>,
}

/// Why a directory cannot be read as a project.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there, or is no directory.
    #[error("{} cannot be opened as a directory", path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It holds more files than any project.
    #[error("{} holds more than {MOST_FILES} files: is it the project's own directory?", path.display())]
    TooManyFiles {
        /// The path.
        path: PathBuf,
    },
}

impl HostSource {
    /// Lists the project in `directory` together with whatever surrounds it;
    /// also says where in the listing the project is.
    pub(crate) fn open(directory: &Path) -> Result<(Self, String), SourceError> {
        let error = |source| SourceError::Open {
            path: directory.to_owned(),
            source,
        };
        let directory = directory.canonicalize().map_err(error)?;
        if !directory.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        let root = surrounding_root(&directory).to_owned();
        let inside = directory.strip_prefix(&root).unwrap_or(Path::new(""));
        let inside = inside.to_string_lossy().into_owned();
        let mut files = Vec::new();
        list(&root, "", &mut files)?;
        files.sort_unstable();
        let root_name = root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Ok((
            Self {
                root,
                root_name: root_name.unwrap_or_else(|| "app".into()),
                files,
            },
            inside,
        ))
    }

    /// The root of the listing on the host.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

impl Source for HostSource {
    fn files(&self) -> &[String] {
        &self.files
    }

    fn root_name(&self) -> &str {
        &self.root_name
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        if self
            .files
            .binary_search_by(|file| file.as_str().cmp(path))
            .is_err()
        {
            return Err(format!("{path}: not a file of the project"));
        }
        let error = |error: std::io::Error| format!("{path}: {error}");
        let file = files::open_named(&self.root.join(path)).map_err(error)?;
        files::read_bounded(file, limit).map_err(error)
    }
}

/// The outermost directory of the same repository that has a manifest; the
/// project's own where there is no repository.
fn surrounding_root(directory: &Path) -> &Path {
    let Some(repository) = directory
        .ancestors()
        .find(|path| path.join(".git").exists())
    else {
        return directory;
    };
    let inside = directory
        .ancestors()
        .take_while(|path| path.starts_with(repository));
    let has_manifest = |path: &&Path| SURROUNDING.iter().any(|name| path.join(name).is_file());
    inside.filter(has_manifest).last().unwrap_or(directory)
}

fn list(root: &Path, below: &str, files: &mut Vec<String>) -> Result<(), SourceError> {
    let path = root.join(below);
    let Ok(entries) = fs::read_dir(&path) else {
        // A directory that cannot be read holds nothing that can be built from.
        return Ok(());
    };
    for entry in entries.flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let relative = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        if kind.is_dir() {
            if !is_skipped_directory(&name) {
                list(root, &relative, files)?;
            }
        } else if kind.is_file() || (kind.is_symlink() && entry.path().is_file()) {
            files.push(relative);
        }
        if files.len() > MOST_FILES {
            return Err(SourceError::TooManyFiles {
                path: root.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jettison_recipes::Source;

    use super::HostSource;

    #[test]
    fn a_member_is_seen_with_its_workspace() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().join("shop");
        for path in [".git", "services/api/src", "target/debug", "node_modules/x"] {
            fs::create_dir_all(root.join(path)).expect("a directory");
        }
        for path in [
            "Cargo.toml",
            "services/api/Cargo.toml",
            "services/api/src/main.rs",
        ] {
            fs::write(root.join(path), "").expect("a file");
        }
        fs::write(root.join("target/debug/x"), "").expect("a file");
        std::os::unix::fs::symlink("..", root.join("services/loop")).expect("a link");

        let (source, inside) = HostSource::open(&root.join("services/api")).expect("a project");
        assert_eq!(inside, "services/api");
        assert_eq!(source.root_name(), "shop");
        let expected = [
            "Cargo.toml",
            "services/api/Cargo.toml",
            "services/api/src/main.rs",
        ];
        assert_eq!(source.files(), expected);
        assert!(source.read("../../etc/passwd2", 10).is_err());

        fs::remove_dir(root.join(".git")).expect("removed");
        let (source, inside) = HostSource::open(&root.join("services/api")).expect("a project");
        assert_eq!((inside.as_str(), source.files().len()), ("", 2));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        fs::write(&file, "").expect("a file");
        assert!(HostSource::open(&file).is_err());
        assert!(HostSource::open(&directory.path().join("missing")).is_err());
    }
}
