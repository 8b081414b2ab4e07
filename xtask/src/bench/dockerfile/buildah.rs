//! buildah, measured beside jettison where it can be had.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Problem;
use crate::workspace::find_program;

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

fn runs(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
