//! Steps on the move: what a fresh store takes from a cache, and what it
//! refuses.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jettison_image::Digest;
use serde_json::{Value, json};

use crate::support::{Bench, document, have, until};

const STAGES: &str = "\
FROM base AS build
WORKDIR /work
COPY text .
RUN tr a-z A-Z < text > /out && date >> /when
FROM base
COPY --from=build /out /
RUN true
RUN cat /out > /copy
CMD cat /copy
";

fn bench() -> Option<Bench> {
    let bench = Bench::root()?;
    bench.file("text", "text\n");
    bench.dockerfile(STAGES);
    Some(bench)
}

/// Builds with a store of its own.
#[track_caller]
fn build(bench: &Bench, store: &str, arguments: &[&str]) -> Value {
    document(
        bench
            .command(&["--no-slim", "--format", "json"])
            .args(arguments)
            .env("JETTISON_STORE", bench.path(store)),
    )
}

/// The steps of a build that were done, by stage.
fn done(document: &Value) -> Vec<u64> {
    let stages = document["stages"].as_array().unwrap().iter();
    let number = |stage: &Value, field: &str| stage[field].as_u64().unwrap();
    stages
        .map(|stage| number(stage, "steps") - number(stage, "cached"))
        .collect()
}

fn warnings(document: &Value) -> String {
    document["warnings"].to_string()
}

#[test]
fn a_fresh_store_runs_nothing() {
    let Some(bench) = bench() else { return };
    let first = build(&bench, "one", &["--cache-to", "type=local,dest=cache"]);
    assert_eq!(done(&first), [3, 3]);
    let second = build(&bench, "two", &["--cache-from", "type=local,src=cache"]);
    assert_eq!(done(&second), [0, 0], "{second}");
    assert_eq!(first["manifest"], second["manifest"]);
    assert_eq!(warnings(&second), "[]");
    // What was taken is the store's own from then on.
    fs::rename(bench.path("cache"), bench.path("gone")).unwrap();
    let third = build(&bench, "two", &["--cache-from", "type=local,src=cache"]);
    assert_eq!(done(&third), [0, 0]);
    assert!(warnings(&third).contains("cannot be had"), "{third}");
    // The same steps make the same cache, whoever had them from whom.
    build(&bench, "two", &["--cache-to", "type=local,dest=cache"]);
    let index = |name: &str| fs::read(bench.path(name).join("index.json")).unwrap();
    assert_eq!(index("cache"), index("gone"));
    bench.file("text", "other\n");
    let changed = build(&bench, "three", &["--cache-from", "type=local,src=cache"]);
    assert_eq!(done(&changed), [2, 3], "WORKDIR stays: {changed}");
    let anew = build(
        &bench,
        "one",
        &["--cache-from", "type=local,src=cache", "--no-cache"],
    );
    assert_eq!(done(&anew), [3, 3]);
}

#[test]
fn the_small_cache_has_what_is_in_the_image() {
    let Some(bench) = bench() else { return };
    let to = "type=local,dest=cache,mode=min,compression=zstd";
    build(&bench, "one", &["--cache-to", to]);
    let small = build(&bench, "two", &["--cache-from", "type=local,src=cache"]);
    assert_eq!(done(&small), [3, 0], "{small}");
}

#[test]
fn what_lies_is_not_believed() {
    let Some(bench) = bench() else { return };
    let first = build(&bench, "one", &["--cache-to", "type=local,dest=cache"]);
    let cache = bench.path("cache");
    let from = ["--cache-from", "type=local,src=cache"];
    // Layers of the right length with other bytes.
    let manifest = manifest(&cache);
    for layer in manifest["layers"].as_array().unwrap() {
        let path = blob(&cache, layer["digest"].as_str().unwrap());
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        fs::write(&path, bytes).unwrap();
    }
    let second = build(&bench, "two", &from);
    assert_eq!(first["manifest"], second["manifest"]);
    assert!(
        warnings(&second).contains("a layer is not taken"),
        "{second}"
    );
    assert_eq!(done(&second), [3, 2], "RUN true has no layer: {second}");
    // Layers that are what their digests say, under each other's names.
    fs::remove_dir_all(&cache).unwrap();
    build(&bench, "one", &["--cache-to", "type=local,dest=cache"]);
    exchange(&cache);
    let third = build(&bench, "three", &from);
    assert_eq!(first["manifest"], third["manifest"]);
    assert!(warnings(&third).contains("a layer is not taken"), "{third}");
    // An image, and what is nothing at all.
    let image = format!("type=oci,tar=false,dest={}", bench.path("image").display());
    build(&bench, "one", &["-o", &image]);
    fs::create_dir(bench.path("nothing")).unwrap();
    for (place, words) in [("image", "--cache-from"), ("nothing", "cannot be had")] {
        let from = format!("type=local,src={place}");
        let built = build(&bench, &format!("store-{place}"), &["--cache-from", &from]);
        assert_eq!(done(&built), [3, 3], "{place}");
        assert!(warnings(&built).contains(words), "{built}");
    }
    bench
        .build(&["--no-slim", "--cache-to", "type=gha"])
        .says(2, &["type=registry,ref=", "--engine buildkit"]);
    bench
        .build(&["--no-slim", "--cache-to", "type=registry,ref=127.0.0.1:9/c"])
        .says(2, &["does not take the steps", "ignore-error=true"]);
}

#[test]
fn a_registry_keeps_steps() {
    let Some(bench) = bench() else { return };
    let Some(registry) = Registry::start(&bench) else {
        return;
    };
    let place = format!("127.0.0.1:{}/cache:steps", registry.port);
    let to = format!("type=registry,ref={place},compression=zstd");
    let first = build(&bench, "one", &["--cache-to", &to]);
    let second = build(&bench, "two", &["--cache-from", &place]);
    assert_eq!(done(&second), [0, 0], "{second}");
    assert_eq!(first["manifest"], second["manifest"]);
}

fn blob(layout: &Path, digest: &str) -> PathBuf {
    layout
        .join("blobs/sha256")
        .join(digest.strip_prefix("sha256:").unwrap())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn manifest(layout: &Path) -> Value {
    let index = read(&layout.join("index.json"));
    read(&blob(
        layout,
        index["manifests"][0]["digest"].as_str().unwrap(),
    ))
}

/// Gives the first two layers each other's diff ids, all digests being right.
fn exchange(layout: &Path) {
    let put = |value: &Value| {
        let bytes = serde_json::to_vec(value).unwrap();
        let digest = Digest::of(&bytes).to_string();
        fs::write(blob(layout, &digest), &bytes).unwrap();
        (json!(digest), json!(bytes.len()))
    };
    let mut manifest = manifest(layout);
    let mut config = read(&blob(
        layout,
        manifest["config"]["digest"].as_str().unwrap(),
    ));
    config["rootfs"]["diff_ids"]
        .as_array_mut()
        .unwrap()
        .reverse();
    (manifest["config"]["digest"], manifest["config"]["size"]) = put(&config);
    let mut index = read(&layout.join("index.json"));
    let entry = &mut index["manifests"][0];
    (entry["digest"], entry["size"]) = put(&manifest);
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
}

struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(bench: &Bench) -> Option<Self> {
        if !have("docker-registry") {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            bench.path("registry").display()
        );
        fs::write(bench.path("registry.yml"), config).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(bench.path("registry.yml"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let registry = Self {
            child: command.spawn().unwrap(),
            port,
        };
        until("the registry answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
