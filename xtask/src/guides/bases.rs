//! Stand-ins for the images that the guides' Dockerfiles stand on, as OCI layouts, since no public registry need be in reach.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::alpine;
use super::archive::Archive;
use super::packages::{self, Packages};
use crate::cases::base as debian;
use crate::conformance::layout::Writer;
use crate::{Problem, workspace};

/// What an image name stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Alpine,
    GoOnAlpine,
    Debian,
    GoOnDebian,
    DistrolessStatic,
}

impl Kind {
    /// The kind of an image by its name.
    pub(crate) fn of(name: &str) -> Result<Self, Problem> {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
        Ok(match repository {
            "alpine" => Self::Alpine,
            "golang" if tag.ends_with("-alpine") => Self::GoOnAlpine,
            "golang" => Self::GoOnDebian,
            "ubuntu" | "debian" => Self::Debian,
            "gcr.io/distroless/static-debian12" => Self::DistrolessStatic,
            _ => return Err(format!("there is no stand-in for {name}").into()),
        })
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Alpine => "alpine",
            Self::GoOnAlpine => "golang-alpine",
            Self::Debian => "debian",
            Self::GoOnDebian => "golang",
            Self::DistrolessStatic => "static",
        }
    }
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes those that are asked for.
pub(crate) fn make(
    kinds: impl IntoIterator<Item = Kind>,
    packages: &Packages,
    scripts: &Path,
    repository: &str,
    folder: &Path,
) -> Result<BTreeMap<Kind, PathBuf>, Problem> {
    let mut made = BTreeMap::new();
    for kind in kinds {
        if made.contains_key(&kind) {
            continue;
        }
        let target = folder.join(kind.folder());
        let mut writer = Writer::new(&target)?;
        let env = |path: &str| json!([format!("PATH={path}")]);
        let go_env = || {
            json!([
                format!("PATH=/go/bin:/usr/local/go/bin:{PATH}"),
                "GOTOOLCHAIN=local",
                "GOPATH=/go"
            ])
        };
        let config = match kind {
            Kind::Alpine => {
                writer.layer(&alpine::layer(packages, scripts, repository)?)?;
                json!({"Env": env(PATH), "Cmd": ["/bin/sh"]})
            }
            Kind::GoOnAlpine => {
                writer.layer(&alpine::layer(packages, scripts, repository)?)?;
                writer.layer(&go_layer()?)?;
                // The public image has no time zones; guides copy them from it all the same.
                writer.layer(&zones(packages)?)?;
                json!({"Env": go_env(), "Cmd": ["/bin/sh"], "WorkingDir": "/go"})
            }
            Kind::Debian => {
                writer.layer(&std::fs::read(debian_archive(packages, "")?)?)?;
                json!({"Env": env(PATH), "Cmd": ["/bin/bash"]})
            }
            Kind::GoOnDebian => {
                let more = "gcc,g++,libc6-dev,make,git,curl,wget,pkg-config";
                writer.layer(&std::fs::read(debian_archive(packages, more)?)?)?;
                writer.layer(&go_layer()?)?;
                json!({"Env": go_env(), "Cmd": ["bash"], "WorkingDir": "/go"})
            }
            Kind::DistrolessStatic => {
                writer.layer(&static_layer(packages)?)?;
                let bundle = "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt";
                json!({"Env": [format!("PATH={PATH}"), bundle], "User": "0", "WorkingDir": "/"})
            }
        };
        finish(writer, &config)?;
        made.insert(kind, target);
    }
    Ok(made)
}

fn finish(writer: Writer, config: &Value) -> Result<(), Problem> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    writer.finish(json!({
        "created": "2001-01-01T00:00:00Z", "architecture": architecture, "os": "linux",
        "config": config,
    }))?;
    Ok(())
}

/// Where this machine's Go is.
pub(crate) fn go_root() -> Result<PathBuf, Problem> {
    let go = workspace::find_program("go").ok_or("no go on this machine")?;
    let output = Command::new(go).args(["env", "GOROOT"]).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn go_layer() -> Result<Vec<u8>, Problem> {
    let mut archive = Archive::new();
    archive.folder("usr", 0o755, 0)?;
    archive.folder("usr/local", 0o755, 0)?;
    go_tree(&mut archive, &go_root()?, "usr/local/go")?;
    for folder in ["go", "go/bin", "go/src"] {
        archive.folder(folder, 0o777, 0)?;
    }
    archive.finish()
}

/// This machine's toolchain, with its settings for modules: what an organisation's own base carries.
pub(crate) fn go_tree(archive: &mut Archive, root: &Path, name: &str) -> Result<(), Problem> {
    archive.folder(name, 0o755, 0)?;
    for part in ["bin", "lib", "pkg", "src"] {
        archive.tree(&root.join(part), &format!("{name}/{part}"))?;
    }
    archive.file(
        &format!("{name}/VERSION"),
        0o644,
        &std::fs::read(root.join("VERSION"))?,
    )?;
    let mut settings = String::new();
    for variable in ["GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE"] {
        let output = Command::new(root.join("bin/go"))
            .args(["env", variable])
            .output()?;
        let value = String::from_utf8(output.stdout)?;
        if !value.trim().is_empty() {
            settings.push_str(&format!("{variable}={}\n", value.trim()));
        }
    }
    settings.push_str("GOTOOLCHAIN=local\n");
    archive.file(&format!("{name}/go.env"), 0o644, settings.as_bytes())
}

fn zones(packages: &Packages) -> Result<Vec<u8>, Problem> {
    let mut archive = Archive::new();
    packages::unpack(&packages.only("tzdata")?, &mut archive)?;
    archive.finish()
}

/// As distroless' `static` is: five packages, and files that are the same in all of its images.
fn static_layer(packages: &Packages) -> Result<Vec<u8>, Problem> {
    let mut archive = Archive::new();
    let mut debs = Vec::new();
    for name in ["base-files", "netbase", "tzdata", "media-types"] {
        debs.extend(packages.only(name)?);
    }
    packages::unpack(&debs, &mut archive)?;
    for (folder, mode, owner) in [
        ("etc/ssl", 0o755, 0),
        ("etc/ssl/certs", 0o755, 0),
        ("home/nonroot", 0o700, 65532),
        ("var/lib/dpkg", 0o755, 0),
        ("var/lib/dpkg/status.d", 0o755, 0),
    ] {
        archive.folder(folder, mode, owner)?;
    }
    for (name, text) in [
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
        ),
        (
            "etc/group",
            "root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n",
        ),
        ("etc/nsswitch.conf", "hosts: files dns\n"),
    ] {
        archive.file(name, 0o644, text.as_bytes())?;
    }
    let certificates = packages::certificates(packages)?;
    archive.file("etc/ssl/certs/ca-certificates.crt", 0o644, &certificates)?;
    for deb in &debs {
        let fields = Command::new("dpkg-deb").arg("--field").arg(deb).output()?;
        let name = deb
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let name = name.split('_').next().unwrap_or_default();
        archive.file(
            &format!("var/lib/dpkg/status.d/{name}"),
            0o644,
            &fields.stdout,
        )?;
    }
    archive.finish()
}

/// A Debian of the machine's own sources, kept for later runs.
fn debian_archive(packages: &Packages, more: &str) -> Result<PathBuf, Problem> {
    let name = match more {
        "" => "debian.tar",
        _ => "debian-with-compiler.tar",
    };
    let target = packages.cache().join(name);
    if !target.is_file() {
        let part = target.with_extension("part.tar");
        debian::compose(&part, more)?;
        std::fs::rename(part, &target)?;
    }
    Ok(target)
}
