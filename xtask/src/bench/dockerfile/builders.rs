//! Other people's builders, measured beside jettison where they can be had: BuildKit 0.26, from the PATH or made by Go from its
//! module, with a daemon of its own for as long as the bench runs; and buildah from the PATH.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Problem;
use crate::workspace::find_program;

const MODULE: &str = "github.com/moby/buildkit";
const VERSION: &str = "v0.26.0";
/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running BuildKit; it ends, and what it kept goes, with this value.
pub(crate) struct BuildKit {
    daemon: Child,
    client: PathBuf,
    folder: tempfile::TempDir,
}

impl BuildKit {
    /// Starts one; why not, where it cannot be had.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let (daemon, client) = programs(folder)?;
        if find_program("runc").is_none() {
            return Err("BuildKit (needs runc)".to_owned());
        }
        let mut state = tempfile::Builder::new();
        let state = state.prefix("buildkit-").tempdir_in(folder);
        let state = state.map_err(|error| format!("BuildKit ({error})"))?;
        let address = format!("unix://{}", state.path().join("socket").display());
        let daemon = Command::new(daemon)
            .arg("--root")
            .arg(state.path().join("root"))
            .args(["--addr", &address])
            .args(["--oci-worker=true", "--containerd-worker=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("BuildKit ({error})"))?;
        let this = Self {
            daemon,
            client,
            folder: state,
        };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let mut asked = this.client();
            asked.args(["debug", "workers"]);
            asked.stdout(Stdio::null()).stderr(Stdio::null());
            if asked.status().is_ok_and(|status| status.success()) {
                return Ok(this);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("BuildKit (its daemon does not answer; it needs root)".to_owned())
    }

    /// Its command line.
    pub(crate) fn client(&self) -> Command {
        let mut command = Command::new(&self.client);
        let socket = self.folder.path().join("socket");
        command.args(["--addr", &format!("unix://{}", socket.display())]);
        command
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

impl Drop for BuildKit {
    fn drop(&mut self) {
        use nix::sys::signal::{Signal, kill};
        let id = i32::try_from(self.daemon.id()).unwrap_or(0);
        if id > 0 {
            // It unmounts what it mounted.
            let _ = kill(nix::unistd::Pid::from_raw(id), Signal::SIGTERM);
            let _ = self.daemon.wait();
        }
    }
}

/// The daemon and its client.
fn programs(folder: &Path) -> Result<(PathBuf, PathBuf), String> {
    let found = (find_program("buildkitd"), find_program("buildctl"));
    if let (Some(daemon), Some(client)) = found
        && runs(&client).is_some_and(|version| version.contains(VERSION))
    {
        return Ok((daemon, client));
    }
    let made = folder.join("buildkit");
    let paths = (made.join("buildkitd"), made.join("buildctl"));
    if paths.0.exists() && paths.1.exists() {
        return Ok(paths);
    }
    let failed = |what: &str| format!("BuildKit {VERSION} ({what})");
    std::fs::create_dir_all(&made).map_err(|error| failed(&error.to_string()))?;
    println!("making BuildKit {VERSION}");
    let commands = ["buildkitd", "buildctl"].map(|name| format!("{MODULE}/cmd/{name}"));
    let wanted = commands.iter().map(|name| format!("{name}@{VERSION}"));
    let mut get = vec!["get".to_owned()];
    get.extend(wanted);
    let mut build = ["build", "-o", "."].map(str::to_owned).to_vec();
    build.extend(commands.clone());
    let init = ["mod", "init", "bench"].map(str::to_owned).to_vec();
    for arguments in [init, get, build] {
        let is_init = arguments[0] == "mod";
        if is_init && made.join("go.mod").exists() {
            continue;
        }
        let mut go = Command::new("go");
        go.args(&arguments).current_dir(&made);
        go.env("CGO_ENABLED", "0").stdin(Stdio::null());
        let done = go.output().map_err(|_| failed("there is no go"))?;
        if !done.status.success() {
            let words = String::from_utf8_lossy(&done.stderr);
            let last = words.lines().last().unwrap_or_default();
            return Err(failed(&format!("go {}: {last}", arguments[0])));
        }
    }
    Ok(paths)
}

fn runs(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// buildah with a storage of its own.
pub(crate) struct Buildah {
    program: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) version: String,
}

impl Buildah {
    /// Finds it; why not, where it is not there.
    pub(crate) fn find(folder: &Path) -> Result<Self, String> {
        let program = find_program("buildah").ok_or("buildah (not on the PATH)")?;
        let words = runs(&program).ok_or("buildah (does not run)")?;
        let version = words.split(' ').nth(2).unwrap_or_default().to_owned();
        let folder = tempfile::Builder::new()
            .prefix("buildah-")
            .tempdir_in(folder)
            .map_err(|error| format!("buildah ({error})"))?;
        Ok(Self {
            program,
            folder,
            version,
        })
    }

    /// Its command line, quoted for a shell.
    pub(crate) fn words(&self) -> String {
        let (root, run) = (
            self.folder.path().join("root"),
            self.folder.path().join("run"),
        );
        format!(
            "{} --root {} --runroot {} --storage-driver overlay",
            self.program.display(),
            root.display(),
            run.display()
        )
    }

    /// Forgets everything.
    pub(crate) fn prune(&self) -> Result<(), Problem> {
        let all = format!(
            "{0} rm -a >/dev/null; {0} rmi -a -f >/dev/null 2>&1; true",
            self.words()
        );
        let status = Command::new("sh").args(["-c", &all]).status()?;
        match status.success() {
            true => Ok(()),
            false => Err("buildah does not prune".into()),
        }
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        let _ = self.prune();
        // Its storage mounts itself.
        let root = self.folder.path().join("root/overlay");
        let _ = Command::new("umount").arg("-q").arg(root).status();
    }
}
