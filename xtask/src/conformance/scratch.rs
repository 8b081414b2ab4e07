//! The copy of a case that is built: what git does not hold (modes, times) is made the same on every machine, the rest is made
//! by the case's own `prepare.sh`, whose working directory is the copy.

use std::fs::{File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::case::Case;
use crate::Problem;

/// Copies a case's folder to a place that does not exist yet.
pub(crate) fn prepare(case: &Case, to: &Path) -> Result<(), Problem> {
    copy(&case.folder, to, &case.name)?;
    // Empty folders are not in git either.
    std::fs::create_dir_all(to.join("context"))?;
    let script = to.join("prepare.sh");
    if script.is_file() {
        let output = Command::new("sh")
            .args(["-euc", "umask 022; . ./prepare.sh"])
            .current_dir(to)
            .env("LC_ALL", "C")
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("prepare.sh: {}: {}", output.status, said.trim()).into());
        }
    }
    set(&to.join("context"), 0o755, "context", &[])
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<(), Problem> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&source, &target, &name)?;
            set(&target, 0o755, &name, &[])?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&source)?, &target)?;
        } else {
            let content = std::fs::read(&source)?;
            let is_program = entry.metadata()?.permissions().mode() & 0o100 != 0;
            std::fs::write(&target, &content)?;
            set(
                &target,
                if is_program { 0o755 } else { 0o644 },
                &name,
                &content,
            )?;
        }
    }
    Ok(())
}

/// A mode whatever the umask is, and a time that differs from file to file and from content to content: BuildKit takes a file
/// of the same name, size and time for the one that it has seen before.
fn set(path: &Path, mode: u32, name: &str, content: &[u8]) -> Result<(), Problem> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    let mut hash = Sha256::new();
    hash.update(Path::new(name).as_os_str().as_bytes());
    hash.update([0]);
    hash.update(content);
    let hash = hash.finalize();
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + u64::from(number >> 4));
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    File::open(path)?.set_times(times)?;
    Ok(())
}
