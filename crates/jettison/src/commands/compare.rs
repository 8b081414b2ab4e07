//! `jettison compare`: images side by side.

use std::time::Duration;

use clap::Args;
use jettison_engine::compare::{self as engine, CompareError, CompareRequest, Fleet, StartRequest};
use jettison_engine::transport::Location;

use super::approaches::{ApproachArgs, carry_out};
use super::copy;
use super::shared::{Format, FormatArgs, GlobalArgs, ProbeArgs, SurroundingsArgs};
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings;
use crate::ui::Ui;

/// Put images side by side: size, contents, start-up time, cost
///
/// One column for each image, the first of which is the baseline. On the wire
/// is what a pull moves: layers that are stored unpacked are counted as gzip
/// packs them for a registry. Every image is started three times in the
/// sandbox as Docker would start it; the time is the median from the start of
/// the container to the first good answer: of the first probe that asks
/// something, without any of the first port, or the end with code 0. Where
/// there is none, a word says why. Below stand the packages that make the
/// difference, and what shipping each image costs. Nothing is judged: whether
/// two images do the same is for jettison verify.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison compare shop:1.2 shop:1.2-slim
  jettison compare docker-archive:naive.tar oci:multi-stage shop --probe /health
  jettison compare --approaches . --probe /health
  jettison compare shop:1 shop:2 --no-start --nodes 500 --pulls-per-day 2000 --bandwidth 100M")]
pub struct CompareArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE,
    /// docker-daemon:NAME, docker://REF, or a name; the first is the baseline
    #[arg(value_name = "IMAGE", required_unless_present = "approaches", num_args = 2..)]
    pub images: Vec<String>,

    /// Take the images for OS/ARCHITECTURE from a list
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Start nothing
    #[arg(long)]
    pub no_start: bool,

    /// Rows of packages that make the difference
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub top: usize,

    /// Machines that hold the image
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Cost of shipping"
    )]
    pub nodes: u64,

    /// Pulls of the whole image a day, by all machines together
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        help_heading = "Cost of shipping"
    )]
    pub pulls_per_day: u64,

    /// What a machine receives, in bits a second (k, M, G)
    #[arg(
        long,
        value_name = "BITS",
        default_value = "1G",
        help_heading = "Cost of shipping"
    )]
    pub bandwidth: String,

    #[command(flatten)]
    pub approaches: ApproachArgs,

    #[command(flatten)]
    pub probes: ProbeArgs,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Reads, starts and reports. What is found is no failure.
pub fn compare(args: &CompareArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let request = request(args)?;
    if let Some(project) = &args.approaches.approaches {
        let exam = (&args.probes, &args.surroundings);
        let found = carry_out(&args.approaches, project, exam, request, global, ui)?;
        match args.format.format {
            Format::Text => ui.answer(&report::approaches::text(&found))?,
            Format::Json => ui.document(&found)?,
        }
        return Ok(Exit::Fine);
    }
    let context = settings::context(global, ui)?;
    let compared = engine::compare(&request, &context).map_err(failure)?;
    match args.format.format {
        Format::Text => ui.answer(&report::compare::text(&compared))?,
        Format::Json => ui.document(&compared)?,
    }
    Ok(Exit::Fine)
}

fn request(args: &CompareArgs) -> Result<CompareRequest, Failure> {
    let image = |name: &String| {
        let location = Location::parse(name).map_err(flag("IMAGE"))?;
        Ok((name.clone(), location))
    };
    let start = StartRequest {
        probes: words::probes(&args.probes)?,
        surroundings: words::surroundings(&args.surroundings)?,
        timeout: Duration::from_secs(args.probes.timeout),
    };
    Ok(CompareRequest {
        images: args
            .images
            .iter()
            .map(image)
            .collect::<Result<_, Failure>>()?,
        platform: words::platform(args.platform.as_deref())?,
        start: (!args.no_start).then_some(start),
        rows: args.top,
        fleet: Fleet {
            nodes: args.nodes,
            pulls_per_day: args.pulls_per_day,
            bandwidth_bits_per_second: bits(&args.bandwidth).map_err(flag("--bandwidth"))?,
        },
    })
}

/// `1G`, `100M`, `2.5Gbit/s`, `56000`: decimal prefixes, as networks have them.
fn bits(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a number of bits a second, such as 100M or 1G");
    let bare = ["bit/s", "bits", "bit", "bps"]
        .into_iter()
        .find_map(|unit| text.strip_suffix(unit));
    let bare = bare.unwrap_or(text).trim_end();
    let (number, factor) = match bare.char_indices().last() {
        Some((at, 'k' | 'K')) => (&bare[..at], 1e3),
        Some((at, 'm' | 'M')) => (&bare[..at], 1e6),
        Some((at, 'g' | 'G')) => (&bare[..at], 1e9),
        Some((at, 't' | 'T')) => (&bare[..at], 1e12),
        _ => (bare, 1.0),
    };
    let number = number.trim_end();
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong());
    }
    let bits = number.parse::<f64>().map_err(|_| wrong())? * factor;
    // Below a bit a second nothing is ever pulled; above 2^53 no float is exact.
    if !(1.0..=9e15).contains(&bits) {
        return Err(wrong());
    }
    Ok(bits.round() as u64)
}

pub(super) fn failure(error: CompareError) -> Failure {
    match error {
        CompareError::Transport(error) => copy::failure(error),
        other => Failure::new(other),
    }
}

#[cfg(test)]
mod tests {
    use super::bits;

    #[test]
    fn bandwidths() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(bits(text).ok(), expected, "{text}");
        };
        check("1G", Some(1_000_000_000));
        check("100M", Some(100_000_000));
        check("100 Mbit/s", Some(100_000_000));
        check("2.5Gbps", Some(2_500_000_000));
        check("56k", Some(56_000));
        check("9600", Some(9600));
        for wrong in ["", "G", "0", "-1G", "inf", "NaN", "1e400", "fast", "1Gé"] {
            check(wrong, None);
        }
    }
}
