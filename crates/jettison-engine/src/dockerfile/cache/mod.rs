//! Steps on the move: `--cache-to` and `--cache-from`.
//!
//! A cache is an image: its layers are those of steps, and a label of its
//! config says which step made which. So every registry keeps it, and what
//! comes back is verified as an image is: each blob by its digest, each layer
//! once more by the digest of its content. That the right step made a layer is
//! not to be seen from it: a cache is trusted as far as whoever wrote it.

mod export;
mod import;

use std::collections::BTreeMap;

use jettison_image::{Compression, Digest, NewLayer};
use serde::{Deserialize, Serialize};

use crate::transport::Location;

pub(crate) use export::export;
pub(crate) use import::Imported;

/// Where the steps stand in the config of a cache.
const LABEL: &str = "jettison.build-cache";
/// What the label holds.
const SCHEMA: &str = "jettison.build-cache/1";

/// `--cache-to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheExport {
    /// An OCI layout or a registry.
    pub place: Location,
    /// Which steps.
    pub mode: CacheMode,
    /// How layers are packed.
    pub compression: Compression,
    /// A place that does not take it is a warning and no error.
    pub ignore_error: bool,
}

/// Which steps a cache has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheMode {
    /// Those whose layers are in the image.
    Min,
    /// Those of all stages that took part.
    #[default]
    Max,
}

/// A step that was done or known.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) stage: usize,
    pub(crate) key: Digest,
    pub(crate) layer: Option<NewLayer>,
}

/// The label.
#[derive(Debug, Serialize, Deserialize)]
struct Steps {
    schema: String,
    /// By key: the place of the layer, none where the step wrote nothing.
    steps: BTreeMap<String, Option<usize>>,
}
