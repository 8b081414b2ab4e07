//! Media types of manifests, configs and layers (OCI image-spec,
//! media-types.md; Docker image manifest v2 schema 2).

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer, plain tar; compressed ones have `+gzip` or `+zstd` appended.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI's empty JSON object, the config of artifacts that need none.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer, plain tar; compressed ones have `.gzip` or `.zstd` appended.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// The two families of manifests in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Schema {
    /// OCI image-spec 1.0 and 1.1.
    Oci,
    /// Docker image manifest v2 schema 2.
    Docker,
}

impl Schema {
    /// Media type of a manifest.
    pub fn manifest(self) -> &'static str {
        match self {
            Self::Oci => OCI_MANIFEST,
            Self::Docker => DOCKER_MANIFEST,
        }
    }

    /// Media type of an index or manifest list.
    pub fn index(self) -> &'static str {
        match self {
            Self::Oci => OCI_INDEX,
            Self::Docker => DOCKER_LIST,
        }
    }

    /// Media type of a config.
    pub fn config(self) -> &'static str {
        match self {
            Self::Oci => OCI_CONFIG,
            Self::Docker => DOCKER_CONFIG,
        }
    }
}

/// What a manifest's media type, or its lack of one, says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManifestKind {
    /// One image.
    Manifest(Schema),
    /// Images of several platforms.
    Index(Schema),
}

impl ManifestKind {
    /// The kind that a media type names; none for anything else.
    pub fn of(media_type: &str) -> Option<Self> {
        match essence(media_type) {
            OCI_MANIFEST => Some(Self::Manifest(Schema::Oci)),
            DOCKER_MANIFEST => Some(Self::Manifest(Schema::Docker)),
            OCI_INDEX => Some(Self::Index(Schema::Oci)),
            DOCKER_LIST => Some(Self::Index(Schema::Docker)),
            _ => None,
        }
    }
}

/// True for Docker's first manifest schema, signed or not, which names its
/// layers by chained ids and cannot be verified; it has been gone from
/// engines since 2024.
pub fn is_schema1(media_type: &str) -> bool {
    let media_type = essence(media_type);
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1")
}

/// True for configs that describe an image; others belong to artifacts.
pub fn is_image_config(media_type: &str) -> bool {
    matches!(essence(media_type), OCI_CONFIG | DOCKER_CONFIG)
}

/// The media type without parameters (`; charset=utf-8`), as HTTP headers carry them.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let check = |media_type, expected| assert_eq!(ManifestKind::of(media_type), expected);
        check(OCI_MANIFEST, Some(ManifestKind::Manifest(Schema::Oci)));
        check(OCI_INDEX, Some(ManifestKind::Index(Schema::Oci)));
        check(DOCKER_LIST, Some(ManifestKind::Index(Schema::Docker)));
        check(
            "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8",
            Some(ManifestKind::Manifest(Schema::Docker)),
        );
        check("application/json", None);
        assert!(is_schema1(
            "application/vnd.docker.distribution.manifest.v1+prettyjws"
        ));
        assert!(!is_schema1(DOCKER_MANIFEST));
    }
}
