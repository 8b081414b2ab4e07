//! Arguments that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Say nothing but the answer and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Keep images and caches in DIR instead of the user's cache directory
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "JETTISON_STORE",
        hide_env_values = true
    )]
    pub store: Option<PathBuf>,

    /// Set a bound on what is read of images: entries, path-bytes, path-depth,
    /// name-bytes, unpacked-bytes, json-bytes, pax-bytes, layers, manifests
    #[arg(long, global = true, value_name = "NAME=N")]
    pub limit: Vec<String>,

    /// Allow plain HTTP to registries that are not on this machine
    #[arg(long, global = true)]
    pub plain_http: bool,

    /// Trust the certificates in FILE (PEM) for registries and mirrors too
    #[arg(long, global = true, value_name = "FILE")]
    pub registry_ca: Vec<PathBuf>,
}

/// In which form the answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Tables for a person
    #[default]
    Text,
    /// One JSON document with a versioned schema
    Json,
}

/// `--format`.
#[derive(Debug, Clone, Default, Args)]
pub struct FormatArgs {
    /// Form of the answer on standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// What must keep working.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Probes")]
pub struct ProbeArgs {
    /// Ask the running program, and take the image only when it answers well;
    /// several times
    ///
    /// /path | 'METHOD :PORT/path -H "Name: value" -d BODY -> STATUS' |
    /// https:PORT/path | tcp:PORT | 'exec:PROGRAM ARG…' | 'sh:COMMAND' |
    /// start | 'start -> EXIT-CODE' | healthcheck | stop; -> EXIT-CODE goes
    /// with exec: and sh: too. docs/probes.md has the grammar.
    #[arg(long = "probe", value_name = "PROBE")]
    pub probes: Vec<String>,

    /// Read probes from FILE, one a line; `#` begins a comment
    #[arg(long = "probes", value_name = "FILE")]
    pub probe_files: Vec<PathBuf>,

    /// Give the program this long to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub timeout: u64,
}

/// What two images are asked.
#[derive(Debug, Clone, Default, Args)]
pub struct ExamArgs {
    #[command(flatten)]
    pub probes: ProbeArgs,

    /// Start the image with this in the place of its CMD too; several times
    ///
    /// Each is a start of its own, beside the plain one. An image with neither
    /// ENTRYPOINT nor CMD needs one.
    #[arg(
        long,
        value_name = "COMMAND",
        allow_hyphen_values = true,
        help_heading = "Probes"
    )]
    pub cmd: Vec<String>,

    /// Run the script in FILE inside the container once it is ready, by the
    /// container's own shell
    #[arg(long, value_name = "FILE", help_heading = "Probes")]
    pub probe_script: Option<PathBuf>,

    #[command(flatten)]
    pub surroundings: SurroundingsArgs,
}

/// What a program needs around it to start.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Surroundings of the running program")]
pub struct SurroundingsArgs {
    /// Set an environment variable; NAME alone takes the value from here
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,

    /// Read environment variables from FILE, NAME=VALUE a line
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// Give a copy of a host file or directory; the original is never written
    #[arg(long, short, value_name = "HOST-PATH:PATH[:ro]")]
    pub volume: Vec<String>,

    /// Make a name known in /etc/hosts
    #[arg(long, value_name = "NAME:IP")]
    pub add_host: Vec<String>,

    /// Give a service under NAME: 'NAME=IMAGE [COMMAND…]' runs a companion
    /// container, NAME=tcp:HOST:PORT reaches a server that is already there
    #[arg(long, value_name = "SERVICE")]
    pub service: Vec<String>,

    /// Set an environment variable of a companion container
    #[arg(long, value_name = "NAME:VARIABLE=VALUE")]
    pub service_env: Vec<String>,

    /// Bound the memory of each container (k, m, g)
    #[arg(long, short, value_name = "BYTES")]
    pub memory: Option<String>,

    /// Bound the number of processes of each container
    #[arg(long, value_name = "N")]
    pub pids_limit: Option<u64>,
}
