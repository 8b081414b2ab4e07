//! Layers held in memory, their archives unpacked.

use std::io::Read;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::filter::RawEntries;
use crate::tar::{Reader, Source};
use crate::{Budget, ContentHash, EntryKind, Error, LayerIndexBuilder, Limits, Origin, Tree};

/// Unpacked layers whose entries can be handed out.
#[derive(Debug)]
pub struct MemoryLayers {
    archives: Vec<Vec<u8>>,
    /// Where the headers of each entry begin.
    headers: Vec<Vec<usize>>,
    limits: Limits,
}

impl MemoryLayers {
    /// Reads the archives of an image, lowest first, with the tree that they
    /// make; files that are stored whole are known by their SHA-256.
    pub fn read(archives: Vec<Vec<u8>>, limits: &Limits) -> Result<(Self, Tree), Error> {
        let budget = Arc::new(Budget::new(limits));
        let mut indexes = Vec::new();
        let mut headers = Vec::new();
        for archive in &archives {
            let mut reader = Reader::new(&archive[..], limits);
            let mut index = LayerIndexBuilder::new(Arc::clone(&budget));
            let mut starts = Vec::new();
            while let Some(mut entry) = reader.next_entry()? {
                let mut hash = None;
                if matches!(entry.entry().kind, EntryKind::File { .. }) && !entry.is_sparse() {
                    let mut content = Vec::new();
                    entry
                        .read_to_end(&mut content)
                        .map_err(|source| Error::read("layer", source))?;
                    hash = Some(ContentHash::Sha256(Sha256::digest(&content).into()));
                }
                starts.push(entry.header_offset() as usize);
                index.push(entry.entry(), entry.ordinal(), hash)?;
            }
            indexes.push(Arc::new(index.finish()));
            headers.push(starts);
        }
        let tree = Tree::merge(indexes, limits)?;
        let layers = Self {
            archives,
            headers,
            limits: limits.clone(),
        };
        Ok((layers, tree))
    }

    /// The archives.
    pub fn archives(&self) -> &[Vec<u8>] {
        &self.archives
    }
}

impl RawEntries for MemoryLayers {
    fn entry_at(&self, origin: Origin) -> Result<Reader<Box<dyn Source + '_>>, Error> {
        let layer = origin.layer as usize;
        let start = self.headers[layer][origin.entry as usize];
        Ok(Reader::new(
            Box::new(&self.archives[layer][start..]),
            &self.limits,
        ))
    }
}
