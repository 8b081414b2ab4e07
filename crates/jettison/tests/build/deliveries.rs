//! Where results go, what stays the same between builds, and what does not.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Bench, have, output, provided, ran};

/// Names a zone and a file of the base, so that all of its parts come along.
const SERVICE: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		zone, err := time.LoadLocation(r.URL.Query().Get("zone"))
		text, _ := os.ReadFile("/etc/os-release")
		_, _ = http.Get("https://127.0.0.1:1/")
		fmt.Fprintln(w, "answer 1", zone, err, len(text))
	})
	http.ListenAndServe(":8000", nil)
}
"#;

fn layers(document: &Value) -> Vec<String> {
    let layers = document["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| layer["digest"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn well_known_bases_that_lie_at_hand_are_explained() {
    if !have("go") {
        return;
    }
    let bench = Bench::go(SERVICE);
    let named = |document: &Value| -> Vec<Value> {
        let options = document["base_options"].as_array().unwrap().iter();
        options
            .filter(|option| option["name"] == "alpine")
            .cloned()
            .collect()
    };
    let before = bench.document(["--explain"]);
    assert_eq!(named(&before), [Value::Null; 0]);
    // A stand-in: the program itself.
    bench.build(["-t", "alpine", "--no-load"]).says(0, &[]);
    let after = bench.document(["--explain"]);
    let [row] = &named(&after)[..] else {
        panic!("{after}")
    };
    assert!(row["unpacked_bytes"].as_u64().unwrap() > 1_000_000, "{row}");
    assert_eq!(
        (&row["shell"], &row["chosen"]),
        (&false.into(), &false.into())
    );
}

#[test]
fn every_destination_is_read_by_skopeo() {
    if !have("go") || !have("skopeo") {
        return;
    }
    let bench = Bench::go(SERVICE);
    let at = |name: &str| bench.path(name).display().to_string();
    let destinations = [
        format!("oci:{}:1.0", at("layout")),
        format!("oci-archive:{}", at("oci.tar")),
        format!("docker-archive:{}:app:1.0", at("docker.tar")),
    ];
    let outputs = destinations.iter().flat_map(|place| ["-o", place.as_str()]);
    let evidence = at("evidence.json");
    let document = bench.document(outputs.chain(["--evidence", &evidence, "--explain"]));
    for place in &destinations {
        let read: Value = serde_json::from_str(&output("skopeo", &["inspect", place])).unwrap();
        assert_eq!(
            read["Architecture"],
            document["platform"].as_str().unwrap()[6..],
            "{place}"
        );
        if !place.starts_with("docker-archive:") {
            assert_eq!(read["Digest"], document["manifest"], "{place}");
        }
        let config = output("skopeo", &["inspect", "--config", place]);
        let config: Value = serde_json::from_str(&config).unwrap();
        let diff_ids: Vec<&Value> = document["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| &l["diff_id"])
            .collect();
        assert_eq!(
            config["rootfs"]["diff_ids"]
                .as_array()
                .unwrap()
                .iter()
                .collect::<Vec<_>>(),
            diff_ids
        );
    }
    // The sums are the rows', and on the wire is what a registry stores.
    let sizes = &document["sizes"];
    for column in ["unpacked_bytes", "wire_bytes"] {
        let rows = sizes["rows"].as_array().unwrap().iter();
        let sum: u64 = rows.map(|row| row[column].as_u64().unwrap()).sum();
        assert_eq!(sizes[column].as_u64(), Some(sum), "{column}");
    }
    let blobs = fs::read_dir(bench.path("layout/blobs/sha256")).unwrap();
    let stored: u64 = blobs
        .map(|blob| blob.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(sizes["wire_bytes"].as_u64(), Some(stored));
    assert!(document["base_options"].as_array().unwrap().len() > 1);
    let evidence: Value = serde_json::from_slice(&fs::read(evidence).unwrap()).unwrap();
    assert_eq!(evidence, document["evidence"]);
    assert_eq!(evidence["verdict"], "whole");
}

#[test]
fn one_commit_one_digest() {
    if !have("go") {
        return;
    }
    let build = |umask: &str, home: &str, files: &[(&str, &str)]| {
        let bench = Bench::go(SERVICE);
        for (name, content) in files {
            bench.write(name, content);
        }
        let home = bench.path(home);
        fs::create_dir(&home).unwrap();
        let run = bench.command();
        let mut command = std::process::Command::new("sh");
        command
            .args([
                "-c",
                &format!("umask {umask}; exec \"$0\" \"$@\" --format json --include data"),
            ])
            .arg(run.get_program())
            .args(run.get_args())
            .current_dir(bench.project())
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .env("JETTISON_STORE", bench.path("store"))
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("GOPATH", output("go", &["env", "GOPATH"]).trim())
            .env("GOCACHE", output("go", &["env", "GOCACHE"]).trim())
            .env("HOME", home);
        let ran = ran(&mut command);
        assert_eq!(ran.code, Some(0), "{}", ran.text());
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    let one = build("022", "a", &[("data/b", "1"), ("data/a", "2")]);
    std::thread::sleep(Duration::from_millis(1100));
    let two = build("077", "another", &[("data/a", "2"), ("data/b", "1")]);
    assert_eq!(layers(&one), layers(&two));
    assert_eq!(one["manifest"], two["manifest"]);
}

#[test]
fn a_lock_gives_the_base_again() {
    if !have("go") {
        return;
    }
    let bench = Bench::go(SERVICE);
    let lock = bench.path("base.lock").display().to_string();
    let one = bench.document(["--lock", &lock]);
    let text = fs::read_to_string(&lock).unwrap();
    assert!(
        text.contains("ca-certificates") && text.contains("tzdata"),
        "{text}"
    );
    // Another store: the versions come from the lock alone.
    fs::rename(bench.path("store"), bench.path("first")).unwrap();
    let two = bench.document(["--lock", &lock]);
    assert_eq!(one["manifest"], two["manifest"]);
    assert_eq!(one["packages"], two["packages"]);
    assert_eq!(fs::read_to_string(&lock).unwrap(), text);
}

#[test]
fn a_changed_line_pushes_one_layer() {
    if !have("go") {
        return;
    }
    let Some(registry) = provided("JETTISON_TEST_REGISTRY") else {
        return;
    };
    let bench = Bench::go(SERVICE);
    let name = format!("{registry}/jettison-build/{}", std::process::id());
    let (one_tag, latest) = (format!("{name}:1"), format!("{name}:latest"));
    let one = bench.document(["-t", &one_tag, "-t", &latest, "--push", "--no-load"]);
    for tag in [&one_tag, &latest] {
        let place = format!("docker://{tag}");
        let read = output("skopeo", &["inspect", "--tls-verify=false", &place]);
        let read: Value = serde_json::from_str(&read).unwrap();
        assert_eq!(read["Digest"], one["manifest"]);
    }
    bench.write("main.go", &SERVICE.replace("answer 1", "answer 2"));
    let two = bench.document(["-t", &one_tag, "--push", "--no-load"]);
    let (before, after) = (layers(&one), layers(&two));
    assert_eq!(before.len(), after.len());
    assert_eq!(before[..before.len() - 1], after[..after.len() - 1]);
    assert_ne!(before.last(), after.last());
    let distinct: BTreeSet<_> = before.iter().chain(&after).collect();
    assert_eq!(distinct.len(), before.len() + 1);
    let program = two["layers"].as_array().unwrap().last().unwrap()["wire_bytes"]
        .as_u64()
        .unwrap();
    let pushed = two["delivered"].as_array().unwrap().last().unwrap();
    let moved = pushed["moved_bytes"].as_u64().unwrap();
    // The layer, the config and the manifest.
    assert!((program..program + 16_000).contains(&moved), "{pushed}");
}

#[test]
fn a_build_that_was_killed_leaves_nothing() {
    if !have("go") {
        return;
    }
    let body = "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Minute) }\n";
    let bench = Bench::go(body);
    let mounts = || fs::read_to_string("/proc/self/mounts").unwrap();
    for wait in [300, 1500, 3500] {
        let mut command = bench.command();
        command
            .args(["--probe", "start"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.process_group(0).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let store = bench.path("store").display().to_string();
    assert!(!mounts().contains(&store), "{}", mounts());
    let program = format!("{}\0", "/app");
    let begin = Instant::now();
    while processes().contains(&program) {
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "the program outlives the build"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    bench.write("main.go", "package main\n\nfunc main() {}\n");
    bench.build([""; 0]).says(0, &["whole"]);
}

/// The command line of every process.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(entry.ok()?.path().join("cmdline")).ok()
    };
    entries.filter_map(read).collect()
}
