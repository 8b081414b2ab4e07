//! Stand-ins for base images, since no registry need be in reach: made of Debian's busybox-static, the same bytes each time on
//! one machine. `bare` is a shell and nothing else, `base` a small user land, `furnished` says everything that a config can say, `trigger` has ONBUILD.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::layout::{Layout, Writer};
use super::tree::Tree;
use crate::{Problem, workspace};

/// An image that cases stand on.
pub(crate) struct Base {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    /// `sha256:…` of its manifest.
    pub(crate) digest: String,
    pub(crate) diff_ids: Vec<String>,
    pub(crate) tree: Tree,
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
app:x:1000:1000:App:/home/app:/bin/sh
other:x:1001:1002:Other:/home/other:/bin/sh
";
const GROUP: &str = "\
root:x:0:
daemon:x:1:
staff:x:50:app
app:x:1000:
team:x:1002:other
extra:x:2000:app,other
";
const OS_RELEASE: &str = "ID=conformance\nNAME=\"A stand-in\"\nVERSION_ID=1\n";

/// `cap_net_bind_service=ep`, revision 2.
const CAPABILITY: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Makes all of them below a folder.
pub(crate) fn make(folder: &Path) -> Result<Vec<Base>, Problem> {
    let busybox = workspace::find_program("busybox").ok_or("no busybox on this machine")?;
    let first = user_land(&busybox)?;
    let second = furniture()?;
    let plain = json!({"Env": [PATH], "Cmd": ["sh"]});
    let furnished = json!({
        "Env": [PATH, "GREETING=hello", "EMPTY="],
        "Entrypoint": ["/bin/busybox", "env"], "Cmd": ["serve", "--all"],
        "User": "app", "WorkingDir": "/srv/work", "StopSignal": "SIGQUIT",
        "Labels": {"from": "furnished", "kept": "yes"},
        "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Volumes": {"/data": {}},
        "Shell": ["/bin/sh", "-euc"],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000_u64, "Retries": 5},
    });
    let trigger = json!({
        "Env": [PATH], "Cmd": ["sh"],
        "OnBuild": ["ENV TRIGGERED=yes", "COPY . /triggered/", "RUN echo $TRIGGERED > /ran"],
    });
    let bare = one(
        folder,
        "bare",
        &json!({"Env": [PATH]}),
        &[&program(&busybox)?],
    )?;
    let base = one(folder, "base", &plain, &[&first])?;
    let furnished = one(folder, "furnished", &furnished, &[&first, &second])?;
    let trigger = one(folder, "trigger", &trigger, &[&first])?;
    Ok(vec![bare, base, furnished, trigger])
}

fn one(
    folder: &Path,
    name: &'static str,
    config: &Value,
    layers: &[&Vec<u8>],
) -> Result<Base, Problem> {
    let folder = folder.join(name);
    let mut writer = Writer::new(&folder)?;
    let mut tree = Tree::default();
    let mut history = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        writer.layer(layer)?;
        tree.lay(layer.as_slice())?;
        history.push(
            json!({"created": "2001-01-01T00:00:00Z", "created_by": format!("{name} {number}")}),
        );
    }
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let digest = writer.finish(json!({
        "created": "2001-01-01T00:00:00Z", "architecture": architecture, "os": "linux",
        "config": config, "history": history,
    }))?;
    let diff_ids = Layout::read(&folder)?.diff_ids()?;
    Ok(Base {
        name,
        folder,
        digest,
        diff_ids,
        tree,
    })
}

/// Entries of a layer, in the order that they are said in.
struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn header(kind: tar::EntryType, mode: u32, owner: (u64, u64)) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(978_307_200);
        header.set_size(0);
        header
    }

    fn directory(&mut self, name: &str, mode: u32, owner: (u64, u64)) -> Result<(), Problem> {
        let mut header = Self::header(tar::EntryType::Directory, mode, owner);
        Ok(self
            .0
            .append_data(&mut header, format!("{name}/"), std::io::empty())?)
    }

    fn file(
        &mut self,
        name: &str,
        mode: u32,
        owner: (u64, u64),
        content: &[u8],
    ) -> Result<(), Problem> {
        let mut header = Self::header(tar::EntryType::Regular, mode, owner);
        header.set_size(content.len() as u64);
        Ok(self.0.append_data(&mut header, name, content)?)
    }

    fn link(&mut self, kind: tar::EntryType, name: &str, target: &str) -> Result<(), Problem> {
        // Whoever unpacks a hard link gives its mode to the file.
        let mode = if kind.is_hard_link() { 0o644 } else { 0o777 };
        let mut header = Self::header(kind, mode, (0, 0));
        Ok(self.0.append_link(&mut header, name, target)?)
    }
}

fn program(busybox: &Path) -> Result<Vec<u8>, Problem> {
    let mut archive = Archive(tar::Builder::new(Vec::new()));
    archive.directory("bin", 0o755, (0, 0))?;
    archive.file("bin/busybox", 0o755, (0, 0), &std::fs::read(busybox)?)?;
    archive.link(tar::EntryType::Symlink, "bin/sh", "/bin/busybox")?;
    Ok(archive.0.into_inner()?)
}

fn user_land(busybox: &Path) -> Result<Vec<u8>, Problem> {
    const ROOT: (u64, u64) = (0, 0);
    let mut archive = Archive(tar::Builder::new(Vec::new()));
    for name in [
        "bin",
        "dev",
        "etc",
        "home",
        "opt",
        "opt/v1",
        "proc",
        "run",
        "sbin",
        "sys",
        "usr",
        "usr/bin",
        "usr/local",
        "usr/local/bin",
        "usr/share",
        "usr/share/twins",
        "var",
        "var/empty",
        "var/lib",
    ] {
        archive.directory(name, 0o755, ROOT)?;
    }
    archive.directory("root", 0o700, ROOT)?;
    archive.directory("tmp", 0o1777, ROOT)?;
    archive.directory("home/app", 0o750, (1000, 1000))?;
    archive.file("bin/busybox", 0o755, ROOT, &std::fs::read(busybox)?)?;
    let list = Command::new(busybox).arg("--list").output()?;
    let mut applets: Vec<String> = String::from_utf8(list.stdout)?
        .lines()
        .map(str::to_owned)
        .collect();
    applets.sort();
    for applet in applets.iter().filter(|applet| *applet != "busybox") {
        archive.link(
            tar::EntryType::Symlink,
            &format!("bin/{applet}"),
            "/bin/busybox",
        )?;
    }
    archive.link(tar::EntryType::Symlink, "usr/bin/env", "../../bin/busybox")?;
    archive.file("etc/passwd", 0o644, ROOT, PASSWD.as_bytes())?;
    archive.file("etc/group", 0o644, ROOT, GROUP.as_bytes())?;
    archive.file("etc/os-release", 0o644, ROOT, OS_RELEASE.as_bytes())?;
    archive.file("home/app/own", 0o600, (1000, 1000), b"of app\n")?;
    archive.file("usr/share/twins/one", 0o644, ROOT, b"twins\n")?;
    archive.link(
        tar::EntryType::Link,
        "usr/share/twins/two",
        "usr/share/twins/one",
    )?;
    archive.file("usr/share/privileged", 0o4755, ROOT, b"#!/bin/sh\n")?;
    archive
        .0
        .append_pax_extensions([("SCHILY.xattr.security.capability", CAPABILITY)])?;
    archive.file("usr/share/capable", 0o755, ROOT, b"#!/bin/sh\n")?;
    archive.file("opt/v1/file", 0o644, ROOT, b"v1\n")?;
    archive.link(tar::EntryType::Symlink, "opt/current", "v1")?;
    archive.link(tar::EntryType::Symlink, "opt/absolute", "/opt/v1")?;
    archive.link(tar::EntryType::Symlink, "opt/dangling", "/nowhere/at/all")?;
    archive.link(tar::EntryType::Symlink, "opt/outside", "../../../../opt/v1")?;
    archive.link(tar::EntryType::Symlink, "var/run", "/run")?;
    Ok(archive.0.into_inner()?)
}

/// What `furnished` has over `base`, with whiteouts.
fn furniture() -> Result<Vec<u8>, Problem> {
    let mut archive = Archive(tar::Builder::new(Vec::new()));
    archive.directory("srv", 0o755, (0, 0))?;
    archive.directory("srv/work", 0o755, (1000, 1000))?;
    archive.file("srv/work/here", 0o644, (1000, 1000), b"here\n")?;
    archive.directory("data", 0o755, (1000, 1000))?;
    archive.file("data/seed", 0o644, (1000, 1000), b"seed\n")?;
    archive.directory("opt", 0o755, (0, 0))?;
    archive.file("opt/.wh.dangling", 0o644, (0, 0), b"")?;
    archive.directory("usr", 0o755, (0, 0))?;
    archive.directory("usr/share", 0o755, (0, 0))?;
    archive.directory("usr/share/twins", 0o755, (0, 0))?;
    archive.file("usr/share/twins/.wh..wh..opq", 0o644, (0, 0), b"")?;
    archive.file("usr/share/twins/three", 0o644, (0, 0), b"three\n")?;
    Ok(archive.0.into_inner()?)
}
