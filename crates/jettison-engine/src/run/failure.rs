//! Why an image could not be run, with docker's exit codes.

use jettison_image::Platform;

use super::PortError;
use crate::prove::ProveError;
use crate::transport::TransportError;

/// Why an image could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// The image cannot be had.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A container could not be had, or its program not be started.
    #[error(transparent)]
    Sandbox(#[from] jettison_sandbox::Error),
    /// The files of the image or a companion of it make trouble.
    #[error(transparent)]
    Prepare(#[from] ProveError),
    /// It is for another kind of machine.
    #[error("the image cannot be run here: {reason}")]
    Foreign {
        /// What it is for.
        platform: Box<Platform>,
        /// In words.
        reason: String,
    },
    /// It has neither ENTRYPOINT nor CMD.
    #[error("the image does not say which program to run")]
    NoProgram,
    /// There are no namespaces here.
    #[error("no sandbox for other people's programs: only {0} is possible here")]
    Uncontained(String),
    /// Something was asked for that needs the network it was not given.
    #[error("{0} needs a network of the program's own (--network private, with namespaces)")]
    NoNetwork(&'static str),
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// There is no shell to put beside the image.
    #[error("no static shell to put beside the image: {0}")]
    NoShell(String),
}

impl RunFailure {
    /// The code that `docker run` gives for this: 127 for a program that is
    /// not there, 126 for one that cannot be executed, 125 for all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Sandbox(error) => u8::try_from(error.exit_code()).unwrap_or(125),
            _ => 125,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Sandbox(error @ jettison_sandbox::Error::Unavailable { .. }) => {
                return Some(match error.hint() {
                    Some(hint) => format!("{hint}; or --allow-chroot for an image that you trust"),
                    None => "`jettison doctor` says what this machine lacks; --allow-chroot does \
                             without namespaces, for an image that you trust"
                        .to_owned(),
                });
            }
            Self::Sandbox(error) => return error.hint(),
            Self::Prepare(error) => return error.hint(),
            Self::Foreign { platform, .. } if platform.os == "linux" => {
                "apt-get install qemu-user-static binfmt-support, or say --platform where the \
                 image comes for several"
            }
            Self::Foreign { .. } => "only images for linux can be run",
            Self::NoProgram => "say what to run, after `--`",
            Self::Uncontained(_) => {
                "`jettison doctor` says what this machine lacks; --allow-chroot does without \
                 namespaces, for an image that you trust"
            }
            Self::NoNetwork(_) => "with --network host a server is reached without --port",
            Self::Port(error) => return error.hint(),
            Self::NoShell(_) => "apt-get install busybox-static, or name one with --shell FILE",
            Self::Transport(_) => return None,
        };
        Some(text.to_owned())
    }
}
