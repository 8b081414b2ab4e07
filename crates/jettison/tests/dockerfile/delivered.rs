//! buildx's `--output`, and what is said of a build: files as a directory and
//! as an archive, metadata, stages, progress.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;

use crate::support::{Bench, output, ran};

const FILES: &str = "\
FROM base AS build
RUN mkdir /out /junk && echo text > /out/file && chmod 4751 /out/file && ln /out/file /out/other \\
 && ln -s file /out/link && mkdir -m 700 /out/closed && echo in > /out/closed/in \\
 && dd if=/dev/zero of=/junk/big bs=1M count=2 2>/dev/null
FROM scratch AS files
COPY --from=build /out /
";

#[test]
fn files_go_into_a_directory_and_take_nothing_away() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile(FILES);
    let out = bench.path("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("mine"), "mine").unwrap();
    fs::write(bench.path("secret"), "secret").unwrap();
    // What lies there must not lead outside.
    symlink(bench.path("secret"), out.join("file")).unwrap();
    fs::create_dir(bench.path("elsewhere")).unwrap();
    symlink(bench.path("elsewhere"), out.join("closed")).unwrap();
    for destination in ["./out", "type=local,dest=out", "type=local,dest=out"] {
        bench.build(&["-o", destination]).says(0, &["files"]);
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read("file"), "text\n");
        assert_eq!(read("closed/in"), "in\n");
        assert_eq!(read("mine"), "mine");
        assert_eq!(
            fs::read_link(out.join("link")).unwrap().to_str(),
            Some("file")
        );
        let file = out.join("file").symlink_metadata().unwrap();
        let other = out.join("other").symlink_metadata().unwrap();
        assert_eq!(file.ino(), other.ino());
        assert_eq!(file.permissions().mode() & 0o7777, 0o751, "no setuid");
        assert_eq!(file.mtime(), 1_700_000_000);
        let closed = out.join("closed").symlink_metadata().unwrap();
        assert_eq!(closed.permissions().mode() & 0o7777, 0o700);
    }
    assert_eq!(fs::read_to_string(bench.path("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
    // No directory goes for a file.
    fs::remove_file(out.join("file")).unwrap();
    fs::create_dir(out.join("file")).unwrap();
    bench
        .build(&["-o", "./out"])
        .says(2, &["out/file", "cannot be written"]);
}

#[test]
fn an_archive_of_files_is_what_tar_reads() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile(FILES);
    let file = bench.path("out.tar");
    let destination = format!("type=tar,\"dest={}\"", file.display());
    bench.build(&["-o", &destination]).says(0, &["out.tar"]);
    let listed = output("tar", &["-tvf", file.to_str().unwrap(), "--full-time"]);
    for line in [
        "-rwsr-x--x 0/0               5 2023-11-14 22:13:20 file",
        "hrwsr-x--x 0/0               0 2023-11-14 22:13:20 other link to file",
        "lrwxrwxrwx 0/0               0 2023-11-14 22:13:20 link -> file",
        "drwx------ 0/0               0 2023-11-14 22:13:20 closed/",
    ] {
        assert!(listed.contains(line), "no {line} in\n{listed}");
    }
    let piped = bench.command(&["-o", "-"]).output().unwrap();
    assert_eq!(piped.status.code(), Some(0));
    assert_eq!(piped.stdout, fs::read(&file).unwrap());
    assert!(String::from_utf8_lossy(&piped.stderr).contains("handed on"));
    bench
        .build(&["-o", "-", "--format", "json"])
        .says(2, &["both want standard output"]);
    bench
        .build(&["-o", "type=tar", "-o", "type=oci"])
        .says(2, &["one archive, not 2"]);
}

#[test]
fn images_go_where_buildx_would_put_them() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nRUN echo made > /made\nCMD cat /made\n");
    let metadata = bench.path("metadata.json");
    let piped = bench
        .command(&[
            "--no-slim",
            "-o",
            "type=oci,name=made:1,compression=zstd",
            "--metadata-file",
        ])
        .arg(&metadata)
        .output()
        .unwrap();
    assert_eq!(piped.status.code(), Some(0));
    let archive = bench.path("image.tar");
    fs::write(&archive, &piped.stdout).unwrap();
    let archive = format!("oci-archive:{}", archive.display());
    let inspected = bench.ran(&["inspect", &archive, "--format", "json"]);
    inspected.says(0, &["zstd"]);
    let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let metadata = read(&fs::read_to_string(metadata).unwrap());
    assert_eq!(metadata["image.name"], "docker.io/library/made:1");
    let digest = metadata["containerimage.config.digest"].as_str().unwrap();
    assert!(inspected.stdout.contains(digest), "{}", inspected.stdout);
    assert!(metadata["containerimage.digest"].is_string());
    // An archive of docker's with a name of its own, and a layout.
    for (destination, place) in [
        (
            "type=docker,dest=d.tar,name=made:2",
            "docker-archive:d.tar:made:2",
        ),
        ("type=oci,dest=layout,tar=false", "oci:layout"),
    ] {
        bench.build(&["--no-slim", "-o", destination]).says(0, &[]);
        let ran = bench.ran(&["run", place]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(0), "made\n"),
            "{place}"
        );
    }
    bench
        .build(&["--no-slim", "-o", "type=image,name=made:3"])
        .says(0, &["made:3"]);
    assert_eq!(bench.ran(&["run", "made:3"]).stdout, "made\n");
    for (destination, words) in [
        ("type=registry", "needs a name to push to"),
        ("type=docker", "docker-archive:FILE"),
        ("type=oci,dest=x,mode=y", "the keys are"),
        (
            "type=tape,dest=x",
            "local, tar, oci, docker, image, registry",
        ),
    ] {
        bench
            .build(&["--no-slim", "-o", destination])
            .says(2, &[words]);
    }
}

#[test]
fn stages_say_what_they_handed_on() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile(FILES);
    let made = bench.document(&[]);
    let [build, files] = made["stages"].as_array().unwrap().as_slice() else {
        panic!("{made}");
    };
    let bytes = |stage: &Value, field: &str| stage[field].as_u64().unwrap();
    let layer = bytes(files, "size_bytes");
    assert_eq!(bytes(build, "handed_bytes"), layer);
    assert_eq!(bytes(files, "handed_bytes"), layer);
    let all = bytes(build, "base_bytes") + bytes(build, "size_bytes");
    assert!(bytes(build, "size_bytes") > 2 << 20, "{build}");
    assert_eq!(bytes(build, "discarded_bytes"), all - layer);
    assert_eq!(bytes(files, "discarded_bytes"), 0);
}

#[test]
fn progress_and_quiet() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nRUN echo a line of its own\n");
    let plain = bench.build(&["--no-slim", "--progress", "plain"]);
    plain.says(0, &["#1 [0] RUN echo a line", "#1 a line of its own"]);
    let quiet = ran(&mut bench.command(&["--no-slim", "--quiet", "--no-cache"]));
    let config = bench.document(&[])["config"].clone();
    assert_eq!(quiet.stdout.trim_end(), config.as_str().unwrap());
    assert_eq!(quiet.stderr, "");
    bench
        .build(&["--progress", "rawjson"])
        .says(2, &["--format json"]);
    bench
        .build(&["--progress", "tty"])
        .says(2, &["no terminal"]);
}

#[test]
fn pull_wants_the_registry() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nCMD true\n");
    bench
        .build(&["--no-slim", "-t", "127.0.0.1:9/own:1"])
        .says(0, &[]);
    bench.dockerfile("FROM 127.0.0.1:9/own:1\nCMD true\n");
    bench.build(&["--no-slim"]).says(0, &[]);
    bench
        .build(&["--no-slim", "--pull"])
        .says(2, &["cannot be pulled", "without --pull"]);
}
