//! Why an image could not be fetched or delivered.

use std::io;

use jettison_image::layout::FindError;
use jettison_image::{ReferenceError, SelectError};

use super::{DaemonError, LocationError, RegistryError};
use crate::base::BaseError;
use crate::store::StoreError;

/// Why an image could not be fetched or delivered.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The location is not understood.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A name is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A host file or directory cannot be used.
    #[error("{location}")]
    Host {
        /// Which one, as a location.
        location: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A layout or archive does not hold the image.
    #[error("{location}")]
    Find {
        /// Which one, as a location.
        location: String,
        /// The cause.
        #[source]
        source: FindError,
    },
    /// A bare name was found nowhere.
    #[error("there is no image {name}: {}", tried.join("; "))]
    Nowhere {
        /// The name.
        name: String,
        /// Where it was looked for, and what came of it.
        tried: Vec<String>,
    },
    /// The image is of another platform than was asked for.
    #[error("{name} is for {found}, not for {wanted}")]
    Platform {
        /// The image.
        name: String,
        /// What it is for.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// An index has no image for the platform.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The image cannot be read or written.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// The Docker engine.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// A system cannot be composed.
    #[error(transparent)]
    Base(#[from] Box<BaseError>),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The local store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document about an image is larger than any honest one.
    #[error(
        "the {kind} of {digest} has {size_bytes} bytes, more than the {limit_bytes} that are read"
    )]
    Document {
        /// What it is.
        kind: &'static str,
        /// The image's manifest.
        digest: jettison_image::Digest,
        /// How long it is said to be.
        size_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// The destination cannot take the image.
    #[error("{location}: {problem}")]
    Destination {
        /// The destination.
        location: String,
        /// Why.
        problem: String,
    },
}

impl TransportError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Nowhere { .. } => {
                "`jettison store list` shows the store; a file or directory is named with its \
                 kind, as in docker-archive:FILE, oci-archive:FILE or oci:DIR"
                    .to_owned()
            }
            Self::Platform { found, .. } => format!("take it as it is: --platform {found}"),
            Self::Select(_) => "say which image with --platform OS/ARCHITECTURE".to_owned(),
            Self::Daemon(_) => {
                "`jettison doctor` says which engine answers; DOCKER_HOST names another".to_owned()
            }
            Self::Base(error) => return error.hint(),
            _ => return None,
        })
    }
}

impl From<BaseError> for TransportError {
    fn from(error: BaseError) -> Self {
        Self::Base(Box::new(error))
    }
}
