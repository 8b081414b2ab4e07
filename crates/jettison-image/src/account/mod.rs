//! Where an image's bytes are: what `jettison inspect` shows, as values.
//!
//! Definitions, each sum exact:
//! - *on the wire*: bytes of the stored layer blobs. A file's share is the
//!   packed input that was consumed while its content was unpacked, as
//!   precise as the packing's blocks; headers, padding and what the packing
//!   adds are the layer's overhead.
//! - *shipped*: bytes of the regular files of all layers, hard links once.
//! - *wasted*: shipped minus visible at the end, each byte charged to the
//!   layer that hid it. Duplicates by content are a number of their own.
//!
//! Config and manifest are not counted; they are no files of the image.

mod collect;
mod fold;
mod read;
mod rows;
mod tee;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use crate::{Digest, Error, Image, ImagePath, LayerIndex, Limits, Tree};

pub use collect::Collect;
pub use rows::{DuplicateRow, FileRow, GroupRow, HiddenRow, PrivilegedRow};

/// Whether and how files are hashed while layers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contents {
    /// Not at all: no duplicates are known.
    Unhashed,
    /// By XXH3, which costs next to nothing and tells honest duplicates.
    #[default]
    Fast,
    /// By SHA-256: for whoever needs the digest of a file.
    Sha256,
}

/// How layers are read.
#[derive(Debug, Clone)]
pub struct SurveyOptions {
    /// How files are hashed.
    pub contents: Contents,
    /// Which files' contents are kept, for whoever wants to read them.
    pub collect: Option<Collect>,
    /// Threads to read layers with; with more than one, unpacking has a
    /// thread of its own beside each.
    pub threads: usize,
}

/// Takes the uncompressed archives while layers are read.
pub trait Archives: Sync {
    /// Where the archive of a layer goes; none where it need not go anywhere.
    /// It is flushed at its end; it is right once the survey is there.
    fn copy_of(&self, layer: usize) -> Result<Option<Box<dyn Write + Send>>, Error>;
}

/// Where in its layer's uncompressed archive an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryPlace {
    /// Where its first header begins.
    pub header: u64,
    /// Where its stored content begins.
    pub content: u64,
    /// Length of the stored content.
    pub stored_bytes: u64,
    /// Whether it is stored with holes.
    pub is_sparse: bool,
}

impl Default for SurveyOptions {
    fn default() -> Self {
        Self {
            contents: Contents::default(),
            collect: None,
            threads: 1,
        }
    }
}

/// An image's tree together with what its bytes cost.
#[derive(Debug)]
pub struct Survey {
    tree: Tree,
    layers: Vec<LayerAccount>,
    /// For each layer, by record: what the content costs on the wire.
    wire: Vec<Vec<u64>>,
    collected: HashMap<ImagePath, Vec<u8>>,
    left_out: u64,
}

/// One layer's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerAccount {
    /// The stored blob.
    pub digest: Digest,
    /// The command that made it, where the history says.
    pub created_by: Option<String>,
    /// Bytes of the stored blob.
    pub wire_bytes: u64,
    /// The part of them that no file's content is.
    pub wire_overhead_bytes: u64,
    /// Bytes of the uncompressed archive.
    pub archive_bytes: u64,
    /// Entries of every kind.
    pub entries: u64,
    /// Entries that are regular files, whiteouts aside.
    pub files: u64,
    /// Bytes of its regular files.
    pub shipped_bytes: u64,
    /// The part of them that the finished image shows.
    pub visible_bytes: u64,
    /// Bytes of this and lower layers that this layer hid.
    pub hidden_bytes: u64,
}

/// All layers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Bytes of the stored blobs.
    pub wire_bytes: u64,
    /// The part of them that no file's content is.
    pub wire_overhead_bytes: u64,
    /// The part of them that files are which nobody sees.
    pub wire_wasted_bytes: u64,
    /// Bytes of all regular files.
    pub shipped_bytes: u64,
    /// Bytes of the regular files that are visible.
    pub visible_bytes: u64,
    /// Shipped minus visible.
    pub wasted_bytes: u64,
    /// Visible regular files, hard links once.
    pub files: u64,
    /// Names in the tree, the root aside.
    pub names: u64,
}

impl Survey {
    /// Reads every layer once, verified by blob digest and diff id.
    pub fn read(image: &Image, options: &SurveyOptions, limits: &Limits) -> Result<Self, Error> {
        Self::read_layers(image, options, None, limits).map(|(survey, _)| survey)
    }

    /// [`Survey::read`], which hands the uncompressed archives out meanwhile:
    /// beside the survey, for each layer, where its entries lie, by ordinal.
    pub fn read_through(
        image: &Image,
        options: &SurveyOptions,
        archives: &dyn Archives,
        limits: &Limits,
    ) -> Result<(Self, Vec<Vec<EntryPlace>>), Error> {
        Self::read_layers(image, options, Some(archives), limits)
    }

    fn read_layers(
        image: &Image,
        options: &SurveyOptions,
        archives: Option<&dyn Archives>,
        limits: &Limits,
    ) -> Result<(Self, Vec<Vec<EntryPlace>>), Error> {
        let collection = collect::Collection::new(options.collect);
        let purpose = read::Purpose {
            options,
            collection: &collection,
            archives,
        };
        let read = read::layers(image, purpose, limits)?;
        let mut places = Vec::new();
        let mut indexes: Vec<Arc<LayerIndex>> = Vec::new();
        let mut wire = Vec::new();
        let mut layers = Vec::new();
        for (blob, layer) in image.layers.iter().zip(read) {
            let files_bytes: u64 = layer.wire.iter().sum();
            layers.push(LayerAccount {
                digest: blob.descriptor.digest,
                created_by: blob.created_by.clone(),
                wire_bytes: blob.descriptor.size_bytes,
                wire_overhead_bytes: blob.descriptor.size_bytes.saturating_sub(files_bytes),
                archive_bytes: layer.archive_bytes,
                entries: layer.index.len() as u64,
                files: layer.files,
                shipped_bytes: 0,
                visible_bytes: 0,
                hidden_bytes: 0,
            });
            indexes.push(Arc::new(layer.index));
            wire.push(layer.wire);
            places.push(layer.places);
        }
        let tree = Tree::merge(indexes, limits)?;
        let (collected, left_out) = collection.finish(&tree);
        let mut survey = Self {
            tree,
            layers,
            wire,
            collected,
            left_out,
        };
        survey.charge();
        Ok((survey, places))
    }

    /// The merged tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree alone.
    pub fn into_tree(self) -> Tree {
        self.tree
    }

    /// The contents that were to be kept, of visible files by their first
    /// name, and how many were too large to be; empty from then on.
    pub fn take_collected(&mut self) -> (HashMap<ImagePath, Vec<u8>>, u64) {
        (std::mem::take(&mut self.collected), self.left_out)
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[LayerAccount] {
        &self.layers
    }

    /// The sums.
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&LayerAccount) -> u64| self.layers.iter().map(of).sum::<u64>();
        let (shipped, visible) = (
            sum(|layer| layer.shipped_bytes),
            sum(|layer| layer.visible_bytes),
        );
        let first_links = self
            .tree
            .iter()
            .filter(|node| node.is_file() && node.is_first_link());
        Totals {
            wire_bytes: sum(|layer| layer.wire_bytes),
            wire_overhead_bytes: sum(|layer| layer.wire_overhead_bytes),
            wire_wasted_bytes: self.hidden_files().map(|row| row.wire_bytes).sum(),
            shipped_bytes: shipped,
            visible_bytes: visible,
            wasted_bytes: shipped - visible,
            files: first_links.count() as u64,
            names: self.tree.len() as u64 - 1,
        }
    }

    fn charge(&mut self) {
        for node in self
            .tree
            .iter()
            .filter(|node| node.is_file() && node.is_first_link())
        {
            if let Some((layer, _)) = node.content_record() {
                let account = &mut self.layers[layer as usize];
                account.visible_bytes += node.size_bytes();
                account.shipped_bytes += node.size_bytes();
            }
        }
        for hidden in self.tree.hidden() {
            self.layers[hidden.layer as usize].shipped_bytes += hidden.size_bytes;
            self.layers[hidden.hidden_by as usize].hidden_bytes += hidden.size_bytes;
        }
    }

    fn wire_of(&self, layer: u32, record: u32) -> u64 {
        let wire = self
            .wire
            .get(layer as usize)
            .and_then(|wire| wire.get(record as usize));
        wire.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
