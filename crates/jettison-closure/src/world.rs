//! What a program finds around it when the image starts it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jettison_image::{FileContents, Follow, ImagePath, Node, Tree};
use memchr::memmem;

use crate::locales;

/// An image as its programs see it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The merged tree.
    pub tree: &'a Tree,
    /// Its files.
    pub contents: &'a dyn FileContents,
    /// The environment that the image's program is started with.
    pub environment: &'a BTreeMap<String, String>,
    /// The directory it is started in.
    pub working_directory: &'a ImagePath,
    /// What was found before.
    pub memo: &'a Memo,
}

/// What was found before, of one tree: the same few directories are looked
/// into for every file.
#[derive(Debug, Default)]
pub struct Memo {
    directories: Mutex<HashMap<Vec<u8>, Option<usize>>>,
    expanded: Mutex<HashMap<String, Arc<[ImagePath]>>>,
    locales: OnceLock<BTreeSet<String>>,
}

impl Memo {
    /// The directories that a pattern names, as `expand` finds them.
    pub(crate) fn expanded(
        &self,
        pattern: &str,
        expand: impl FnOnce() -> Vec<ImagePath>,
    ) -> Arc<[ImagePath]> {
        if let Some(known) = held(&self.expanded).get(pattern) {
            return Arc::clone(known);
        }
        let found: Arc<[ImagePath]> = expand().into();
        held(&self.expanded).insert(pattern.to_owned(), Arc::clone(&found));
        found
    }
}

/// Parsers run on stacks of their own; what one of them found holds when it
/// did not come to its end.
fn held<T>(memo: &Mutex<T>) -> MutexGuard<'_, T> {
    memo.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> World<'a> {
    /// Where a command without a slash is found: the first executable file of
    /// that name in `PATH`. With a slash: that path, from the working directory.
    /// The path is as the search finds it; links are not followed.
    pub fn command(&self, name: &[u8]) -> Option<ImagePath> {
        if name.is_empty() {
            return None;
        }
        if name.contains(&b'/') {
            return self.executable(&self.below_working_directory(name)?);
        }
        let mut directories = self.search_path();
        directories.find_map(|directory| self.executable(&directory.join(name).ok()?))
    }

    /// The directories in which commands are looked for.
    pub fn search_path(&self) -> impl Iterator<Item = ImagePath> {
        let path = self.environment.get("PATH");
        let path = path.map_or(DEFAULT_PATH, |path| path);
        path.split(':')
            .filter_map(|directory| self.below_working_directory(directory.as_bytes()))
    }

    /// The names of everything that a command without a slash could be.
    pub(crate) fn commands(&self) -> Vec<Vec<u8>> {
        let directories = self.search_path();
        let mut names: Vec<Vec<u8>> = directories
            .filter_map(|directory| self.tree.resolve(directory, Follow::All).ok())
            .flat_map(|directory| directory.children().map(|child| child.name().to_vec()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// An absolute path as it is, a relative one from the working directory.
    pub fn below_working_directory(&self, path: &[u8]) -> Option<ImagePath> {
        if path.first() == Some(&b'/') {
            return ImagePath::new(path).ok();
        }
        self.working_directory.join(path).ok()
    }

    /// The regular file that a path leads to.
    pub fn file(&self, path: impl AsRef<[u8]>) -> Option<Node<'a>> {
        let path = path.as_ref();
        let is_plain = memmem::find(path, b"/.").is_none();
        let node = match path.iter().rposition(|&byte| byte == b'/') {
            Some(at) if is_plain && at + 1 < path.len() => {
                let directory = self.directory(&path[..at])?;
                let name = &path[at + 1..];
                match directory.child(name)? {
                    node if node.link_target().is_none() => Some(node),
                    _ => self.tree.resolve_from(directory, name, Follow::All).ok(),
                }
            }
            _ => self.tree.resolve(path, Follow::All).ok(),
        };
        node.filter(Node::is_file)
    }

    /// The names of all compiled locales.
    pub(crate) fn locales(&self) -> &'a BTreeSet<String> {
        let look = || locales::installed(self.tree, self.contents);
        self.memo.locales.get_or_init(look)
    }

    /// The directory that a path leads to.
    pub fn directory(&self, path: &[u8]) -> Option<Node<'a>> {
        let known = held(&self.memo.directories).get(path).copied();
        let id = known.unwrap_or_else(|| {
            let node = self.tree.resolve(path, Follow::All).ok();
            let id = node.filter(Node::is_directory).map(|node| node.id());
            held(&self.memo.directories).insert(path.to_vec(), id);
            id
        });
        self.tree.at(id?)
    }

    fn executable(&self, path: &ImagePath) -> Option<ImagePath> {
        let node = self.file(path)?;
        (node.mode() & 0o111 != 0).then(|| path.clone())
    }
}

/// What Docker gives a container whose image sets no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
