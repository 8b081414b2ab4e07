//! How a layer is packed on the wire: none, gzip or zstd.
//!
//! Names, media types and recognition live here; unpacking in [`Decoder`],
//! packing in [`Encoder`]. Refuses what the OCI image-spec does not know
//! (bzip2, xz), by name, so that the person sees why.

mod decoder;
mod encoder;
mod gzip;
mod members;
mod pipeline;
mod zstd_frames;
mod zstd_writer;

use std::fmt;

pub use decoder::Decoder;
pub use encoder::{Encoder, EncoderOptions, Level};

/// How a layer's tar stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Compression {
    /// The tar stream itself.
    None,
    /// RFC 1952; one or more members.
    #[default]
    Gzip,
    /// RFC 8878; one or more frames, skippable ones included.
    Zstd,
}

/// A packing that neither the OCI image-spec nor docker's schema 2 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("packed with {0}, which no layer media type covers")]
pub struct UnknownPacking(pub &'static str);

impl Compression {
    /// How many first bytes [`Compression::detect`] wants to see; fewer are
    /// fine where the stream is shorter.
    pub const MAGIC_BYTES: usize = 6;

    /// Recognises the packing by its first bytes. A skippable zstd frame
    /// counts as zstd (zstd:chunked and pzstd begin with one).
    pub fn detect(first: &[u8]) -> Result<Self, UnknownPacking> {
        match first {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(UnknownPacking("xz")),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Err(UnknownPacking("bzip2")),
            _ => Ok(Self::None),
        }
    }

    /// The packing that a layer's media type promises; none for a media type
    /// that is no layer's. OCI and docker schema 2 types, the
    /// non-distributable and foreign ones included.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        // Parameters after `;` are allowed by RFC 6838 and mean nothing here.
        let essence = media_type.split(';').next().unwrap_or_default().trim_end();
        match essence {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar" => Some(Self::None),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Some(Self::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The OCI media type of a layer packed so.
    pub fn oci_media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Docker's schema 2 media type of a layer packed so. The zstd one is
    /// containerd's extension; docker registries accept it.
    pub fn docker_media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.docker.image.rootfs.diff.tar",
            Self::Gzip => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            Self::Zstd => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_round_trip() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            for media_type in [
                compression.oci_media_type(),
                compression.docker_media_type(),
            ] {
                assert_eq!(Compression::of_media_type(media_type), Some(compression));
            }
        }
        assert_eq!(
            Compression::of_media_type("application/vnd.oci.image.config.v1+json"),
            None
        );
    }

    #[test]
    fn magic() {
        fn check(first: &[u8], expected: Result<Compression, &'static str>) {
            assert_eq!(
                Compression::detect(first).map_err(|error| error.0),
                expected,
                "{first:x?}"
            );
        }
        check(b"", Ok(Compression::None));
        check(b"bin/sh\0\0", Ok(Compression::None));
        check(&[0x1f, 0x8b, 8, 0], Ok(Compression::Gzip));
        check(&[0x28, 0xb5, 0x2f, 0xfd], Ok(Compression::Zstd));
        check(&[0x52, 0x2a, 0x4d, 0x18, 4, 0], Ok(Compression::Zstd));
        check(b"\xfd7zXZ\0", Err("xz"));
        check(b"BZh91AY&SY", Err("bzip2"));
        check(b"BZhome/file", Ok(Compression::None));
    }
}
