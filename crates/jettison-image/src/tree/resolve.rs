//! Where a path leads, as the kernel would find it with this tree as the root
//! (path_resolution(7)): links are followed, `..` stops at the root.

use super::merge::MOST_LINKS;
use super::{Node, NodeKind, Tree};
use crate::{ImagePath, escape, names_ahead};

/// Whether the last component is followed when it is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Every link, as `open` does.
    All,
    /// Every link but the last, as `lstat` does.
    AllButLast,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A component is not there.
    #[error("{} is not there", .0.display())]
    NotFound(ImagePath),
    /// A component that is not the last is no directory.
    #[error("{} is not a directory", .0.display())]
    NotADirectory(ImagePath),
    /// More than 40 links.
    #[error("`{0}` runs through more than 40 symbolic links")]
    TooManyLinks(String),
}

impl Tree {
    /// Resolves an absolute path, or one relative to the root.
    pub fn resolve(
        &self,
        path: impl AsRef<[u8]>,
        follow: Follow,
    ) -> Result<Node<'_>, ResolveError> {
        self.resolve_from(self.root(), path, follow)
    }

    /// Resolves a path relative to a directory of this tree.
    pub fn resolve_from<'t>(
        &'t self,
        directory: Node<'t>,
        path: impl AsRef<[u8]>,
        follow: Follow,
    ) -> Result<Node<'t>, ResolveError> {
        self.walk(directory, path, follow, &mut |_| {})
    }

    /// Resolves a path as [`Tree::resolve_from`] does and tells of every name
    /// that is passed on the way: directories, links, and the end itself.
    pub fn walk<'t>(
        &'t self,
        directory: Node<'t>,
        path: impl AsRef<[u8]>,
        follow: Follow,
        visit: &mut dyn FnMut(Node<'t>),
    ) -> Result<Node<'t>, ResolveError> {
        let path = path.as_ref();
        let mut at = if path.first() == Some(&b'/') {
            self.root()
        } else {
            directory
        };
        let mut ahead: Vec<&[u8]> = names_ahead(path).collect();
        // A trailing slash asks for a directory and follows the last link.
        let follow_last = follow == Follow::All || path.last() == Some(&b'/');
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if !at.is_directory() {
                return Err(ResolveError::NotADirectory(at.path()));
            }
            if name == b".." {
                at = at.parent().unwrap_or(at);
                continue;
            }
            let Some(child) = at.child(name) else {
                let missing = ImagePath::from_components(&[at.path().as_bytes(), name]);
                return Err(ResolveError::NotFound(missing));
            };
            visit(child);
            let NodeKind::Symlink { target } = child.kind() else {
                at = child;
                continue;
            };
            if ahead.is_empty() && !follow_last {
                return Ok(child);
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(ResolveError::TooManyLinks(escape(
                    &String::from_utf8_lossy(path),
                )));
            }
            if target.first() == Some(&b'/') {
                at = self.root();
            }
            ahead.extend(names_ahead(target));
        }
        Ok(at)
    }
}
