//! `jettison copy`: an image from one place to another.

use clap::Args;
use jettison_engine::copy::{self as engine, Copied, CopyOptions};
use jettison_engine::transport::{Location, TransportError};

use super::shared::GlobalArgs;
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::ui::Ui;
use crate::ui::units::{bytes, count};

/// Copy an image from one place to another
///
/// An archive may be packed as a whole with gzip or zstd, and
/// docker-archive:/dev/stdin reads one out of a pipe. Layers that come
/// unpacked are gzipped on the way into a registry.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison copy docker-daemon:shop:1.2 oci-archive:shop.tar
  jettison copy oci:layout:1.2 docker://registry.example/shop:1.2
  docker save shop:1.2 | jettison copy docker-archive:/dev/stdin shop:1.2")]
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

/// Copies, and says what moved.
pub fn copy(args: &CopyArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let source = Location::parse(&args.source).map_err(flag("SRC"))?;
    let destination = Location::parse(&args.destination).map_err(flag("DST"))?;
    let options = CopyOptions {
        platform: words::platform(args.platform.as_deref())?,
        names: Vec::new(),
    };
    let context = settings::context(global, ui)?;
    let copied = engine::copy(&context.transports, &source, &destination, &options);
    let copied = copied.map_err(failure)?;
    ui.answer(&report(&copied, &destination))?;
    for conversion in &copied.written.conversions {
        ui.say(&format!("note: {conversion}"));
    }
    Ok(Exit::Fine)
}

fn report(copied: &Copied, destination: &Location) -> String {
    let written = &copied.written;
    let names = match written.names.is_empty() {
        true => String::new(),
        false => format!(" as {}", written.names.join(", ")),
    };
    let to = match destination {
        Location::Name(_) => "the local store".to_owned(),
        other => other.to_string(),
    };
    let moved = &written.moved;
    let mut how = match (moved.blobs, moved.bytes) {
        (0, _) => "nothing moved".to_owned(),
        (blobs, 0) => format!("{} moved", count(blobs as u64, "blob")),
        (blobs, sent) => format!("{} moved, {}", count(blobs as u64, "blob"), bytes(sent)),
    };
    for (number, what) in [
        (moved.already_there, "already there"),
        (moved.mounted, "taken from another repository"),
    ] {
        if number > 0 {
            how.push_str(&format!("; {number} {what}"));
        }
    }
    let digest = written.manifest_digest.unwrap_or(copied.source_digest);
    format!(
        "from {}, for {}\nto {to}{names}\n{how}\n{digest}\n",
        copied.origin, copied.platform
    )
}

/// An error of a transport with what to do about it.
pub fn failure(error: TransportError) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}
