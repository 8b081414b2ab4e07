//! The ways in which a build fails, and how BuildKit words each. A case that fails for another reason than the one it is for is a
//! defect of the case.

use serde::{Deserialize, Serialize};

/// Why a build must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    /// The Dockerfile is not one.
    Parse,
    /// An instruction's words or flags are wrong.
    Usage,
    /// What is copied is not there.
    NoSource,
    /// A stage or image that there is not.
    NoImage,
    /// `--target` names no stage.
    NoTarget,
    /// A program ended with another status than 0.
    ExitCode,
    /// The program of a RUN could not be started.
    NotStarted,
    /// A secret that is required was not given.
    NoSecret,
    /// No such user or group.
    NoUser,
    /// A file stands where a directory must be, or the reverse.
    WrongKind,
    /// What is to be fetched cannot be had.
    NotFetched,
    /// Symbolic links that lead to one another.
    LinkLoop,
    /// An archive that is damaged, or cannot be unpacked.
    Archive,
    /// A file is not what `--checksum` says.
    Checksum,
}

impl Class {
    /// Parts of BuildKit's message, of which one must be there.
    pub(crate) fn words(self) -> &'static [&'static str] {
        match self {
            Self::Parse => &[
                "dockerfile parse error",
                "file with no instructions",
                "no build stage",
                "unterminated heredoc",
            ],
            Self::Usage => &["dockerfile parse error", "failed to solve"],
            Self::NoSource => &["not found", "no such file", "no source files"],
            Self::NoImage => &[
                "failed to resolve source metadata",
                "invalid from flag value",
                "base name",
            ],
            Self::NoTarget => &["could not be found"],
            Self::ExitCode => &["did not complete successfully: exit code"],
            Self::NotStarted => &[
                "exec format error",
                "no such file",
                "permission denied",
                "not found",
                // The cause is in the log alone.
                "did not complete successfully",
            ],
            Self::NoSecret => &["secret"],
            Self::NoUser => &[
                "unable to find user",
                "invalid user",
                "no matching entries",
                "no users found",
            ],
            Self::WrongKind => &[
                "not a directory",
                "is a directory",
                "cannot copy to non-directory",
                "cannot replace",
                "non-directory",
            ],
            Self::NotFetched => &["connection refused", "invalid response"],
            Self::LinkLoop => &["too many links", "too many levels"],
            Self::Archive => &["unexpected EOF", "no such file"],
            Self::Checksum => &["checksum", "digest mismatch"],
        }
    }
}
