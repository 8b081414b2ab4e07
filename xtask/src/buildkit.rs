//! A real BuildKit, beside which jettison is judged and measured: the programs on the PATH where they are this version, else built
//! from its published Go module; a daemon and a cache of its own for as long as it is needed. It needs root and `runc`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::processes::Service;
use crate::{Problem, workspace};

/// The version whose behaviour is written down in the cases' `expected.json`.
pub(crate) const VERSION: &str = "v0.26.0";

/// A running daemon with an empty cache of its own.
pub(crate) struct BuildKit {
    control: PathBuf,
    address: String,
    _service: Service,
}

impl BuildKit {
    /// Starts the daemon below a folder.
    pub(crate) fn start(folder: &Path) -> Result<Self, Problem> {
        if workspace::find_program("runc").is_none() {
            return Err("no runc on this machine".into());
        }
        let [daemon, control] = programs()?;
        let address = format!("unix://{}", folder.join("buildkitd.sock").display());
        let log = folder.join("buildkitd.log");
        let mut command = Command::new(daemon);
        command.arg("--root").arg(folder.join("buildkit"));
        command.args([
            "--addr",
            &address,
            "--oci-worker=true",
            "--containerd-worker=false",
        ]);
        let mut service = Service::start("buildkitd", &command, File::create(&log)?)?;
        let is_ready = || {
            let mut ask = Command::new(&control);
            ask.args(["--addr", &address, "debug", "workers"]);
            ask.output().is_ok_and(|output| output.status.success())
        };
        if !service.wait_until(Duration::from_secs(60), is_ready) {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            return Err(format!(
                "buildkitd is not ready: {}",
                log.lines().last().unwrap_or_default()
            )
            .into());
        }
        Ok(Self {
            control,
            address,
            _service: service,
        })
    }

    /// Its command line.
    pub(crate) fn client(&self) -> Command {
        let mut command = Command::new(&self.control);
        command.args(["--addr", &self.address]);
        command
    }

    /// The folder of its programs.
    pub(crate) fn programs(&self) -> Option<PathBuf> {
        self.control.parent().map(Path::to_owned)
    }

    /// Where tests find its client and its daemon.
    pub(crate) fn show_to(&self, tests: &mut Command) {
        tests.env("JETTISON_BUILDCTL", &self.control);
        tests.env("BUILDKIT_HOST", &self.address);
    }

    /// Forgets everything.
    pub(crate) fn prune(&self) -> Result<(), Problem> {
        let mut command = self.client();
        command.args(["prune", "--all"]).stdout(Stdio::null());
        match command.status()?.success() {
            true => Ok(()),
            false => Err("BuildKit does not prune".into()),
        }
    }
}

/// `buildkitd` and `buildctl`.
fn programs() -> Result<[PathBuf; 2], Problem> {
    let names = ["buildkitd", "buildctl"];
    if let [Some(daemon), Some(control)] = names.map(workspace::find_program)
        && is_this_version(&control)
    {
        return Ok([daemon, control]);
    }
    let folder = workspace::cache("jettison-conformance")?.join(format!("buildkit-{VERSION}"));
    let complete = folder.join("complete");
    let programs = names.map(|name| folder.join(name));
    if complete.is_file() {
        return Ok(programs);
    }
    println!("building BuildKit {VERSION} (some minutes, once)");
    std::fs::create_dir_all(&folder)?;
    // `go install` refuses a module with replace lines, so it is required by one of ours.
    std::fs::write(
        folder.join("go.mod"),
        "module jettison.local/buildkit\n\ngo 1.25.0\n",
    )?;
    let commands = names.map(|name| format!("github.com/moby/buildkit/cmd/{name}"));
    go(
        &folder,
        "get",
        &commands
            .clone()
            .map(|command| format!("{command}@{VERSION}")),
    )?;
    let [daemon, control] = commands;
    go(
        &folder,
        "build",
        &["-o".to_owned(), ".".to_owned(), daemon, control],
    )?;
    std::fs::write(complete, "")?;
    Ok(programs)
}

fn go(folder: &Path, verb: &str, arguments: &[String]) -> Result<(), Problem> {
    let output = Command::new("go")
        .arg(verb)
        .args(arguments)
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .output()
        .map_err(|error| format!("go: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "go {verb}: {}",
                said.trim().lines().last().unwrap_or_default()
            )
            .into())
        }
    }
}

fn is_this_version(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
}
