//! `--upx`: packs the program, where upx is on the PATH, and says what that
//! brings. Needs are read off the program before it is packed: afterwards
//! nothing can be told.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use jettison_recipes::{PackedFigures, upx, upx_comparison};

use super::BuildError;
use super::prepare::Prepared;
use super::sizes::SizeTable;
use crate::prove::Proof;

/// Whether there is one to be found: asked before anything is compiled.
pub(crate) fn is_there(environment: &[(String, String)]) -> bool {
    let path = environment.iter().find(|(name, _)| name == "PATH");
    path.is_some_and(|(_, path)| {
        std::env::split_paths(path).any(|directory| directory.join("upx").is_file())
    })
}

/// Packs a copy of the program.
pub(crate) fn pack(prepared: &Prepared) -> Result<PathBuf, BuildError> {
    let packed = prepared.program.with_extension("packed");
    fs::copy(&prepared.program, &packed).map_err(|source| BuildError::Program {
        path: prepared.program.clone(),
        source,
    })?;
    let command = upx(&packed.to_string_lossy());
    let output = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(BuildError::Upx)?;
    if !output.status.success() {
        let talk = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(BuildError::Upx(std::io::Error::other(talk)));
    }
    Ok(packed)
}

/// What packing changed, in sentences.
pub(crate) fn compare(
    program: &str,
    plain: (&SizeTable, &Proof),
    packed: (&SizeTable, &Proof),
) -> Vec<String> {
    let figures = |(sizes, proof): (&SizeTable, &Proof)| {
        let row = sizes.rows.iter().find(|row| row.component == program);
        PackedFigures {
            unpacked_bytes: row.map_or(0, |row| row.unpacked_bytes),
            wire_bytes: row.map_or(0, |row| row.wire_bytes),
            start_us: proof
                .evidence
                .ready_after_ms
                .unwrap_or(0)
                .saturating_mul(1000),
        }
    };
    upx_comparison(figures(plain), figures(packed))
        .into_iter()
        .map(|line| format!("upx: {line}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_there;

    #[test]
    fn upx_is_looked_for_on_the_path() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = format!("/nonexistent:{}", directory.path().display());
        let environment = vec![("PATH".to_owned(), path)];
        assert!(!is_there(&environment));
        std::fs::write(directory.path().join("upx"), "").expect("a file");
        assert!(is_there(&environment));
        assert!(!is_there(&[]));
    }
}
