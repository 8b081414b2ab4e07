//! New layers from the entries of old ones.
//!
//! A small image is a choice among the names of a tree ([`Selection`]). Its
//! layers ([`Filter`]) are the original's own entries, copied bit for bit, so
//! that owner, mode, times, attributes, extended records and holes are what
//! they were. An entry is written anew only where it cannot be copied: it lies
//! under another name than the tree shows, a later layer changed its metadata,
//! or its content was rewritten. What a small image lacks can be written as
//! one layer more ([`complement`]), and [`laws`] says whether a result keeps
//! what it promises.
//!
//! Refuses to make up anything: there is no path in a result that the original
//! does not have. The bytes depend on tree, selection and options alone.

mod complement;
mod groups;
pub mod laws;
mod selection;
mod write;

use crate::tar::{Reader, Source};
use crate::{Error, Origin};

pub use complement::complement;
pub use groups::{GROUPS, Owner};
pub use selection::Selection;
pub use write::Filter;

/// Hands out the entries of layers as the archives have them.
pub trait RawEntries: Sync {
    /// A reader whose next entry is the one of this origin.
    fn entry_at(&self, origin: Origin) -> Result<Reader<Box<dyn Source + '_>>, Error>;
}

#[cfg(test)]
mod tests;
