//! What images need that no repository can hold: certificates of an authority of the tests' own, and toolchains of this machine.
//! A Dockerfile that copies `made/NAME` finds it in its context.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::client::{last_words, limited, output};
use crate::Problem;

/// Certificates are made once: the images that trust them are cached.
const DAYS: &str = "3650";

/// Puts everything that the Dockerfile asks for into its context.
pub(crate) fn provide(dockerfile: &str, context: &Path, cache: &Path) -> Result<(), Problem> {
    let made = context.join("made");
    let wants = |name: &str| dockerfile.contains(&format!("made/{name}"));
    std::fs::create_dir_all(&made)?;
    let certificates = cache.join("certificates");
    for name in [
        "ca.crt",
        "peer.crt",
        "peer.key",
        "stranger.crt",
        "stranger.key",
    ] {
        if wants(name) {
            make_certificates(&certificates)?;
            std::fs::copy(certificates.join(name), made.join(name))?;
        }
    }
    if wants("go") {
        let root = said_by("go", &["env", "GOROOT"])?;
        copy(&root, &made.join("go"))?;
    }
    if wants("python") {
        let root = said_by("python3", &["-c", "import sys; print(sys.base_prefix)"])?;
        if root == Path::new("/usr") {
            return Err("the only Python of this machine is a package's".into());
        }
        let target = made.join("python");
        copy(&root, &target)?;
        // The interpreter and its library; what this machine has added is its own business.
        for entry in std::fs::read_dir(target.join("lib"))?.flatten() {
            for added in ["site-packages", "test"] {
                let path = entry.path().join(added);
                if path.is_dir() {
                    std::fs::remove_dir_all(path)?;
                }
            }
        }
    }
    Ok(())
}

/// An authority, a server that it vouches for and one that vouches for itself.
fn make_certificates(folder: &Path) -> Result<(), Problem> {
    if folder.join("stranger.crt").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    let run = |arguments: &[&str]| -> Result<(), Problem> {
        let mut command = limited(OsStr::new("openssl"), Duration::from_secs(60));
        command.args(arguments).current_dir(folder);
        let output = output(&mut command, None)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("openssl: {}", last_words(&output)).into()),
        }
    };
    let name = "subjectAltName=DNS:peer,DNS:localhost,IP:127.0.0.1";
    let new = [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS,
    ];
    run(&[
        &new[..],
        &[
            "-subj",
            "/CN=Test Authority",
            "-keyout",
            "ca.key",
            "-out",
            "ca.crt",
        ],
    ]
    .concat())?;
    run(&[
        &new[..],
        &[
            "-subj",
            "/CN=peer",
            "-addext",
            name,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
        &[
            "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "peer.key", "-out", "peer.crt",
        ],
    ]
    .concat())?;
    run(&[
        &new[..],
        &["-subj", "/CN=peer", "-addext", name],
        &["-keyout", "stranger.key", "-out", "stranger.crt"],
    ]
    .concat())
}

fn said_by(program: &str, arguments: &[&str]) -> Result<PathBuf, Problem> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && text.starts_with('/') {
        true => Ok(text.into()),
        false => Err(format!("{program} does not say where it lives").into()),
    }
}

fn copy(source: &Path, target: &Path) -> Result<(), Problem> {
    let status = Command::new("cp")
        .args(["--archive", "--reflink=auto"])
        .args([source, target])
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} cannot be copied", source.display()).into()),
    }
}
