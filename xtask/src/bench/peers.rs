//! Other people's tools, measured beside jettison where they can be had: dive and syft, from the Python package index into a folder
//! of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workspace;

/// Answers the program, or why it is not there.
pub(crate) fn provide(folder: &Path, package: &str, program: &str) -> Result<PathBuf, String> {
    let venv = folder.join("peers");
    let path = venv.join("bin").join(program);
    if path.exists() {
        return Ok(path);
    }
    let python =
        workspace::find_program("python3").ok_or_else(|| format!("{program} (no python3)"))?;
    let succeeds = |command: &mut Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !venv.join("bin/pip").exists()
        && !succeeds(Command::new(python).args(["-m", "venv"]).arg(&venv))
    {
        return Err(format!("{program} (python3 makes no virtual environment)"));
    }
    if !succeeds(Command::new(venv.join("bin/pip")).args(["install", "--quiet", package]))
        || !path.exists()
    {
        return Err(format!("{program} (package {package} cannot be installed)"));
    }
    Ok(path)
}

/// What it calls its version.
pub(crate) fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
