//! `copy`: an image from one place to another.

use jettison_image::{Platform, Reference};

use crate::transport::{Location, Origin, TransportError, Transports, Written};

/// What besides source and destination is asked for.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// Which image of several; this machine's when not given.
    pub platform: Option<Platform>,
    /// Further names at the destination.
    pub names: Vec<Reference>,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Where the source was found.
    pub origin: Origin,
    /// What it is for.
    pub platform: String,
    /// The manifest at the source.
    pub source_digest: jettison_image::Digest,
    /// What was delivered.
    pub written: Written,
}

/// Copies an image. Blobs that are there already are not moved, and digests
/// stay what they are wherever the destination's format lets them.
pub fn copy(
    transports: &Transports,
    source: &Location,
    destination: &Location,
    options: &CopyOptions,
) -> Result<Copied, TransportError> {
    if let (Some(from), Some(to)) = (source.path(), destination.path())
        && from.is_file()
        && same_file(from, to)
    {
        return Err(TransportError::Destination {
            location: destination.to_string(),
            problem: "is the source itself".to_owned(),
        });
    }
    let opened = transports.open(source, options.platform.as_ref())?;
    let written = transports.write(&opened, destination, &options.names)?;
    Ok(Copied {
        origin: opened.origin.clone(),
        platform: opened.platform().to_string(),
        source_digest: opened.image.manifest_digest,
        written,
    })
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
