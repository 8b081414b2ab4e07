//! Delivers an image. What is there already is not moved again, and nothing
//! half-delivered carries a name.

use std::io::{self, Read, Write};
use std::sync::Mutex;

use jettison_image::layout::{ArchiveSink, LayoutName, write_docker_archive, write_oci_layout};
use jettison_image::{Descriptor, Digest, Image, ImageIndex, Reference, Schema};

use super::convert::to_schema;
use super::host_files::{HostDirectory, Output};
use super::open::Opened;
use super::registry::Uploaded;
use super::whole::Whole;
use super::{Location, TransportError, Transports, parallel};
use crate::files::read_bounded;
use crate::store::{StoreError, StoredRef};

const PIECE_BYTES: usize = 256 << 10;

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The manifest at the destination; none where the destination keeps none.
    pub manifest_digest: Option<Digest>,
    /// The names it has there.
    pub names: Vec<String>,
    /// Which blobs moved how.
    pub moved: Moved,
    /// What had to be written differently there, in sentences.
    pub conversions: Vec<String>,
}

/// How layers and config came to the destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Blobs sent or copied.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were there.
    pub already_there: usize,
    /// Blobs that a registry took from another of its repositories.
    pub mounted: usize,
}

impl Transports {
    /// Delivers an image to one destination under further names, which
    /// destinations without names ignore.
    pub fn write(
        &self,
        opened: &Opened,
        destination: &Location,
        further: &[Reference],
    ) -> Result<Written, TransportError> {
        let image = &opened.image;
        let names = |own: Option<&str>| -> Result<Vec<Reference>, TransportError> {
            let own = own.map(Reference::parse).transpose()?;
            let all = own.into_iter().chain(further.iter().cloned());
            Ok(all.map(Reference::with_default_tag).collect())
        };
        match destination {
            Location::Name(name) => self.keep(opened, &names(Some(name))?),
            Location::Registry(reference) => {
                let mut all = vec![reference.clone().with_default_tag()];
                all.extend(
                    further
                        .iter()
                        .filter(|other| other.name() == reference.name())
                        .cloned(),
                );
                self.push(opened, &all)
            }
            Location::Composed(_) => Err(TransportError::Destination {
                location: destination.to_string(),
                problem: "is a source only".to_owned(),
            }),
            Location::Daemon(name) => self.load(image, &names(Some(name))?),
            Location::OciDirectory { path, name } => {
                let host = |source| TransportError::Host {
                    location: destination.to_string(),
                    source,
                };
                let (image, conversions) = self.as_oci(image)?;
                let directory = HostDirectory::create(path).map_err(host)?;
                let index = self.index_of(&directory)?;
                let names = layout_names(name.as_deref(), further);
                let mut sink = &directory;
                write_oci_layout(&mut sink, &image, &names, index)?;
                Ok(whole(&image, &names, conversions))
            }
            Location::OciArchive { path, .. } | Location::DockerArchive { path, .. } => {
                let host = |source| TransportError::Host {
                    location: destination.to_string(),
                    source,
                };
                let mut output = Output::create(path).map_err(host)?;
                let written = self.write_to(image, destination, further, &mut output)?;
                output.finish().map_err(host)?;
                Ok(written)
            }
        }
    }

    /// Writes the archive that a destination means to a stream instead of its
    /// path; destinations that are no archive cannot be streamed.
    pub fn write_to(
        &self,
        image: &Image,
        destination: &Location,
        further: &[Reference],
        sink: impl Write,
    ) -> Result<Written, TransportError> {
        match destination {
            Location::OciArchive { name, .. } => {
                let (image, conversions) = self.as_oci(image)?;
                let mut sink = ArchiveSink::new(sink);
                let names = layout_names(name.as_deref(), further);
                write_oci_layout(&mut sink, &image, &names, None)?;
                sink.finish()?;
                Ok(whole(&image, &names, conversions))
            }
            Location::DockerArchive { name, .. } => {
                let own = name.as_deref().map(Reference::parse).transpose()?;
                let names = own.into_iter().chain(further.iter().cloned());
                let names: Vec<Reference> = names.map(Reference::with_default_tag).collect();
                let mut sink = ArchiveSink::new(sink);
                write_docker_archive(&mut sink, &[(image, &names)], &self.limits)?;
                sink.finish()?;
                Ok(in_docker_form(image, &names))
            }
            other => Err(TransportError::Destination {
                location: other.to_string(),
                problem: "is no archive".to_owned(),
            }),
        }
    }

    /// Puts an image into the local store under the given names, manifest and
    /// blobs as they are.
    pub fn keep(&self, opened: &Opened, names: &[Reference]) -> Result<Written, TransportError> {
        let (image, store) = (&opened.image, &self.store);
        let moved = Mutex::new(Moved::default());
        let count = |change: &dyn Fn(&mut Moved)| {
            change(
                &mut moved
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner()),
            );
        };
        parallel::each(&image.layers, |layer| -> Result<(), TransportError> {
            let blob = &layer.descriptor;
            if store.has_blob(&blob.digest, blob.size_bytes)? {
                count(&|moved| moved.already_there += 1);
                return Ok(());
            }
            match &opened.repository {
                Some(repository) => repository.download(blob, store, &*self.progress)?,
                None => self.copy_blob(image, blob)?,
            }
            count(&|moved| {
                moved.blobs += 1;
                moved.bytes = moved.bytes.saturating_add(blob.size_bytes);
            });
            Ok(())
        })?;
        store.put_blob(&image.config_bytes)?;
        let manifest = store.put_blob(&image.manifest_bytes)?;
        let names: Vec<Reference> = names
            .iter()
            .map(|name| name.clone().with_default_tag())
            .collect();
        for name in &names {
            store.put_ref(&StoredRef {
                name: name.to_string(),
                media_type: image.manifest.schema.manifest().to_owned(),
                digest: manifest.digest,
                size: manifest.size_bytes,
            })?;
        }
        Ok(Written {
            manifest_digest: Some(manifest.digest),
            names: names.iter().map(Reference::familiar).collect(),
            moved: moved
                .into_inner()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
            conversions: Vec::new(),
        })
    }

    /// Loads an image into the Docker engine under the given names.
    pub fn load(&self, image: &Image, names: &[Reference]) -> Result<Written, TransportError> {
        self.daemon()?
            .load(image, names, &self.limits, &*self.progress)?;
        Ok(in_docker_form(image, names))
    }

    /// Sends an image to a registry under all the given names, which must be
    /// of one repository; each name moves when everything it needs is there.
    pub fn push(&self, opened: &Opened, names: &[Reference]) -> Result<Written, TransportError> {
        let Some(first) = names.first() else {
            return Err(TransportError::Destination {
                location: "registry".to_owned(),
                problem: "no name to push to".to_owned(),
            });
        };
        // What lies in a registry, or is asked for by its digest, keeps that digest.
        let keeps_digest =
            opened.repository.is_some() || names.iter().any(|name| name.digest().is_some());
        let (image, conversions) = match keeps_digest {
            true => (opened.image.clone(), Vec::new()),
            false => self.as_packed(&opened.image)?,
        };
        let image = &image;
        for name in names {
            if name
                .digest()
                .is_some_and(|digest| *digest != image.manifest_digest)
            {
                return Err(TransportError::Destination {
                    location: format!("docker://{name}"),
                    problem: format!("the image is {}", image.manifest_digest),
                });
            }
        }
        let repository = self.registries.repository(first)?;
        let mount_from = opened
            .repository
            .as_ref()
            .and_then(|from| repository.mountable(from));
        let source = Whole::of(image);
        let moved = Mutex::new(Moved::default());
        let mut blobs: Vec<&Descriptor> = Vec::new();
        let config = &image.manifest.config;
        for blob in image
            .layers
            .iter()
            .map(|layer| &layer.descriptor)
            .chain([config])
        {
            // An empty layer often comes many times.
            if blobs.iter().all(|other| other.digest != blob.digest) {
                blobs.push(blob);
            }
        }
        parallel::each(&blobs, |blob| -> Result<(), TransportError> {
            let what = format!("push {}", blob.digest.short());
            let item = self.progress.begin(&what, Some(blob.size_bytes));
            let how = repository.upload(blob, &source, mount_from, &*item)?;
            let mut moved = moved
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            match how {
                Uploaded::Sent => {
                    moved.blobs += 1;
                    moved.bytes = moved.bytes.saturating_add(blob.size_bytes);
                }
                Uploaded::AlreadyThere => {
                    item.say("already there");
                    moved.already_there += 1;
                }
                Uploaded::Mounted => {
                    item.say("mounted");
                    moved.mounted += 1;
                }
            }
            Ok(())
        })?;
        let media_type = image.manifest.schema.manifest();
        for name in names {
            let name = name.clone().with_default_tag();
            repository.put_manifest(&name, &image.manifest_bytes, media_type)?;
        }
        Ok(Written {
            manifest_digest: Some(image.manifest_digest),
            names: names.iter().map(Reference::familiar).collect(),
            moved: moved
                .into_inner()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
            conversions,
        })
    }

    fn copy_blob(&self, image: &Image, blob: &Descriptor) -> Result<(), TransportError> {
        let item = self.progress.begin(
            &format!("keep {}", blob.digest.short()),
            Some(blob.size_bytes),
        );
        let mut reader = jettison_image::open_verified(&*image.source, blob)?;
        let mut writer = self.store.blob_writer()?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = reader
                .read(&mut piece)
                .map_err(|source| jettison_image::Error::Read {
                    what: format!("blob {}", blob.digest),
                    source,
                })?;
            if count == 0 {
                break;
            }
            writer
                .write_all(&piece[..count])
                .map_err(|source| StoreError::Io {
                    deed: "write",
                    path: self.store.path().to_owned(),
                    source,
                })?;
            item.advance(count as u64);
        }
        writer.commit_as(blob.digest)?;
        Ok(())
    }

    /// Tools that read OCI layouts expect OCI manifests in them.
    fn as_oci(&self, image: &Image) -> Result<(Image, Vec<String>), TransportError> {
        let converted = to_schema(image, Schema::Oci, &self.limits)?;
        let mut conversions = Vec::new();
        if converted.manifest_digest != image.manifest_digest {
            conversions.push(format!(
                "Docker's manifest {} is written as the OCI manifest {}; config and layers are the same",
                image.manifest_digest.short(),
                converted.manifest_digest.short()
            ));
        }
        Ok((converted, conversions))
    }

    fn index_of(&self, directory: &HostDirectory) -> Result<Option<ImageIndex>, TransportError> {
        use jettison_image::layout::Files;
        let Some(file) = directory.open("index.json")? else {
            return Ok(None);
        };
        let read = |source: io::Error| jettison_image::Error::Read {
            what: "index.json".to_owned(),
            source,
        };
        let bytes = read_bounded(file.content, self.limits.json_bytes).map_err(read)?;
        Ok(Some(ImageIndex::parse(&bytes, &self.limits)?))
    }
}

fn whole(image: &Image, names: &[LayoutName], conversions: Vec<String>) -> Written {
    let shown = |name: &LayoutName| name.image_name.clone().or_else(|| name.ref_name.clone());
    Written {
        manifest_digest: Some(image.manifest_digest),
        names: names.iter().filter_map(shown).collect(),
        moved: Moved {
            blobs: image.layers.len() + 1,
            bytes: image
                .layers_bytes()
                .saturating_add(image.config_bytes.len() as u64),
            ..Moved::default()
        },
        conversions,
    }
}

/// The names of an image in a layout: skopeo's tag, and what engines load it as.
fn layout_names(own: Option<&str>, further: &[Reference]) -> Vec<LayoutName> {
    let mut names = Vec::new();
    if let Some(own) = own {
        names.push(match Reference::parse(own) {
            Ok(reference) if own.contains([':', '/']) => LayoutName {
                ref_name: Some(own.to_owned()),
                image_name: Some(reference.with_default_tag().to_string()),
            },
            _ => LayoutName {
                ref_name: Some(own.to_owned()),
                image_name: None,
            },
        });
    }
    names.extend(further.iter().map(LayoutName::of));
    names
}

/// What became of an image in Docker's own form, which has no manifest.
fn in_docker_form(image: &Image, names: &[Reference]) -> Written {
    Written {
        manifest_digest: None,
        names: names.iter().map(Reference::familiar).collect(),
        moved: Moved {
            blobs: image.layers.len() + 1,
            ..Moved::default()
        },
        conversions: unpacked(image),
    }
}

/// What a docker-archive changes about an image.
fn unpacked(image: &Image) -> Vec<String> {
    let packed = image
        .layers
        .iter()
        .any(|layer| layer.compression != jettison_image::Compression::None);
    let mut conversions =
        vec!["Docker's archive has no manifest; the image is known by its config".to_owned()];
    if packed {
        conversions.push("layers are unpacked there".to_owned());
    }
    conversions
}
