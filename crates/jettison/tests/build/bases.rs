//! A program that is not static, on an image that has what it asks for: a
//! stand-in for a distribution's, made of this machine's own loader and libc.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Bench, have, output, ran};

const MAIN: &str = r#"package main

// #include <gnu/libc-version.h>
import "C"

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	name, err := os.ReadFile("/etc/base")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "libc ", C.GoString(C.gnu_get_libc_version()), " on ", string(name))
	})
	log.Fatal(http.ListenAndServe(":8000", nil))
}
"#;

/// Loader and libraries of a program, as `ldd` finds them.
fn libraries(program: &Path) -> Vec<String> {
    let found = output("ldd", &[program.to_str().unwrap()]);
    let words = found.split_whitespace();
    words
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// An image with these files of this machine and `/etc/base`, as a layout.
fn base(bench: &Bench, name: &str, files: &[String]) -> String {
    let root = bench.path(&format!("{name}-root"));
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/base"), format!("the {name} base\n")).unwrap();
    for file in files {
        let place = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
    let layer = bench.path(&format!("{name}-layer.tar"));
    output(
        "tar",
        &[
            "--owner=0",
            "--group=0",
            "-C",
            root.to_str().unwrap(),
            "-cf",
            layer.to_str().unwrap(),
            ".",
        ],
    );
    let diff_id = output("sha256sum", &[layer.to_str().unwrap()]);
    let diff_id = diff_id.split(' ').next().unwrap();
    let folder = bench.path(&format!("{name}-archive"));
    fs::create_dir(&folder).unwrap();
    fs::rename(&layer, folder.join("layer.tar")).unwrap();
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let config = serde_json::json!({"os": "linux", "architecture": architecture,
        "config": {"Env": ["PATH=/usr/bin"], "Labels": {"base": name}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let manifest = r#"[{"Config":"config.json","RepoTags":["base:1"],"Layers":["layer.tar"]}]"#;
    fs::write(folder.join("manifest.json"), manifest).unwrap();
    let archive = bench.path(&format!("{name}.tar"));
    let folder = folder.to_str().unwrap();
    let names = ["manifest.json", "config.json", "layer.tar"];
    let tar = ["-C", folder, "-cf", archive.to_str().unwrap()];
    output("tar", &[&tar[..], &names].concat());
    format!("docker-archive:{}", archive.display())
}

#[test]
fn a_dynamic_program_runs_on_a_base_that_has_its_libraries() {
    if !have("go") || !have("gcc") || !have("ldd") {
        return;
    }
    let bench = Bench::go(MAIN);
    // What a plain dynamic build asks for; Go itself makes the oracle.
    let oracle = bench.path("oracle");
    let made = Command::new("go")
        .args(["build", "-o", oracle.to_str().unwrap(), "."])
        .env("CGO_ENABLED", "1")
        .current_dir(bench.project())
        .output()
        .unwrap();
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        println!("skipped: no C compiler that Go can use: {said}");
        return;
    }
    let needed = libraries(&oracle);
    assert!(needed.len() >= 2, "{needed:?}");
    bench.write("jettison.toml", "[build]\ncgo = \"dynamic\"\n");

    // Nothing composed has libraries.
    bench
        .build([""; 0])
        .says(2, &["is dynamic", "libc.so.6", "--base IMAGE"]);
    let whole = base(&bench, "whole", &needed);
    let document = bench.document(["--base", &whole, "--probe", "/", "-t", "app:1"]);
    assert_eq!(document["evidence"]["verdict"], "whole", "{document}");
    let answer = document["evidence"]["observations"].to_string();
    assert!(answer.contains("on the whole base"), "{answer}");
    // The base's layer is below ours, and its settings stay.
    assert_eq!(document["layers"].as_array().unwrap().len(), 2);
    let archive = bench.path("out.tar").display().to_string();
    let to = format!("docker-archive:{archive}:app:1");
    ran(bench.jettison().args(["copy", "app:1", &to])).says(0, &[]);
    let manifest = output("tar", &["-xOf", &archive, "manifest.json"]);
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let config = manifest[0]["Config"].as_str().unwrap();
    let config = output("tar", &["-xOf", &archive, config]);
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["config"]["Labels"]["base"], "whole");

    // A base without them: found out, and said why.
    let bare = base(&bench, "bare", &[]);
    let refused = bench.build(["--base", &bare, "--probe", "/"]);
    refused.says(1, &["the loader it names", "nothing was delivered"]);
    let (libc, others): (Vec<String>, Vec<String>) = needed
        .into_iter()
        .partition(|file| file.contains("libc.so"));
    assert_eq!(libc.len(), 1);
    let half = base(&bench, "half", &others);
    let refused = bench.build(["--base", &half, "--probe", "/"]);
    refused.says(1, &["libc.so.6", "nothing was delivered"]);
}

#[test]
fn a_packed_program_is_smaller_and_runs() {
    if !have("go") || !have("upx") {
        return;
    }
    let bench = Bench::example("hello-go");
    let plain = bench.document([""; 0]);
    let mut command = bench.command();
    let packed = ran(command.args(["--upx", "-t", "packed:1"]));
    packed.says(
        0,
        &["whole", "upx: unpacked", "upx: on the wire", "upx: start"],
    );
    let packed = bench.document(["--upx"]);
    let unpacked =
        |document: &serde_json::Value| document["sizes"]["unpacked_bytes"].as_u64().unwrap();
    assert!(
        unpacked(&packed) < unpacked(&plain) / 2,
        "{} is not half of {}",
        unpacked(&packed),
        unpacked(&plain)
    );
    // The same input, the same image.
    let again = bench.document(["--upx"]);
    assert_eq!(packed["manifest"], again["manifest"]);
    let said = ran(bench.jettison().args(["run", "-q", "packed:1"]));
    assert_eq!(said.stdout, "Hello, world!\n", "{}", said.text());
}

/// A stand-in for Alpine: its records, a shell without a libc, and its users.
#[test]
fn a_static_program_on_alpine() {
    if !have("go") || !have("busybox") {
        return;
    }
    let bench = Bench::go(
        "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() {\n\
         \ttext, _ := os.ReadFile(\"/etc/os-release\")\n\tfmt.Print(string(text))\n}\n",
    );
    let files = bench.path("alpine");
    fs::create_dir_all(files.join("apk")).unwrap();
    let shell = output("sh", &["-c", "command -v busybox"]);
    fs::copy(shell.trim(), files.join("busybox")).unwrap();
    let records = "P:busybox\nV:1.36.1-r29\nA:x86_64\nF:bin\nR:busybox\n\n";
    for (name, content) in [
        ("apk/installed", records),
        ("os-release", "ID=alpine\nVERSION_ID=3.20.1\n"),
        (
            "passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/sbin/nologin\n",
        ),
        (
            "Dockerfile",
            "FROM scratch\nCOPY --chmod=755 busybox /bin/busybox\nCOPY apk /lib/apk/db\n\
             COPY os-release passwd /etc/\nRUN [\"/bin/busybox\", \"ln\", \"-s\", \"busybox\", \"/bin/sh\"]\n",
        ),
    ] {
        fs::write(files.join(name), content).unwrap();
    }
    let mut base = bench.jettison();
    base.args(["build", "alpine", "--no-slim", "-t", "alpine:3.20"]);
    ran(&mut base).says(0, &[]);
    let made = bench.document(["--base", "alpine:3.20", "-t", "made", "--explain"]);
    assert_eq!(made["verdict"], "whole", "{made}");
    let options = made["base_options"].as_array().unwrap();
    let chosen = options.iter().find(|option| option["chosen"] == true);
    let chosen = chosen.expect("one is chosen");
    assert_eq!(
        (&chosen["name"], &chosen["shell"]),
        (&"alpine:3.20".into(), &true.into())
    );
    ran(bench.jettison().args(["run", "made"])).says(0, &["ID=alpine"]);
    ran(bench.jettison().args(["inspect", "made"])).says(0, &["busybox (apk)"]);
}
