//! What a name after FROM, `--from` or `from=` stands for: a named context, or
//! an image. Images are brought into the store whole, so that every layer of a
//! stage lies in one place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jettison_image::{Image, Platform, Reference};

use super::error::{DockerfileError, StepError};
use crate::Context;
use crate::base::SystemSpec;
use crate::transport::Location;

/// What a named context is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedContext {
    /// An image.
    Image(Location),
    /// A directory of the host.
    Directory(PathBuf),
}

impl NamedContext {
    /// Reads `--build-context NAME=VALUE` as buildx does: `docker-image://REF`,
    /// `oci-layout://DIR[:TAG][@DIGEST]`, a location in jettison's own words, or a
    /// directory.
    pub fn parse(pair: &str) -> Result<(String, Self), DockerfileError> {
        let wrong =
            |problem: &str| DockerfileError::Flag(format!("--build-context: `{pair}` {problem}"));
        let (name, value) = pair
            .split_once('=')
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .ok_or_else(|| wrong("is not NAME=VALUE"))?;
        let location = |text: String| {
            let parsed = Location::parse(&text);
            parsed.map_err(|error| wrong(&format!("names no image: {error}")))
        };
        let context = if let Some(reference) = value.strip_prefix("docker-image://") {
            Self::Image(Location::Name(reference.to_owned()))
        } else if let Some(layout) = value.strip_prefix("oci-layout://") {
            // A digest says which image, whatever tag it has.
            let layout = match layout.rsplit_once('@') {
                Some((named, digest)) if digest.starts_with("sha") => {
                    let path = named.split(':').next().unwrap_or_default();
                    format!("{path}:{digest}")
                }
                _ => layout.to_owned(),
            };
            Self::Image(location(format!("oci:{layout}"))?)
        } else if [
            "oci:",
            "oci-archive:",
            "docker-archive:",
            "docker-daemon:",
            "docker://",
        ]
        .iter()
        .any(|scheme| value.starts_with(scheme))
            || SystemSpec::is_meant(value)
        {
            Self::Image(location(value.to_owned())?)
        } else if value.contains("://") {
            return Err(wrong("is of a kind that only BuildKit knows"));
        } else {
            Self::Directory(PathBuf::from(value))
        };
        Ok((name.to_owned(), context))
    }
}

/// The named context that a name means: written as it is, or the same image
/// name in full.
pub(crate) fn named<'a>(
    contexts: &'a BTreeMap<String, NamedContext>,
    name: &str,
) -> Option<&'a NamedContext> {
    let full = |name: &str| {
        let reference = Reference::parse(name).ok()?;
        Some(reference.with_default_tag().to_string())
    };
    contexts.get(name).or_else(|| {
        let wanted = full(name)?;
        let mut all = contexts.iter();
        all.find_map(|(known, context)| (full(known)? == wanted).then_some(context))
    })
}

/// The image of a location, with all its blobs in the store.
pub(crate) fn bring(
    location: &Location,
    platform: &Platform,
    context: &Context,
) -> Result<Image, StepError> {
    let opened = context.transports.open(location, Some(platform))?;
    context.transports.keep(&opened, &[])?;
    Ok(opened.image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts() {
        let image = |text: &str| Some(NamedContext::Image(Location::parse(text).unwrap()));
        for (pair, expected) in [
            (
                "a=docker-image://busybox:1",
                Some(NamedContext::Image(Location::Name("busybox:1".to_owned()))),
            ),
            ("a=oci-layout:///d/x", image("oci:/d/x")),
            ("a=oci-layout:///d/x@sha256:00", image("oci:/d/x:sha256:00")),
            (
                "a=oci-layout:///d/x:1@sha256:00",
                image("oci:/d/x:sha256:00"),
            ),
            ("a=oci-layout:///d/me@host/x", image("oci:/d/me@host/x")),
            ("a=oci-archive:x.tar", image("oci-archive:x.tar")),
            (
                "a=debian:trixie?packages=gcc",
                image("debian:trixie?packages=gcc"),
            ),
            ("a=debian:trixie?gcc", None),
            ("a=../dir", Some(NamedContext::Directory("../dir".into()))),
            ("a=https://example.org/x.git", None),
            ("a=", None),
            ("a", None),
        ] {
            let found = NamedContext::parse(pair).ok().map(|(_, context)| context);
            assert_eq!(found, expected, "{pair}");
        }
    }

    #[test]
    fn names() {
        let (name, context) = NamedContext::parse("alpine=dir").unwrap();
        let contexts = BTreeMap::from([(name, context)]);
        for (name, found) in [
            ("alpine", true),
            ("alpine:latest", true),
            ("docker.io/library/alpine", true),
            ("alpine:3", false),
        ] {
            assert_eq!(named(&contexts, name).is_some(), found, "{name}");
        }
    }
}
