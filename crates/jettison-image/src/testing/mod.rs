//! Hostile and odd inputs for tests, made up as they are asked for. Behind
//! the feature `testing`; no part of what is shipped.

mod blobs;
mod layers;
mod tar_block;
mod tar_corpus;

pub use blobs::MemoryBlobs;
pub use layers::MemoryLayers;
pub use tar_block::TarBlock;
pub use tar_corpus::{Expected, TarCase, tar_corpus};
