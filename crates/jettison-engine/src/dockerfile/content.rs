//! Where the bytes of files come from: a build context, a stage, an image.

use std::io::{self, Read, Write};

use jettison_image::{Digest, Error, Node, Sha256Writer, Tree};

/// A file system that files are copied from.
pub trait FileSystem: Sync {
    /// Its files; those with content may know their SHA-256.
    fn tree(&self) -> &Tree;

    /// The bytes of a regular file of its tree.
    fn open(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error>;

    /// The SHA-256 of regular files, in the order in which they are named.
    /// What the tree does not know is read.
    fn digests(&self, files: &[Node<'_>]) -> Result<Vec<Digest>, Error> {
        let digest = |file: &Node<'_>| match file.sha256() {
            Some(known) => Ok(known),
            None => hash(*file, &mut self.open(*file)?),
        };
        files.iter().map(digest).collect()
    }
}

fn hash(file: Node<'_>, content: &mut dyn Read) -> Result<Digest, Error> {
    let mut hasher = Sha256Writer::new(io::sink());
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = match content.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish().1),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::read(file.path().display().to_string(), error)),
        };
        hasher
            .write_all(&buffer[..count])
            .expect("a sink takes everything");
    }
}
