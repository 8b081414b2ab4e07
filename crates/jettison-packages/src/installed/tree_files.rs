//! A merged tree with the contents that were collected from its layers, as
//! [`scan`](super::scan) wants it.

use std::borrow::Cow;
use std::collections::HashMap;

use jettison_image::{Follow, ImagePath, Tree};

use super::Files;

/// A tree and the contents of its databases.
pub struct TreeFiles<'a> {
    /// The merged tree.
    pub tree: &'a Tree,
    /// The contents of the files for which [`is_database`](super::is_database)
    /// holds, by their own path: that of the node whose entry carries them.
    pub contents: &'a HashMap<ImagePath, Vec<u8>>,
}

impl Files for TreeFiles<'_> {
    fn content(&self, path: &ImagePath) -> Option<Cow<'_, [u8]>> {
        let node = self
            .tree
            .resolve(path, Follow::All)
            .ok()
            .filter(|node| node.is_file())?;
        let content = self
            .contents
            .get(&node.path())
            .or_else(|| self.contents.get(path))?;
        Some(Cow::Borrowed(content))
    }

    fn for_each_path(&self, visit: &mut dyn FnMut(&ImagePath, bool)) {
        for node in self.tree.iter() {
            visit(&node.path(), node.is_directory());
        }
    }

    fn is_directory(&self, path: &ImagePath) -> bool {
        let node = self.tree.get(path);
        node.is_some_and(|node| node.is_directory())
    }

    fn real_directory(&self, directory: &ImagePath) -> Option<ImagePath> {
        let node = self.tree.resolve(directory, Follow::All).ok()?;
        node.is_directory().then(|| node.path())
    }
}
