//! What goes into an image that is composed: entries with their content and
//! the component of the size table that each belongs to.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use jettison_image::{Entry, EntryKind, ImagePath, Metadata};

use crate::files;

/// One entry of a composed layer.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) entry: Entry,
    pub(crate) content: Content,
    /// The row of the size table that it counts in.
    pub(crate) component: String,
}

/// Where an entry's bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// It has none.
    Nothing,
    /// These.
    Bytes(Vec<u8>),
    /// A file of the host.
    File(PathBuf),
}

impl Content {
    /// Opens the bytes.
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Nothing => Box::new(io::empty()),
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(Self::open_file(path)?),
        })
    }

    fn open_file(path: &std::path::Path) -> io::Result<File> {
        files::open_named(path)
    }
}

impl Item {
    /// A file with these bytes, owned by root.
    #[cfg(test)]
    pub(crate) fn file(path: ImagePath, mode: u32, bytes: Vec<u8>, component: &str) -> Self {
        let kind = EntryKind::File {
            size_bytes: bytes.len() as u64,
        };
        Self::new(path, kind, mode, Content::Bytes(bytes), component)
    }

    /// A directory, owned by root.
    pub(crate) fn directory(path: ImagePath, mode: u32, component: &str) -> Self {
        Self::new(
            path,
            EntryKind::Directory,
            mode,
            Content::Nothing,
            component,
        )
    }

    /// Any entry, owned by root, dated 1970: what a project's own files say
    /// about their times differs from checkout to checkout.
    pub(crate) fn new(
        path: ImagePath,
        kind: EntryKind,
        mode: u32,
        content: Content,
        component: &str,
    ) -> Self {
        let metadata = Metadata {
            mode,
            ..Metadata::default()
        };
        let entry = Entry {
            path,
            kind,
            metadata,
        };
        Self {
            entry,
            content,
            component: component.to_owned(),
        }
    }
}

/// Puts the directories that no entry names in front of what lies in them.
/// `known` are directories of lower layers, and grows by those of this one.
pub(crate) fn with_parents(items: Vec<Item>, known: &mut BTreeSet<ImagePath>) -> Vec<Item> {
    let own: BTreeSet<ImagePath> = items
        .iter()
        .filter(|item| item.entry.kind == EntryKind::Directory)
        .map(|item| item.entry.path.clone())
        .collect();
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        let mut missing = Vec::new();
        let mut above = item.entry.path.parent();
        while let Some(path) = above.filter(|path| !path.is_root()) {
            above = path.parent();
            if !own.contains(&path) && known.insert(path.clone()) {
                missing.push(path);
            }
        }
        let directories = missing.into_iter().rev();
        all.extend(directories.map(|path| Item::directory(path, 0o755, &item.component)));
        all.push(item);
    }
    known.extend(own);
    all.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jettison_image::ImagePath;

    use super::{Item, with_parents};

    fn path(text: &str) -> ImagePath {
        ImagePath::new(text).expect("a path")
    }

    #[test]
    fn parents_come_once_and_first() {
        let items = vec![
            Item::file(path("a/b/c"), 0o644, Vec::new(), "x"),
            Item::directory(path("a"), 0o700, "x"),
            Item::file(path("tmp/y"), 0o644, Vec::new(), "x"),
        ];
        let mut known = BTreeSet::from([path("tmp")]);
        let names: Vec<String> = with_parents(items, &mut known)
            .iter()
            .map(|item| {
                format!(
                    "{} {:o}",
                    item.entry.path.display(),
                    item.entry.metadata.mode
                )
            })
            .collect();
        assert_eq!(names, ["/a 700", "/a/b 755", "/a/b/c 644", "/tmp/y 644"]);
        assert!(known.contains(&path("a")) && known.contains(&path("a/b")));
    }
}
