//! Images as files: OCI image layouts and docker-archives, read and written
//! through traits that whoever may open host paths hands in.
//!
//! Nothing here follows a link out of what was handed in, and every blob is
//! verified while it is read, on the way in and on the way out.

mod archive;
mod docker;
mod oci;
mod write;

use std::io::Read;
use std::sync::Arc;

use crate::{Error, Image, Limits, Platform};

pub use archive::{Archive, ArchiveFiles, ReadSeek};
pub use docker::{ArchivedImage, DockerArchive};
pub use oci::OciLayout;
pub use write::{ArchiveSink, LayoutName, Sink, write_docker_archive, write_oci_layout};

/// Annotation that names an image inside an OCI layout (OCI image-spec,
/// annotations.md).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation with the whole name, as containerd and docker write it.
pub const IMAGE_NAME: &str = "io.containerd.image.name";

/// A file that can be read, with the size it is said to have.
pub struct StoredFile {
    /// Size in bytes.
    pub size_bytes: u64,
    /// The content.
    pub content: Box<dyn Read + Send>,
}

/// Files under relative names (`blobs/sha256/…`).
///
/// An implementation over a directory must open regular files only (no FIFO,
/// no device, nothing through a link that leaves the directory), and must not
/// block.
pub trait Files: Send + Sync {
    /// Opens a file; none when there is no such name.
    fn open(&self, name: &str) -> Result<Option<StoredFile>, Error>;
}

/// Why none or more than one image was found under a name.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No image has this name.
    #[error("there is no image named {wanted}; there are: {names}")]
    NoSuchName {
        /// What was asked for, escaped.
        wanted: String,
        /// What there is, escaped, joined by commas.
        names: String,
    },
    /// No name was given and there is more than one image.
    #[error("there are several images, say which: {names}")]
    Several {
        /// What there is, escaped, joined by commas.
        names: String,
    },
    /// There is none.
    #[error("there is no image in it")]
    Empty,
    /// The index has none for the platform.
    #[error(transparent)]
    Platform(#[from] crate::SelectError),
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Error),
}

/// What a set of files turned out to be.
pub enum Layout {
    /// An OCI image layout.
    Oci(OciLayout),
    /// A docker-archive; new engines write an OCI layout beside it.
    Docker(DockerArchive),
}

impl Layout {
    /// Looks at the files: `manifest.json` makes a docker-archive (it has the
    /// tags that `docker load` would give), `index.json` an OCI layout.
    pub fn open(files: Arc<dyn Files>, limits: &Limits) -> Result<Self, Error> {
        if files.open(docker::MANIFEST)?.is_some() {
            let archive = DockerArchive::open(Arc::clone(&files), limits)?;
            // An image of several platforms has no entry in docker's list.
            if !archive.images().is_empty() || files.open(oci::INDEX)?.is_none() {
                return Ok(Self::Docker(archive));
            }
        }
        if files.open(oci::INDEX)?.is_some() {
            return OciLayout::open(files, limits).map(Self::Oci);
        }
        if files.open("repositories")?.is_some() {
            let problem = "was written by an engine before 1.10; save it again with a current one";
            return Err(Error::malformed("archive", problem));
        }
        Err(Error::malformed(
            "archive",
            "holds neither manifest.json nor index.json",
        ))
    }

    /// Loads the image of a name, or the only one there is.
    pub fn load(
        &self,
        name: Option<&str>,
        platform: &Platform,
        limits: &Limits,
    ) -> Result<Image, FindError> {
        match self {
            Self::Oci(layout) => layout.load(name, platform, limits),
            Self::Docker(archive) => archive.load(name, limits),
        }
    }
}

/// Reads a small file whole; none when there is none.
fn read_json(files: &dyn Files, name: &str, limits: &Limits) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = files.open(name)? else {
        return Ok(None);
    };
    if file.size_bytes > limits.json_bytes {
        return Err(crate::json::too_long(name, limits));
    }
    let mut bytes = Vec::new();
    // The size is only what the file system said; one byte more shows the lie.
    file.content
        .take(limits.json_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| Error::read(name, source))?;
    if bytes.len() as u64 > limits.json_bytes {
        return Err(crate::json::too_long(name, limits));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
