//! `--upx`: packs the program in place, where upx is on the PATH.

use std::process::{Command, Stdio};

use super::BuildError;
use super::compile::Compiled;

/// Packs the compiled program.
pub(crate) fn pack(compiled: &Compiled) -> Result<(), BuildError> {
    let command = jettison_recipes::upx(&compiled.path.to_string_lossy());
    let output = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::Upx)?;
    if !output.status.success() {
        let talk = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BuildError::Upx(std::io::Error::other(talk)));
    }
    Ok(())
}
