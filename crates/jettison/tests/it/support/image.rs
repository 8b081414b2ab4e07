//! Images written byte by byte, so that they may be wrong in every way.

use std::fs;
use std::path::{Path, PathBuf};

use jettison_image::Digest;
use jettison_image::testing::TarBlock;
use serde_json::{Value, json};

/// An image under construction: plain or packed layers and a config.
pub(crate) struct TestImage {
    /// Stored layers with their media type's suffix and diff id.
    layers: Vec<(Vec<u8>, &'static str, Digest)>,
    /// The config, but for what follows from the layers.
    pub(crate) config: Value,
    /// The config's bytes in the place of that.
    pub(crate) config_bytes: Option<Vec<u8>>,
}

impl TestImage {
    pub(crate) fn new() -> Self {
        Self {
            layers: Vec::new(),
            config: json!({"architecture": "amd64", "os": "linux", "config": {}}),
            config_bytes: None,
        }
    }

    /// Adds an unpacked layer.
    pub(crate) fn layer(mut self, tar: impl Into<Vec<u8>>) -> Self {
        let tar = tar.into();
        let digest = Digest::of(&tar);
        self.layers.push((tar, "", digest));
        self
    }

    /// Adds a gzip layer whose archive has this digest.
    pub(crate) fn gzip_layer(mut self, bytes: Vec<u8>, diff_id: Digest) -> Self {
        self.layers.push((bytes, "+gzip", diff_id));
        self
    }

    /// Adds a layer of files.
    pub(crate) fn files(self, files: &[(&str, &[u8])]) -> Self {
        let mut tar = Vec::new();
        for (name, content) in files {
            tar.extend(TarBlock::new(b'0', name, content.len() as u64).with(content));
        }
        tar.resize(tar.len() + 1024, 0);
        self.layer(tar)
    }

    fn config(&self) -> Vec<u8> {
        if let Some(bytes) = &self.config_bytes {
            return bytes.clone();
        }
        let mut config = self.config.clone();
        let diff_ids: Vec<String> = self
            .layers
            .iter()
            .map(|(_, _, id)| id.to_string())
            .collect();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        config.to_string().into_bytes()
    }

    /// The files of `docker save`'s older form.
    fn docker_files(&self) -> Vec<(String, Vec<u8>)> {
        let config = self.config();
        let name = format!("{}.json", Digest::of(&config).hex());
        let mut files = vec![(name.clone(), config)];
        let mut names = Vec::new();
        for (at, (layer, _, _)) in self.layers.iter().enumerate() {
            names.push(format!("{at}/layer.tar"));
            files.push((format!("{at}/layer.tar"), layer.clone()));
        }
        let manifest = json!([{"Config": name, "RepoTags": ["test:1"], "Layers": names}]);
        files.push((
            "manifest.json".to_owned(),
            manifest.to_string().into_bytes(),
        ));
        files
    }

    /// The files of an OCI layout.
    fn oci_files(&self) -> Vec<(String, Vec<u8>)> {
        const TYPE: &str = "application/vnd.oci.image";
        let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let config = self.config();
        let config_digest = Digest::of(&config);
        let mut files = vec![(blob(&config_digest), config.clone())];
        let mut layers = Vec::new();
        for (layer, suffix, _) in &self.layers {
            let digest = Digest::of(layer);
            layers.push(json!({"mediaType": format!("{TYPE}.layer.v1.tar{suffix}"),
                "digest": digest.to_string(), "size": layer.len()}));
            files.push((blob(&digest), layer.clone()));
        }
        let manifest = json!({"schemaVersion": 2, "mediaType": format!("{TYPE}.manifest.v1+json"),
            "config": {"mediaType": format!("{TYPE}.config.v1+json"), "digest": config_digest.to_string(), "size": config.len()},
            "layers": layers});
        let manifest = manifest.to_string().into_bytes();
        let digest = Digest::of(&manifest);
        let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": format!("{TYPE}.manifest.v1+json"),
            "digest": digest.to_string(), "size": manifest.len()}]});
        files.push((blob(&digest), manifest));
        files.push(("index.json".to_owned(), index.to_string().into_bytes()));
        files.push((
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
        ));
        files
    }

    /// Writes all three forms and names them: docker-archive, oci-archive, oci.
    pub(crate) fn write(&self, folder: &Path) -> [String; 3] {
        fs::create_dir_all(folder).unwrap();
        let docker = folder.join("docker.tar");
        fs::write(&docker, archive(&self.docker_files())).unwrap();
        let oci = folder.join("oci.tar");
        fs::write(&oci, archive(&self.oci_files())).unwrap();
        [
            format!("docker-archive:{}", docker.display()),
            format!("oci-archive:{}", oci.display()),
            format!("oci:{}", self.write_layout(folder).display()),
        ]
    }

    /// Writes an OCI layout.
    pub(crate) fn write_layout(&self, folder: &Path) -> PathBuf {
        let layout = folder.join("layout");
        for (name, content) in self.oci_files() {
            let path = layout.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        layout
    }
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in files {
        tar.extend(TarBlock::new(b'0', name, content.len() as u64).with(content));
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}
