//! What an image is: digests, references, manifests, configs, layers, tar
//! entries and the merged tree, all as values.
//!
//! This crate opens no file, reads no clock and touches no network: bytes are
//! handed in as readers and handed out through writers. Nothing read from
//! outside is unbounded ([`Limits`]).

pub mod account;
pub mod compression;
mod config;
mod digest;
mod entry;
mod error;
mod escape;
pub mod filter;
mod image;
mod json;
pub mod layer;
pub mod layout;
mod limits;
mod manifest;
pub mod media_type;
mod path;
mod platform;
mod reference;
pub mod tar;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tree;

pub use compression::{Compression, Decoder};
pub use config::{Healthcheck, History, ImageConfig, RunConfig};
pub use digest::{DiffId, Digest, DigestParseError, Sha256Writer, VerifyingReader};
pub use entry::{Entry, EntryKind, Metadata, Timestamp};
pub use error::Error;
pub use escape::escape;
pub use image::{BlobSource, Image, LayerBlob, NewImage, NewLayer, open_verified, read_blob};
pub use layer::{BuiltLayer, LayerWriter};
pub use limits::Limits;
pub use manifest::{
    Descriptor, ImageIndex, Manifest, ManifestOrIndex, Referrer, SelectError, referrers_tag,
};
pub use media_type::Schema;
pub use path::{ImagePath, PathError, names_ahead};
pub use platform::{Platform, PlatformParseError};
pub use reference::{Reference, ReferenceError, ReferenceProblem};
pub use tree::{
    Budget, ContentHash, FileContents, Follow, Hidden, IndexEntry, LayerIndex, LayerIndexBuilder,
    Node, NodeKind, Origin, ResolveError, Tree,
};
