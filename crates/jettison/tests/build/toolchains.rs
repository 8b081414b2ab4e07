//! Compilers that the machine does not have.

use std::path::Path;

use crate::support::{Bench, ran};

const MAIN: &str = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"it runs\") }\n";
/// Without anything that compiles.
const BARE: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

#[test]
fn debian_packages_are_a_toolchain() {
    if Path::new("/usr/bin/go").exists() {
        println!("skipped: Debian's own Go is installed, so that it cannot be missed");
        return;
    }
    // Every release that Debian supports has that Go.
    let bench = Bench::go(MAIN);
    bench.write("go.mod", "module example.org/app\n\ngo 1.15\n");
    ran(bench.command().env("PATH", BARE)).says(2, &["no Go on the PATH", "--toolchain composed"]);

    let composed = |bench: &Bench| {
        let mut command = bench.command();
        command.args(["--toolchain", "composed", "--suite", "bookworm"]);
        ran(command.args(["-t", "app"]).env("PATH", BARE))
    };
    let made = composed(&bench);
    if made.code != Some(0)
        && (made.text().contains("no Debian archive") || made.text().contains("InRelease"))
    {
        println!("skipped: no archive of Debian packages can be reached");
        return;
    }
    made.says(0, &["verdict: whole"]);
    let app = ran(bench.jettison().args(["run", "app"]));
    app.says(0, &["it runs"]);

    // What is wrong in the sources is said as on the machine, and nothing is fetched again.
    bench.write("main.go", "package main\n\nfunc main() { x }\n");
    let wrong = composed(&bench);
    wrong.says(2, &["undefined: x", "main.go:3"]);
    assert!(!wrong.text().contains("fetching"), "{}", wrong.text());
}

#[test]
fn what_is_no_toolchain() {
    let bench = Bench::go(MAIN);
    let wrong = bench.build(["--toolchain", "debian?golang"]);
    wrong.says(2, &["--toolchain", "neither packages=NAME"]);
    let wrong = bench.build(["--toolchain", "oci:/not/there"]);
    wrong.says(2, &["--toolchain oci:/not/there", "/not/there"]);
}
