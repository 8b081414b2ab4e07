//! Images through every transport, with skopeo, a Docker engine and a real
//! registry as the other side. What is not on this machine is skipped aloud.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod access;
mod mirrors;
mod packing;
mod podman;
mod referrers;
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use jettison_engine::copy::{CopyOptions, copy};
use jettison_engine::http::HttpOptions;
use jettison_engine::transport::{
    Environment, Location, Origin, RegistryOptions, TransportError, TransportOptions,
};
use jettison_image::{Digest, Platform, Reference, Schema};

use support::{
    Certificates, Guard, Registry, Scratch, chain, go, has, has_engine, name, output, sample,
};

#[test]
fn files_of_every_kind_keep_the_image() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    let digest = sample(&transports, "app:1", Schema::Oci, 100_000);
    let oci = scratch.location("oci", "layout:app:1");
    let archive = scratch.location("oci-archive", "image.tar:1");
    let docker = scratch.location("docker-archive", "docker.tar:example.test/app:1");

    let copied = go(&transports, &name("app:1"), &oci);
    assert_eq!(copied.origin, Origin::Store);
    assert_eq!(copied.written.manifest_digest, Some(digest));
    assert_eq!(
        go(&transports, &oci, &archive).written.manifest_digest,
        Some(digest)
    );
    let copied = go(&transports, &archive, &docker);
    assert_eq!(copied.written.manifest_digest, None);
    assert_eq!(copied.written.conversions.len(), 2);

    // A second tag is added beside the first, a third kind of name found again.
    go(
        &transports,
        &name("app:1"),
        &scratch.location("oci", "layout:2"),
    );
    for tag in ["app:1", "2"] {
        let location = scratch.location("oci", &format!("layout:{tag}"));
        assert_eq!(
            transports
                .open(&location, None)
                .unwrap()
                .image
                .manifest_digest,
            digest
        );
    }
    let missing = transports.open(&scratch.location("oci", "layout:3"), None);
    let text = chain(&missing.err().unwrap());
    assert!(text.contains("app:1") && text.contains('2'), "{text}");

    // Back from docker's archive: the same config, plain layers.
    let back = transports.open(&docker, None).unwrap();
    let original = transports.open(&oci, None).unwrap();
    assert_eq!(back.image.config_bytes, original.image.config_bytes);
    assert_eq!(
        go(&transports, &docker, &name("back:1"))
            .written
            .moved
            .blobs,
        2
    );

    if has("skopeo", "reading our layouts and archives with skopeo") {
        for (transport, file, tag) in [
            ("oci", "layout", ":2"),
            ("oci-archive", "image.tar", ":1"),
            ("docker-archive", "docker.tar", ":example.test/app:1"),
        ] {
            let from = format!("{transport}:{}{tag}", scratch.path(file).display());
            let to = format!(
                "dir:{}",
                scratch.path(&format!("by-skopeo-{transport}")).display()
            );
            output(Command::new("skopeo").args(["--insecure-policy", "copy", "-q", &from, &to]));
        }
        // And the other way round.
        let ours = format!("oci:{}:2", scratch.path("layout").display());
        for transport in ["oci-archive", "docker-archive", "oci"] {
            let theirs = format!(
                "{transport}:{}:x.test/y:z",
                scratch.path(&format!("theirs-{transport}")).display()
            );
            output(Command::new("skopeo").args([
                "--insecure-policy",
                "copy",
                "-q",
                &ours,
                &theirs,
            ]));
            let opened = transports
                .open(&Location::parse(&theirs).unwrap(), None)
                .unwrap();
            assert_eq!(
                opened.image.config_bytes, original.image.config_bytes,
                "{theirs}"
            );
        }
    }
}

#[test]
fn dockers_manifests_become_ocis_in_a_layout_and_stay_in_the_store() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    let digest = sample(&transports, "app:1", Schema::Docker, 1000);
    let oci = scratch.location("oci", "layout:1");
    let copied = go(&transports, &name("app:1"), &oci);
    assert_ne!(copied.written.manifest_digest, Some(digest));
    assert_eq!(copied.written.conversions.len(), 1);
    assert_eq!(
        go(&transports, &name("app:1"), &name("other:1"))
            .written
            .manifest_digest,
        Some(digest)
    );
    if has("skopeo", "reading a converted image with skopeo") {
        let from = format!("oci:{}:1", scratch.path("layout").display());
        output(Command::new("skopeo").args(["--insecure-policy", "inspect", &from]));
    }
}

#[test]
fn outputs_are_whole_and_inputs_are_safe() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Oci, 1000);
    let archive = scratch.location("oci-archive", "image.tar:1");
    go(&transports, &name("app:1"), &archive);
    let before = std::fs::read(scratch.path("image.tar")).unwrap();
    let error = copy(
        &transports,
        &archive,
        &scratch.location("docker-archive", "./image.tar:x"),
        &CopyOptions::default(),
    );
    assert!(matches!(error, Err(TransportError::Destination { .. })));
    assert_eq!(std::fs::read(scratch.path("image.tar")).unwrap(), before);

    // A source that breaks off leaves no output.
    let layer = transports.open(&name("app:1"), None).unwrap().image.layers[1]
        .descriptor
        .digest;
    std::fs::write(scratch.path("store/blobs/sha256").join(layer.hex()), b"x").unwrap();
    for transport in ["oci-archive", "docker-archive"] {
        let to = scratch.location(transport, "broken.tar:1");
        assert!(copy(&transports, &name("app:1"), &to, &CopyOptions::default()).is_err());
        assert!(!scratch.path("broken.tar").exists());
    }
    let left = std::fs::read_dir(scratch.directory.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");

    // What is not a file is refused, and nothing hangs.
    assert!(
        Command::new("mkfifo")
            .arg(scratch.path("fifo"))
            .status()
            .unwrap()
            .success()
    );
    for transport in ["oci-archive", "docker-archive", "oci"] {
        assert!(
            transports
                .open(&scratch.location(transport, "fifo"), None)
                .is_err()
        );
        assert!(
            transports
                .open(&scratch.location(transport, "missing"), None)
                .is_err()
        );
    }
    let zero = Location::parse("docker-archive:/dev/zero").unwrap();
    assert!(transports.open(&zero, None).is_err());
}

#[test]
fn a_platform_that_is_not_there_is_refused() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Oci, 1000);
    go(
        &transports,
        &name("app:1"),
        &scratch.location("oci", "layout:1"),
    );
    let other = Platform::new("linux", "s390x", "");
    let error = transports
        .open(&scratch.location("oci", "layout:1"), Some(&other))
        .err()
        .unwrap();
    assert!(error.to_string().contains("s390x"), "{error}");
}

#[test]
fn a_registry_takes_and_gives_images() {
    if !has("docker-registry", "registry") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "plain", &Guard::default());
    let transports = scratch.transports();
    for (schema, tag) in [(Schema::Oci, "oci"), (Schema::Docker, "docker")] {
        let digest = sample(&transports, &format!("app:{tag}"), schema, 300_000);
        let pushed = go(
            &transports,
            &name(&format!("app:{tag}")),
            &registry.location(&format!("team/app:{tag}")),
        );
        assert_eq!(pushed.written.manifest_digest, Some(digest));
        let again = go(
            &transports,
            &name(&format!("app:{tag}")),
            &registry.location(&format!("team/app:{tag}")),
        );
        assert_eq!(
            (again.written.moved.blobs, again.written.moved.already_there),
            (0, 3)
        );

        // Into another repository of the same registry nothing is sent.
        let mounted = go(
            &transports,
            &registry.location(&format!("team/app:{tag}")),
            &registry.location(&format!("elsewhere/app:{tag}")),
        );
        let moved = mounted.written.moved;
        assert_eq!(
            (moved.blobs, moved.mounted + moved.already_there),
            (0, 3),
            "{tag}"
        );
        assert!(moved.mounted > 0, "{tag}");

        // Into an empty store, by digest.
        let fresh = Scratch::new();
        let other = fresh.transports();
        let by_digest = registry.location(&format!("team/app@{digest}"));
        let pulled = go(&other, &by_digest, &name("pulled:1"));
        assert_eq!(pulled.written.manifest_digest, Some(digest));
        assert_eq!(pulled.written.moved.blobs, 2);
        assert!(matches!(pulled.origin, Origin::Registry(_)));
        assert!(
            other
                .open_store(&Reference::parse("pulled:1").unwrap())
                .unwrap()
                .is_some()
        );

        if has("skopeo", "registry against skopeo") {
            let from = format!("docker://localhost:{}/elsewhere/app:{tag}", registry.port);
            let to = format!("dir:{}", fresh.path("skopeo").display());
            let args = [
                "--insecure-policy",
                "copy",
                "-q",
                "--src-tls-verify=false",
                &from,
                &to,
            ];
            output(Command::new("skopeo").args(args));
            let manifest = std::fs::read(fresh.path("skopeo").join("manifest.json")).unwrap();
            assert_eq!(Digest::of(&manifest), digest);
        }
    }
    let missing = transports
        .open(&registry.location("team/app:missing"), None)
        .err()
        .unwrap();
    assert!(missing.to_string().contains("missing"), "{missing}");
    let bare = transports.open(
        &name(&format!("localhost:{}/team/none:1", registry.port)),
        None,
    );
    let text = bare.err().unwrap().to_string();
    assert!(
        text.contains("local store") && text.contains("engine") && text.contains("localhost"),
        "{text}"
    );
}

#[test]
fn chunks_of_any_size_make_the_same_blob() {
    if !has("docker-registry", "chunked upload") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "chunks", &Guard::default());
    let options = TransportOptions {
        registry: RegistryOptions {
            chunk_bytes: Some(65_537),
            ..RegistryOptions::default()
        },
        ..TransportOptions::default()
    };
    let transports = scratch.transports_with(options);
    let digest = sample(&transports, "app:1", Schema::Oci, 400_000);
    let pushed = go(&transports, &name("app:1"), &registry.location("chunked:1"));
    assert_eq!(pushed.written.manifest_digest, Some(digest));
    let fresh = Scratch::new();
    let pulled = go(
        &fresh.transports(),
        &registry.location("chunked:1"),
        &name("pulled:1"),
    );
    assert_eq!(pulled.written.manifest_digest, Some(digest));
}

#[test]
fn a_registry_behind_tls_and_a_password() {
    if !has("docker-registry", "registry with TLS")
        || !has("htpasswd", "registry with a password")
        || !has("openssl", "registry with TLS")
    {
        return;
    }
    let scratch = Scratch::new();
    let certificates = Certificates::make(&scratch);
    let htpasswd = scratch.path("htpasswd");
    std::fs::write(
        &htpasswd,
        output(Command::new("htpasswd").args(["-Bbn", "ann", "secret:x"])),
    )
    .unwrap();
    let guard = Guard {
        tls: Some(certificates.server.clone()),
        htpasswd: Some(htpasswd),
    };
    let registry = Registry::start(&scratch, "guarded", &guard);
    let to = registry.location("team/app:1");

    let stranger = scratch.transports();
    sample(&stranger, "app:1", Schema::Oci, 100_000);
    let error = copy(&stranger, &name("app:1"), &to, &CopyOptions::default())
        .err()
        .unwrap();
    assert!(chain(&error).contains("--ca FILE"), "{}", chain(&error));

    let with = |auths: &str, extra: &[(&str, &str)]| {
        let home = Scratch::new();
        std::fs::write(home.path("config.json"), auths).unwrap();
        let directory = home.path("").to_str().unwrap().to_owned();
        let path = std::env::var("PATH").unwrap();
        let mut variables = vec![("DOCKER_CONFIG", directory.as_str()), ("PATH", &path)];
        variables.extend(extra);
        let options = TransportOptions {
            http: HttpOptions {
                ca_files: vec![certificates.authority.clone()],
                ..HttpOptions::default()
            },
            environment: Environment::new(variables),
            ..TransportOptions::default()
        };
        (scratch.transports_with(options), home)
    };
    let (anonymous, _home) = with("{}", &[]);
    let error = copy(&anonymous, &name("app:1"), &to, &CopyOptions::default())
        .err()
        .unwrap();
    assert!(chain(&error).contains("docker login"), "{}", chain(&error));

    // ann:wrong
    let host = format!("localhost:{}", registry.port);
    let (wrong, _home) = with(
        &format!(r#"{{"auths":{{"{host}":{{"auth":"YW5uOndyb25n"}}}}}}"#),
        &[],
    );
    let error = copy(&wrong, &name("app:1"), &to, &CopyOptions::default())
        .err()
        .unwrap();
    assert!(
        chain(&error).contains("credentials that are configured"),
        "{}",
        chain(&error)
    );

    // ann:secret:x
    let (ann, _home) = with(
        &format!(r#"{{"auths":{{"{host}":{{"auth":"YW5uOnNlY3JldDp4"}}}}}}"#),
        &[],
    );
    go(&ann, &name("app:1"), &to);
    let fresh = go(&ann, &to, &scratch.location("oci-archive", "back.tar:1"));
    assert_eq!(fresh.written.conversions, Vec::<String>::new());
}

#[test]
fn a_docker_engine_takes_and_gives_images() {
    if !has_engine("docker-daemon") {
        return;
    }
    let scratch = Scratch::new();
    let environment = Environment::new(std::env::vars());
    let transports = scratch.transports_with(TransportOptions {
        environment,
        ..TransportOptions::default()
    });
    sample(
        &transports,
        "jettison-transport-test:in",
        Schema::Oci,
        3_000_000,
    );
    let original = transports
        .open(&name("jettison-transport-test:in"), None)
        .unwrap();
    let daemon = name("docker-daemon:jettison-transport-test:out");
    let _removed = EngineImage("jettison-transport-test:out");
    let loaded = go(&transports, &name("jettison-transport-test:in"), &daemon);
    assert_eq!(loaded.written.names, ["jettison-transport-test:out"]);
    let id = output(Command::new("docker").args([
        "image",
        "inspect",
        "-f",
        "{{.Id}}",
        "jettison-transport-test:out",
    ]));
    let id = String::from_utf8(id).unwrap().trim().to_owned();
    assert_eq!(id, original.image.manifest.config.digest.to_string());

    let back = transports.open(&daemon, None).unwrap();
    assert!(matches!(back.origin, Origin::Daemon(_)));
    assert_eq!(back.image.config_bytes, original.image.config_bytes);
    // The second look needs no export.
    let begin = Instant::now();
    let again = transports
        .open(&name("jettison-transport-test:out"), None)
        .unwrap();
    let second = begin.elapsed();
    assert_eq!(again.image.manifest_digest, back.image.manifest_digest);
    assert!(second < Duration::from_millis(500), "{second:?}");
    let by_id = transports
        .open(&Location::parse(&id).unwrap(), None)
        .unwrap();
    assert_eq!(by_id.image.manifest_digest, back.image.manifest_digest);

    let error = transports.open(&name("docker-daemon:jettison-transport-test:none"), None);
    assert!(chain(&error.err().unwrap()).contains("no image"));
}

struct EngineImage(&'static str);

impl Drop for EngineImage {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "-f", self.0]).output();
    }
}

#[test]
fn no_engine_is_said_aloud() {
    let scratch = Scratch::new();
    for (host, expected) in [
        ("unix:///nowhere/docker.sock", "no Docker engine answers"),
        ("tcp://127.0.0.1:1", "no Docker engine answers"),
        ("ssh://user@host", "ssh is not spoken"),
        ("npipe:////./pipe/docker", "expected unix:// or tcp://"),
    ] {
        let environment = Environment::new([("DOCKER_HOST", host)]);
        let transports = scratch.transports_with(TransportOptions {
            environment,
            ..TransportOptions::default()
        });
        let error = transports.engine().unwrap_err().to_string();
        assert!(error.contains(expected), "{host}: {error}");
    }
}
