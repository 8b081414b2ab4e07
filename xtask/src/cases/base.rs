//! The stand-in for a Debian base image: composed from the machine's own package sources, since no public registry need be in
//! reach. It carries the machine's settings for packages (sources, certificates), as the base image of an organisation does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::{Client, last_words, limited, output};
use crate::{Problem, workspace};

pub(crate) const TAG: &str = "case-debian:12";

const SUITE: &str = "bookworm";

/// As in Debian's own images for containers: downloaded packages and apt's own indexes of its lists are not kept.
const CLEAN: &[&str] = &[
    "DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb || true\"; };",
    "Dir::Cache::pkgcache \"\";",
    "Dir::Cache::srcpkgcache \"\";",
];

/// Composes and imports it unless the engine has it.
pub(crate) fn provide(client: &Client, folder: &Path) -> Result<(), Problem> {
    if client.succeeds(&["image", "inspect", TAG]) {
        return Ok(());
    }
    println!("composing {TAG}");
    let archive = folder.join("base.tar");
    compose(&archive, "")?;
    let imported = client.demand_within(
        &[OsStr::new("import"), archive.as_os_str(), OsStr::new(TAG)]
            .map(|word| word.to_string_lossy().into_owned()),
        Duration::from_secs(300),
    );
    let _ = std::fs::remove_file(&archive);
    imported.map(drop)
}

/// Writes its file system as an archive, with further packages, separated by commas.
pub(crate) fn compose(archive: &Path, more: &str) -> Result<(), Problem> {
    let sources = sources()?;
    let mmdebstrap =
        workspace::find_program("mmdebstrap").ok_or("no mmdebstrap on this machine")?;
    let mut command = limited(mmdebstrap.as_os_str(), Duration::from_secs(900));
    command.args(["--quiet", "--variant=minbase"]);
    command.arg(format!("--include=ca-certificates,tzdata,{more}").trim_end_matches(','));
    for setting in CLEAN {
        command.arg(format!("--aptopt={setting}"));
    }
    // As there, too: what is built is not worth a sync after every file.
    command.arg("--dpkgopt=force-unsafe-io");
    // A machine may be served from a snapshot, whose signatures are as old as it is.
    command.args([
        "--aptopt=Acquire::Check-Valid-Until \"false\"",
        "--aptopt=Acquire::Check-Date \"false\"",
    ]);
    let settings = [
        ("/usr/local/share/ca-certificates", "/usr/local/share"),
        ("/etc/pip.conf", "/etc"),
    ];
    for (source, target) in settings {
        if Path::new(source).exists() {
            command.arg(format!("--customize-hook=copy-in {source} {target}"));
        }
    }
    command.arg("--customize-hook=chroot \"$1\" update-ca-certificates");
    command.arg(SUITE).arg(archive).args(sources);
    let output = output(&mut command, None)?;
    if !output.status.success() {
        return Err(format!("mmdebstrap: {}", last_words(&output)).into());
    }
    Ok(())
}

/// The machine's own lists of sources that name the suite.
fn sources() -> Result<Vec<PathBuf>, Problem> {
    let mut candidates = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = std::fs::read_dir("/etc/apt/sources.list.d") {
        candidates.extend(entries.flatten().map(|entry| entry.path()));
    }
    candidates.sort();
    candidates.retain(|path| {
        std::fs::read_to_string(path).is_ok_and(|text| {
            text.lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .flat_map(str::split_ascii_whitespace)
                .any(|word| word == SUITE)
        })
    });
    match candidates.is_empty() {
        true => Err(format!("no package source of this machine has {SUITE}").into()),
        false => Ok(candidates),
    }
}
