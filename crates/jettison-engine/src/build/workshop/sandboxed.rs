//! The toolchain of an image, in a sandbox that sees the project where it lies,
//! so that what the compilers say is true for the machine. What they download
//! and compile is kept in the store between builds, a project's own apart.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::Platform;
use jettison_recipes::{Answer, Command};
use jettison_sandbox::{
    ContainerSpec, Error, ExitReason, Mount, MountSource, Network, Profile, Sandbox, Stdio,
};

use super::{Workshop, listen};
use crate::Context;
use crate::dockerfile::{CacheDirectories, Snapshots, StepError, bring, layers_of, open_sandbox};
use crate::transport::Location;

/// Of root, who carries the recipe out.
const HOME: &str = "/root";
/// Where cargo keeps registries.
pub(crate) const CARGO_HOME: &str = "/root/.cargo";
/// Where compilers put what every project shares: modules, registries.
const SHARED: [&str; 3] = ["go", ".cargo/registry", ".cargo/git"];
/// What a person configured for a machine's compilers: where it is in the home
/// directory, the variable that moves it, and the file's name then.
const CONFIGURATION: [(&str, &str, &str); 3] = [
    (".config/go/env", "GOENV", ""),
    (".cargo/config.toml", "CARGO_HOME", "config.toml"),
    (".cargo/credentials.toml", "CARGO_HOME", "credentials.toml"),
];
/// Variables that say how to build or where modules come from, by how they
/// begin; those that name a place on the machine say nothing to a sandbox.
const HANDED_ON: [&str; 4] = ["GO", "CGO_", "CARGO_", "RUSTFLAGS"];
const PLACES: [&str; 13] = [
    "GOROOT",
    "GOPATH",
    "GOBIN",
    "GOCACHE",
    "GOMODCACHE",
    "GOTMPDIR",
    "GOENV",
    "GOWORK",
    "GOTOOLDIR",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_HTTP_CAINFO",
];

/// The toolchain cannot be had, or the sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--toolchain {toolchain}")]
pub struct ToolchainError {
    toolchain: String,
    #[source]
    source: Box<StepError>,
}

/// What a sandbox is given.
pub(crate) struct Sandboxed<'a> {
    /// The image with the compilers.
    pub(crate) image: &'a Location,
    /// The project's root and the directory of what is built, seen where they are.
    pub(crate) directories: [&'a Path; 2],
    /// Variables of the caller's environment.
    pub(crate) environment: &'a [(String, String)],
    /// Variables and files that are lent to it: where they are, and where it sees them.
    pub(crate) lent: &'a [(String, String)],
    pub(crate) lent_files: &'a [(PathBuf, String)],
}

/// Carries something out with the toolchain of an image. What is handed over is
/// the workshop, and where cargo may put what it makes.
pub(crate) fn in_sandbox<R>(
    given: &Sandboxed<'_>,
    context: &Context,
    work: impl FnOnce(&dyn Workshop, &Path) -> R,
) -> Result<R, ToolchainError> {
    let failed = |source: StepError| ToolchainError {
        toolchain: given.image.to_string(),
        source: Box::new(source),
    };
    let image = bring(given.image, &Platform::host(), context).map_err(failed)?;
    let sandbox = open_sandbox(context).map_err(failed)?;
    let snapshots = Snapshots::open(&sandbox, context).map_err(failed)?;
    let layers = layers_of(&image);
    let below = snapshots.stack(&layers, layers.len()).map_err(failed)?;
    let caches = CacheDirectories::of(context);
    // Two projects may have a program of the same name.
    let [root, _] = given.directories;
    let own = format!("of {}", root.display());
    let (own, _in_use) = caches.of_toolchain(&own, &sandbox).map_err(failed)?;
    let shared = SHARED.map(|name| caches.of_toolchain(name, &sandbox));
    let shared: Vec<_> = shared
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let room = Room {
        sandbox: &sandbox,
        below,
        mounts: mounts(given, &own, &shared).map_err(failed)?,
        environment: environment(given, &image.config.run.env, &own),
    };
    Ok(work(&room, &own.join("cargo")))
}

/// The running sandbox.
struct Room<'a> {
    sandbox: &'a Sandbox,
    below: Vec<PathBuf>,
    mounts: Vec<Mount>,
    environment: Vec<(String, String)>,
}

impl Workshop for Room<'_> {
    fn run(
        &self,
        root: &Path,
        command: &Command,
        on_line: &mut dyn FnMut(&str),
    ) -> io::Result<Answer> {
        let own = self.environment.iter();
        let own = own.filter(|(name, _)| !command.environment.iter().any(|(said, _)| said == name));
        let pairs = own.chain(&command.environment);
        let (stdout, to_stdout) = io::pipe()?;
        let (stderr, to_stderr) = io::pipe()?;
        let stream = |writer: io::PipeWriter| Stdio::Fd(Arc::new(OwnedFd::from(writer)));
        let program = std::iter::once(&command.program);
        let spec = ContainerSpec {
            profile: Profile::AS_SHIPPED,
            args: program.chain(&command.arguments).map(Into::into).collect(),
            env: pairs
                .map(|(name, value)| format!("{name}={value}").into())
                .collect(),
            working_dir: root.join(&command.directory).into(),
            network: Network::Host,
            mounts: self.mounts.clone(),
            stdin: Stdio::Null,
            stdout: stream(to_stdout),
            stderr: stream(to_stderr),
            ..ContainerSpec::default()
        };
        let stack = self.sandbox.stack(&self.below).map_err(io::Error::other)?;
        let container = match self.sandbox.start(&stack, &spec) {
            Ok(container) => container,
            Err(Error::Program { .. }) => return Ok(Answer::default()),
            Err(error) => return Err(io::Error::other(error)),
        };
        // The pipes end when the last one who could write to them has gone.
        drop(spec);
        let (stdout, stderr) = listen(stdout, stderr, on_line)?;
        let exit = container.wait(None).map_err(io::Error::other)?;
        container.close().map_err(io::Error::other)?;
        let ended = exit.filter(|exit| exit.reason == ExitReason::Ended);
        Ok(Answer {
            started: true,
            code: ended.map(|exit| exit.code),
            stdout,
            stderr,
        })
    }
}

/// Everything that the sandbox sees of the machine. What compilers name is
/// where they say that it is.
fn mounts(
    given: &Sandboxed<'_>,
    own: &Path,
    shared: &[(PathBuf, File)],
) -> Result<Vec<Mount>, StepError> {
    let mount = |source, target: OsString, read_only| Mount {
        source,
        target,
        read_only,
    };
    let mut mounts = Vec::new();
    for directory in given.directories.into_iter().chain([own]) {
        let source = MountSource::HostDirectory(directory.to_owned());
        mounts.push(mount(source, directory.into(), false));
    }
    for (name, (directory, _)) in SHARED.iter().zip(shared) {
        let source = MountSource::HostDirectory(directory.clone());
        mounts.push(mount(source, format!("{HOME}/{name}").into(), false));
    }
    let configured = configuration(given.environment).into_iter();
    let lent = given.lent_files.iter().cloned();
    for (path, target) in configured.chain(lent) {
        let content =
            std::fs::read(&path).map_err(StepError::host(format!("reading {}", path.display())))?;
        let source = MountSource::Bytes {
            content,
            mode: 0o600,
            uid: 0,
            gid: 0,
        };
        mounts.push(mount(source, target.into(), true));
    }
    Ok(mounts)
}

/// The files by which the machine's compilers are configured, and where those
/// of a sandbox look for them.
fn configuration(environment: &[(String, String)]) -> Vec<(PathBuf, String)> {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| PathBuf::from(value))
    };
    let mut files = Vec::new();
    for (usual, moved_by, name) in CONFIGURATION {
        let moved = variable(moved_by).map(|place| match name {
            "" => place,
            name => place.join(name),
        });
        let path = moved.or_else(|| Some(variable("HOME")?.join(usual)));
        if let Some(path) = path.filter(|path| path.is_file()) {
            files.push((path, format!("{HOME}/{usual}")));
        }
    }
    files
}

/// Variables of the image, of the machine as far as they say anything there,
/// and what is lent; a later one wins.
fn environment(given: &Sandboxed<'_>, of_image: &[String], own: &Path) -> Vec<(String, String)> {
    let mut all = vec![
        ("HOME".to_owned(), HOME.to_owned()),
        // Debian's Go would keep to itself where a project wants a newer one.
        ("GOTOOLCHAIN".to_owned(), "auto".to_owned()),
    ];
    let mut set = |name: &str, value: &str| {
        all.retain(|(known, _)| known != name);
        all.push((name.to_owned(), value.to_owned()));
    };
    for (name, value) in of_image.iter().filter_map(|pair| pair.split_once('=')) {
        set(name, value);
    }
    for (name, value) in given.environment {
        let is_meant = HANDED_ON.iter().any(|start| name.starts_with(start));
        if is_meant && !PLACES.contains(&name.as_str()) {
            set(name, value);
        }
    }
    for (name, value) in given.lent {
        set(name, value);
    }
    // An image's own places would not be kept.
    set("GOPATH", &format!("{HOME}/go"));
    set("GOCACHE", &own.join("go").to_string_lossy());
    set("CARGO_HOME", CARGO_HOME);
    all
}
