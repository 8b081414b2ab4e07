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
    #[error("no sandbox for other people's programs: {lacks}")]
    Uncontained {
        /// What the best of them lacks.
        lacks: jettison_sandbox::Error,
        /// Whether a copy and chroot would do.
        chroot: bool,
    },
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
            Self::Sandbox(error) => return error.hint(),
            Self::Prepare(error) => return error.hint(),
            Self::Foreign { platform, .. } if platform.os == "linux" => {
                "apt-get install qemu-user-static binfmt-support, or say --platform where the \
                 image comes for several"
            }
            Self::Foreign { .. } => "only images for linux can be run",
            Self::NoProgram => "say what to run, after `--`",
            Self::Uncontained { lacks, chroot } => {
                let ask = "`jettison doctor` says what this machine lacks".to_owned();
                let hint = lacks.hint().unwrap_or(ask);
                return Some(match chroot {
                    true => format!("{hint}; or --allow-chroot for an image that you trust"),
                    false => hint,
                });
            }
            Self::NoNetwork(_) => "with --network host a server is reached without --port",
            Self::Port(error) => return error.hint(),
            Self::NoShell(_) => "apt-get install busybox-static, or name one with --shell FILE",
            Self::Transport(_) => return None,
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use jettison_sandbox::{Error, Tier};

    use super::RunFailure;

    #[test]
    fn chroot_is_recommended_where_it_is_possible() {
        let check = |hint: Option<&str>, chroot: bool, expected: &str| {
            let lacks = Error::Unavailable {
                tier: Tier::SingleUser,
                reason: "unshare: refused".to_owned(),
                hint: hint.map(str::to_owned),
            };
            let failure = RunFailure::Uncontained { lacks, chroot };
            assert_eq!(failure.hint().as_deref(), Some(expected));
            assert_eq!(failure.exit_code(), 125);
        };
        check(
            Some("sysctl x"),
            true,
            "sysctl x; or --allow-chroot for an image that you trust",
        );
        check(Some("sysctl x"), false, "sysctl x");
        check(
            None,
            false,
            "`jettison doctor` says what this machine lacks",
        );
    }
}
