//! Where the bytes of files come from: a build context, a stage, an image.

use std::io::Read;

use jettison_image::{Error, Node, Tree};

/// A file system that files are copied from.
pub trait FileSystem: Sync {
    /// Its files; those with content know their SHA-256.
    fn tree(&self) -> &Tree;

    /// The bytes of a regular file of its tree.
    fn open(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error>;
}
