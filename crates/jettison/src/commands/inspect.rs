//! `jettison inspect`: where every byte of an image is.

use std::num::NonZero;

use clap::Args;
use jettison_engine::inspect as engine;
use jettison_engine::inspect::InspectOptions;
use jettison_engine::transport::Location;
use jettison_image::Platform;

use super::copy;
use super::shared::{Format, FormatArgs, GlobalArgs};
use super::words::flag;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;

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

    /// Rows of each table; of each list of files with --format json, where all
    /// layers and packages are given anyway [default: 12, with json 100]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Rows where --top says nothing.
const ROWS: usize = 12;
const JSON_ROWS: usize = 100;

/// Reads the image and reports.
pub fn inspect(args: &InspectArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let location = Location::parse(&args.image).map_err(|error| copy::failure(error.into()))?;
    let platform: Option<Platform> = args
        .platform
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(flag("--platform"))?;
    let transports = settings::context(global, ui)?.transports;
    let opened = transports
        .open(&location, platform.as_ref())
        .map_err(copy::failure)?;
    transports.fetch(&opened).map_err(copy::failure)?;
    let default = match args.format.format {
        Format::Text => ROWS,
        Format::Json => JSON_ROWS,
    };
    let options = InspectOptions {
        rows: args.top.unwrap_or(default),
        threads: std::thread::available_parallelism().map_or(1, NonZero::get),
    };
    let progress = ui.progress();
    let inspection = engine::inspect(
        &args.image,
        &opened,
        &options,
        transports.limits(),
        &*progress,
    )
    .map_err(Failure::new)?;
    match args.format.format {
        Format::Json => ui.document(&inspection)?,
        Format::Text => ui.answer(&report::inspect::text(&inspection, options.rows))?,
    }
    Ok(Exit::Fine)
}
