//! `jettison run`: starts any image the way a judge would, for a person to try.

use clap::Args;

use super::shared::SurroundingsArgs;

/// Start an image in the sandbox, to try it
///
/// Without --hardened the image runs as Docker would run it: its own user,
/// Docker's default capabilities and system call filter, a writable copy of
/// its files that is thrown away at the end. The exit code is the program's.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison run shop:1.2 --port 8080:8080
  jettison run --debug shop:1.2
  jettison run docker-archive:shop.tar -- --version")]
pub struct RunArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Arguments in the place of the image's own (CMD)
    #[arg(value_name = "ARG", last = true)]
    pub command: Vec<String>,

    /// Make a port of the container reachable on this machine's loopback
    #[arg(long, short, value_name = "[IP:][HOST:]CONTAINER")]
    pub port: Vec<String>,

    /// Read-only root, no capabilities, not root
    #[arg(long)]
    pub hardened: bool,

    /// Open a static shell beside the unchanged image
    #[arg(long)]
    pub debug: bool,

    /// Run this instead of the image's ENTRYPOINT
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,

    /// Run as this user
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// Start in this directory
    #[arg(long, short, value_name = "PATH")]
    pub workdir: Option<String>,

    /// private: a network of its own; host: this machine's; none: none
    #[arg(long, value_name = "NETWORK", default_value = "private")]
    pub network: String,

    /// Allocate a terminal
    #[arg(long, short)]
    pub tty: bool,

    /// Pass standard input on
    #[arg(long, short)]
    pub interactive: bool,

    /// Stop the program after this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,

    /// Take the image for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}
