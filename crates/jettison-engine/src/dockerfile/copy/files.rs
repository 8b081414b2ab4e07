//! The file systems that a copy reads: somebody else's, or one made for the
//! purpose (an inline file).

use std::io::Read;
use std::sync::Arc;

use jettison_image::{
    Budget, ContentHash, Digest, Entry, EntryKind, Error, ImagePath, LayerIndexBuilder, Limits,
    Metadata, Node, Timestamp, Tree,
};

use crate::dockerfile::FileSystem;

/// A file system, borrowed or owned.
pub(crate) enum Files<'a> {
    Borrowed(&'a dyn FileSystem),
    Owned(Box<dyn FileSystem + Send + 'a>),
}

impl Files<'_> {
    pub(crate) fn as_dyn(&self) -> &dyn FileSystem {
        match self {
            Self::Borrowed(files) => *files,
            Self::Owned(files) => &**files,
        }
    }
}

/// A single file in an otherwise empty root.
pub(super) struct InlineFile {
    tree: Tree,
    content: Vec<u8>,
}

impl InlineFile {
    /// BuildKit makes it with mode 0644.
    pub(super) fn new(name: &[u8], content: Vec<u8>, mtime: Timestamp) -> Result<Self, Error> {
        let path = ImagePath::new(name)
            .map_err(|error| Error::malformed("a heredoc's name", error.to_string()))?;
        if path.is_root() {
            return Err(Error::malformed("a heredoc's name", "it is a directory"));
        }
        let limits = Limits::default();
        let mut index = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
        let entry = Entry {
            path,
            kind: EntryKind::File {
                size_bytes: content.len() as u64,
            },
            metadata: Metadata {
                mode: 0o644,
                mtime,
                ..Metadata::default()
            },
        };
        let hash = ContentHash::Sha256(*Digest::of(&content).as_bytes());
        index.push(&entry, 0, Some(hash))?;
        let tree = Tree::merge(vec![Arc::new(index.finish())], &limits)?;
        Ok(Self { tree, content })
    }
}

impl FileSystem for InlineFile {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn open(&self, _: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(self.content.as_slice()))
    }
}
