//! `jettison build`: from a project to a minimal image that was started and
//! asked before it is called good.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use jettison_engine::build::{self as engine, BuildError, BuildRequest, Toolchain};
use jettison_image::Compression;
use jettison_plan::words::split;
use jettison_plan::{Isolation, Verdict};
use jettison_recipes::{HealthCheck, Settings};

use super::delivery::{Delivery, DeliveryArgs, default_name};
use super::dockerfile::{self, DockerfileArgs};
use super::shared::{Format, FormatArgs, GlobalArgs, ProbeArgs, SurroundingsArgs};
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report;
use crate::settings::{self, variable};
use crate::ui::Ui;

/// Build a minimal image from a Dockerfile or from a Go or Rust project, and
/// prove that it runs
///
/// With a Dockerfile, it is executed as docker would, without a daemon, and
/// the image is then slimmed: the small one is delivered when it answers
/// everything as the original does, the original otherwise. Without one, the
/// project is compiled by the toolchain of this machine into one
/// static, stripped program; what the program needs beside itself (CA certificates,
/// time zones, …) is derived from the program and composed from signed Debian
/// packages; the image is started in a sandbox and asked before it is kept.
/// No daemon is needed.
///
/// What the project says about its image stands in its jettison.toml; flags
/// win. Surroundings (variables, volumes, services) hold for the run here, not
/// for the image. Unless every probe is answered well, nothing is delivered.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  jettison build .
  jettison build . -t shop:1.2 -t shop:latest --probe /health
  jettison build . --target files -o ./out
  jettison build . -o oci-archive:shop.tar --platform linux/arm64 --allow-unrun
  jettison build . -t registry.example/shop:1.2 --push")]
pub struct BuildArgs {
    /// Directory of the project
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,

    #[command(flatten)]
    pub delivery: DeliveryArgs,

    /// Build this program, where the project has several
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,

    /// Build for OS/ARCHITECTURE
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Bring a file or directory that the program reads at run time; SRC is
    /// relative to the project, DST to the image's working directory
    #[arg(long, value_name = "SRC[:DST]")]
    pub include: Vec<String>,

    /// Set what the image stands on: auto (what the program needs), scratch
    /// (nothing), static (every part of the base), or any image [default: auto]
    #[arg(long, value_name = "BASE")]
    pub base: Option<String>,

    /// Bring a part of the base that the program does not seem to need:
    /// ca-certificates, tzdata, media-types, os-release, passwd, nsswitch, tmp,
    /// netbase
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub keep: Vec<String>,

    /// Leave a part of the base out although the program seems to need it
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub drop: Vec<String>,

    /// Add the certificates in FILE (PEM) to the image's CA bundle
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,

    /// Take Debian packages from this mirror instead of the machine's own
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,

    /// Take packages of this Debian release instead of the machine's own
    #[arg(long, value_name = "NAME")]
    pub suite: Option<String>,

    /// Trust the archive keys in FILE instead of Debian's own
    #[arg(long, value_name = "FILE")]
    pub keyring: Option<PathBuf>,

    /// Take exactly the package versions that FILE records, or record them;
    /// a jettison.lock in the project is used without being named
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,

    /// Set who runs the program, in numbers [default: 65532:65532]
    #[arg(long, value_name = "UID[:GID]")]
    pub user: Option<String>,

    /// Set a label beside the derived ones; several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,

    /// Say that the program listens on this port; several times
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub expose: Vec<String>,

    /// Set the image's health check, in exec form without a shell
    #[arg(long, value_name = "COMMAND")]
    pub healthcheck: Option<String>,

    /// Set the working directory of the image [default: /]
    #[arg(long, value_name = "PATH")]
    pub workdir: Option<String>,

    /// Set the signal that stops the program
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,

    /// Compress layers with
    #[arg(long, value_enum, value_name = "NAME", default_value_t)]
    pub compression: LayerCompression,

    /// Compile with the machine's own compilers (host), with Debian's in a
    /// sandbox (composed), or with those of an image, also one composed of
    /// packages: debian:SUITE?packages=NAME,… [default: host]
    #[arg(long, value_name = "WHERE")]
    pub toolchain: Option<String>,

    /// Pack the program with upx, where it is on the PATH, and say what it brings
    #[arg(long)]
    pub upx: bool,

    /// Say why this base and not another, with sizes measured now
    #[arg(long)]
    pub explain: bool,

    /// Keep the image although it could not be run here
    #[arg(long)]
    pub allow_unrun: bool,

    /// Write the evidence to FILE
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,

    #[command(flatten)]
    pub dockerfile: DockerfileArgs,

    #[command(flatten)]
    pub probes: ProbeArgs,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Executes the Dockerfile where there is one, carries out a recipe otherwise.
pub fn build(args: &BuildArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    match args.dockerfile.find(&args.path) {
        Some(file) => dockerfile::build(args, file, global, ui),
        None => {
            dockerfile::check(args, false)?;
            by_recipe(args, global, ui)
        }
    }
}

/// Builds, proves, reports, and keeps what is good.
fn by_recipe(args: &BuildArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let delivery = Delivery::read(&args.delivery)?;
    delivery.clear_stdout(args.format.format, ui)?;
    let request = request(args)?;
    let context = settings::context(global, ui)?;
    let built = engine::build(&request, &context).map_err(failure)?;
    let verdict = built.proof.evidence.verdict;
    let unrun = matches!(built.proof.evidence.isolation, Isolation::NotRun { .. });
    let good = verdict == Verdict::Whole || (unrun && args.allow_unrun);
    let delivered = if good {
        let name = default_name(&built.name);
        delivery.carry_out(&built.image, name, args.compression, &context, ui)?
    } else {
        Vec::new()
    };
    if let Some(path) = &args.evidence {
        words::write(
            path,
            &serde_json::to_vec_pretty(&built.proof.evidence).map_err(Failure::new)?,
        )?;
    }
    let explained = match args.explain {
        true => Some(engine::explain(&request, &built, &context).map_err(failure)?),
        false => None,
    };
    match args.format.format {
        Format::Text => report::build::text(&built, explained.as_deref(), &delivered, good, ui)?,
        Format::Json => {
            report::build::json(&built, explained.as_deref(), &delivered, ui)?;
        }
    }
    Ok(if good { Exit::Fine } else { verdict.into() })
}

fn failure(error: BuildError) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

pub(super) fn request(args: &BuildArgs) -> Result<BuildRequest, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let toolchain = args.toolchain.as_deref().map(Toolchain::parse);
    let toolchain = toolchain.transpose().map_err(flag("--toolchain"))?;
    let (lent, lent_files) = match args.dockerfile.trust_host_ca {
        true => dockerfile::lent()?,
        false => Default::default(),
    };
    Ok(BuildRequest {
        project: args.path.clone(),
        flags: flags(args)?,
        probes: words::probes(&args.probes)?,
        surroundings: words::surroundings(&args.surroundings)?,
        timeout: Duration::from_secs(args.probes.timeout),
        compression: args.compression.into(),
        upx: args.upx,
        toolchain: toolchain.unwrap_or_default(),
        compiler_cache: None,
        lent,
        lent_files,
        lock: args.lock.clone(),
        suite: args.suite.clone(),
        source_date_epoch: source_date_epoch()?,
        environment: std::env::vars().collect(),
        now: i64::try_from(now).unwrap_or(i64::MAX),
    })
}

/// `SOURCE_DATE_EPOCH`.
pub fn source_date_epoch() -> Result<Option<u64>, Failure> {
    let value = variable("SOURCE_DATE_EPOCH");
    value.map(|text| epoch(&text)).transpose()
}

/// A value of SOURCE_DATE_EPOCH.
pub fn epoch(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        Failure::new(format!(
            "SOURCE_DATE_EPOCH: `{text}` is not seconds since 1970"
        ))
    })
}

/// The flags in the words of `jettison.toml`.
fn flags(args: &BuildArgs) -> Result<Settings, Failure> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mut labels = BTreeMap::new();
    for label in &args.label {
        match label.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                labels.insert(key.to_owned(), value.to_owned())
            }
            _ => return Err(Failure::new(format!("--label: `{label}` is not KEY=VALUE"))),
        };
    }
    let healthcheck = args.healthcheck.as_deref().map(healthcheck).transpose()?;
    Ok(Settings {
        bin: args.bin.clone(),
        user: args.user.clone(),
        workdir: args.workdir.clone(),
        ports: parsed("--expose", &args.expose)?,
        labels,
        stop_signal: args.stop_signal.clone(),
        healthcheck,
        include: parsed("--include", &args.include)?,
        keep: args.keep.clone(),
        drop: args.drop.clone(),
        base: args.base.clone(),
        mirror: args.mirror.clone(),
        keyring: args.keyring.as_ref().map(text),
        ca: args.ca.iter().map(text).collect(),
        platform: args
            .platform
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(flag("--platform"))?,
        ..Settings::default()
    })
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &'static str,
    words: &[String],
) -> Result<Vec<T>, Failure> {
    words
        .iter()
        .map(|word| word.parse().map_err(flag(name)))
        .collect()
}

fn healthcheck(command: &str) -> Result<HealthCheck, Failure> {
    let exec: Vec<String> = split(command)
        .map(|words| words.into_iter().map(|word| word.text).collect())
        .filter(|words: &Vec<String>| !words.is_empty())
        .ok_or_else(|| Failure::new(format!("--healthcheck: `{command}` is not a command")))?;
    let none = || None;
    Ok(HealthCheck {
        exec,
        interval: none(),
        timeout: none(),
        start_period: none(),
        retries: None,
    })
}

/// How layers are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LayerCompression {
    /// Every engine and registry reads it
    #[default]
    Gzip,
    /// Smaller and faster; engines from 2021 on read it
    Zstd,
    /// Not at all
    None,
}

impl From<LayerCompression> for Compression {
    fn from(compression: LayerCompression) -> Self {
        match compression {
            LayerCompression::Gzip => Self::Gzip,
            LayerCompression::Zstd => Self::Zstd,
            LayerCompression::None => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command};
    use jettison_engine::build::part_names;

    use super::BuildArgs;

    #[test]
    fn the_help_names_every_part() {
        let command = BuildArgs::augment_args(Command::new("build"));
        let keep = command.get_arguments().find(|arg| arg.get_id() == "keep");
        let help = keep
            .and_then(clap::Arg::get_help)
            .expect("help")
            .to_string();
        assert!(help.ends_with(&part_names().join(", ")), "{help}");
    }
}
