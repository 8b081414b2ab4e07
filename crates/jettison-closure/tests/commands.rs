//! Programs that a compiled program runs by their bare names, built here by
//! the compilers of this machine: C ends its texts, Go and Rust do not.

#![expect(clippy::print_stdout, reason = "tests say aloud what they skip")]

mod host;

use std::fs;
use std::path::Path;
use std::process::Command;

use host::Host;
use jettison_closure::loader::Loader;
use jettison_closure::{How, compiled};
use jettison_image::Follow;

/// What a program may run, by name.
fn commands(directory: &Path, program: &Path) -> Vec<String> {
    let directory = directory.to_str().expect("a plain name");
    let host = Host::of(Path::new("/"), &[directory, "/usr/bin"]);
    let world = host.world();
    let loader = Loader::new(&world);
    let path = program.as_os_str().as_encoded_bytes();
    let node = host.tree.resolve(path, Follow::All).expect("in the tree");
    let data = world.contents.read(node, 1 << 30).expect("readable");
    let edges = compiled::edges(&loader, node, &data);
    let runs = edges.into_iter().filter(|edge| edge.how == How::Runs);
    runs.map(|edge| String::from_utf8_lossy(edge.to.file_name()).into_owned())
        .collect()
}

/// Builds a program from a source, or says aloud that there is no compiler.
fn build(tool: &str, arguments: &[&str], name: &str, source: &str) -> Option<tempfile::TempDir> {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join(name), source).expect("written");
    let mut command = Command::new(tool);
    command.args(arguments).arg(name).current_dir(&directory);
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "");
    let Ok(output) = command.output() else {
        println!("skipped: no {tool} on this machine");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {said}");
    Some(directory)
}

#[track_caller]
fn check(directory: Option<tempfile::TempDir>, expected: &[&str]) {
    let Some(directory) = directory else { return };
    let path = directory.path().canonicalize().expect("a path");
    let found = commands(&path, &path.join("program"));
    for name in expected {
        assert!(found.iter().any(|known| known == name), "{name}: {found:?}");
    }
    assert!(!found.iter().any(|known| known == "gcc"), "{found:?}");
}

#[test]
fn go_programs() {
    let source = r#"package main
import ("fmt"; "os"; "os/exec")
var tools = []string{"tac", "expand"}
func main() {
	out, err := exec.Command("sort", "-r", os.Args[1]).CombinedOutput()
	fmt.Println(string(out), err)
	for _, tool := range tools { fmt.Println(exec.LookPath(tool)) }
}"#;
    let built = build(
        "go",
        &["build", "-ldflags", "-s -w", "-o", "program"],
        "main.go",
        source,
    );
    check(built, &["sort", "tac", "expand"]);
}

#[test]
fn rust_programs() {
    let source = r#"fn main() {
    let status = std::process::Command::new("sort").arg("-r").status();
    let other = std::process::Command::new("tac").output();
    println!("{status:?} {other:?}");
}"#;
    check(
        build("rustc", &["-O", "-o", "program"], "main.rs", source),
        &["sort", "tac"],
    );
}

#[test]
fn c_programs() {
    let source = r#"#include <unistd.h>
int main(int argc, char **argv) {
    if (argc > 1) return execlp("sort", "sort", "-r", argv[1], (char *)0);
    return execlp("tac", "tac", (char *)0);
}"#;
    check(
        build("cc", &["-O2", "-o", "program"], "main.c", source),
        &["sort", "tac"],
    );
}
