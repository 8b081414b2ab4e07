//! A project's files as they are handed in: a listing and a way to read one.

/// Texts larger than this are no manifest and no source worth scanning; the
/// largest honest ones are generated code of a few megabytes.
pub const TEXT_BYTES: u64 = 8 << 20;

/// The files of a project and whatever surrounds it (the repository, when the
/// project is a member of a workspace).
pub trait Source {
    /// Every regular file below the root, as relative paths joined by `/`,
    /// sorted. Directories for which [`is_skipped_directory`] holds are left out.
    fn files(&self) -> &[String];

    /// The name of the root directory itself: what a program is called whose
    /// directory is all that could name it.
    fn root_name(&self) -> &str {
        "app"
    }

    /// The bytes of one listed file; an error text when it cannot be read or
    /// is longer than `limit`.
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String>;
}

/// Directories that never say what a project is, yet can hold most of its
/// files. Handed the directory's own name, for whoever makes the listing.
pub fn is_skipped_directory(name: &str) -> bool {
    matches!(
        name,
        ".git"
            | ".hg"
            | ".svn"
            | ".jj"
            | "node_modules"
            | "target"
            | "__pycache__"
            | ".venv"
            | ".tox"
            | ".idea"
            | ".cache"
            | ".terraform"
    )
}

/// Reads a text as UTF-8, wrong bytes replaced; none when it cannot be read.
pub(crate) fn read_text(source: &dyn Source, path: &str) -> Option<String> {
    let bytes = source.read(path, TEXT_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// True when the listing has exactly this file.
pub(crate) fn has(source: &dyn Source, path: &str) -> bool {
    source
        .files()
        .binary_search_by(|file| file.as_str().cmp(path))
        .is_ok()
}

/// The listed files below `directory` (the root when empty), nested ones included.
pub(crate) fn below<'s>(source: &'s dyn Source, directory: &str) -> impl Iterator<Item = &'s str> {
    let prefix = if directory.is_empty() {
        String::new()
    } else {
        format!("{directory}/")
    };
    let files = source.files();
    let start = files.partition_point(|file| file.as_str() < prefix.as_str());
    let end = start
        + files[start..]
            .iter()
            .take_while(|file| file.starts_with(&prefix))
            .count();
    files[start..end].iter().map(String::as_str)
}

/// The directory of a path; empty for the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The last component of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// `directory/below`, either of which may be empty, `.` and `..` resolved.
/// None when it leaves the root.
pub(crate) fn join(directory: &str, below: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(below.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The directory itself and its parents up to the root, innermost first.
pub(crate) fn ancestors(directory: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(directory);
    std::iter::from_fn(move || {
        let current = next?;
        next = (!current.is_empty()).then(|| parent(current));
        Some(current)
    })
}

/// Sources made of texts, for tests and for callers that hold them anyway.
#[derive(Debug, Default, Clone)]
pub struct MemorySource {
    names: Vec<String>,
    contents: std::collections::BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// Takes pairs of path and content.
    pub fn new<P: Into<String>, C: Into<Vec<u8>>>(files: impl IntoIterator<Item = (P, C)>) -> Self {
        let contents: std::collections::BTreeMap<String, Vec<u8>> = files
            .into_iter()
            .map(|(path, content)| (path.into(), content.into()))
            .collect();
        Self {
            names: contents.keys().cloned().collect(),
            contents,
        }
    }
}

impl Source for MemorySource {
    fn files(&self) -> &[String] {
        &self.names
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        let content = self
            .contents
            .get(path)
            .ok_or_else(|| format!("{path}: not listed"))?;
        if content.len() as u64 > limit {
            return Err(format!("{path}: longer than {limit} bytes"));
        }
        Ok(content.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_inside_the_root() {
        for (directory, below, expected) in [
            ("", "a/b", Some("a/b")),
            ("a", "./b", Some("a/b")),
            ("a/b", "../c", Some("a/c")),
            ("a", "../../c", None),
            ("a", "", Some("a")),
        ] {
            assert_eq!(
                join(directory, below).as_deref(),
                expected,
                "{directory} + {below}"
            );
        }
        assert_eq!(ancestors("a/b").collect::<Vec<_>>(), ["a/b", "a", ""]);
    }

    #[test]
    fn a_prefix_of_a_name_is_not_its_directory() {
        let source = MemorySource::new([("a/x", ""), ("a-b/y", ""), ("ab", ""), ("a/c/z", "")]);
        assert_eq!(below(&source, "a").collect::<Vec<_>>(), ["a/c/z", "a/x"]);
        assert_eq!(below(&source, "").count(), 4);
    }
}
