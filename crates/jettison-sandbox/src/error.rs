//! Why something could not be run, each with what to do about it.

use std::io;

use crate::tier::Tier;
use crate::wire::{Failure, FailureKind};

/// The step that fails where an upper layer cannot be.
pub(crate) const MOUNTING_OVERLAY: &str = "mounting the overlay";

/// Why a sandbox, a root or a container could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A step of setting up failed.
    #[error("{step} failed")]
    Step {
        /// What was being done, with the path or name it was done to.
        step: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// This machine does not allow the tier.
    #[error("{tier} is not available: {reason}")]
    Unavailable {
        /// The tier that was asked for.
        tier: Tier,
        /// Why not.
        reason: String,
        /// What to type.
        hint: Option<String>,
    },
    /// The root file system does not allow what a container needs.
    #[error("{path}: {problem}")]
    Root {
        /// The path inside the root.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The program cannot be started.
    #[error("{program} cannot be started")]
    Program {
        /// The program as it was asked for.
        program: String,
        /// The kernel's answer; not found when it is in no PATH directory.
        #[source]
        source: io::Error,
    },
    /// The user or group is not in the image.
    #[error("{0}")]
    User(String),
    /// The image is not what it says.
    #[error(transparent)]
    Image(#[from] jettison_image::Error),
    /// The supervisor was killed; everything in the sandbox is gone with it.
    #[error("the sandbox was killed")]
    Gone,
    /// The container has ended.
    #[error("the container has ended")]
    Ended,
}

impl Error {
    pub(crate) fn step(step: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Step {
            step: step.into(),
            source: source.into(),
        }
    }

    pub(crate) fn from_failure(failure: Failure) -> Self {
        let source = io::Error::from_raw_os_error(failure.errno);
        match failure.kind {
            FailureKind::Step => Self::Step {
                step: failure.what,
                source,
            },
            FailureKind::Root => Self::Root {
                path: failure.what,
                problem: failure.problem,
            },
            FailureKind::Program => Self::Program {
                program: failure.what,
                source,
            },
            FailureKind::User => Self::User(failure.problem),
            FailureKind::Ended => Self::Ended,
        }
    }

    /// The exit code that docker's `run` gives for this: 127 for a program
    /// that is not there, 126 for one that cannot be executed, else 125.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Program { source, .. } if source.raw_os_error() == Some(libc::ENOENT) => 127,
            Self::Program { .. } => 126,
            _ => 125,
        }
    }

    /// What a person can do about it, as something to type where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unavailable { hint, .. } => hint.clone(),
            Self::Program { source, program } => match source.raw_os_error() {
                Some(libc::ENOENT) => Some(format!(
                    "{program}, the loader it names or its interpreter is not in the image"
                )),
                Some(libc::ENOEXEC) => {
                    Some("it is not a program of this machine's architecture".to_owned())
                }
                Some(libc::EACCES) => {
                    Some("it is not executable for this user; see --user".to_owned())
                }
                _ => None,
            },
            Self::User(_) => Some("name a user by number, as in --user 65532".to_owned()),
            Self::Step { step, source }
                if step == MOUNTING_OVERLAY && source.raw_os_error() == Some(libc::EINVAL) =>
            {
                Some(
                    "layers have to lie on a file system that can carry an overlay: ext4, xfs, \
                     btrfs or tmpfs, and not another overlay"
                        .to_owned(),
                )
            }
            Self::Step { source, .. } if source.raw_os_error() == Some(libc::ENOSPC) => Some(
                "scratch space is full; free some memory or give a larger scratch directory"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
