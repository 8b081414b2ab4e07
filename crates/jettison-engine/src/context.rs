//! What every deed works with.

use std::path::PathBuf;
use std::sync::Arc;

use jettison_image::Limits;

use crate::progress::Progress;
use crate::store::{Store, StoreError};
use crate::transport::{StoreSource, Transports};

/// The store, the ways to other places, the bounds, and who hears of progress.
#[derive(Clone)]
pub struct Context {
    /// Where images come from and go to.
    pub transports: Transports,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
}

impl Context {
    /// The same with another store.
    pub(crate) fn with_store(&self, store: Store) -> Self {
        Self {
            transports: self.transports.with_store(store),
            progress: Arc::clone(&self.progress),
        }
    }

    /// Where images and caches are kept.
    pub fn store(&self) -> &Store {
        self.transports.store()
    }

    /// Bounds on what is read.
    pub fn limits(&self) -> &Limits {
        self.transports.limits()
    }

    /// The store as the place an image's blobs are read from.
    pub(crate) fn store_source(&self) -> StoreSource {
        StoreSource(self.store().clone())
    }

    /// A directory beside the store for what is not worth keeping.
    pub(crate) fn scratch(&self) -> Result<PathBuf, StoreError> {
        self.store().scratch()
    }
}
