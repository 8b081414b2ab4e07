//! `cargo xtask dist`: the release binary as one static file. It looks at the result itself: a binary that names a loader is
//! refused, whatever the compiler was told.

use std::path::Path;
use std::process::Command;

use crate::docs::reference;
use crate::{Problem, workspace};

/// Where ELF64 keeps what is read here (System V gABI, "ELF Header" and "Program Header").
const PROGRAM_HEADERS_OFFSET: usize = 32;
const PROGRAM_HEADER_SIZE: usize = 54;
const PROGRAM_HEADER_COUNT: usize = 56;
/// The segment that names the loader of a dynamic program.
const PT_INTERP: u32 = 3;

/// Builds, checks, and says how large it is.
pub(crate) fn run(arguments: &[String]) -> Result<(), Problem> {
    if let Some(argument) = arguments.first() {
        return Err(format!("dist takes no argument: {argument}").into());
    }
    let root = workspace::root();
    let architecture = std::env::consts::ARCH;
    let musl = format!("{architecture}-unknown-linux-musl");
    let glibc = format!("{architecture}-unknown-linux-gnu");
    let (target, flags) = match why_not_musl(&musl) {
        None => (musl, None),
        Some(reason) => {
            println!("could not have: a musl build ({reason}); linking glibc statically");
            (glibc, Some("-C target-feature=+crt-static"))
        }
    };
    let mut build = workspace::cargo();
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "jettison",
            "--target",
            &target,
        ])
        .current_dir(&root);
    if let Some(flags) = flags {
        // Only with an explicit target are build scripts and macros left out of it.
        let inherited = std::env::var("RUSTFLAGS").unwrap_or_default();
        build.env("RUSTFLAGS", format!("{inherited} {flags}").trim());
    }
    if !build.status()?.success() {
        return Err(format!("the build for {target} failed").into());
    }
    let target_dir = workspace::target_dir(&root)?;
    let built = target_dir.join(&target).join("release/jettison");
    let bytes = std::fs::read(&built)?;
    if has_interpreter(&bytes)? {
        return Err(format!("{} names a loader: it is not static", built.display()).into());
    }
    let folder = target_dir.join("dist");
    std::fs::create_dir_all(&folder)?;
    let binary = folder.join("jettison");
    std::fs::copy(&built, &binary)?;
    check_it_starts(&binary)?;
    reference::write(&root, &folder)?;
    println!(
        "{} ({target}): {:.2} MB, static",
        binary.display(),
        bytes.len() as f64 / 1e6
    );
    println!("beside it: man/, completions/ and cli.md");
    Ok(())
}

/// What is missing for a musl build: the target's standard library, and a C compiler for the C in our dependencies.
fn why_not_musl(target: &str) -> Option<&'static str> {
    let installed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .is_ok_and(|output| {
            output.status.success()
                && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
        });
    if !installed {
        return Some("the target is not installed: rustup target add");
    }
    let compiler = format!("{}-linux-musl-gcc", std::env::consts::ARCH);
    let chosen = format!("CC_{}", target.replace('-', "_"));
    let has_compiler = std::env::var_os(chosen).is_some()
        || [compiler.as_str(), "musl-gcc"]
            .iter()
            .any(|name| workspace::find_program(name).is_some());
    (!has_compiler).then_some("no C compiler for it: apt-get install musl-tools")
}

fn check_it_starts(binary: &Path) -> Result<(), Problem> {
    let output = Command::new(binary).arg("--version").env_clear().output()?;
    if !output.status.success() {
        return Err(format!("{} --version: {}", binary.display(), output.status).into());
    }
    Ok(())
}

/// Whether a program asks for a loader; an error when it is not a whole 64-bit little-endian ELF file.
fn has_interpreter(bytes: &[u8]) -> Result<bool, Problem> {
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err("not a 64-bit little-endian ELF file".into());
    }
    let cut_short = || Problem::from("an ELF file cut short");
    let headers = usize::try_from(u64::from_le_bytes(
        array(bytes, PROGRAM_HEADERS_OFFSET).ok_or_else(cut_short)?,
    ))?;
    let size = usize::from(u16::from_le_bytes(
        array(bytes, PROGRAM_HEADER_SIZE).ok_or_else(cut_short)?,
    ));
    let count = usize::from(u16::from_le_bytes(
        array(bytes, PROGRAM_HEADER_COUNT).ok_or_else(cut_short)?,
    ));
    for number in 0..count {
        let at = size
            .checked_mul(number)
            .and_then(|offset| offset.checked_add(headers))
            .ok_or_else(cut_short)?;
        if u32::from_le_bytes(array(bytes, at).ok_or_else(cut_short)?) == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::has_interpreter;

    /// An ELF header with one program header of the given type.
    fn elf(segment: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes.extend(segment.to_le_bytes());
        bytes
    }

    #[test]
    fn a_loader_is_seen() {
        assert!(has_interpreter(&elf(3)).expect("an ELF file"));
        assert!(!has_interpreter(&elf(1)).expect("an ELF file"));
    }

    #[test]
    fn the_shell_of_this_machine_has_one() {
        let shell = std::fs::read("/bin/sh").expect("there is a shell");
        assert!(has_interpreter(&shell).expect("an ELF file"));
    }

    #[test]
    fn broken_files_are_errors() {
        assert!(has_interpreter(b"#!/bin/sh").is_err());
        assert!(has_interpreter(&elf(3)[..60]).is_err());
        let mut wild = elf(3);
        wild[32..40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(has_interpreter(&wild).is_err());
    }
}
