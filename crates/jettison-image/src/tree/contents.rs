//! Reading the files of a tree, wherever their bytes are.

use std::borrow::Cow;

use super::Node;
use crate::Error;

/// Hands out the contents of a tree's regular files.
pub trait FileContents: Sync {
    /// The content of a regular file, cut off behind `most` bytes; empty for
    /// anything that is not a regular file.
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error>;
}
