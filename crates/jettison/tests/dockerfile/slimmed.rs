//! The default: slimmed where the small image is whole, the original otherwise.

use std::fs;

use crate::support::{Bench, document};

const SERVER: &str = "\
FROM base
COPY index.html /www/
EXPOSE 8080
CMD [\"/bin/busybox\", \"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]
";

#[test]
fn a_server_is_slimmed() {
    for bench in Bench::both() {
        bench.file("index.html", "<p>hello</p>\n");
        bench.file("unused.txt", "x".repeat(100_000));
        bench.dockerfile(&SERVER.replace("index.html", "index.html unused.txt"));
        let made = document(&mut bench.command(&[
            "--probe",
            "/",
            "--require-slim",
            "--format",
            "json",
            "-t",
            "made",
        ]));
        assert_eq!(made["is_slimmed"], true, "{made}");
        assert_eq!(made["verdict"], "whole");
        assert_ne!(made["manifest"], made["original"]);
        bench.ran(&[
            "run",
            "made",
            "--timeout",
            "1",
            "--",
            "/bin/sh",
            "-c",
            "true",
        ]);
        let plain = bench.digest(&[]);
        assert_eq!(made["original"].as_str(), Some(&*plain));
        bench.all_gone();
    }
}

#[test]
fn what_cannot_be_told_to_be_whole_is_not_slimmed() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nCMD [\"/bin/false\"]\n");
    let file = bench.path("id");
    let words = [
        "-t",
        "made",
        "--iidfile",
        file.to_str().unwrap(),
        "--probe",
        "/",
    ];
    let ran = bench.build(&[&words[..], &["--require-slim"]].concat());
    assert!(
        matches!(ran.code, Some(1 | 3)),
        "{:?} {}",
        ran.code,
        ran.text()
    );
    assert!(!file.exists());
    bench.ran(&["store", "list"]).says(0, &["no images"]);
    let layout = format!("oci:{}", bench.path("out").display());
    let ran = bench.build(&[&words[..], &["-o", &layout, "--require-slim"]].concat());
    assert_ne!(ran.code, Some(0));
    assert!(!bench.path("out").exists());

    let ran = bench.build(&words);
    ran.says(0, &["not slimmed"]);
    assert!(fs::read_to_string(file).unwrap().starts_with("sha256:"));
    let plain = bench.digest(&[]);
    assert!(ran.stdout.contains(&plain), "{}", ran.text());
    bench.ran(&["run", "made"]).says(1, &[]);
}
