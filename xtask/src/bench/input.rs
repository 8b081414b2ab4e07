//! A large image to inspect, made from this machine's `/usr` by `tar`: eight layers, 1.2 GB, once as a docker-archive with plain
//! layers and once as an OCI layout with gzip layers. Made once and kept below the target folder.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::baseline::hash;
use crate::Problem;

const LAYERS: u64 = 8;
const TOTAL_BYTES: u64 = 1_200_000_000;

/// The two forms of the image.
pub(crate) struct Input {
    pub(crate) docker_archive: PathBuf,
    pub(crate) oci_layout: PathBuf,
}

/// A layer in both forms.
struct Layer {
    file: PathBuf,
    diff_id: String,
    digest: String,
    size_bytes: u64,
}

/// Answers the image, made before or now.
pub(crate) fn provide(folder: &Path) -> Result<Input, Problem> {
    let folder = folder.join("input");
    let input = Input {
        docker_archive: folder.join("image.tar"),
        oci_layout: folder.join("layout"),
    };
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(input);
    }
    println!("making an image of 1.2 GB from /usr");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let blobs = input.oci_layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let archive = folder.join("archive");
    std::fs::create_dir_all(&archive)?;
    let mut layers = Vec::new();
    for (number, paths) in shares(Path::new("/usr"))?.into_iter().enumerate() {
        let file = archive.join(format!("layer-{number}.tar"));
        tar_paths(&file, &paths)?;
        let diff_id = hash(&mut File::open(&file)?)?;
        let compressed = blobs.join("new");
        let mut encoder = GzEncoder::new(File::create(&compressed)?, Compression::default());
        std::io::copy(&mut File::open(&file)?, &mut encoder)?;
        encoder.finish()?;
        let digest = hash(&mut File::open(&compressed)?)?;
        let size_bytes = std::fs::metadata(&compressed)?.len();
        std::fs::rename(&compressed, blobs.join(&digest))?;
        layers.push(Layer {
            file,
            diff_id,
            digest,
            size_bytes,
        });
    }
    write_layout(&input.oci_layout, &layers)?;
    write_archive(&archive, &input.docker_archive, &layers)?;
    std::fs::remove_dir_all(&archive)?;
    std::fs::write(complete, "")?;
    Ok(input)
}

/// Paths in their order until there are enough bytes, in as many shares as there are layers.
fn shares(top: &Path) -> Result<Vec<Vec<PathBuf>>, Problem> {
    let mut shares = vec![Vec::new()];
    let mut bytes = 0;
    walk(top, &mut |path, size_bytes| {
        if bytes >= TOTAL_BYTES {
            return false;
        }
        bytes += size_bytes;
        let share = usize::try_from(bytes * LAYERS / TOTAL_BYTES).unwrap_or(usize::MAX);
        if share >= shares.len() && shares.len() < LAYERS as usize {
            shares.push(Vec::new());
        }
        if let Some(share) = shares.last_mut() {
            share.push(path);
        }
        true
    })?;
    Ok(shares)
}

fn walk(folder: &Path, take: &mut impl FnMut(PathBuf, u64) -> bool) -> Result<bool, Problem> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let metadata = entry.metadata()?;
        let size_bytes = if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        if !take(entry.path(), size_bytes) || (metadata.is_dir() && !walk(&entry.path(), take)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn tar_paths(file: &Path, paths: &[PathBuf]) -> Result<(), Problem> {
    let mut list = tempfile::NamedTempFile::new()?;
    for path in paths {
        list.write_all(
            path.strip_prefix("/")
                .unwrap_or(path)
                .as_os_str()
                .as_bytes(),
        )?;
        list.write_all(b"\0")?;
    }
    list.flush()?;
    let status = Command::new("tar")
        .args([
            "--create",
            "--numeric-owner",
            "--no-recursion",
            "--directory=/",
            "--null",
            "--file",
        ])
        .arg(file)
        .arg("--files-from")
        .arg(list.path())
        .status()?;
    if !status.success() {
        return Err(format!("tar: {status}").into());
    }
    Ok(())
}

fn config(layers: &[Layer]) -> Value {
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| format!("sha256:{}", layer.diff_id))
        .collect();
    let history: Vec<Value> = (0..layers.len())
        .map(|number| json!({"created_by": format!("COPY part {number}")}))
        .collect();
    json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/usr/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
    })
}

fn write_layout(folder: &Path, layers: &[Layer]) -> Result<(), Problem> {
    let write_blob = |value: &Value, media_type: &str| -> Result<Value, Problem> {
        let text = value.to_string();
        let digest = hash(&mut text.as_bytes())?;
        std::fs::write(folder.join("blobs/sha256").join(&digest), &text)?;
        Ok(
            json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": text.len()}),
        )
    };
    let config = write_blob(&config(layers), "application/vnd.oci.image.config.v1+json")?;
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": format!("sha256:{}", layer.digest), "size": layer.size_bytes,
            })
        })
        .collect();
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
    let manifest = write_blob(&manifest, media_type)?;
    std::fs::write(
        folder.join("index.json"),
        json!({"schemaVersion": 2, "manifests": [manifest]}).to_string(),
    )?;
    std::fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    Ok(())
}

fn write_archive(folder: &Path, archive: &Path, layers: &[Layer]) -> Result<(), Problem> {
    let config = config(layers).to_string();
    let config_name = format!("{}.json", hash(&mut config.as_bytes())?);
    std::fs::write(folder.join(&config_name), config)?;
    let names: Vec<String> = layers
        .iter()
        .filter_map(|layer| Some(layer.file.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let manifest = json!([{"Config": config_name, "RepoTags": ["bench:latest"], "Layers": names}]);
    std::fs::write(folder.join("manifest.json"), manifest.to_string())?;
    let status = Command::new("tar")
        .arg("--create")
        .arg("--directory")
        .arg(folder)
        .arg("--file")
        .arg(archive)
        .args(&names)
        .args([config_name.as_str(), "manifest.json"])
        .status()?;
    if !status.success() {
        return Err(format!("tar: {status}").into());
    }
    Ok(())
}
