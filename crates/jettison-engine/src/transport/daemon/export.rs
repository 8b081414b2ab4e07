//! Out of the engine: `docker save`, streamed into the store.
//!
//! The engine's export is the slow part of looking at an image, so the result
//! is remembered by image id: the second look needs no export.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::stream::{BoxStream, StreamExt};
use jettison_image::layout::{Files, Layout, StoredFile};
use jettison_image::{Descriptor, Digest, EntryKind, Image, ImagePath, Limits, Platform, tar};
use tokio::runtime::Runtime;

use super::{Daemon, DaemonError, api_name};
use crate::progress::Progress;
use crate::store::{Store, StoreError};
use crate::store_source::StoreSource;

/// Links from one name to the next.
const MOST_LINKS: usize = 40;
const PIECE_BYTES: usize = 256 << 10;

impl Daemon {
    /// Brings an image of the engine into the store, if it is not there yet.
    pub(crate) fn export(
        &self,
        name: &str,
        platform: &Platform,
        store: &Store,
        limits: &Limits,
        progress: &dyn Progress,
    ) -> Result<Image, DaemonError> {
        let wanted = api_name(name)?;
        let inspected = self.runtime.block_on(self.docker.inspect_image(&wanted));
        let facts = inspected.map_err(|error| match error {
            bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            } => {
                let (host, name) = (self.host.clone(), jettison_image::escape(name));
                DaemonError::NoSuchImage { host, name }
            }
            error => self.failed(&error),
        })?;
        let id = facts.id.unwrap_or_default();
        let key = format!("{id} {platform}");
        if let Some(image) = remembered(store, &key, limits) {
            return Ok(image);
        }
        let size = facts.size.and_then(|size| u64::try_from(size).ok());
        let item = progress.begin(&format!("export {wanted}"), size);
        let stream = self.docker.export_image(&wanted).boxed();
        let mut reader = ExportReader {
            runtime: &self.runtime,
            stream,
            piece: Bytes::new(),
        };
        let mut files = ExportedFiles {
            store: store.clone(),
            slots: HashMap::new(),
        };
        let buffered = BufReader::with_capacity(
            PIECE_BYTES,
            Observed {
                inner: &mut reader,
                item: &*item,
            },
        );
        let mut archive = tar::Reader::new(buffered, limits);
        while let Some(mut entry) = archive.next_entry()? {
            let path = entry.entry().path.clone();
            let slot = match &entry.entry().kind {
                EntryKind::File { .. } => {
                    let mut sink = store.blob_writer()?;
                    copy(&mut entry, &mut sink, store)?;
                    let blob = sink.commit()?;
                    Slot::File(blob.digest, blob.size_bytes)
                }
                EntryKind::HardLink { target } => Slot::Link(target.clone()),
                EntryKind::Symlink { target } => match beside(&path, target) {
                    Some(target) => Slot::Link(target),
                    None => continue,
                },
                _ => continue,
            };
            files.slots.insert(path, slot);
        }
        drop(item);
        // An export holds one image, whatever it was asked for by; by id it has no name.
        let layout = Layout::open(Arc::new(files), limits)?;
        let image = layout.load(None, platform, limits).or_else(|_| {
            let name = (!super::super::location::is_id(&wanted)).then_some(wanted.as_str());
            layout.load(name, platform, limits)
        })?;
        store.put_blob(&image.manifest_bytes)?;
        let media_type = image.manifest.schema.manifest();
        let kept = format!(
            "{} {} {media_type}",
            image.manifest_digest,
            image.manifest_bytes.len()
        );
        store.put_cached("engine-image", &key, kept.as_bytes())?;
        Ok(Image {
            source: Arc::new(StoreSource(store.clone())),
            ..image
        })
    }
}

/// An image that was exported before, when all of it is still in the store.
fn remembered(store: &Store, key: &str, limits: &Limits) -> Option<Image> {
    let kept = String::from_utf8(store.cached("engine-image", key)?).ok()?;
    let mut words = kept.split(' ');
    let digest: Digest = words.next()?.parse().ok()?;
    let size_bytes = words.next()?.parse().ok()?;
    let manifest = Descriptor::new(words.next()?, digest, size_bytes);
    if !store.has_blob(&digest, size_bytes).ok()? {
        return None;
    }
    let image = Image::load(Arc::new(StoreSource(store.clone())), &manifest, limits).ok()?;
    let whole = image.layers.iter().all(|layer| {
        store
            .has_blob(&layer.descriptor.digest, layer.descriptor.size_bytes)
            .unwrap_or(false)
    });
    whole.then_some(image)
}

fn copy(entry: &mut impl Read, sink: &mut impl Write, store: &Store) -> Result<(), DaemonError> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = entry
            .read(&mut piece)
            .map_err(|source| jettison_image::Error::Read {
                what: "the engine's export".to_owned(),
                source,
            })?;
        if count == 0 {
            return Ok(());
        }
        sink.write_all(&piece[..count])
            .map_err(|source| StoreError::Io {
                deed: "write",
                path: store.path().to_owned(),
                source,
            })?;
    }
}

/// The export as it arrives.
struct ExportReader<'a> {
    runtime: &'a Runtime,
    stream: BoxStream<'a, Result<Bytes, bollard::errors::Error>>,
    piece: Bytes,
}

impl Read for ExportReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => return Err(io::Error::other(super::causes(&error))),
                None => return Ok(0),
            }
        }
        let count = buf.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buf[..count]);
        Ok(count)
    }
}

struct Observed<'a, R> {
    inner: R,
    item: &'a dyn crate::progress::ProgressItem,
}

impl<R: Read> Read for Observed<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.item.advance(count as u64);
        Ok(count)
    }
}

/// The files of an export, each a blob of the store.
struct ExportedFiles {
    store: Store,
    slots: HashMap<ImagePath, Slot>,
}

enum Slot {
    File(Digest, u64),
    Link(ImagePath),
}

impl Files for ExportedFiles {
    fn open(&self, name: &str) -> Result<Option<StoredFile>, jettison_image::Error> {
        let Ok(mut path) = ImagePath::new(name) else {
            return Ok(None);
        };
        for _ in 0..MOST_LINKS {
            match self.slots.get(&path) {
                None => return Ok(None),
                Some(Slot::Link(target)) => path = target.clone(),
                Some(Slot::File(digest, size_bytes)) => {
                    let file = self.store.open_blob_file(digest).map_err(|error| {
                        let source = io::Error::other(error);
                        jettison_image::Error::Read {
                            what: format!("blob {digest}"),
                            source,
                        }
                    })?;
                    return Ok(Some(StoredFile {
                        size_bytes: *size_bytes,
                        content: Box::new(file),
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// Old engines link equal layers to each other (`../ID/layer.tar`).
fn beside(link: &ImagePath, target: &[u8]) -> Option<ImagePath> {
    let mut parts: Vec<&[u8]> = match target.first() {
        Some(b'/') => Vec::new(),
        _ => link.as_bytes().split(|&b| b == b'/').collect(),
    };
    parts.pop();
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    ImagePath::new(parts.join(&b'/')).ok()
}
