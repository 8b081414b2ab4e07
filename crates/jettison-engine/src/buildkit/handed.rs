//! Named contexts as BuildKit takes them. What only jettison reads (archives,
//! a Docker engine's images, systems composed of packages) is handed over as an
//! OCI layout, made for this build.

use std::fs::File;
use std::path::Path;

use jettison_image::Platform;

use super::{BuildKitError, host};
use crate::Context;
use crate::dockerfile::NamedContext;
use crate::files::read_bounded;
use crate::transport::{Location, TransportError};

/// The index of a layout lists a few images.
const INDEX_BYTES: u64 = 1 << 20;

/// The words of `--build-context` for BuildKit; layouts are made in the folder.
pub(super) fn contexts(
    words: &[String],
    platform: Option<&Platform>,
    folder: &Path,
    context: &Context,
) -> Result<Vec<String>, BuildKitError> {
    let numbered = words.iter().enumerate();
    numbered
        .map(|(at, word)| match read_here(word) {
            Some((name, location)) => {
                let layout = folder.join(format!("context{at}"));
                let made = laid_out(&location, platform, &layout, context);
                made.map_err(|source| BuildKitError::NamedContext {
                    word: word.clone(),
                    source,
                })?;
                let layout = layout.to_str().ok_or_else(|| {
                    host("naming a layout for BuildKit")(std::io::ErrorKind::InvalidFilename.into())
                })?;
                Ok(with_digest(&format!("{name}=oci-layout://{layout}")))
            }
            None => Ok(with_digest(word)),
        })
        .collect()
}

/// The image of a context that BuildKit has no words for.
fn read_here(word: &str) -> Option<(String, Location)> {
    match NamedContext::parse(word) {
        Ok((name, NamedContext::Image(location))) => match location {
            Location::OciArchive { .. }
            | Location::DockerArchive { .. }
            | Location::Daemon(_)
            | Location::Composed(_) => Some((name, location)),
            // A layout in a directory, a registry's and a bare name go on as they are.
            Location::OciDirectory { .. } | Location::Registry(_) | Location::Name(_) => None,
        },
        Ok((_, NamedContext::Directory(_))) | Err(_) => None,
    }
}

fn laid_out(
    location: &Location,
    platform: Option<&Platform>,
    layout: &Path,
    context: &Context,
) -> Result<(), TransportError> {
    let opened = context.transports.open(location, platform)?;
    let destination = Location::OciDirectory {
        path: layout.to_owned(),
        name: None,
    };
    context.transports.write(&opened, &destination, &[])?;
    Ok(())
}

/// BuildKit wants the digest of an image in a layout. Where there is only one
/// image, that is the one.
fn with_digest(word: &str) -> String {
    let layout = ["=oci-layout://", "=oci:"].iter().find_map(|kind| {
        let (_, path) = word.split_once(kind)?;
        (!path.contains(['@', ':'])).then_some(path)
    });
    let digest = layout.and_then(|layout| {
        let index = File::open(Path::new(layout).join("index.json"));
        let json = read_bounded(index.ok()?, INDEX_BYTES).ok()?;
        let index: serde_json::Value = serde_json::from_slice(&json).ok()?;
        match index["manifests"].as_array()?.as_slice() {
            [only] => Some(only["digest"].as_str()?.to_owned()),
            _ => None,
        }
    });
    match digest {
        Some(digest) => format!("{word}@{digest}"),
        None => word.to_owned(),
    }
}
