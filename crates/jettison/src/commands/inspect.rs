//! `jettison inspect`: where every byte of an image is.

use clap::Args;

use super::shared::FormatArgs;

/// Show where every byte of an image is
///
/// By layer, by package, by directory, the largest files, what each costs a
/// pull, and what is shipped without being visible.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison inspect shop:1.2
  jettison inspect docker-archive:shop.tar --format json")]
pub struct InspectArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name
    #[arg(value_name = "IMAGE")]
    pub image: String,

    /// Take the image for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Rows of each table
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub top: usize,

    #[command(flatten)]
    pub format: FormatArgs,
}
