//! An image whose layers were read once and lie unpacked, as archives, in
//! scratch files.
//!
//! Everything that needs an image's bytes more than once (the root that probes
//! run in, the contents that are parsed, the layers that are filtered) reads
//! them here instead of inflating them again. No entry becomes a file of the
//! host. The scratch files have no name, so nothing is left behind however the
//! process ends. Digests were verified when the spool was filled.

mod archive;
mod source;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use jettison_image::account::{Archives, Contents, EntryPlace, Survey, SurveyOptions};
use jettison_image::filter::RawEntries;
use jettison_image::tar::{Reader, Source};
use jettison_image::{
    Compression, Error, FileContents, Image, LayerIndex, Limits, Node, Origin, Tree,
};

use crate::Context;
use crate::inspect::counted::Counted;
use crate::store::StoreError;
pub(crate) use archive::{ArchiveFile, Stretch};

/// An image, ready to be read at any place.
pub struct Spool {
    image: Image,
    survey: Survey,
    layers: Vec<Layer>,
    limits: Limits,
}

/// The archive of one layer, and where its entries lie in it.
pub(crate) struct Layer {
    pub(crate) archive: Arc<File>,
    pub(crate) length: u64,
    pub(crate) places: Vec<EntryPlace>,
}

/// Why an image could not be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// An image is not what it says, or exceeds the limits.
    #[error(transparent)]
    Image(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no room for the unpacked layers.
    #[error("a scratch file in {path} cannot be made")]
    Scratch {
        /// The directory.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Spool {
    /// Reads an image, every layer once; files are known by their SHA-256.
    pub fn open(image: &Image, context: &Context) -> Result<Self, SpoolError> {
        Self::open_with(image, Contents::Sha256, context)
    }

    /// Reads an image, every layer once, with files hashed as it is asked for.
    pub fn open_with(
        image: &Image,
        contents: Contents,
        context: &Context,
    ) -> Result<Self, SpoolError> {
        let item = context
            .progress
            .begin("reading layers", Some(image.layers_bytes()));
        let counted = Image {
            source: Arc::new(Counted::new(Arc::clone(&image.source), item)),
            ..image.clone()
        };
        let files = image.layers.iter().map(|layer| {
            let in_place = layer.compression == Compression::None
                && context
                    .store()
                    .has_blob(&layer.descriptor.digest, layer.descriptor.size_bytes)?;
            match in_place {
                true => Ok(Place::Store(
                    context.store().open_blob_file(&layer.descriptor.digest)?,
                )),
                false => scratch_file(context).map(Place::Scratch),
            }
        });
        let places = Places {
            files: files.collect::<Result<_, SpoolError>>()?,
            taken: Arc::default(),
            limits: context.limits().clone(),
        };
        let options = SurveyOptions {
            contents,
            collect: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let (survey, entries) =
            Survey::read_through(&counted, &options, &places, context.limits())?;
        let layers: Vec<Layer> = places
            .files
            .into_iter()
            .zip(survey.layers())
            .zip(entries)
            .map(|((place, account), places)| Layer {
                archive: Arc::new(match place {
                    Place::Store(file) => file,
                    Place::Scratch(file) => file,
                }),
                length: account.archive_bytes,
                places,
            })
            .collect();
        let archives = layers
            .iter()
            .map(|layer| (Arc::clone(&layer.archive), layer.length));
        Ok(Self {
            image: source::plain_image(image, archives.collect()),
            survey,
            layers,
            limits: context.limits().clone(),
        })
    }

    /// The merged tree.
    pub fn tree(&self) -> &Tree {
        self.survey.tree()
    }

    /// The merged tree alone.
    pub fn into_tree(self) -> Tree {
        self.survey.into_tree()
    }

    /// The layers one by one, as they were read.
    pub(crate) fn into_layers(self) -> Vec<(Arc<LayerIndex>, Layer)> {
        let indexes = self.survey.tree().layers().iter().cloned();
        indexes.zip(self.layers).collect()
    }

    /// The same image with its layers unpacked: same tree, same diff ids,
    /// other digests. What reads its layers inflates nothing.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What the image's bytes cost as it was before.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    fn place(&self, origin: Origin) -> Result<(&Layer, &EntryPlace), Error> {
        let layer = self.layers.get(origin.layer as usize);
        layer
            .and_then(|layer| Some((layer, layer.places.get(origin.entry as usize)?)))
            .ok_or_else(|| {
                let what = format!("layer {}", origin.layer);
                Error::malformed(what, format!("has no entry {}", origin.entry))
            })
    }
}

impl RawEntries for Spool {
    fn entry_at(&self, origin: Origin) -> Result<Reader<Box<dyn Source + '_>>, Error> {
        let (layer, place) = self.place(origin)?;
        let header_bytes = place.content.saturating_sub(place.header);
        let wanted = header_bytes.saturating_add(place.stored_bytes);
        let stretch = Stretch::new(
            Arc::clone(&layer.archive),
            place.header..layer.length,
            wanted,
        );
        Ok(Reader::new(Box::new(stretch), &self.limits))
    }
}

impl FileContents for Spool {
    fn read(&self, file: Node<'_>, most: u64) -> Result<Cow<'_, [u8]>, Error> {
        let Some(origin) = file.content_origin().filter(|_| file.is_file()) else {
            return Ok(Cow::Borrowed(&[]));
        };
        let name = || file.path().display().to_string();
        let failed = |source| Error::read(name(), source);
        let most = most.min(file.size_bytes());
        let (layer, place) = self.place(origin)?;
        let mut content = Vec::new();
        if place.is_sparse {
            let mut reader = self.entry_at(origin)?;
            if let Some(entry) = reader.next_entry()? {
                entry.take(most).read_to_end(&mut content).map_err(failed)?;
            }
        } else {
            let range = place.content..place.content.saturating_add(most).min(layer.length);
            content.reserve_exact((range.end - range.start) as usize);
            archive::read_at(&layer.archive, range, &mut content).map_err(failed)?;
        }
        if content.len() as u64 == most {
            return Ok(Cow::Owned(content));
        }
        Err(Error::malformed(
            name(),
            "the scratch file ends in the middle of it",
        ))
    }
}

/// Where each layer's archive lies or is to go.
struct Places {
    files: Vec<Place>,
    /// Bytes of all archives so far.
    taken: Arc<AtomicU64>,
    limits: Limits,
}

enum Place {
    /// Lies there unpacked already.
    Store(File),
    Scratch(File),
}

impl Archives for Places {
    fn copy_of(&self, layer: usize) -> Result<Option<Box<dyn std::io::Write + Send>>, Error> {
        let Some(Place::Scratch(file)) = self.files.get(layer) else {
            return Ok(None);
        };
        let file = file.try_clone().map_err(|source| Error::Write {
            what: "scratch file".to_owned(),
            source,
        })?;
        Ok(Some(Box::new(ArchiveFile::new(
            file,
            Arc::clone(&self.taken),
            &self.limits,
        ))))
    }
}

/// A file without a name.
pub(crate) fn scratch_file(context: &Context) -> Result<File, SpoolError> {
    let directory = context.scratch()?;
    tempfile::tempfile_in(&directory).map_err(|source| SpoolError::Scratch {
        path: directory.display().to_string(),
        source,
    })
}

#[cfg(test)]
pub(crate) mod tests;
