//! Finds an image and says where it was.

use std::fmt;
use std::sync::Arc;

use jettison_image::layout::{ArchiveFiles, DockerArchive, Files, FindError, OciLayout};
use jettison_image::{Descriptor, Image, ManifestOrIndex, Platform, Reference, escape};

use super::host_files::{HostArchive, HostDirectory};
use super::location::is_id;
use super::registry::{PullSource, RegistrySource, Repository};
use super::spool::open_archive;
use super::{DaemonError, Location, RegistryError, TransportError, Transports, parallel};
use crate::Context;
use crate::base::system_image;
use crate::store_source::StoreSource;

/// Indexes inside indexes; nothing honest nests deeper than two.
const DEEPEST: usize = 4;

/// An image and where it was found.
#[derive(Clone)]
pub struct Opened {
    /// The image; its layers may still have to be fetched when they are read.
    pub image: Image,
    /// Where it was found.
    pub origin: Origin,
    pub(super) repository: Option<Repository>,
}

/// Where an image was found, for the person to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The local store.
    Store,
    /// The engine that listens there.
    Daemon(String),
    /// The registry of that name.
    Registry(String),
    /// A directory or file.
    File(Location),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store => f.write_str("the local store"),
            Self::Daemon(host) => write!(f, "the engine at {host}"),
            Self::Registry(registry) => write!(f, "the registry {registry}"),
            Self::File(location) => location.fmt(f),
        }
    }
}

impl Opened {
    /// An image that was made here, or whose origin is known otherwise.
    pub fn new(image: Image, origin: Origin) -> Self {
        Self {
            image,
            origin,
            repository: None,
        }
    }

    /// What the image runs on.
    pub fn platform(&self) -> Platform {
        self.image.config.platform()
    }
}

impl Transports {
    /// Opens the image at a location. Of an index the image for `platform` is
    /// taken, this machine's when none is given; an image of a platform that
    /// was asked for and is another is refused.
    pub fn open(
        &self,
        location: &Location,
        platform: Option<&Platform>,
    ) -> Result<Opened, TransportError> {
        let opened = match location {
            Location::Name(name) => return self.open_name(name, platform),
            Location::Daemon(name) => self.open_daemon(name, platform)?,
            Location::Registry(reference) => self.open_registry(reference, platform)?,
            Location::Composed(spec) => {
                let context = Context {
                    transports: self.clone(),
                    progress: self.progress.clone(),
                };
                let platform = wanted(platform);
                let image = system_image(spec, &platform, &self.archives, &context)?;
                Opened::new(image, Origin::File(location.clone()))
            }
            _ => self.open_files(location, platform)?,
        };
        fits(&opened, &location.to_string(), platform)?;
        Ok(opened)
    }

    /// Brings all layers of an image that lies in a registry into the store, a
    /// few at once. Without it they come one by one as they are read.
    pub fn fetch(&self, opened: &Opened) -> Result<(), TransportError> {
        let Some(repository) = &opened.repository else {
            return Ok(());
        };
        parallel::each(&opened.image.layers, |layer| {
            repository.download(&layer.descriptor, &self.store, &*self.progress)
        })?;
        Ok(())
    }

    fn open_name(&self, name: &str, platform: Option<&Platform>) -> Result<Opened, TransportError> {
        let mut tried = Vec::new();
        let reference = match is_id(name) {
            true => None,
            false => Some(Reference::parse(name)?.with_default_tag()),
        };
        if let Some(reference) = &reference {
            match self.open_store(reference)? {
                None => tried.push("not in the local store".to_owned()),
                Some(opened) => match fits(&opened, name, platform) {
                    Ok(()) => return Ok(opened),
                    Err(error) => tried.push(format!("in the local store, {error}")),
                },
            }
        }
        match self.open_daemon(name, platform) {
            Ok(opened) => match fits(&opened, name, platform) {
                Ok(()) => return Ok(opened),
                Err(error) => tried.push(format!("in {}, {error}", opened.origin)),
            },
            Err(TransportError::Daemon(DaemonError::NoSuchImage { host, .. })) => {
                tried.push(format!("not in the engine at {host}"));
            }
            Err(TransportError::Daemon(DaemonError::Unreachable(problem))) => tried.push(problem),
            Err(error) => return Err(error),
        }
        if let Some(reference) = &reference {
            match self.open_registry(reference, platform) {
                Ok(opened) => {
                    fits(&opened, name, platform)?;
                    return Ok(opened);
                }
                // What the registry said last is worth more than a list.
                Err(TransportError::Select(error)) => return Err(error.into()),
                Err(error) => tried.push(error.to_string()),
            }
        }
        Err(TransportError::Nowhere {
            name: escape(name),
            tried,
        })
    }

    /// The image of a name in the local store, or with a digest in it.
    pub fn open_store(&self, reference: &Reference) -> Result<Option<Opened>, TransportError> {
        let store = &self.store;
        let named = store.find_ref(&reference.to_string())?;
        let manifest = match (named, reference.digest()) {
            (Some(stored), _) => Descriptor::new(stored.media_type, stored.digest, stored.size),
            (None, Some(digest)) => match store.blob_size(digest)? {
                Some(size) => Descriptor::new("", *digest, size),
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let source = Arc::new(StoreSource(store.clone()));
        let image = Image::load(source, &manifest, &self.limits)?;
        Ok(Some(Opened {
            image,
            origin: Origin::Store,
            repository: None,
        }))
    }

    fn open_daemon(
        &self,
        name: &str,
        platform: Option<&Platform>,
    ) -> Result<Opened, TransportError> {
        let daemon = self.daemon()?;
        let platform = wanted(platform);
        let image = daemon.export(name, &platform, &self.store, &self.limits, &*self.progress)?;
        let origin = Origin::Daemon(daemon.host().to_owned());
        Ok(Opened {
            image,
            origin,
            repository: None,
        })
    }

    fn open_registry(
        &self,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<Opened, TransportError> {
        let mut failed: Vec<String> = Vec::new();
        let mut sources = self.registries.sources(reference)?.into_iter().peekable();
        while let Some(source) = sources.next() {
            match self.open_source(&source, platform) {
                Ok(opened) => return Ok(opened),
                // The registry itself has the last word.
                Err(error) if sources.peek().is_none() && failed.is_empty() => return Err(error),
                Err(error) => failed.push(error.to_string()),
            }
        }
        Err(RegistryError::Protocol {
            registry: reference.name(),
            problem: failed.join("; "),
        }
        .into())
    }

    /// Pulls from a mirror or the registry itself.
    fn open_source(
        &self,
        source: &PullSource,
        platform: Option<&Platform>,
    ) -> Result<Opened, TransportError> {
        let reference = &source.reference;
        let repository = self.registries.repository_at(reference, source.insecure)?;
        let mut at = reference.clone();
        for _ in 0..DEEPEST {
            let pulled = repository.manifest(&at, &self.limits)?;
            match ManifestOrIndex::parse(&pulled.bytes, &pulled.media_type, &self.limits)? {
                ManifestOrIndex::Index(index) => {
                    at = reference.with_digest(index.select(&wanted(platform))?.digest);
                }
                ManifestOrIndex::Manifest(_) => {
                    let source = Arc::new(RegistrySource {
                        repository: repository.clone(),
                        store: self.store.clone(),
                        progress: self.progress.clone(),
                    });
                    let media_type = &pulled.media_type;
                    let image =
                        Image::from_manifest(source, pulled.bytes, media_type, &self.limits)?;
                    let origin = Origin::Registry(reference.domain().to_owned());
                    return Ok(Opened {
                        image,
                        origin,
                        repository: Some(repository),
                    });
                }
            }
        }
        Err(RegistryError::Protocol {
            registry: reference.domain().to_owned(),
            problem: "nests indexes too deep".to_owned(),
        }
        .into())
    }

    /// What a layout or archive consists of.
    pub(super) fn files(&self, location: &Location) -> Result<Arc<dyn Files>, TransportError> {
        let host = |source| TransportError::Host {
            location: location.to_string(),
            source,
        };
        let path = match location {
            Location::OciDirectory { path, .. } => {
                return Ok(Arc::new(HostDirectory::open(path).map_err(host)?));
            }
            Location::OciArchive { path, .. } | Location::DockerArchive { path, .. } => path,
            _ => return Err(no_file(location)),
        };
        let scratch = || self.store.scratch().map_err(std::io::Error::other);
        let file = open_archive(path, scratch, &self.limits, &*self.progress).map_err(host)?;
        let files = ArchiveFiles::index(Box::new(HostArchive::of(file)), &self.limits);
        let files = files.map_err(|error| TransportError::Find {
            location: location.to_string(),
            source: error.into(),
        });
        Ok(Arc::new(files?))
    }

    fn open_files(
        &self,
        location: &Location,
        platform: Option<&Platform>,
    ) -> Result<Opened, TransportError> {
        let find = |source: FindError| match source {
            FindError::Platform(error) => TransportError::Select(error),
            source => TransportError::Find {
                location: location.to_string(),
                source,
            },
        };
        let limits = &self.limits;
        let files = self.files(location)?;
        let image = match location {
            Location::DockerArchive { name, .. } => {
                let found =
                    DockerArchive::open(files, limits).map_err(|error| find(error.into()))?;
                found.load(name.as_deref(), limits).map_err(find)?
            }
            Location::OciDirectory { name, .. } | Location::OciArchive { name, .. } => {
                let layout = OciLayout::open(files, limits).map_err(|error| find(error.into()))?;
                layout
                    .load(name.as_deref(), &wanted(platform), limits)
                    .map_err(find)?
            }
            _ => return Err(no_file(location)),
        };
        Ok(Opened {
            image,
            origin: Origin::File(location.clone()),
            repository: None,
        })
    }
}

fn no_file(location: &Location) -> TransportError {
    TransportError::Destination {
        location: location.to_string(),
        problem: "is not a file".to_owned(),
    }
}

fn wanted(platform: Option<&Platform>) -> Platform {
    platform.cloned().unwrap_or_else(Platform::host)
}

/// Refuses an image of another platform than was asked for; what was not
/// asked for may be anything.
fn fits(opened: &Opened, name: &str, platform: Option<&Platform>) -> Result<(), TransportError> {
    let found = opened.image.config.platform();
    match platform {
        Some(wanted) if wanted.distance(&found).is_none() => Err(TransportError::Platform {
            name: name.to_owned(),
            found: found.to_string(),
            wanted: wanted.to_string(),
        }),
        _ => Ok(()),
    }
}
