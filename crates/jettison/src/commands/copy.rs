//! `jettison copy`: an image from one place to another.

use clap::Args;

/// Copy an image from one place to another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison copy docker-daemon:shop:1.2 oci-archive:shop.tar
  jettison copy oci:layout:1.2 docker://registry.example/shop:1.2")]
pub struct CopyArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "SRC")]
    pub source: String,

    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name for the store
    #[arg(value_name = "DST")]
    pub destination: String,

    /// Take the image for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
}
