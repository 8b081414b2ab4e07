//! `build` on a Dockerfile: executes it without a daemon, as BuildKit would.
//!
//! A stage is a row of layers, each a plain archive in the store. COPY and ADD
//! write one out of trees and contents and need no root and no privilege; RUN
//! works in the sandbox above the same layers, unpacked, and what it wrote
//! becomes the next. A step is known by what it reads.

pub mod add;
mod auto_cache;
mod base;
mod bytecode;
mod cache;
mod cache_directories;
mod content;
pub mod context;
pub mod copy;
mod diagnose;
mod error;
mod files;
mod finish;
mod handed;
mod key;
mod layers;
mod mounts;
mod order;
mod output;
mod ports;
mod run;
mod snapshots;
mod source;
mod stage;
mod state;
mod steps;
mod tidy;
mod verified;
mod workdir;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use jettison_dockerfile::graph::{Base, Graph, graph};
use jettison_dockerfile::syntax::DirectiveName;
use jettison_dockerfile::{Tree, parse};
use jettison_image::{Image, Platform, Timestamp, escape};
use serde::Serialize;

pub use crate::signal::SignalError;
pub use base::NamedContext;
pub(crate) use base::bring;
pub use cache::{CacheExport, CacheMode};
pub(crate) use cache_directories::CacheDirectories;
pub use content::FileSystem;
pub use error::{DockerfileError, StepError};
pub(crate) use files::LayerFiles;
pub(crate) use layers::{layers_of, recall, remember};
pub use mounts::Secret;
pub use ports::PortError;
pub(crate) use run::open_sandbox;
pub(crate) use snapshots::Snapshots;
pub use state::StateError;
pub use tidy::{Tidied, prune};

use cache::Imported;
use handed::{Handed, unpacked};
use stage::{Builder, Stage};

use crate::Context;
use crate::transport::Location;

/// The largest Dockerfile; BuildKit's own limit is smaller.
const FILE_BYTES: u64 = 16 << 20;

/// What is to be built, and with what.
#[derive(Debug, Clone, Default)]
pub struct DockerfileRequest {
    /// The build context.
    pub directory: PathBuf,
    /// The Dockerfile.
    pub file: PathBuf,
    /// The stage to build; the last when not given.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, Vec<u8>>,
    /// `--build-context`.
    pub contexts: BTreeMap<String, NamedContext>,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// `--ssh`: sockets of agents, by id.
    pub agents: BTreeMap<String, PathBuf>,
    /// `--label`.
    pub labels: BTreeMap<String, String>,
    /// `--platform`; this machine's when not given.
    pub platform: Option<Platform>,
    /// No step is taken from the cache.
    pub no_cache: bool,
    /// `--cache-from`: OCI layouts and registries.
    pub cache_from: Vec<Location>,
    /// `--cache-to`.
    pub cache_to: Vec<CacheExport>,
    /// Bases come from their registries, whatever is here.
    pub pull: bool,
    /// No RUN has a network.
    pub is_offline: bool,
    /// Caches of compilers and package managers are mounted without being asked.
    pub auto_cache: bool,
    /// Variables that every RUN is lent; they reach no image and change no key.
    pub lent: Vec<(String, String)>,
    /// Files of the host that every RUN is lent: where they are, and where it sees them.
    pub lent_files: Vec<(PathBuf, String)>,
    /// Seconds since 1970 that no file of the image is younger than, and at
    /// which it is dated: the same wherever and after whatever it is built.
    pub epoch: Option<u64>,
    /// The same where nobody asked for a date; what is known of earlier builds
    /// keeps theirs. By default when the youngest file that the build can read
    /// was changed.
    pub committed: Option<u64>,
}

/// What came out.
pub struct DockerfileBuilt {
    /// The image, in the store without a name.
    pub image: Image,
    /// The stages that took part, in order.
    pub stages: Vec<StageReport>,
    /// What a person should hear.
    pub warnings: Vec<String>,
}

/// What became of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageReport {
    /// Its number.
    pub index: usize,
    /// Its name, or its number.
    pub name: String,
    /// What it stands on.
    pub base: String,
    /// Steps that made or could have made a layer.
    pub steps: usize,
    /// Those whose result was there.
    pub cached: usize,
    /// Bytes of its own layers, unpacked.
    pub size_bytes: u64,
    /// Bytes of its base, unpacked; none where nothing had to read it yet.
    pub base_bytes: Option<u64>,
    /// Bytes of it that reach other stages or the image: all of a stage that
    /// is the target or that others stand on, else what is copied out of it.
    pub handed_bytes: u64,
    /// Bytes of it that reach nothing.
    pub discarded_bytes: Option<u64>,
    /// A RUN of another stage sees its files.
    pub is_mounted: bool,
}

/// The Dockerfile of a directory, where it has one.
pub fn find(directory: &Path) -> Option<PathBuf> {
    let paths = ["Dockerfile", "Containerfile"].map(|name| directory.join(name));
    paths.into_iter().find(|path| path.is_file())
}

/// When the sources in a directory were committed, seconds since 1970.
pub fn committed(directory: &Path) -> Option<u64> {
    crate::build::Checkout::of(directory).committed
}

/// The images that the stages of a target stand on, by the names that FROM has.
pub(crate) fn bases(
    request: &DockerfileRequest,
) -> Result<Vec<(String, Location)>, DockerfileError> {
    let file = escape(&request.file.to_string_lossy());
    let tree = read(&request.file, &file)?;
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let graph = graph_of(request, &tree, &platform, &file)?;
    let needed = graph.needed(graph.target);
    let names = needed.iter().filter_map(|stage| match &stage.base {
        Base::Name(name) => Some(String::from_utf8_lossy(name).into_owned()),
        Base::Stage(_) => None,
    });
    let located = names.filter_map(|name| match base::named(&request.contexts, &name) {
        Some(NamedContext::Image(location)) => Some((name, location.clone())),
        Some(NamedContext::Directory(_)) => None,
        None if name == "scratch" => None,
        None => Some((name.clone(), Location::Name(name))),
    });
    Ok(located.collect())
}

fn graph_of(
    request: &DockerfileRequest,
    tree: &Tree,
    platform: &Platform,
    file: &str,
) -> Result<Graph, DockerfileError> {
    let predefined = predefined(platform, request.target.as_deref());
    let target = request.target.as_ref().map(String::as_bytes);
    let is_context = |name: &str| base::named(&request.contexts, name).is_some();
    let graph = graph(tree, target, &predefined, &request.build_args, &is_context);
    graph.map_err(|error| DockerfileError::Graph {
        file: file.to_owned(),
        error,
    })
}

/// Builds the image of a target.
pub fn build(
    request: &DockerfileRequest,
    context: &Context,
) -> Result<DockerfileBuilt, DockerfileError> {
    let path = &request.file;
    let file = escape(&path.to_string_lossy());
    let tree = read(path, &file)?;
    let platform = request.platform.clone().unwrap_or_else(Platform::host);
    let graph = graph_of(request, &tree, &platform, &file)?;
    let directory = OnceLock::new();
    let epoch = request.epoch.or(request.committed).unwrap_or_else(|| {
        // What cannot be read is said by the step that reads it.
        let opened = source::open_directory(&request.directory, Some(path), context).ok();
        let opened = opened.map(|opened| &**directory.get_or_init(|| Arc::new(opened)));
        newest(opened, path)
    });
    let builder = Builder {
        request,
        context,
        file: &file,
        path,
        tree: &tree,
        graph: &graph,
        platform: platform.clone(),
        directory,
        sandbox: OnceLock::new(),
        extra: Mutex::default(),
        handed: Handed::default(),
        imported: Imported::open(&request.cache_from, &platform, context),
        steps: Mutex::default(),
        epoch: Timestamp::from_seconds(i64::try_from(epoch).unwrap_or(i64::MAX)),
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut stages = order::each(&graph.needed(graph.target), threads, |node, needed| {
        builder.stage(node, &needed).map(Arc::new)
    })?;
    stages.extend(builder.take_extra());
    builder.handed.whole(graph.target);
    let report = |stage: &Arc<Stage>| {
        let mut report = stage.report.clone();
        let (base, _) = stage.layers.split_at(stage.base_layers);
        report.base_bytes = report
            .base_bytes
            .or_else(|| unpacked(base, context.store()));
        builder.handed.report(&mut report);
        report
    };
    let built = stages
        .get(&graph.target)
        .ok_or_else(|| DockerfileError::Flag("the target was not built".to_owned()))?;
    let mut warnings = unused(request, &tree);
    warnings.extend(builder.imported.take_warnings());
    for to in &request.cache_to {
        let steps = builder.steps_of(to.mode);
        let place = to.place.to_string();
        match cache::export(&steps, &platform, to, context) {
            Ok(0) => {}
            Ok(count) => warnings.push(format!(
                "--cache-to {place}: {count} steps are not in it, it has as many layers as --limit \
                 layers allows"
            )),
            Err(source) if to.ignore_error => {
                warnings.push(format!("--cache-to {place}: {source}"))
            }
            Err(source) => return Err(DockerfileError::Cache { place, source }),
        }
    }
    Ok(DockerfileBuilt {
        image: finish::finish(built, request, epoch, context)?,
        stages: stages.values().map(report).collect(),
        warnings,
    })
}

/// When the youngest file that the build can read was changed: a date that is
/// the same for the same directory. Where it cannot be told, 1970.
fn newest(directory: Option<&context::Context>, path: &Path) -> u64 {
    let seconds = |time: std::time::SystemTime| {
        let since = time.duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    };
    let own = std::fs::metadata(path).and_then(|facts| facts.modified());
    let own = own.map_or(0, seconds);
    let youngest = directory.and_then(|directory| {
        let times = directory.tree().iter().map(|node| node.mtime().seconds);
        times.max()
    });
    let youngest = youngest.and_then(|time| u64::try_from(time).ok());
    own.max(youngest.unwrap_or(0))
}

fn read(path: &Path, file: &str) -> Result<Tree, DockerfileError> {
    let opened = crate::files::open_named(path);
    let bytes = opened.and_then(|opened| crate::files::read_bounded(opened, FILE_BYTES));
    let bytes = bytes.map_err(|source| DockerfileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let (tree, errors) = parse(&bytes);
    if let Some(error) = errors.into_iter().min_by_key(|error| error.phase()) {
        return Err(DockerfileError::Syntax {
            file: file.to_owned(),
            error,
        });
    }
    let mut directives = tree.directives().iter();
    let foreign = directives.find_map(|directive| {
        let frontend = String::from_utf8_lossy(&directive.value).into_owned();
        let is_own = frontend
            .split(['/', ':', '@'])
            .any(|part| matches!(part, "dockerfile" | "dockerfile-upstream"));
        (directive.name == DirectiveName::Syntax && !is_own).then_some(frontend)
    });
    match foreign {
        Some(frontend) => Err(DockerfileError::Frontend {
            file: file.to_owned(),
            frontend: escape(&frontend),
        }),
        None => Ok(tree),
    }
}

/// The variables that are there without ARG in the global scope.
fn predefined(target: &Platform, stage: Option<&str>) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (prefix, platform) in [("BUILD", &Platform::host()), ("TARGET", target)] {
        for (name, value) in [
            ("PLATFORM", platform.to_string()),
            ("OS", platform.os.clone()),
            ("ARCH", platform.architecture.clone()),
            ("VARIANT", platform.variant.clone()),
        ] {
            all.insert(format!("{prefix}{name}"), value.into_bytes());
        }
    }
    let stage = stage.unwrap_or("default");
    all.insert("TARGETSTAGE".to_owned(), stage.as_bytes().to_vec());
    all
}

/// Build arguments that no ARG declares.
fn unused(request: &DockerfileRequest, tree: &Tree) -> Vec<String> {
    use jettison_dockerfile::instruction::Body;
    let declares = |name: &String| {
        tree.instructions()
            .iter()
            .any(|instruction| match &instruction.body {
                Body::Arg(arguments) => {
                    let mut arguments = arguments.iter();
                    arguments.any(|argument| argument.name.value == name.as_bytes())
                }
                _ => false,
            })
    };
    let names = request.build_args.keys();
    let is_known = |name: &String| mounts::is_proxy(name) || name == "SOURCE_DATE_EPOCH";
    let unused = names.filter(|name| !declares(name) && !is_known(name));
    let warning = |name| format!("--build-arg {name}: no ARG of the Dockerfile declares it");
    unused.map(warning).collect()
}
