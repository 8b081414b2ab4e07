//! Layers: tar archives with a digest, a diff id and whiteouts.

mod reader;
mod whiteout;
mod writer;

pub use reader::{LayerEntry, LayerReader, LayerSummary};
pub use whiteout::Change;
pub use writer::{BuiltLayer, LayerWriter};
