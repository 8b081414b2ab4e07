//! Writes composed layers into the store. Same items, same digest: nothing of
//! the clock, the host's owners or the number of threads gets in.

use jettison_image::compression::{Compression, EncoderOptions};
use jettison_image::layer::{BuiltLayer, LayerWriter};
use jettison_image::{Error, History, NewLayer};

use super::item::Item;
use crate::store::{BlobWriter, LayerFacts, Store, StoreError};

/// Items that change together.
#[derive(Debug)]
pub(crate) struct Stratum {
    /// The step in the image's history.
    pub(crate) created_by: String,
    /// Sorted by path, parents included.
    pub(crate) items: Vec<Item>,
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry could not be written.
    #[error(transparent)]
    Image(#[from] Error),
    /// A file of the host changed or vanished while it was read.
    #[error("{path} cannot be put into the image")]
    Content {
        /// Where it was to go.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Writes one layer.
pub(crate) fn write_layer(
    store: &Store,
    stratum: &Stratum,
    compression: Compression,
) -> Result<(NewLayer, History), AssembleError> {
    let options = EncoderOptions::new(compression);
    let layer = store_layer(store, &options, |writer| {
        for item in &stratum.items {
            let mut content = item
                .content
                .open()
                .map_err(|source| AssembleError::Content {
                    path: item.entry.path.display().to_string(),
                    source,
                })?;
            writer.append(&item.entry, &mut content)?;
        }
        Ok(())
    })?;
    let step = History {
        created_by: Some(stratum.created_by.clone()),
        ..History::default()
    };
    Ok((NewLayer::from(&layer), step))
}

/// Puts a layer of what `fill` writes into the store.
pub(crate) fn store_layer(
    store: &Store,
    options: &EncoderOptions,
    fill: impl FnOnce(&mut LayerWriter<BlobWriter>) -> Result<(), AssembleError>,
) -> Result<BuiltLayer, AssembleError> {
    let mut writer = LayerWriter::new(store.blob_writer()?, options)?;
    fill(&mut writer)?;
    let (built, sink) = writer.finish()?;
    sink.commit_as(built.digest)?;
    let facts = LayerFacts {
        diff_id: built.diff_id,
        unpacked_bytes: built.unpacked_bytes,
    };
    store.put_layer_facts(&built.digest, facts)?;
    Ok(built)
}
