//! Programs that are broken in the ways programs are, and projects that are
//! none: each is found out, and each message names the next step.

use std::fs;

use crate::support::{Bench, have, output, ran};

/// The body of `main` between imports and the closing brace.
fn program(imports: &[&str], body: &str) -> String {
    let imports: Vec<String> = imports
        .iter()
        .map(|name| format!("import {name:?}\n"))
        .collect();
    format!(
        "package main\n\n{}\nfunc main() {{\n{body}\n}}\n",
        imports.concat()
    )
}

/// A broken program is found out: exit code 1 unless said otherwise, nothing
/// delivered, and a person is told why.
#[track_caller]
fn check(imports: &[&str], body: &str, arguments: &[&str], code: i32, words: &[&str]) {
    if !have("go") {
        return;
    }
    let bench = Bench::go(&program(imports, body));
    let out = bench.path("out.tar");
    let ran = bench.build(
        arguments
            .iter()
            .copied()
            .chain(["-o", &format!("oci-archive:{}", out.display())]),
    );
    ran.says(code, words);
    assert_eq!(out.exists(), code == 0, "{}", ran.text());
    if code != 0 {
        assert!(
            ran.stdout.contains("nothing was delivered"),
            "{}",
            ran.text()
        );
    }
}

#[test]
fn a_server_for_itself_alone() {
    check(
        &["net"],
        "l, _ := net.Listen(\"tcp\", \"127.0.0.1:8000\"); for { l.Accept() }",
        &[],
        1,
        &["listens on 127.0.0.1:8000 only", "listen on 0.0.0.0"],
    );
}

#[test]
fn a_program_that_fails() {
    check(
        &["os"],
        "println(\"first\"); println(\"the reason\"); os.Exit(1)",
        &[],
        1,
        &["exit code 1", "the reason", "last words"],
    );
    check(
        &[],
        "var m map[string]int; m[\"a\"] = 1",
        &[],
        1,
        &["exit code 2", "nil map"],
    );
}

#[test]
fn an_exit_code_that_is_asked_for() {
    check(
        &["os"],
        "os.Exit(7)",
        &["--probe", "start -> 7"],
        0,
        &["whole"],
    );
    check(
        &[],
        "",
        &["--probe", "start -> 7"],
        1,
        &["exit code 0 instead of 7"],
    );
}

#[test]
fn a_privileged_port() {
    check(
        &["net", "log"],
        "_, err := net.Listen(\"tcp\", \":80\"); log.Fatal(err)",
        &[],
        1,
        &["port below 1024", "--user 0"],
    );
}

#[test]
fn a_write_into_the_image() {
    check(
        &["os", "log"],
        "log.Fatal(os.WriteFile(\"/state\", nil, 0o644))",
        &["--user", "0"],
        1,
        &["read-only", "--volume"],
    );
}

#[test]
fn a_zone_that_was_dropped() {
    let body = "zone, err := time.LoadLocation(\"Europe/Tallinn\"); if err != nil { log.Fatal(err) }; println(zone.String())";
    check(
        &["time", "log"],
        body,
        &["--drop", "tzdata"],
        1,
        &["names a time zone", "--keep tzdata"],
    );
}

#[test]
fn a_template_that_did_not_come_along() {
    let body = "_, err := os.ReadFile(\"templates/index.html\"); if err != nil { log.Fatal(err) }";
    check(&["os", "log"], body, &[], 1, &["--include"]);
}

#[test]
fn a_program_without_an_end() {
    check(&[], "select {}", &["--timeout", "3"], 1, &["deadlock"]);
    check(
        &["time"],
        "for { time.Sleep(time.Second) }",
        &["--timeout", "3"],
        3,
        &["was asked nothing", "--probe start"],
    );
    check(
        &["time"],
        "for { time.Sleep(time.Second) }",
        &["--timeout", "3", "--probe", "start"],
        0,
        &["whole"],
    );
    check(
        &["time"],
        "for { time.Sleep(time.Second) }",
        &["--timeout", "3", "--probe", "/health"],
        1,
        &["listens on no port"],
    );
}

#[test]
fn a_program_that_does_not_stop() {
    let body = "signal.Ignore(syscall.SIGTERM); l, _ := net.Listen(\"tcp\", \":8000\"); for { l.Accept() }";
    let imports = ["net", "os/signal", "syscall"];
    check(
        &imports,
        body,
        &["--probe", "tcp:8000"],
        0,
        &["still ran", "whole"],
    );
    check(
        &imports,
        body,
        &["--probe", "tcp:8000", "--probe", "stop"],
        1,
        &["still ran 10 s after the stop signal"],
    );
}

#[test]
fn a_server_that_is_missing() {
    let body = "_, err := net.Dial(\"tcp\", \"db:5432\"); if err != nil { log.Fatal(err) }";
    check(
        &["net", "log"],
        body,
        &[],
        3,
        &["could not tell", "--service"],
    );
}

#[test]
fn another_processor() {
    if !have("go") {
        return;
    }
    let other = match std::env::consts::ARCH {
        "aarch64" => "linux/amd64",
        _ => "linux/arm64",
    };
    let bench = Bench::go(&program(&[], "println(1)"));
    let ran = bench.build(["--platform", other]);
    if ran.code == Some(0) {
        println!("skipped: this machine has an emulator");
        return;
    }
    ran.says(3, &["not run", "--allow-unrun"]);
    let ran = bench.build(["--platform", other, "--allow-unrun"]);
    ran.says(
        0,
        &["not run; kept as you said", "in local store: app:latest"],
    );
}

/// The project itself is not one, or cannot be built: exit code 2.
#[track_caller]
fn refused(bench: &Bench, arguments: &[&str], words: &[&str]) {
    let ran = bench.build(arguments);
    ran.says(2, words);
    assert!(ran.stderr.contains("error: "), "{}", ran.text());
}

#[test]
fn what_is_no_project() {
    refused(&Bench::new(&[]), &[], &["go.mod", "Cargo.toml", "hint: "]);
    refused(
        &Bench::new(&[("app.py", "print()"), ("requirements.txt", "flask\n")]),
        &[],
        &["Python", "hint: "],
    );
    refused(
        &Bench::new(&[("Dockerfile", "FROM scratch\n")]),
        &["--recipe"],
        &["found a Dockerfile", "hint: without --recipe"],
    );
}

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";

#[test]
fn what_does_not_compile() {
    if have("go") {
        refused(
            &Bench::go("package main\n\nfunc main() { undefinedName() }\n"),
            &[],
            &["main.go:3", "undefined: undefinedName"],
        );
        let cgo = "package main\n\n// int one() { return 1; }\nimport \"C\"\n\nfunc main() { println(C.one()) }\n";
        refused(&Bench::go(cgo), &[], &["cgo"]);
    }
    if have("cargo") {
        let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        refused(
            &Bench::new(&[
                ("Cargo.toml", manifest),
                ("src/main.rs", "fn main() { nothing }\n"),
                ("Cargo.lock", LOCK),
            ]),
            &[],
            &["cannot find value `nothing`", "src/main.rs:1"],
        );
        let bench = Bench::new(&[("Cargo.toml", manifest), ("src/main.rs", "fn main() {}\n")]);
        let paste = format!(
            "cd {} && cargo generate-lockfile",
            bench.project().display()
        );
        refused(&bench, &[], &[&paste]);
    }
}

#[test]
fn several_programs() {
    if !have("go") {
        return;
    }
    let bench = Bench::new(&[
        ("go.mod", "module example.org/app\n\ngo 1.21\n"),
        (
            "cmd/one/main.go",
            "package main\n\nfunc main() { println(1) }\n",
        ),
        (
            "cmd/two/main.go",
            "package main\n\nfunc main() { println(2) }\n",
        ),
    ]);
    refused(&bench, &[], &["one", "two", "--bin"]);
    refused(&bench, &["--bin", "three"], &["three", "one", "two"]);
    bench
        .build(["--bin", "two"])
        .says(0, &["in local store: two:latest"]);
}

#[test]
fn no_toolchain() {
    let empty = tempfile::tempdir().unwrap();
    for (bench, word) in [
        (Bench::go("package main\n\nfunc main() {}\n"), "go"),
        (
            Bench::new(&[
                (
                    "Cargo.toml",
                    "[package]\nname = \"app\"\nversion = \"0.1.0\"\n",
                ),
                ("src/main.rs", "fn main() {}\n"),
            ]),
            "cargo",
        ),
    ] {
        let ran = crate::support::ran(bench.command().env("PATH", empty.path()));
        ran.says(2, &[word, "hint: ", "PATH"]);
    }
}

#[test]
fn what_cannot_be_included() {
    if !have("go") {
        return;
    }
    let bench = Bench::go("package main\n\nfunc main() {}\n");
    refused(&bench, &["--include", "nothing"], &["nothing"]);
    let pipe = bench.project().join("pipe");
    output("mkfifo", &[pipe.to_str().unwrap()]);
    refused(&bench, &["--include", "pipe"], &["pipe"]);
    fs::create_dir(bench.project().join("data")).unwrap();
    fs::rename(pipe, bench.project().join("data/pipe")).unwrap();
    refused(&bench, &["--include", "data"], &["pipe"]);
    refused(&bench, &["--include", "../outside"], &["outside"]);
}

#[test]
fn upx_is_missed_before_anything_is_compiled() {
    let bench = Bench::go("this is no program\n");
    let mut command = bench.command();
    command.args(["--upx"]).env("PATH", bench.path("nowhere"));
    ran(&mut command).says(2, &["upx is not on the PATH", "install upx"]);
}

#[test]
fn nothing_that_is_included_overwrites_the_program() {
    if !have("go") {
        return;
    }
    let bench = Bench::go(&program(&["fmt"], "fmt.Println(\"well\")"));
    bench.write("ca.pem", "none");
    let mut command = bench.command();
    let refused = ran(command.args(["--include", "ca.pem:/app"]));
    refused.says(
        2,
        &["--include ca.pem:/app: /app is already that of the program"],
    );
}
