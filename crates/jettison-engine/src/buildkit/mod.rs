//! The other engine: BuildKit, wherever it is. `docker buildx` is asked first,
//! for it knows builders, credentials and clusters; then `buildctl`; then the
//! builder inside an old dockerd. What comes out is brought into the store.
//!
//! Nothing is left behind but what BuildKit keeps for itself.

mod command;
mod handed;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jettison_image::{Compression, Image, Platform, escape};

use crate::Context;
use crate::files::read_bounded;
use crate::store::StoreError;
use crate::transport::{Location, TransportError};

/// What is to be built; words go on as they are.
#[derive(Debug, Clone, Default)]
pub struct BuildKitRequest {
    /// The build context.
    pub directory: PathBuf,
    /// The Dockerfile.
    pub file: PathBuf,
    /// `--target`.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, Vec<u8>>,
    /// `--build-context`.
    pub contexts: Vec<String>,
    /// `--secret`.
    pub secrets: Vec<String>,
    /// `--ssh`.
    pub ssh: Vec<String>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--platform`.
    pub platform: Option<Platform>,
    /// `--no-cache`.
    pub no_cache: bool,
    /// `--pull`.
    pub pull: bool,
    /// `--network`, where it is not the default.
    pub network: Option<&'static str>,
    /// `--cache-from`.
    pub cache_from: Vec<String>,
    /// `--cache-to`.
    pub cache_to: Vec<String>,
    /// `--progress`, where it is not the default.
    pub progress: Option<&'static str>,
    /// `--builder`: a name that buildx knows, or an address.
    pub builder: Option<String>,
    /// How layers are packed, in the image and in caches alike.
    pub compression: Compression,
    /// SOURCE_DATE_EPOCH, where it was set.
    pub epoch: Option<u64>,
}

/// Who built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// `docker buildx build`, its result on standard output.
    Buildx,
    /// The same with the builder inside dockerd, which keeps its result.
    BuildxInDocker,
    /// `buildctl build`.
    Buildctl,
    /// `docker build`.
    Docker,
}

impl Builder {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buildx => "docker buildx",
            Self::BuildxInDocker => "docker buildx, in dockerd",
            Self::Buildctl => "buildctl",
            Self::Docker => "docker build",
        }
    }
}

/// Why BuildKit made no image.
#[derive(Debug, thiserror::Error)]
pub enum BuildKitError {
    /// No builder is there.
    #[error("no BuildKit is here: {}", tried.join("; "))]
    Nobody {
        /// What was looked for, and what came of it.
        tried: Vec<String>,
    },
    /// The builder ended badly; it said why itself.
    #[error("{program} ended with {how}{}", last(said))]
    Failed {
        /// The command line's first words.
        program: String,
        /// How.
        how: String,
        /// What it said, where nobody saw it.
        said: String,
    },
    /// A program cannot be started, or a file not be written.
    #[error("{what}")]
    Host {
        /// What was being done.
        what: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A named context cannot be handed over.
    #[error("--build-context `{}`", escape(word))]
    NamedContext {
        /// As given.
        word: String,
        /// The cause.
        #[source]
        source: TransportError,
    },
    /// What came out is no image.
    #[error("what BuildKit made cannot be read")]
    Result(#[source] TransportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BuildKitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Nobody { .. } => Some(
                "install docker-buildx, or name a buildkitd by --builder ADDRESS \
                 (tcp://HOST:1234, unix:///run/buildkit/buildkitd.sock) with buildctl on the PATH; \
                 without --engine buildkit no builder is needed"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

fn last(said: &str) -> String {
    match said.trim_end() {
        "" => String::new(),
        said => format!("; it said:\n{}", escape_lines(said)),
    }
}

fn escape_lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// What a builder may say before it is cut.
const SAID_BYTES: u64 = 1 << 20;

/// Builds the image of a target and brings it into the store. With `is_quiet`
/// the builder's words are shown only when it fails.
pub fn build(
    request: &BuildKitRequest,
    is_quiet: bool,
    context: &Context,
) -> Result<(Image, Builder), BuildKitError> {
    let builder = find(request)?;
    let scratch = tempfile::tempdir_in(context.scratch()?)
        .map_err(host("making a directory for the result"))?;
    let archive = scratch.path().join("image.tar");
    let id = scratch.path().join("id");
    let (folder, platform) = (scratch.path(), request.platform.as_ref());
    let request = &BuildKitRequest {
        contexts: handed::contexts(&request.contexts, platform, folder, context)?,
        ..request.clone()
    };
    let words = command::build(builder, request, &id);
    let output = match builder {
        Builder::Buildx | Builder::Buildctl => Some(archive.as_path()),
        Builder::BuildxInDocker | Builder::Docker => None,
    };
    run(&words, output, is_quiet, scratch.path())?;
    let place = match output {
        Some(_) => Location::OciArchive {
            path: archive,
            name: None,
        },
        None => {
            let id = std::fs::read_to_string(&id).map_err(host("reading the image's id"))?;
            let save = ["docker", "save", id.trim()].map(str::to_owned);
            run(&save, Some(&archive), is_quiet, scratch.path())?;
            Location::DockerArchive {
                path: archive,
                name: None,
            }
        }
    };
    let opened = context.transports.open(&place, request.platform.as_ref());
    let opened = opened.map_err(BuildKitError::Result)?;
    let kept = context.transports.keep(&opened, &[]);
    kept.map_err(BuildKitError::Result)?;
    let image = Image {
        source: Arc::new(context.store_source()),
        ..opened.image
    };
    Ok((image, builder))
}

/// The first builder that answers.
fn find(request: &BuildKitRequest) -> Result<Builder, BuildKitError> {
    let mut tried = Vec::new();
    if let Some(address) = request.builder.as_ref().filter(|name| is_address(name)) {
        let found = ask(&["buildctl", "--addr", address, "debug", "workers"]);
        return match found {
            Ok(_) => Ok(Builder::Buildctl),
            Err(problem) => {
                tried.push(problem);
                Err(BuildKitError::Nobody { tried })
            }
        };
    }
    match ask(&["docker", "buildx", "version"]) {
        Ok(_) => {
            let mut inspect = vec!["docker", "buildx", "inspect"];
            inspect.extend(request.builder.as_deref());
            match ask(&inspect) {
                Ok(said) if is_in_docker(&said) => return Ok(Builder::BuildxInDocker),
                Ok(_) => return Ok(Builder::Buildx),
                Err(problem) => tried.push(problem),
            }
        }
        Err(problem) => tried.push(problem),
    }
    if request.builder.is_none() {
        for (words, builder) in [
            (&["buildctl", "debug", "workers"][..], Builder::Buildctl),
            (&["docker", "version"][..], Builder::Docker),
        ] {
            match ask(words) {
                Ok(_) => return Ok(builder),
                Err(problem) => tried.push(problem),
            }
        }
    }
    Err(BuildKitError::Nobody { tried })
}

/// Whether `--builder` names a buildkitd itself.
pub(crate) fn is_address(builder: &str) -> bool {
    builder.contains("://")
}

/// Whether buildx' builder is the one inside dockerd, which exports nothing.
fn is_in_docker(inspected: &str) -> bool {
    let driver = inspected
        .lines()
        .find_map(|line| line.strip_prefix("Driver:"));
    driver.is_some_and(|driver| driver.trim() == "docker")
}

/// What a program answers; in words why it does not.
fn ask(words: &[&str]) -> Result<String, String> {
    let shown = words.join(" ");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("there is no {}", words[0]))
        }
        Err(error) => Err(format!("{shown}: {error}")),
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let first = said.lines().find(|line| !line.trim().is_empty());
            Err(format!("{shown}: {}", escape(first.unwrap_or("it failed"))))
        }
    }
}

/// Runs a builder, its result into a file.
fn run(
    words: &[String],
    output: Option<&Path>,
    is_quiet: bool,
    scratch: &Path,
) -> Result<(), BuildKitError> {
    let named = words.iter().take_while(|word| !word.starts_with('-'));
    let program = named.take(2).cloned().collect::<Vec<_>>().join(" ");
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    let create = |path: &Path| File::create(path).map_err(host("making a file for the result"));
    command.stdout(match output {
        Some(path) => Stdio::from(create(path)?),
        None => Stdio::null(),
    });
    let said = scratch.join("said");
    command.stderr(match is_quiet {
        true => Stdio::from(create(&said)?),
        false => Stdio::inherit(),
    });
    let status = command.status().map_err(host(&program))?;
    if status.success() {
        return Ok(());
    }
    let said = File::open(&said).and_then(|file| read_bounded(file, SAID_BYTES));
    Err(BuildKitError::Failed {
        program,
        how: match status.code() {
            Some(code) => format!("exit code {code}"),
            None => "a signal".to_owned(),
        },
        said: said
            .map(|said| String::from_utf8_lossy(&said).into_owned())
            .unwrap_or_default(),
    })
}

fn host(what: &str) -> impl FnOnce(io::Error) -> BuildKitError {
    let what = what.to_owned();
    move |source| BuildKitError::Host { what, source }
}
