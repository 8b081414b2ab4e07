//! The words that say where an image is: `transport:details`, as skopeo and
//! podman write them, or a bare name.

use std::fmt;
use std::path::PathBuf;

use jettison_image::{Reference, ReferenceError, escape};

use crate::base::SystemSpec;

/// Where an image comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `oci:DIR[:TAG]`: an OCI image layout.
    OciDirectory {
        /// The directory.
        path: PathBuf,
        /// The image in it.
        name: Option<String>,
    },
    /// `oci-archive:FILE[:TAG]`: an OCI image layout in a tar file.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// The image in it.
        name: Option<String>,
    },
    /// `docker-archive:FILE[:REF]`: what `docker save` writes.
    DockerArchive {
        /// The file.
        path: PathBuf,
        /// The image in it.
        name: Option<String>,
    },
    /// `docker-daemon:NAME`: the store of a Docker engine or of podman.
    Daemon(String),
    /// `docker://REF`: a registry.
    Registry(Reference),
    /// `debian:SUITE?packages=A,B`: composed of Debian packages; a source only.
    Composed(SystemSpec),
    /// A bare name: as a source the local store, the Docker engine and the
    /// registry in turn, as a destination the local store.
    Name(String),
}

/// Why a text does not say where an image is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing follows the transport.
    #[error("`{0}` says no more than the transport")]
    Empty(String),
    /// A transport of other tools.
    #[error(
        "`{0}:` is not a transport of jettison; there are docker://REF, docker-daemon:NAME, \
         docker-archive:FILE[:REF], oci:DIR[:TAG] and oci-archive:FILE[:TAG]; \
         a bare name is looked for in the local store, the Docker engine and the registry"
    )]
    Unknown(String),
    /// A system that cannot be composed.
    #[error("`{text}`: {problem}")]
    Composed {
        /// As given.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// The name is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

/// Transports that other tools have and this one has not.
const FOREIGN: [&str; 9] = [
    "dir",
    "containers-storage",
    "sif",
    "tarball",
    "ostree",
    "atomic",
    "docker-tar",
    "containerd",
    "buildah",
];

impl Location {
    /// True for registries and OCI layouts, where layers are compressed by
    /// custom.
    pub fn is_packed(&self) -> bool {
        match self {
            Self::OciDirectory { .. } | Self::OciArchive { .. } | Self::Registry(_) => true,
            Self::DockerArchive { .. } | Self::Daemon(_) | Self::Composed(_) | Self::Name(_) => {
                false
            }
        }
    }

    /// Reads a location.
    pub fn parse(text: &str) -> Result<Self, LocationError> {
        if SystemSpec::is_meant(text) {
            let spec = SystemSpec::parse(text);
            return spec
                .map(Self::Composed)
                .map_err(|problem| LocationError::Composed {
                    text: escape(text),
                    problem,
                });
        }
        let Some((transport, rest)) = text.split_once(':') else {
            return Self::name(text);
        };
        let filled = || match rest {
            "" => Err(LocationError::Empty(escape(text))),
            _ => Ok(rest),
        };
        Ok(match transport {
            "oci" => {
                let (path, name) = path_and_name(filled()?);
                Self::OciDirectory { path, name }
            }
            "oci-archive" => {
                let (path, name) = path_and_name(filled()?);
                Self::OciArchive { path, name }
            }
            "docker-archive" => {
                let (path, name) = path_and_name(filled()?);
                Self::DockerArchive { path, name }
            }
            "docker-daemon" => Self::Daemon(filled()?.to_owned()),
            "docker" if rest.starts_with("//") => Self::Registry(Reference::parse(&rest[2..])?),
            _ if FOREIGN.contains(&transport) || rest.starts_with("//") => {
                return Err(LocationError::Unknown(escape(transport)));
            }
            _ => return Self::name(text),
        })
    }

    fn name(text: &str) -> Result<Self, LocationError> {
        // An image id names an image of the engine.
        if !is_id(text) {
            Reference::parse(text)?;
        }
        Ok(Self::Name(text.to_owned()))
    }

    /// The host path, where there is one.
    pub fn path(&self) -> Option<&std::path::Path> {
        match self {
            Self::OciDirectory { path, .. }
            | Self::OciArchive { path, .. }
            | Self::DockerArchive { path, .. } => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files =
            |f: &mut fmt::Formatter<'_>, transport, path: &PathBuf, name: &Option<String>| {
                write!(f, "{transport}:{}", escape(&path.to_string_lossy()))?;
                name.iter()
                    .try_for_each(|name| write!(f, ":{}", escape(name)))
            };
        match self {
            Self::OciDirectory { path, name } => files(f, "oci", path, name),
            Self::OciArchive { path, name } => files(f, "oci-archive", path, name),
            Self::DockerArchive { path, name } => files(f, "docker-archive", path, name),
            Self::Daemon(name) => write!(f, "docker-daemon:{}", escape(name)),
            Self::Registry(reference) => write!(f, "docker://{}", reference.familiar()),
            Self::Composed(spec) => spec.fmt(f),
            Self::Name(name) => f.write_str(&escape(name)),
        }
    }
}

/// An image id, whole, short or with its algorithm.
pub(super) fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.len() == 64
        && digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Splits at the first colon, as skopeo does: paths hold none.
fn path_and_name(text: &str) -> (PathBuf, Option<String>) {
    match text.split_once(':') {
        Some((path, name)) if !name.is_empty() => (path.into(), Some(name.to_owned())),
        Some((path, _)) => (path.into(), None),
        None => (text.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_as_skopeo_reads_them() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let read = match Location::parse(text) {
                Ok(location) => format!("{location:?}"),
                Err(error) => format!("error: {error}"),
            };
            assert!(read.contains(expected), "{text}: {read}");
        }
        check("oci:out", r#"OciDirectory { path: "out", name: None }"#);
        check(
            "oci:/a/b:1.0",
            r#"OciDirectory { path: "/a/b", name: Some("1.0") }"#,
        );
        check(
            "oci-archive:x.tar:r.test:5000/app:1",
            r#"name: Some("r.test:5000/app:1")"#,
        );
        check(
            "docker-archive:x.tar:app:1",
            r#"DockerArchive { path: "x.tar", name: Some("app:1") }"#,
        );
        check("docker-archive:x.tar:@1", r#"name: Some("@1")"#);
        check("docker-daemon:app:1", r#"Daemon("app:1")"#);
        check("docker://app", "Registry(");
        check("docker:24-dind", r#"Name("docker:24-dind")"#);
        check("store:1.0", r#"Name("store:1.0")"#);
        check("app", r#"Name("app")"#);
        check("localhost:5000/app:1", r#"Name("localhost:5000/app:1")"#);
        check("oci:", "error: `oci:` says no more");
        check("dir:/tmp/x", "error: `dir:` is not a transport");
        check("http://r.test/app", "error: `http:` is not a transport");
        check("App", "error: ");
        check("docker://App", "error: ");
        check("", "error: ");
        check("debian:trixie?packages=gcc", "Composed(");
        check("debian:trixie?gcc", "neither packages=");
        check("debian:trixie", "Name(");
    }
}
