//! OCI image layouts, read and written just as far as the judge needs them: plain, gzip and zstd layers.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tree::Tree;
use crate::Problem;
use crate::bench::baseline::hash;

/// The one image of a layout.
pub(crate) struct Layout {
    folder: PathBuf,
    manifest: Value,
    pub(crate) config: Value,
}

impl Layout {
    /// Reads the image of an index, or of the one within, that is no attestation.
    pub(crate) fn read(folder: &Path) -> Result<Self, Problem> {
        let text = std::fs::read(folder.join("index.json"))
            .map_err(|error| format!("{}: {error}", folder.join("index.json").display()))?;
        let mut document: Value = serde_json::from_slice(&text)?;
        for _ in 0..3 {
            let Some(manifests) = document["manifests"].as_array() else {
                break;
            };
            let image = manifests
                .iter()
                .find(|one| one["platform"]["os"] != "unknown")
                .ok_or("an index without an image")?;
            document = serde_json::from_slice(&std::fs::read(blob(folder, image)?)?)?;
        }
        let config = std::fs::read(blob(folder, &document["config"])?)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            config: serde_json::from_slice(&config)?,
            manifest: document,
        })
    }

    pub(crate) fn diff_ids(&self) -> Result<Vec<String>, Problem> {
        // BuildKit writes null for an image of no layers.
        let ids = match &self.config["rootfs"]["diff_ids"] {
            Value::Null => &[],
            ids => ids.as_array().ok_or("diff_ids are a list")?.as_slice(),
        };
        Ok(ids
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect())
    }

    /// All layers laid over one another; each must be what the config says that it is.
    pub(crate) fn tree(&self) -> Result<Tree, Problem> {
        let mut tree = Tree::default();
        let layers = match &self.manifest["layers"] {
            Value::Null => &[],
            layers => layers.as_array().ok_or("layers are a list")?.as_slice(),
        };
        let diff_ids = self.diff_ids()?;
        if layers.len() != diff_ids.len() {
            return Err(format!("{} layers, {} diff_ids", layers.len(), diff_ids.len()).into());
        }
        for (layer, diff_id) in layers.iter().zip(diff_ids) {
            let bytes = unpacked(
                &blob(&self.folder, layer)?,
                layer["mediaType"].as_str().unwrap_or_default(),
            )?;
            let found = format!("sha256:{}", hash(&mut bytes.as_slice())?);
            if found != diff_id {
                return Err(format!("a layer is {found}, the config says {diff_id}").into());
            }
            tree.lay(bytes.as_slice())?;
        }
        Ok(tree)
    }
}

fn blob(folder: &Path, descriptor: &Value) -> Result<PathBuf, Problem> {
    let digest = descriptor["digest"]
        .as_str()
        .ok_or("a descriptor without digest")?;
    Ok(folder.join("blobs").join(digest.replace(':', "/")))
}

fn unpacked(path: &Path, media_type: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    match media_type.rsplit_once('+').map(|(_, packing)| packing) {
        Some("gzip") => {
            flate2::read::MultiGzDecoder::new(File::open(path)?).read_to_end(&mut bytes)?;
        }
        Some("zstd") => {
            let output = Command::new("zstd")
                .args(["--decompress", "--stdout", "--quiet"])
                .stdin(Stdio::from(File::open(path)?))
                .output()?;
            if !output.status.success() {
                return Err(format!("zstd: {}", output.status).into());
            }
            bytes = output.stdout;
        }
        _ => bytes = std::fs::read(path)?,
    }
    Ok(bytes)
}

/// A layout in the making.
pub(crate) struct Writer {
    folder: PathBuf,
    layers: Vec<Value>,
    diff_ids: Vec<String>,
}

impl Writer {
    pub(crate) fn new(folder: &Path) -> Result<Self, Problem> {
        std::fs::create_dir_all(folder.join("blobs/sha256"))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            layers: Vec::new(),
            diff_ids: Vec::new(),
        })
    }

    /// Adds an uncompressed layer.
    pub(crate) fn layer(&mut self, archive: &[u8]) -> Result<(), Problem> {
        let layer = self.blob(archive, "application/vnd.oci.image.layer.v1.tar")?;
        self.diff_ids
            .push(layer["digest"].as_str().unwrap_or_default().to_owned());
        self.layers.push(layer);
        Ok(())
    }

    /// Completes the config by its layers, and answers the digest of the manifest.
    pub(crate) fn finish(self, mut config: Value) -> Result<String, Problem> {
        config["rootfs"] = json!({"type": "layers", "diff_ids": self.diff_ids});
        let config = self.blob(
            config.to_string().as_bytes(),
            "application/vnd.oci.image.config.v1+json",
        )?;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": self.layers});
        let manifest = self.blob(manifest.to_string().as_bytes(), media_type)?;
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        std::fs::write(self.folder.join("index.json"), index.to_string())?;
        std::fs::write(
            self.folder.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(manifest["digest"].as_str().unwrap_or_default().to_owned())
    }

    fn blob(&self, bytes: &[u8], media_type: &str) -> Result<Value, Problem> {
        let digest = hash(&mut &*bytes)?;
        std::fs::write(self.folder.join("blobs/sha256").join(&digest), bytes)?;
        Ok(
            json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()}),
        )
    }
}
