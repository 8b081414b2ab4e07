//! `--engine buildkit`: what is handed to the builders, and what is made of
//! their results; with the real one where BUILDKIT_HOST says where it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, document, have, ran};

const DOCKERFILE: &str = "\
FROM base AS build
ARG WORD=none
RUN --mount=type=secret,id=key echo $WORD $(cat /run/secrets/key) > /made
FROM base
COPY --from=build /made /
CMD [\"cat\", \"/made\"]
";

/// Programs on the PATH that write down what they are asked.
fn stand_in(bench: &Bench, name: &str, script: &str) {
    let folder = bench.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    let asked = bench.path("asked");
    let text = format!(
        "#!/bin/sh\nfor w in \"$@\"; do echo \"$w\"; done >> {}\n{script}",
        asked.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = bench.command(&["--engine", "buildkit", "--no-slim"]);
    command.args(arguments).env(
        "PATH",
        format!("{}:/usr/bin:/bin", bench.path("bin").display()),
    );
    command
}

/// An image as an archive, for builders that make none.
fn archive(bench: &Bench, kind: &str) -> String {
    bench.dockerfile("FROM base\nRUN echo made > /made\nCMD cat /made\n");
    let path = bench.path(kind).display().to_string();
    let to = format!("type={kind},dest={path}");
    bench.build(&["--no-slim", "-o", &to]).says(0, &[]);
    path
}

#[test]
fn buildx_is_handed_everything_and_its_result_goes_on() {
    let Some(bench) = Bench::root() else { return };
    let image = archive(&bench, "oci");
    let script = format!(
        "case \"$*\" in\n\
         'buildx version') echo buildx;;\n\
         'buildx inspect far') echo 'Driver: kubernetes';;\n\
         'buildx build'*) cat {image};;\n\
         *) exit 9;;\nesac\n"
    );
    stand_in(&bench, "docker", &script);
    let made = document(&mut {
        let mut command = command(&bench, &["--builder", "far", "--format", "json"]);
        command.args([
            "--build-arg",
            "A=b c",
            "--cache-to",
            "type=gha",
            "--pull",
            "--build-context",
            &format!("packed=oci-archive:{image}"),
            "-t",
            "made:1",
        ]);
        command
    });
    assert_eq!(bench.ran(&["run", "made:1"]).stdout, "made\n");
    assert!(made["manifest"].is_string());
    let asked = fs::read_to_string(bench.path("asked")).unwrap();
    for line in [
        "--output\ntype=oci,dest=-,compression=gzip,rewrite-timestamp=true\n",
        "--builder\nfar\n",
        "--build-arg\nA=b c\n",
        "--build-arg\nSOURCE_DATE_EPOCH=1700000000\n",
        "--cache-to\ntype=gha\n",
        "--pull\n--\napp\n",
    ] {
        assert!(asked.contains(line), "no {line} in\n{asked}");
    }
    for context in ["base=oci-layout://", "packed=oci-layout://"] {
        let mut lines = asked.lines();
        let line = lines.find(|line| line.starts_with(context));
        let line = line.unwrap_or_else(|| panic!("no {context} in\n{asked}"));
        assert!(line.contains("@sha256:"), "{line}");
    }
}

#[test]
fn a_builder_inside_dockerd_keeps_its_result() {
    let Some(bench) = Bench::root() else { return };
    let image = archive(&bench, "docker");
    for (known, driver) in [("exit 0", "docker"), ("exit 1", "")] {
        let script = format!(
            "case \"$*\" in\n\
             'buildx version') {known};;\n\
             'buildx inspect') echo 'Driver: {driver}';;\n\
             'version') ;;\n\
             'save sha256:1') cat {image};;\n\
             *build*) while [ \"$1\" != --iidfile ]; do shift; done; echo sha256:1 > \"$2\";;\n\
             *) exit 9;;\nesac\n"
        );
        stand_in(&bench, "docker", &script);
        let ran = ran(&mut command(&bench, &["-t", "made:1"]));
        ran.says(0, &["built by docker"]);
        assert_eq!(bench.ran(&["run", "made:1"]).stdout, "made\n");
    }
}

#[test]
fn what_fails_says_what_next() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\n");
    stand_in(&bench, "docker", "echo cannot connect >&2; exit 1\n");
    ran(&mut command(&bench, &[])).says(2, &["no BuildKit is here", "cannot connect", "--builder"]);
    let script = "case \"$*\" in *build\\ --prov*) echo the reason >&2; exit 3;; esac\n";
    stand_in(&bench, "docker", script);
    ran(&mut command(&bench, &[])).says(2, &["docker buildx ended with exit code 3", "the reason"]);
    ran(&mut command(&bench, &["--quiet"])).says(2, &["the reason"]);
    stand_in(
        &bench,
        "docker",
        "case \"$*\" in *build\\ --prov*) echo no archive;; esac\n",
    );
    ran(&mut command(&bench, &[])).says(2, &["cannot be read"]);
    bench
        .build(&["--builder", "x"])
        .says(2, &["add --engine buildkit"]);
}

#[test]
fn the_real_one() {
    let Some(bench) = Bench::root() else { return };
    let Ok(host) = std::env::var("BUILDKIT_HOST") else {
        println!("skipped: BUILDKIT_HOST names no BuildKit");
        return;
    };
    if !have("buildctl") {
        return;
    }
    bench.dockerfile(DOCKERFILE);
    fs::write(bench.path("key"), "s3cret").unwrap();
    let secret = format!("id=key,src={}", bench.path("key").display());
    let words = [
        "--secret",
        &secret,
        "--build-arg",
        "WORD=word",
        "-t",
        "made:1",
    ];
    let run = |engine: &[&str]| -> Value {
        let mut command = bench.command(&["--format", "json"]);
        document(command.args(engine).args(words))
    };
    let made = run(&["--engine", "buildkit", "--builder", &host]);
    assert_eq!(bench.ran(&["run", "made:1"]).stdout, "word s3cret\n");
    assert_eq!(made["verdict"], "whole", "{made}");
    assert_eq!(made["is_slimmed"], true);
    // The embedded engine makes the same files, so the small images agree.
    let own = run(&[]);
    assert_eq!(own["is_slimmed"], true);
}

#[test]
fn the_real_one_is_handed_what_only_jettison_reads() {
    let Some(bench) = Bench::root() else { return };
    let Ok(host) = std::env::var("BUILDKIT_HOST") else {
        println!("skipped: BUILDKIT_HOST names no BuildKit");
        return;
    };
    if !have("buildctl") {
        return;
    }
    let packed = format!("packed=oci-archive:{}", archive(&bench, "oci"));
    bench.dockerfile(
        "FROM tools AS asked\n\
         RUN dpkg-query -W -f '${Status}\\n' dash > /status\n\
         FROM packed\n\
         COPY --from=asked /status /\n\
         CMD cat /made /status\n",
    );
    let tools = "tools=debian?packages=dpkg,dash,coreutils&variant=custom";
    let contexts = ["--build-context", &packed, "--build-context", tools];
    let build = |engine: &[&str]| {
        let words = ["--no-slim", "-t", "made:1"];
        ran(bench.command(engine).args(words).args(contexts))
    };
    let made = build(&["--engine", "buildkit", "--builder", &host]);
    if made.code != Some(0) && made.text().contains("no Debian archive") {
        println!("skipped: no archive of Debian packages can be reached");
        return;
    }
    made.says(0, &[]);
    let expected = "made\ninstall ok installed\n";
    assert_eq!(bench.ran(&["run", "made:1"]).stdout, expected);
    build(&[]).says(0, &[]);
    assert_eq!(bench.ran(&["run", "made:1"]).stdout, expected);
}

#[test]
fn a_repository_of_services_is_one_file() {
    let Some(bench) = Bench::root() else { return };
    for service in ["app/services/api", "app/services/web", "app/tools/web"] {
        fs::create_dir_all(bench.path(service)).unwrap();
        fs::write(bench.path(service).join("Dockerfile"), "FROM scratch\n").unwrap();
    }
    let words = [
        "bake",
        "app",
        "--repository",
        "r.test/shop",
        "--cache",
        "r.test/c",
    ];
    let more = ["--platform", "linux/amd64,linux/arm64", "--tag", "1.2"];
    bench
        .ran(&[&words[..], &more[..]].concat())
        .says(0, &["services-web", "docker-bake.json"]);
    let path = bench.path("app/docker-bake.json");
    let read = || -> Value { serde_json::from_slice(&fs::read(&path).unwrap()).unwrap() };
    let written = read();
    let targets = &written["group"]["default"]["targets"];
    assert_eq!(
        *targets,
        serde_json::json!(["api", "services-web", "tools-web"])
    );
    let api = &written["target"]["api"];
    assert_eq!(api["context"], "services/api");
    assert_eq!(api["dockerfile"], "Dockerfile");
    assert_eq!(api["tags"][0], "r.test/shop/api:1.2");
    assert_eq!(api["platforms"][1], "linux/arm64");
    assert_eq!(api["cache-from"][0], "type=registry,ref=r.test/c/api:cache");
    // The same again is no change; another needs a word.
    bench.ran(&[&words[..], &more[..]].concat()).says(0, &[]);
    bench.ran(&["bake", "app"]).says(2, &["--force"]);
    assert_eq!(read(), written);
    bench
        .ran(&["bake", "app", "--force"])
        .says(0, &["api:latest"]);
    assert_eq!(read()["target"]["api"]["tags"][0], "api:latest");
    bench
        .ran(&["bake", "app", "--force", "--repository", "r.test/UPPER"])
        .says(2, &["--repository"]);
    bench
        .ran(&["bake", "base"])
        .says(2, &["no directory with a Dockerfile"]);
}
