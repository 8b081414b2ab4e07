//! What the builders are given: a base with this machine's Go toolchain, a Go service, and a directory of 10,000 files.
//! Made once and kept below the target folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::Problem;
use crate::bench::baseline::hash;
use crate::workspace;

/// Files of the directory, and how long they are together.
const FILES: usize = 10_000;
const FILE_BYTES: usize = 20_000;
/// A layer that is larger than any builder should hold in memory.
const LARGE_BYTES: usize = 1 << 30;

/// The service: without modules of others, so that no builder needs a network.
const SERVICE: &str = "\
FROM golang AS build
WORKDIR /src
COPY go.mod ./
COPY . .
RUN go build -trimpath -ldflags '-s -w' -o /app .

FROM scratch
COPY --from=build /app /app
USER 1000
EXPOSE 8080
ENTRYPOINT [\"/app\"]
";
const COPY: &str = "FROM scratch\nCOPY . /srv\n";

/// Where everything is.
pub(crate) struct Input {
    /// An OCI layout.
    pub(crate) base: PathBuf,
    /// Of its manifest.
    pub(crate) base_digest: String,
    pub(crate) service: PathBuf,
    pub(crate) many: PathBuf,
    pub(crate) large: PathBuf,
}

/// Makes what is not there yet. `service` is copied anew: its sources are changed while we measure.
pub(crate) fn provide(folder: &Path, service: &Path) -> Result<Input, Problem> {
    let input = Input {
        base: folder.join("base"),
        base_digest: String::new(),
        service: folder.join("service"),
        many: folder.join("many"),
        large: folder.join("large"),
    };
    let complete = folder.join("complete");
    if !complete.exists() {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        println!("making a base with Go and 10,000 files");
        std::fs::create_dir_all(folder)?;
        base(&input.base)?;
        many(&input.many)?;
        large(&input.large)?;
        std::fs::write(complete, "")?;
    }
    if input.service.exists() {
        std::fs::remove_dir_all(&input.service)?;
    }
    let copied = Command::new("cp")
        .arg("-r")
        .arg(service)
        .arg(&input.service)
        .status()?;
    if !copied.success() {
        return Err(format!("cp: {copied}").into());
    }
    std::fs::write(input.service.join("Dockerfile"), SERVICE)?;
    let index: Value = serde_json::from_slice(&std::fs::read(input.base.join("index.json"))?)?;
    let digest = index["manifests"][0]["digest"].as_str();
    let base_digest = digest.ok_or("the base has no manifest")?.to_owned();
    Ok(Input {
        base_digest,
        ..input
    })
}

/// Changes the service by a line, another one each time.
pub(crate) fn change(service: &Path, number: usize) -> Result<(), Problem> {
    let line = format!("package main\n\nfunc init() {{ println(\"line {number}\") }}\n");
    Ok(std::fs::write(service.join("one_line.go"), line)?)
}

/// busybox and the machine's own Go, as an image of one gzip layer.
fn base(layout: &Path) -> Result<(), Problem> {
    let go = workspace::find_program("go").ok_or("no go on the PATH")?;
    let output = Command::new(go).args(["env", "GOROOT"]).output()?;
    let root = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let busybox = workspace::find_program("busybox").ok_or("no busybox on the PATH")?;
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let plain = blobs.join("plain");
    let mut archive = tar::Builder::new(std::fs::File::create(&plain)?);
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    let mut folder = |path: &str, mode| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        archive.append_data(&mut header, path, std::io::empty())
    };
    for path in ["bin", "etc", "root", "usr", "usr/local", "usr/local/go"] {
        folder(path, 0o755)?;
    }
    folder("tmp", 0o1777)?;
    archive.append_path_with_name(busybox, "bin/busybox")?;
    for applet in ["sh", "cp", "ls", "cat", "rm", "mkdir", "true"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_mode(0o777);
        header.set_size(0);
        archive.append_link(&mut header, format!("bin/{applet}"), "busybox")?;
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\n";
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(passwd.len() as u64);
    archive.append_data(&mut header, "etc/passwd", &passwd[..])?;
    for part in [
        "bin",
        "src",
        "pkg/include",
        "pkg/tool",
        "lib",
        "go.env",
        "VERSION",
    ] {
        let (from, to) = (root.join(part), Path::new("usr/local/go").join(part));
        match from.is_dir() {
            true => archive.append_dir_all(to, from)?,
            false if from.exists() => archive.append_path_with_name(from, to)?,
            false => {}
        }
    }
    archive.finish()?;
    drop(archive);
    let diff_id = hash(&mut std::fs::File::open(&plain)?)?;
    let packed = blobs.join("packed");
    let mut encoder = GzEncoder::new(std::fs::File::create(&packed)?, Compression::default());
    std::io::copy(&mut std::fs::File::open(&plain)?, &mut encoder)?;
    encoder.finish()?;
    std::fs::remove_file(&plain)?;
    let digest = hash(&mut std::fs::File::open(&packed)?)?;
    let size_bytes = std::fs::metadata(&packed)?.len();
    std::fs::rename(&packed, blobs.join(&digest))?;
    let blob = |value: &Value, media_type: &str| -> Result<Value, Problem> {
        let text = value.to_string();
        let digest = hash(&mut text.as_bytes())?;
        std::fs::write(blobs.join(&digest), &text)?;
        let digest = format!("sha256:{digest}");
        Ok(json!({"mediaType": media_type, "digest": digest, "size": text.len()}))
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let path = "/usr/local/go/bin:/bin";
    let variables = [
        format!("PATH={path}"),
        "GOTOOLCHAIN=local".to_owned(),
        "GOFLAGS=-buildvcs=false".to_owned(),
        "CGO_ENABLED=0".to_owned(),
        "GOPATH=/go".to_owned(),
    ];
    let config = json!({
        "architecture": architecture, "os": "linux", "config": {"Env": variables},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]},
        "history": [{"created_by": "COPY go /usr/local/go"}],
    });
    let config = blob(&config, "application/vnd.oci.image.config.v1+json")?;
    let layer = json!({
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": format!("sha256:{digest}"), "size": size_bytes,
    });
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]});
    let mut manifest = blob(&manifest, media_type)?;
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    std::fs::write(layout.join("index.json"), index.to_string())?;
    std::fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(())
}

/// 200 MB that a packer makes a third of, as it does of what projects consist of: the machine's Go sources in pieces, and
/// bytes that no packer makes less of.
fn many(folder: &Path) -> Result<(), Problem> {
    let mut text = Vec::new();
    sources(&goroot()?.join("src"), &mut text, 40_000_000)?;
    if text.len() < FILE_BYTES {
        return Err("the Go toolchain has no sources".into());
    }
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for number in 0..FILES {
        let below = folder.join(format!("{:02}", number % 100));
        std::fs::create_dir_all(&below)?;
        let mut file = std::fs::File::create(below.join(format!("{number:05}.dat")))?;
        let hard = FILE_BYTES * 9 / 50;
        let start = noise.next() as usize % (text.len() - FILE_BYTES);
        file.write_all(&text[start..start + FILE_BYTES - hard])?;
        let bytes: Vec<u8> = (0..hard).map(|_| noise.next() as u8).collect();
        file.write_all(&bytes)?;
    }
    Ok(std::fs::write(folder.join("Dockerfile"), COPY)?)
}

fn large(folder: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(folder)?;
    let mut noise = Noise(7);
    let block: Vec<u8> = (0..1 << 20)
        .map(|at| if at % 4 == 0 { noise.next() as u8 } else { 0 })
        .collect();
    let mut file = std::fs::File::create(folder.join("large.dat"))?;
    for _ in 0..LARGE_BYTES / block.len() {
        file.write_all(&block)?;
    }
    Ok(std::fs::write(folder.join("Dockerfile"), COPY)?)
}

fn goroot() -> Result<PathBuf, Problem> {
    let output = Command::new("go").args(["env", "GOROOT"]).output()?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn sources(folder: &Path, text: &mut Vec<u8>, most: usize) -> Result<(), Problem> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if text.len() >= most {
            break;
        }
        if entry.file_type()?.is_dir() {
            sources(&path, text, most)?;
        } else if path.extension().is_some_and(|end| end == "go") {
            text.extend(std::fs::read(path)?);
        }
    }
    Ok(())
}

/// xorshift64*: the same bytes on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}
