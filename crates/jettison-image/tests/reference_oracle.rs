//! Our reading of image names against the distribution project's own parser,
//! on the names below and on mutations of them.

mod support;

use std::process::Command;

use jettison_image::Reference;
use support::run;

const PROGRAM: &str = r#"package main

import (
	"bufio"
	_ "crypto/sha256"
	"encoding/json"
	"fmt"
	"os"

	"github.com/distribution/reference"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			panic(err)
		}
		named, err := reference.ParseNormalizedNamed(text)
		// The parser lets a registry that is none pass as part of the path,
		// and then there is no registry to ask.
		if err != nil || reference.Domain(named) == "" {
			fmt.Println("refused")
			continue
		}
		fmt.Println(named.String() + " " + reference.FamiliarString(named))
	}
}
"#;

const DIGEST: &str = "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7";

const NAMES: &[&str] = &[
    "alpine",
    "alpine:3.20",
    "user/app",
    "a/b/c/d",
    "docker.io/alpine",
    "docker.io/library/alpine",
    "docker.io/library/a/b",
    "index.docker.io/alpine",
    "index.docker.io/a/b:c",
    "localhost/app",
    "localhost:5000/app:v1",
    "localhost",
    "gcr.io/distroless/static-debian12:nonroot",
    "[::1]:5000/app",
    "[fe80::1]/app",
    "[::1/app",
    "127.0.0.1:80/a",
    "Registry/app",
    "REGISTRY.io/app",
    "user/App",
    "host.com:/a",
    "host.com:80/a:b",
    "host..com/a",
    "host_name.com/a",
    "-a.com/b",
    "a-.com/b",
    "a.b/c__d",
    "a.b/c___d",
    "a.b/c--d---e.f_g",
    "a.b/c..d",
    "a.b/_c",
    "a.b/c_",
    "a:b:c",
    "a/b:c/d",
    "a:-b",
    "a:_b",
    "a:b@c",
    "a//b",
    "/a",
    "a/",
    "https://a.b/c",
    " a",
    "a ",
    "",
    ":",
    "@",
    "a@",
    "ä/b",
    "é.com/b",
    "0/1",
    "b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
    "a/b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
];

#[test]
fn the_distribution_parser_agrees() {
    let names = names();
    let theirs = match oracle(&names) {
        Ok(theirs) => theirs,
        Err(why) => return eprintln!("skipped: comparison with distribution/reference: {why}"),
    };
    assert_eq!(theirs.len(), names.len());
    for (name, theirs) in names.iter().zip(theirs) {
        let ours = match Reference::parse(name) {
            Ok(reference) => format!("{reference} {}", reference.familiar()),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(ours, theirs, "{name:?}");
    }
}

/// The names, with digests, and with one character changed, added or lost.
fn names() -> Vec<String> {
    let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    for name in NAMES {
        names.push(format!("{name}@{DIGEST}"));
        names.push(format!("{name}:tag@{DIGEST}"));
    }
    for length in [127, 128, 129, 254, 255, 256, 300] {
        names.push("a".repeat(length));
        names.push(format!("b:{}", "t".repeat(length)));
        names.push(format!("host.io/{}", "a".repeat(length)));
    }
    let mut state = 1u32;
    let mut next = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    for _ in 0..4000 {
        let mut name: Vec<char> = NAMES[next(NAMES.len())].chars().collect();
        for _ in 0..=next(3) {
            let c = b"aZ0._-:/@[] "[next(12)] as char;
            let at = next(name.len() + 1);
            match next(3) {
                0 => name.insert(at, c),
                1 if at < name.len() => name[at] = c,
                _ if at < name.len() => drop(name.remove(at)),
                _ => {}
            }
        }
        names.push(name.into_iter().collect());
    }
    names
}

fn oracle(names: &[String]) -> Result<Vec<String>, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).map_err(|error| error.to_string())
    };
    write("main.go", PROGRAM)?;
    write(
        "go.mod",
        "module oracle\n\ngo 1.20\n\nrequire github.com/distribution/reference v0.6.0\n",
    )?;
    let go = |arguments: &[&str]| {
        let mut command = Command::new("go");
        command
            .args(arguments)
            .current_dir(directory.path())
            .env("GOFLAGS", "-mod=mod");
        command
    };
    let built = go(&["build", "-o", "oracle"])
        .output()
        .map_err(|error| format!("no go: {error}"))?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).trim().to_owned());
    }
    let program = directory.path().join("oracle").display().to_string();
    let input: String = names
        .iter()
        .map(|name| format!("{}\n", serde_json::json!(name)))
        .collect();
    let output = run(&program, &[], input.as_bytes())?;
    Ok(String::from_utf8_lossy(&output)
        .lines()
        .map(str::to_owned)
        .collect())
}
