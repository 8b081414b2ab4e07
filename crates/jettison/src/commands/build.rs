//! `jettison build`: from a project to a minimal image that was started and
//! asked before it is called good.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jettison_engine::build::{self as engine, BuildRequest};
use jettison_image::Compression;

use super::shared::{FormatArgs, GlobalArgs, ProbeArgs, SurroundingsArgs};
use super::words::{self, flag};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::ui::Ui;

/// Build a minimal image from a Go or Rust project, and prove that it runs
///
/// The project is compiled by the toolchain of this machine into one static,
/// stripped program; what the program needs beside itself (CA certificates,
/// time zones, …) is derived from the program and composed from signed Debian
/// packages; the image is started in a sandbox and asked before it is kept.
/// No daemon is needed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  jettison build .
  jettison build . -t shop:1.2 -t shop:latest --probe /health
  jettison build . -o oci-archive:shop.tar --platform linux/arm64 --allow-unrun
  jettison build . -t registry.example/shop:1.2 --push")]
pub struct BuildArgs {
    /// Directory of the project
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,

    /// Keep the result under NAME in the store, and in the Docker engine
    /// where one answers; several times
    #[arg(long, short, value_name = "NAME")]
    pub tag: Vec<String>,

    /// Put the result there: oci:DIR[:TAG], oci-archive:FILE,
    /// docker-archive:FILE, docker-daemon:NAME, docker://REF; several times
    #[arg(long, short, value_name = "DEST")]
    pub output: Vec<String>,

    /// Send every tag to its registry after the proof
    #[arg(long)]
    pub push: bool,

    /// Leave the Docker engine alone
    #[arg(long)]
    pub no_load: bool,

    /// Which program of the project, where it has several
    #[arg(long, value_name = "NAME")]
    pub bin: Option<String>,

    /// Build for OS/ARCHITECTURE
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    /// Bring a file or directory that the program reads at run time
    #[arg(long, value_name = "SRC[:DST]")]
    pub include: Vec<String>,

    /// What the image stands on: auto, scratch, static, or any image
    #[arg(long, value_name = "BASE", default_value = "auto")]
    pub base: String,

    /// Bring a part of the base that the program does not seem to need:
    /// ca-certificates, tzdata, mime-types, netbase, os-release, users, tmp
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

    /// Trust these archive keys instead of Debian's own
    #[arg(long, value_name = "FILE")]
    pub keyring: Vec<PathBuf>,

    /// Take exactly the package versions that FILE records, or record them
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,

    /// Run as this user
    #[arg(long, value_name = "UID[:GID]")]
    pub user: Option<String>,

    /// Set a label
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,

    /// Say that the program listens on this port
    #[arg(long, value_name = "PORT[/PROTOCOL]")]
    pub expose: Vec<String>,

    /// Set the image's health check, in exec form without a shell
    #[arg(long, value_name = "COMMAND")]
    pub healthcheck: Option<String>,

    /// Set the working directory of the image
    #[arg(long, value_name = "PATH")]
    pub workdir: Option<String>,

    /// Set the signal that stops the program
    #[arg(long, value_name = "SIGNAL")]
    pub stop_signal: Option<String>,

    /// How layers are compressed: gzip or zstd
    #[arg(long, value_name = "NAME", default_value = "gzip")]
    pub compression: String,

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
    pub probes: ProbeArgs,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,

    #[command(flatten)]
    pub format: FormatArgs,
}

/// Builds, proves, reports, and keeps what is whole.
pub fn build(args: &BuildArgs, global: &GlobalArgs, ui: &Ui) -> Result<Exit, Failure> {
    let request = request(args)?;
    let context = settings::context(global, ui)?;
    let built = engine::build(&request, &context).map_err(|error| {
        let hint = error.hint();
        let failure = Failure::new(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;
    for warning in &built.warnings {
        ui.warn(&warning.cause);
    }
    ui.answer(&format!("{:#?}\n", built.proof.evidence))?;
    Ok(built.proof.evidence.verdict.into())
}

fn request(args: &BuildArgs) -> Result<BuildRequest, Failure> {
    let target = args.platform.as_deref().map(str::parse).transpose();
    Ok(BuildRequest {
        project: args.path.clone(),
        bin: args.bin.clone(),
        target: target.map_err(flag("--platform"))?,
        include: args.include.clone(),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        arguments: Vec::new(),
        image_env: Vec::new(),
        expose: args.expose.clone(),
        labels: args.label.clone(),
        stop_signal: args.stop_signal.clone(),
        healthcheck: args.healthcheck.clone(),
        compression: Compression::Gzip,
        source_date_epoch: None,
        environment: std::env::vars().collect(),
        probes: words::probes(&args.probes)?,
        surroundings: words::surroundings(&args.surroundings)?,
        timeout: Duration::from_secs(args.probes.timeout),
    })
}
