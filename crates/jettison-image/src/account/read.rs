//! One pass over every layer, several layers at a time.
//!
//! A layer is never held: beside the index there are a few buffers for each
//! thread. The largest layers are begun first, since one of them is what the
//! whole waits for.

use std::io::BufRead;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

use super::collect::Collection;
use super::tee::Tee;
use super::{Archives, Contents, EntryPlace, SurveyOptions};
use crate::tar::{Hashing, Reader, Source, TarEntry};
use crate::tree::{Budget, ContentHash, LayerIndex, LayerIndexBuilder};
use crate::{Compression, Decoder, EntryKind, Error, Image, LayerBlob, Limits};

/// What one pass over a layer tells.
pub(super) struct ReadLayer {
    pub(super) index: LayerIndex,
    /// By record: packed bytes consumed for the content.
    pub(super) wire: Vec<u64>,
    pub(super) archive_bytes: u64,
    pub(super) files: u64,
    /// By record, where archives are handed out.
    pub(super) places: Vec<EntryPlace>,
}

/// What a pass over an image is for.
#[derive(Clone, Copy)]
pub(super) struct Purpose<'a> {
    pub(super) options: &'a SurveyOptions,
    pub(super) collection: &'a Collection,
    pub(super) archives: Option<&'a dyn Archives>,
}

pub(super) fn layers(
    image: &Image,
    purpose: Purpose<'_>,
    limits: &Limits,
) -> Result<Vec<ReadLayer>, Error> {
    let budget = Arc::new(Budget::new(limits));
    let mut order: Vec<usize> = (0..image.layers.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(image.layers[at].descriptor.size_bytes));
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Result<ReadLayer, Error>>>> =
        order.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = layer(image, at, purpose, &budget);
            if result.is_err() {
                // What is left would be read in vain.
                next.store(order.len(), Ordering::Relaxed);
            }
            *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..purpose.options.threads.min(order.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut read = Vec::with_capacity(results.len());
    let mut skipped = false;
    for result in results {
        match result.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(result) => read.push(result?),
            None => skipped = true,
        }
    }
    match skipped {
        false => Ok(read),
        // Unreachable after an error was returned above; said, not assumed.
        true => Err(Error::malformed("image", "a layer was not read")),
    }
}

fn layer(
    image: &Image,
    at: usize,
    purpose: Purpose<'_>,
    budget: &Arc<Budget>,
) -> Result<ReadLayer, Error> {
    let limits = budget.limits();
    let blob: &LayerBlob = &image.layers[at];
    let what = || format!("layer {}", blob.descriptor.digest);
    let packed = image.open_layer(blob)?;
    let plain = blob.compression == Compression::None;
    let unpack = match purpose.options.threads {
        0 | 1 => Decoder::new(packed, blob.compression, limits),
        _ if plain => Decoder::new(packed, blob.compression, limits),
        _ => Decoder::pipelined(packed, blob.compression, limits),
    };
    let source = unpack.map_err(|source| Error::read(what(), source))?;
    let copy = match purpose.archives {
        Some(archives) => archives.copy_of(at)?,
        None => None,
    };
    let source = Tee::new(source, copy);
    let mut pass = Pass {
        index: LayerIndexBuilder::new(Arc::clone(budget)),
        wire: Vec::new(),
        contents: purpose.options.contents,
        collection: purpose.collection,
        layer: at as u32,
        files: 0,
        places: purpose.archives.map(|_| Vec::new()),
    };
    let (diff_id, archive_bytes) = if plain {
        // Blob and archive are the same bytes, and the blob is verified.
        let mut tar = Reader::new(source, limits);
        pass.read(&mut tar)?;
        let source = tar.finish()?;
        (
            crate::DiffId(blob.descriptor.digest),
            source
                .finish()
                .map_err(|source| Error::read(what(), source))?,
        )
    } else {
        let mut tar = Reader::new(Hashing::new(source), limits);
        pass.read(&mut tar)?;
        let (source, diff_id, archive_bytes) = tar
            .finish()?
            .finish()
            .map_err(|source| Error::read(what(), source))?;
        source
            .finish()
            .map_err(|source| Error::read(what(), source))?;
        (diff_id, archive_bytes)
    };
    if diff_id != blob.diff_id {
        let problem = format!("unpacks to {diff_id}, the config says {}", blob.diff_id);
        return Err(Error::malformed(what(), problem));
    }
    Ok(ReadLayer {
        index: pass.index.finish(),
        wire: pass.wire,
        archive_bytes,
        files: pass.files,
        places: pass.places.unwrap_or_default(),
    })
}

struct Pass<'a> {
    index: LayerIndexBuilder,
    wire: Vec<u64>,
    contents: Contents,
    collection: &'a Collection,
    layer: u32,
    files: u64,
    places: Option<Vec<EntryPlace>>,
}

impl Pass<'_> {
    fn read<S: Source>(&mut self, tar: &mut Reader<S>) -> Result<(), Error> {
        while let Some(mut entry) = tar.next_entry()? {
            if let Some(places) = &mut self.places {
                places.push(EntryPlace {
                    header: entry.header_offset(),
                    content: entry.content_offset(),
                    stored_bytes: entry.stored_bytes(),
                    is_sparse: entry.is_sparse(),
                });
            }
            let before = entry.consumed_bytes().unwrap_or(0);
            let hash = self.content(&mut entry)?;
            let after = entry.consumed_bytes().unwrap_or(0);
            self.index.push(entry.entry(), entry.ordinal(), hash)?;
            self.wire.push(after.saturating_sub(before));
        }
        Ok(())
    }

    /// Reads an entry's content to its end.
    fn content<S: Source>(
        &mut self,
        entry: &mut TarEntry<'_, S>,
    ) -> Result<Option<ContentHash>, Error> {
        let EntryKind::File { size_bytes } = entry.entry().kind else {
            return Ok(None);
        };
        let is_marker = entry.entry().path.file_name().starts_with(b".wh.");
        self.files += u64::from(!is_marker);
        // A hole may be as long as the limit allows: hashing it would cost
        // what reading it does not.
        if entry.is_sparse() {
            return each_piece(entry, |_| {}).map(|()| None);
        }
        let path = &entry.entry().path;
        if !self.collection.wants(path, self.layer, size_bytes) {
            return self.hash(entry, size_bytes, |_| {});
        }
        let path = path.clone();
        let mut content = Vec::new();
        let hash = self.hash(entry, size_bytes, |piece| content.extend_from_slice(piece))?;
        // Records are pushed one for each entry.
        let record = self.wire.len() as u32;
        self.collection.keep(path, self.layer, record, content);
        Ok(hash)
    }

    fn hash<S: Source>(
        &self,
        entry: &mut TarEntry<'_, S>,
        size_bytes: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Option<ContentHash>, Error> {
        match self.contents {
            Contents::Unhashed => each_piece(entry, take).map(|()| None),
            Contents::Fast => {
                let whole = fill(entry)?;
                if whole.len() as u64 >= size_bytes {
                    let hash = XxHash3_128::oneshot(&whole[..size_bytes as usize]);
                    each_piece(entry, take)?;
                    return Ok(Some(ContentHash::Fast(hash.to_le_bytes())));
                }
                let mut hasher = XxHash3_128::new();
                each_piece(entry, |piece| {
                    hasher.write(piece);
                    take(piece);
                })?;
                Ok(Some(ContentHash::Fast(hasher.finish_128().to_le_bytes())))
            }
            Contents::Sha256 => {
                let mut hasher = Sha256::new();
                each_piece(entry, |piece| {
                    hasher.update(piece);
                    take(piece);
                })?;
                Ok(Some(ContentHash::Sha256(hasher.finalize().into())))
            }
        }
    }
}

fn each_piece<S: Source>(
    entry: &mut TarEntry<'_, S>,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Error> {
    loop {
        let piece = fill(entry)?;
        let count = piece.len();
        if count == 0 {
            return Ok(());
        }
        take(piece);
        entry.consume(count);
    }
}

fn fill<'a, S: Source>(entry: &'a mut TarEntry<'_, S>) -> Result<&'a [u8], Error> {
    if let Err(source) = entry.fill_buf() {
        let name = entry.entry().path.display().to_string();
        return Err(Error::read(name, source));
    }
    // What was just filled is only handed out again.
    entry
        .fill_buf()
        .map_err(|source| Error::read("layer", source))
}
