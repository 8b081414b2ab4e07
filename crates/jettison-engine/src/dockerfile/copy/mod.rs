//! COPY, and what ADD shares with it: which files of a source go where in a
//! stage, and the layer that says so.
//!
//! Three steps: [`select`] finds what the sources name and knows a key for all
//! that is read, without looking at the stage; [`Selection::plan`] lays it into
//! the stage's tree; [`CopyPlan::write`] writes the layer. BuildKit 0.26 is
//! followed to its copier (fsutil), its surprises included, since a build must
//! not gain or lose a file by changing the builder. Nothing here opens a path.

mod draft;
mod error;
mod files;
mod mode;
mod owner;
mod pick;
mod place;
mod select;
mod unpack;
mod write;

use std::path::PathBuf;

use jettison_image::{Limits, Timestamp};

use super::FileSystem;

pub use error::CopyError;
pub use select::{Selection, select};
pub use write::CopyPlan;

pub(crate) use files::Files;
pub(crate) use pick::Part;
pub(crate) use select::{fetched, filter, local, with_parts};

/// A COPY, or an ADD of files of the context, with all words resolved.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// Paths and globs inside the source.
    pub sources: Vec<Vec<u8>>,
    /// Files whose contents stand in the Dockerfile: name and content.
    pub inline: Vec<(Vec<u8>, Vec<u8>)>,
    /// The destination as written.
    pub destination: Vec<u8>,
    /// What a relative destination is relative to, absolute.
    pub working_dir: Vec<u8>,
    /// `--chown`.
    pub chown: Option<Vec<u8>>,
    /// `--chmod`.
    pub chmod: Option<Vec<u8>>,
    /// `--link`: as onto an empty root.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`.
    pub exclude: Vec<Vec<u8>>,
    /// ADD: archives are unpacked.
    pub unpack: bool,
    /// Where unpacked contents wait for being written; where the machine keeps
    /// temporary files when there is none.
    pub scratch: Option<PathBuf>,
    /// What archives may hold.
    pub limits: Limits,
    /// The time of what has none of its own: directories that are made or
    /// written to, inline files.
    pub time: Timestamp,
}

impl CopyRequest {
    /// Whether the layer does not depend on what is below it.
    pub fn is_independent(&self) -> bool {
        // BuildKit forgets `--link` beside `--chmod`.
        self.link && self.chmod.is_none()
    }
}

/// The ids of `USER[:GROUP]` in a stage.
pub(crate) fn owner(text: &[u8], stage: &dyn FileSystem) -> Result<(u64, u64), CopyError> {
    match text {
        b"" => Ok((0, 0)),
        text => owner::Owner::parse(text).ids(Some(stage)),
    }
}

#[cfg(test)]
mod tests;
