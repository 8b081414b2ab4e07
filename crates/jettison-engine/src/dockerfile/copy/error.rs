//! Why a COPY or ADD cannot be done.

use jettison_image::{Error, escape};

/// Why a COPY or ADD cannot be done. Texts follow BuildKit's where it has one.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source has no such path.
    #[error("\"{}\": not found", shown(.0))]
    NotFound(Vec<u8>),
    /// A pattern cannot be read.
    #[error("syntax error in pattern {}", shown(.0))]
    BadPattern(Vec<u8>),
    /// A path runs through too many links.
    #[error("{}: too many links", shown(.0))]
    TooManyLinks(Vec<u8>),
    /// A part of the destination's path is a file.
    #[error("{}: not a directory", shown(.0))]
    NotADirectory(Vec<u8>),
    /// A file would replace a directory.
    #[error("cannot replace to directory {} with file", shown(.0))]
    FileOntoDirectory(Vec<u8>),
    /// A directory would replace a file.
    #[error("cannot copy to non-directory: {}", shown(.0))]
    DirectoryOntoFile(Vec<u8>),
    /// `--chmod` is no mode.
    #[error(
        "invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777", shown(.0)
    )]
    Mode(Vec<u8>),
    /// Names with `--link`.
    #[error("--chown={} with --link: only numbers, for names are looked up in the stage that --link does not read", shown(.0))]
    OwnerOfNoStage(Vec<u8>),
    /// A hard link of an archive names nothing that can have a second name.
    #[error("{}: hard link to {}, which is no file that is there", shown(.0), shown(.1))]
    BadHardLink(Vec<u8>, Vec<u8>),
    /// A member of an archive lies behind a link that leads to nothing.
    #[error("{}: no such file or directory: a link on the way leads to nothing below the destination", shown(.0))]
    Dangling(Vec<u8>),
    /// COPY of something that only ADD fetches.
    #[error("source can't be a URL for COPY: {}", shown(.0))]
    Remote(Vec<u8>),
    /// A name that a layer cannot hold.
    #[error("{}: layers keep names that begin with .wh. for whiteouts", shown(.0))]
    Reserved(Vec<u8>),
    /// The contents or the layer failed.
    #[error(transparent)]
    Image(#[from] Error),
}

/// Bytes fit for a terminal.
pub(super) fn shown(bytes: &[u8]) -> String {
    escape(&String::from_utf8_lossy(bytes))
}
