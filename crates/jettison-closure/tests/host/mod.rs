//! Directories of the machine as an image's tree: for tests only, which hold
//! the closure against what runs here.

#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_closure::{Memo, World};
use jettison_image::{
    Budget, Entry, EntryKind, Error, FileContents, ImagePath, LayerIndexBuilder, Limits, Metadata,
    Node, Tree,
};

/// Large directories that no program under test looks into.
const UNREAD: &[&str] = &[
    "share/man",
    "share/doc",
    "share/icons",
    "share/cmake-3.25",
    "lib/google-cloud-sdk",
    "lib/node_modules",
    "lib/python3",
];

/// A tree with the files behind it.
pub(crate) struct Host {
    pub(crate) tree: Tree,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) working_directory: ImagePath,
    memo: Memo,
    files: HostFiles,
}

struct HostFiles(PathBuf);

impl Host {
    /// These directories and everything below them, without other file systems.
    pub(crate) fn of(root: &Path, directories: &[&str]) -> Self {
        let limits = Limits::default();
        let mut builder = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
        let mut ordinal = 0;
        let mut first: BTreeMap<(u64, u64), ImagePath> = BTreeMap::new();
        let mut open: Vec<PathBuf> = directories.iter().rev().map(PathBuf::from).collect();
        while let Some(path) = open.pop() {
            let on_host = root.join(path.strip_prefix("/").unwrap_or(&path));
            let Ok(metadata) = fs::symlink_metadata(&on_host) else {
                continue;
            };
            let image_path = ImagePath::new(path.as_os_str().as_bytes()).expect("a path");
            let kind = if metadata.is_dir() {
                if UNREAD.iter().any(|unread| path.ends_with(unread)) {
                    continue;
                }
                if let Ok(entries) = fs::read_dir(&on_host) {
                    open.extend(entries.flatten().map(|entry| path.join(entry.file_name())));
                }
                EntryKind::Directory
            } else if metadata.is_symlink() {
                let target = fs::read_link(&on_host).expect("a link");
                EntryKind::Symlink {
                    target: target.into_os_string().into_vec(),
                }
            } else if metadata.is_file() {
                let inode = (metadata.dev(), metadata.ino());
                match first.get(&inode).filter(|_| metadata.nlink() > 1) {
                    Some(target) => EntryKind::HardLink {
                        target: target.clone(),
                    },
                    None => {
                        first.insert(inode, image_path.clone());
                        EntryKind::File {
                            size_bytes: metadata.len(),
                        }
                    }
                }
            } else {
                continue;
            };
            let entry = Entry {
                path: image_path,
                kind,
                metadata: Metadata {
                    mode: metadata.permissions().mode() & 0o7777,
                    ..Metadata::default()
                },
            };
            builder.push(&entry, ordinal, None).expect("within limits");
            ordinal += 1;
        }
        let tree = Tree::merge(vec![Arc::new(builder.finish())], &limits).expect("a tree");
        Self {
            tree,
            environment: BTreeMap::new(),
            working_directory: ImagePath::root(),
            memo: Memo::default(),
            files: HostFiles(root.to_owned()),
        }
    }

    /// What programs live in.
    pub(crate) fn system() -> Self {
        Self::of(
            Path::new("/"),
            &[
                "/bin",
                "/sbin",
                "/lib",
                "/lib32",
                "/lib64",
                "/libx32",
                "/usr/bin",
                "/usr/sbin",
                "/usr/lib",
                "/usr/lib32",
                "/usr/lib64",
                "/usr/libexec",
                "/usr/share",
                "/usr/local/bin",
                "/usr/local/lib",
                "/etc",
                "/opt",
            ],
        )
    }

    pub(crate) fn world(&self) -> World<'_> {
        World {
            tree: &self.tree,
            contents: &self.files,
            environment: &self.environment,
            working_directory: &self.working_directory,
            memo: &self.memo,
        }
    }
}

impl FileContents for HostFiles {
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error> {
        let path = file.path();
        let path = Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
        let mut bytes = fs::read(self.0.join(path)).unwrap_or_default();
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(Cow::Owned(bytes))
    }
}
