//! A stand-in for Alpine: Debian's build of musl and BusyBox, the folders and the package database of Alpine, and an `apk` that
//! installs from a repository on this machine, made of Debian's packages. Programs of those bring their own C library along, since
//! they are not built for musl: what that cannot prove is listed with each Dockerfile.

use std::path::Path;
use std::process::Command;

use super::archive::Archive;
use super::packages::{self, Packages};
use crate::{Problem, upx, workspace};

/// The release that the guides name.
const VERSION: &str = "3.19.9";
const APK_VERSION: &str = "0-r0";

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:2:2:daemon:/sbin:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
";
const GROUP: &str = "\
root:x:0:root
daemon:x:2:
tty:x:5:
users:x:100:
nogroup:x:65533:
nobody:x:65534:
";

/// The one layer of the base. `repository` is an address that RUN can reach.
pub(crate) fn layer(
    packages: &Packages,
    scripts: &Path,
    repository: &str,
) -> Result<Vec<u8>, Problem> {
    let mut musl = Archive::new();
    packages::unpack(&packages.with_needs(&["musl"])?, &mut musl)?;
    let (musl, of_musl) = musl.package("musl", "1.2.3-r0")?;

    let mut busybox = Archive::new();
    let program = workspace::find_program("busybox").ok_or("no busybox on this machine")?;
    busybox.file("bin/busybox", 0o755, &std::fs::read(&program)?)?;
    let list = Command::new(&program).arg("--list-full").output()?;
    for applet in String::from_utf8(list.stdout)?.lines() {
        if applet != "bin/busybox" {
            busybox.link(applet, "/bin/busybox")?;
        }
    }
    for script in ["adduser", "addgroup"] {
        let content = std::fs::read(scripts.join(script))?;
        busybox.file(&format!("usr/sbin/{script}"), 0o755, &content)?;
    }
    let (busybox, of_busybox) = busybox.package("busybox", "1.35.0-r0")?;

    let mut bundle = Archive::new();
    let certificates = packages::certificates(packages)?;
    bundle.file("etc/ssl/certs/ca-certificates.crt", 0o644, &certificates)?;
    let (bundle, of_bundle) = bundle.package("ca-certificates-bundle", APK_VERSION)?;

    let mut tools = Archive::new();
    tools.file("sbin/apk", 0o755, &std::fs::read(scripts.join("apk"))?)?;
    let (tools, of_tools) = tools.package("apk-tools", APK_VERSION)?;

    let mut layout = Archive::new();
    layout.file("etc/passwd", 0o644, PASSWD.as_bytes())?;
    layout.file("etc/group", 0o644, GROUP.as_bytes())?;
    layout.file("etc/shadow", 0o640, b"root:*::0:::::\n")?;
    layout.file(
        "etc/alpine-release",
        0o644,
        format!("{VERSION}\n").as_bytes(),
    )?;
    let release = format!(
        "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID={VERSION}\nPRETTY_NAME=\"Alpine Linux v3.19\"\n"
    );
    layout.file("etc/os-release", 0o644, release.as_bytes())?;
    let (layout, of_layout) = layout.package("alpine-baselayout", APK_VERSION)?;

    let mut all = Archive::new();
    for (name, mode) in FOLDERS {
        all.folder(name, *mode, 0)?;
    }
    for part in [musl, busybox, bundle, tools, layout] {
        for entry in tar::Archive::new(part.as_slice()).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            let name = name.trim_end_matches('/');
            if !FOLDERS.iter().any(|(folder, _)| *folder == name) {
                all.take(name, &mut entry)?;
            }
        }
    }
    let records = [of_layout, of_musl, of_busybox, of_bundle, of_tools].join("\n") + "\n";
    all.file("lib/apk/db/installed", 0o644, records.as_bytes())?;
    all.file(
        "etc/apk/world",
        0o644,
        b"alpine-baselayout\napk-tools\nbusybox\n",
    )?;
    all.file("etc/apk/arch", 0o644, b"x86_64\n")?;
    all.file(
        "etc/apk/repositories",
        0o644,
        format!("{repository}\n").as_bytes(),
    )?;
    all.finish()
}

const FOLDERS: &[(&str, u32)] = &[
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("etc/apk", 0o755),
    ("etc/ssl", 0o755),
    ("etc/ssl/certs", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("lib/apk", 0o755),
    ("lib/apk/db", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/local", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/sbin", 0o755),
    ("usr/share", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/tmp", 0o1777),
];

/// The C compiler of the stand-in: Debian's, with musl's headers, start files and loader.
const GCC: &[u8] = b"#!/bin/sh
exec /usr/bin/x86_64-linux-gnu-gcc-12 -specs /usr/lib/x86_64-linux-musl/musl-gcc.specs \"$@\"
";

/// Packages that the stand-in's `apk add` can install.
pub(crate) const NAMES: [&str; 9] = [
    "ca-certificates",
    "tzdata",
    "curl",
    "wget",
    "git",
    "gcc",
    "musl-dev",
    "go",
    "upx",
];

/// Writes one package of the repository.
pub(crate) fn publish(
    name: &str,
    packages: &Packages,
    go_root: &Path,
    folder: &Path,
) -> Result<(), Problem> {
    let mut archive = Archive::new();
    match name {
        "ca-certificates" => {
            let certificates = packages::certificates(packages)?;
            archive.file("etc/ssl/cert.pem", 0o644, &certificates)?;
        }
        "gcc" => {
            let debs = packages.with_needs(&["gcc-12"])?;
            packages::unpack(&debs, &mut archive)?;
            archive.file("usr/bin/gcc", 0o755, GCC)?;
        }
        "musl-dev" => {
            packages::unpack(&packages.only("musl-dev")?, &mut archive)?;
            // Debian's /lib is its /usr/lib, where the compiler looks; Alpine's is not, and has such a link in musl-dev too. Without
            // it there is but libc.a: what is linked has no loader, and Go finds no library to import from.
            archive.link(
                "usr/lib/x86_64-linux-musl/libc.so",
                "/lib/x86_64-linux-musl/libc.so",
            )?;
        }
        "go" => {
            super::bases::go_tree(&mut archive, go_root, "usr/lib/go")?;
            archive.link("usr/bin/go", "../lib/go/bin/go")?;
        }
        "upx" => {
            if let Ok(debs) = packages.with_needs(&["upx-ucl"]) {
                packages::unpack(&debs, &mut archive)?;
                archive.link("usr/bin/upx", "upx-ucl")?;
            } else {
                let folder = upx::provide(packages.cache())?;
                let program = std::fs::read(folder.join("upx"))?;
                archive.file("usr/bin/upx", 0o755, &program)?;
                // It is packed by itself: it looks static, and ends with 127 where its loader is not.
                packages::unpack(&packages.with_needs(&["libc6"])?, &mut archive)?;
            }
        }
        "tzdata" => {
            packages::unpack(&packages.only("tzdata")?, &mut archive)?;
        }
        other => packages::unpack(&packages.with_needs(&[other])?, &mut archive)?,
    }
    let (content, record) = archive.package(name, APK_VERSION)?;
    std::fs::write(folder.join(format!("{name}.tar")), content)?;
    std::fs::write(folder.join(format!("{name}.db")), record)?;
    Ok(())
}
