//! The file system that some layers make.
//!
//! A layer is read once in the life of a store: its index is kept in the
//! store's cache. Contents are read where they lie; the archive of a packed
//! layer is unpacked when somebody asks for a file of it, and not before.

mod index;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jettison_image::account::{Contents, EntryPlace};
use jettison_image::{
    Budget, Compression, Decoder, Digest, Error, ImageConfig, NewImage, NewLayer, Node, Platform,
    Schema, Sha256Writer, Tree,
};

use super::FileSystem;
use super::verified::Verified;
use crate::Context;
use crate::spool::{ArchiveFile, Spool, SpoolError, Stretch, scratch_file};
use index::Known;

/// Under which indexes are kept.
const KIND: &str = "layer-index";

/// The files of some layers.
pub(crate) struct LayerFiles {
    tree: Tree,
    layers: Vec<Arc<Layer>>,
    context: Context,
}

struct Layer {
    layer: NewLayer,
    known: Known,
    archive: OnceLock<Arc<File>>,
    /// Held by who unpacks it.
    turn: Mutex<()>,
}

impl LayerFiles {
    /// The files of layers that are in the store, lowest first; what is written
    /// to a stage afterwards does not change them. `other` may know some of the
    /// layers already.
    pub(crate) fn open(
        layers: &[NewLayer],
        other: Option<&Self>,
        context: &Context,
    ) -> Result<Self, SpoolError> {
        let budget = Arc::new(Budget::new(context.limits()));
        let mut found: HashMap<Digest, Arc<Layer>> = HashMap::new();
        for layer in other.iter().flat_map(|other| &other.layers) {
            found.insert(layer.layer.digest, Arc::clone(layer));
        }
        let mut missing: Vec<NewLayer> = Vec::new();
        for layer in layers {
            if found.contains_key(&layer.digest)
                || missing.iter().any(|known| known.digest == layer.digest)
            {
                continue;
            }
            let value = context.store().cached(KIND, &key(layer));
            let known = value.and_then(|value| Known::from_bytes(&value, &budget));
            match known {
                Some(known) => {
                    let made = Layer::new(layer.clone(), known);
                    found.insert(layer.digest, Arc::new(made));
                }
                None => missing.push(layer.clone()),
            }
        }
        for made in read(&missing, context)? {
            found.insert(made.layer.digest, Arc::new(made));
        }
        let layers: Vec<Arc<Layer>> = layers
            .iter()
            .filter_map(|layer| found.get(&layer.digest).cloned())
            .collect();
        let indexes = layers.iter().map(|layer| Arc::clone(&layer.known.index));
        Ok(Self {
            tree: Tree::merge(indexes.collect(), context.limits())?,
            layers,
            context: context.clone(),
        })
    }
}

impl FileSystem for LayerFiles {
    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn open(&self, file: Node<'_>) -> Result<Box<dyn Read + '_>, Error> {
        let Some(origin) = file.content_origin() else {
            return Ok(Box::new(io::empty()));
        };
        let place = self.layers.get(origin.layer as usize).and_then(|layer| {
            let place = layer.known.places.get(origin.entry as usize)?;
            Some((layer, place))
        });
        let (layer, place) = place.ok_or_else(|| {
            let what = format!("layer {}", origin.layer);
            Error::malformed(what, format!("has no entry {}", origin.entry))
        })?;
        let content = layer.read(place, &self.context)?;
        // A packed layer was verified when it was unpacked. A plain one may have
        // been read by an earlier build, and rotted since.
        let Some(expected) = file.sha256() else {
            return Ok(content);
        };
        if layer.layer.compression != Compression::None {
            return Ok(content);
        }
        let digest = layer.layer.digest;
        Ok(Box::new(Verified::new(content, expected, move || {
            io::Error::other(Error::malformed(
                format!("layer {digest}"),
                "is damaged in the store",
            ))
        })))
    }
}

impl Layer {
    fn new(layer: NewLayer, known: Known) -> Self {
        Self {
            layer,
            known,
            archive: OnceLock::new(),
            turn: Mutex::new(()),
        }
    }

    /// The content of an entry.
    fn read(&self, place: &EntryPlace, context: &Context) -> Result<Box<dyn Read>, Error> {
        let archive = self.archive(context)?;
        if !place.is_sparse {
            let end = place.content.saturating_add(place.stored_bytes);
            let range = place.content..end;
            return Ok(Box::new(Stretch::new(archive, range, place.stored_bytes)));
        }
        // Only the format's reader knows where its holes are.
        let end = place.content.saturating_add(place.stored_bytes);
        let wanted = end.saturating_sub(place.header);
        let stretch = Stretch::new(archive, place.header..u64::MAX, wanted);
        let mut entries = jettison_image::tar::Reader::new(stretch, context.limits());
        entries.next_entry()?;
        // What follows is the content of that entry.
        Ok(Box::new(entries))
    }

    /// The layer unpacked.
    fn archive(&self, context: &Context) -> Result<Arc<File>, Error> {
        if let Some(archive) = self.archive.get() {
            return Ok(Arc::clone(archive));
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(archive) = self.archive.get() {
            return Ok(Arc::clone(archive));
        }
        let made = Arc::new(match self.layer.compression {
            Compression::None => {
                let opened = context.store().open_blob_file(&self.layer.digest);
                opened.map_err(|error| self.failed(io::Error::other(error)))?
            }
            _ => self.unpack(context)?,
        });
        Ok(Arc::clone(self.archive.get_or_init(|| made)))
    }

    fn unpack(&self, context: &Context) -> Result<File, Error> {
        let _item = context.progress.begin("unpacking a layer", None);
        let failed = |error| self.failed(error);
        let packed = context.store().open_blob_file(&self.layer.digest);
        let packed = packed.map_err(|error| failed(io::Error::other(error)))?;
        let file = scratch_file(context).map_err(|error| failed(io::Error::other(error)))?;
        let same = file.try_clone().map_err(failed)?;
        let limits = context.limits();
        let source = io::BufReader::with_capacity(256 << 10, packed);
        let source = Decoder::new(source, self.layer.compression, limits);
        let mut source = source.map_err(failed)?;
        let archive = ArchiveFile::new(same, Arc::default(), limits);
        let mut archive = Sha256Writer::new(archive);
        io::copy(&mut source, &mut archive).map_err(failed)?;
        archive.flush().map_err(failed)?;
        let (_, digest, _) = archive.finish();
        match digest == self.layer.diff_id.0 {
            true => Ok(file),
            false => Err(failed(io::Error::other("it is not what it was"))),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::read(format!("layer {}", self.layer.digest), source)
    }
}

/// Reads layers of which nothing is known, and remembers what was found.
fn read(layers: &[NewLayer], context: &Context) -> Result<Vec<Layer>, SpoolError> {
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let config = ImageConfig::new(&Platform::new("linux", "", ""));
    let mut image = NewImage::new(Schema::Oci, config);
    for layer in layers {
        image.push_layer(layer.clone(), Default::default());
    }
    let image = image.finish(Arc::new(context.store_source()))?;
    let spool = Spool::open_with(&image, Contents::Sha256, context)?;
    let mut made = Vec::new();
    for (layer, (index, read)) in layers.iter().zip(spool.into_layers()) {
        let places = read.places.into();
        let known = Known { index, places };
        if let Some(value) = known.to_bytes() {
            // A store that cannot be written to costs the next build time.
            let _ = context.store().put_cached(KIND, &key(layer), &value);
        }
        let layer = Layer::new(layer.clone(), known);
        let _ = layer.archive.set(read.archive);
        made.push(layer);
    }
    Ok(made)
}

/// Both digests: a config may lie about what a blob unpacks to.
fn key(layer: &NewLayer) -> String {
    format!("{} {}", layer.digest, layer.diff_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::tests::{context, layer};

    /// Paths and contents.
    fn all(files: &LayerFiles) -> Vec<(String, Vec<u8>)> {
        let nodes = files.tree().iter().filter(Node::is_file);
        let read = |node: Node<'_>| {
            let mut content = Vec::new();
            files.open(node).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(node.sha256(), Some(Digest::of(&content)));
            (node.path().display().to_string(), content)
        };
        nodes.map(read).collect()
    }

    #[test]
    fn what_is_remembered_is_what_was_read() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let below = [("big", vec![7; 300_000]), ("d/a", b"below".to_vec())];
        let above = [("d/a", b"above".to_vec()), (".wh.big", Vec::new())];
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let layers = [
                layer(context.store(), compression, &below, &["d/link"]),
                layer(context.store(), compression, &above, &[]),
            ];
            let first = LayerFiles::open(&layers[..1], None, &context).unwrap();
            assert_eq!(all(&first).len(), 3);
            let both = LayerFiles::open(&layers, Some(&first), &context).unwrap();
            let expected = all(&both);
            assert_eq!(expected[0], ("/d/a".to_owned(), b"above".to_vec()));
            assert!(Arc::ptr_eq(&first.layers[0], &both.layers[0]));
            for layer in &layers {
                assert!(context.store().cached(KIND, &key(layer)).is_some());
            }
            let again = LayerFiles::open(&layers, None, &context).unwrap();
            assert!(
                again
                    .layers
                    .iter()
                    .all(|layer| layer.archive.get().is_none())
            );
            assert_eq!(all(&again), expected);
        }
    }

    /// The files of the store that hold indexes.
    fn kept(store: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(store.join("cache")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let is_index = |path: &std::path::PathBuf| path.to_string_lossy().contains(KIND);
        paths.filter(is_index).collect()
    }

    #[test]
    fn a_damaged_index_is_made_again() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let files = [("big", vec![7; 3000]), ("d/a", b"a".to_vec())];
        let layers = [layer(context.store(), Compression::Gzip, &files, &[])];
        let expected = all(&LayerFiles::open(&layers, None, &context).unwrap());
        let [path] = &kept(scratch.path())[..] else {
            panic!("one index")
        };
        let whole = std::fs::read(path).unwrap();
        let flipped = (0..whole.len()).step_by(7).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            bytes
        });
        let cut = (0..whole.len()).step_by(11).map(|at| whole[..at].to_vec());
        for damaged in flipped.chain(cut) {
            std::fs::write(path, &damaged).unwrap();
            let files = LayerFiles::open(&layers, None, &context).unwrap();
            assert_eq!(all(&files), expected);
            assert_eq!(std::fs::read(path).unwrap(), whole);
        }
    }

    #[test]
    fn builds_at_once_know_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let files = [("big", vec![7; 300_000]), ("d/a", b"a".to_vec())];
        let layers = [layer(context.store(), Compression::Zstd, &files, &["link"])];
        std::thread::scope(|scope| {
            let open = || {
                let mut found = Vec::new();
                for _ in 0..20 {
                    for path in kept(scratch.path()) {
                        let _ = std::fs::write(path, b"half");
                    }
                    found.push(all(&LayerFiles::open(&layers, None, &context).unwrap()));
                }
                found
            };
            let threads = [scope.spawn(open), scope.spawn(open), scope.spawn(open)];
            for found in threads.into_iter().flat_map(|one| one.join().unwrap()) {
                assert_eq!(found.len(), 3);
                assert_eq!(found[0].1, vec![7; 300_000]);
            }
        });
    }

    #[test]
    fn a_layer_that_rotted_is_not_built_from() {
        let scratch = tempfile::tempdir().unwrap();
        let context = context(scratch.path());
        let files = [("big", vec![7; 3000])];
        let layers = [layer(context.store(), Compression::None, &files, &[])];
        drop(LayerFiles::open(&layers, None, &context).unwrap());
        let blob = scratch
            .path()
            .join("blobs/sha256")
            .join(layers[0].digest.hex());
        let mut bytes = std::fs::read(&blob).unwrap();
        bytes[1000] ^= 1;
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(&blob, bytes).unwrap();
        let files = LayerFiles::open(&layers, None, &context).unwrap();
        let file = files.tree().iter().find(Node::is_file).unwrap();
        let mut read = files.open(file).unwrap();
        let error = read.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
