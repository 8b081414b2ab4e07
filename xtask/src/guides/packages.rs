//! Debian's packages as files, for bases that are no Debian: downloaded by apt with the machine's own sources, kept in a cache,
//! never installed.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::archive::Archive;
use crate::{Problem, workspace};

/// Where packages are kept.
pub(crate) struct Packages {
    cache: PathBuf,
}

impl Packages {
    pub(crate) fn new() -> Result<Self, Problem> {
        let cache = workspace::cache("jettison-guides")?;
        for folder in ["debs/partial", "empty/partial"] {
            std::fs::create_dir_all(cache.join(folder))?;
        }
        Ok(Self { cache })
    }

    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Some packages with everything that they depend on, as if nothing were installed.
    pub(crate) fn with_needs(&self, names: &[&str]) -> Result<Vec<PathBuf>, Problem> {
        let apt = || {
            let mut apt = Command::new("apt-get");
            apt.args(["--yes", "--quiet=2", "--no-install-recommends"]);
            apt.args(["-o", "Dir::State::status=/dev/null"]);
            apt.args(["-o", "Debug::NoLocking=1"]);
            apt.arg("-o").arg(format!(
                "Dir::Cache::archives={}",
                self.cache.join("debs").display()
            ));
            apt.stdin(Stdio::null());
            apt
        };
        // What is in the folder already is not in the list, so that an empty one is named.
        let all = apt()
            .arg("-o")
            .arg(format!(
                "Dir::Cache::archives={}",
                self.cache.join("empty").display()
            ))
            .args(["--print-uris", "install"])
            .args(names)
            .output()?;
        if !all.status.success() {
            let said = String::from_utf8_lossy(&all.stderr);
            return Err(format!("apt-get knows no {}: {}", names.join(", "), said.trim()).into());
        }
        // A line is `'address' file size hash`.
        let files: Vec<PathBuf> = String::from_utf8(all.stdout)?
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .map(|file| self.cache.join("debs").join(file))
            .collect();
        if files.iter().any(|file| !file.is_file()) {
            let output = apt()
                .args(["--download-only", "install"])
                .args(names)
                .output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("apt-get: {}", said.trim()).into());
            }
        }
        match files.iter().find(|file| !file.is_file()) {
            Some(file) => Err(format!("apt-get has not brought {}", file.display()).into()),
            None => Ok(files),
        }
    }

    /// One package without what it needs.
    pub(crate) fn only(&self, name: &str) -> Result<Vec<PathBuf>, Problem> {
        let mut debs = self.with_needs(&[name])?;
        debs.retain(|deb| deb.to_string_lossy().contains(&format!("/{name}_")));
        Ok(debs)
    }
}

/// Puts the files of packages into an archive, documentation aside.
pub(crate) fn unpack(debs: &[PathBuf], archive: &mut Archive) -> Result<(), Problem> {
    let mut folders = BTreeSet::new();
    for deb in debs {
        let mut child = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(deb)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("dpkg-deb has an output")?;
        let mut source = tar::Archive::new(output);
        for entry in source.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            let name = path.to_string_lossy().trim_start_matches("./").to_owned();
            let is_documentation = ["usr/share/doc/", "usr/share/man/", "usr/share/locale/"]
                .iter()
                .any(|folder| name.starts_with(folder));
            let is_known = entry.header().entry_type().is_dir() && !folders.insert(name.clone());
            if name.is_empty() || is_documentation || is_known {
                continue;
            }
            let name = name.trim_end_matches('/').to_owned();
            archive.take(&name, &mut entry)?;
        }
        if !child.wait()?.success() {
            return Err(format!("{} is no package", deb.display()).into());
        }
    }
    Ok(())
}

/// Certificates of authorities as Debian ships them, in one file.
pub(crate) fn certificates(packages: &Packages) -> Result<Vec<u8>, Problem> {
    let debs = packages.with_needs(&["ca-certificates"])?;
    let deb = debs
        .iter()
        .find(|deb| deb.to_string_lossy().contains("/ca-certificates_"))
        .ok_or("no ca-certificates among its own needs")?;
    let output = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(deb)
        .output()?;
    let mut bundle = Vec::new();
    for entry in tar::Archive::new(output.stdout.as_slice()).entries()? {
        let mut entry = entry?;
        if entry
            .path()?
            .extension()
            .is_some_and(|extension| extension == "crt")
        {
            entry.read_to_end(&mut bundle)?;
        }
    }
    Ok(bundle)
}
