//! Archives and layers that are not packed as their destination or source
//! would have them.

use std::fs::File;
use std::process::{Command, Stdio};

use jettison_engine::copy::{CopyOptions, copy};
use jettison_engine::transport::{Location, Origin, TransportOptions};
use jettison_image::{Compression, Digest, Limits, Reference, Schema};

use crate::support::{Guard, Registry, Scratch, chain, go, has, name, output, sample};

#[test]
fn plain_layers_are_gzipped_for_a_registry() {
    if !has("docker-registry", "pushing plain layers") {
        return;
    }
    let scratch = Scratch::new();
    let registry = Registry::start(&scratch, "plain-layers", &Guard::default());
    let transports = scratch.transports();
    let original = sample(&transports, "app:1", Schema::Docker, 300_000);
    let docker = scratch.location("docker-archive", "docker.tar:app:1");
    go(&transports, &name("app:1"), &docker);
    let archived = transports.open(&docker, None).unwrap().image;
    assert!(
        archived
            .layers
            .iter()
            .all(|layer| layer.compression == Compression::None)
    );

    let to = registry.location("team/packed:1");
    let pushed = go(&transports, &docker, &to).written;
    assert_eq!(pushed.moved.blobs, 3);
    assert_eq!(pushed.conversions.len(), 1, "{:?}", pushed.conversions);
    let said = &pushed.conversions[0];
    assert!(
        said.contains("2 layers") && said.contains("gzipped"),
        "{said}"
    );
    assert_ne!(pushed.manifest_digest, Some(original));

    // From another store, as another machine would: the same blobs.
    let fresh = Scratch::new();
    let other = fresh.transports();
    let again = go(&other, &docker, &to).written;
    assert_eq!(again.manifest_digest, pushed.manifest_digest);
    assert_eq!((again.moved.blobs, again.moved.already_there), (0, 3));

    let pulled = go(&other, &to, &name("pulled:1"));
    assert_eq!(pulled.written.manifest_digest, pushed.manifest_digest);
    let image = other
        .open_store(&Reference::parse("pulled:1").unwrap())
        .unwrap()
        .unwrap()
        .image;
    assert_eq!(image.config_bytes, archived.config_bytes);
    for (packed, plain) in image.layers.iter().zip(&archived.layers) {
        assert_eq!(packed.compression, Compression::Gzip);
        assert_eq!(packed.diff_id, plain.diff_id);
        assert!(packed.descriptor.media_type.ends_with("tar.gzip"));
        let blob = fresh
            .path("store/blobs/sha256")
            .join(packed.descriptor.digest.hex());
        let unpacked = output(
            Command::new("gzip")
                .arg("-dc")
                .stdin(File::open(blob).unwrap()),
        );
        assert_eq!(Digest::of(&unpacked), plain.diff_id.0);
    }
    // What lies in a registry keeps its digest on the way into another place.
    let elsewhere = registry.location("elsewhere/packed:1");
    let copied = go(&other, &to, &elsewhere).written;
    assert_eq!(copied.manifest_digest, pushed.manifest_digest);
    assert_eq!(copied.conversions, Vec::<String>::new());
    if has("skopeo", "judging a packed image with skopeo") {
        let from = format!("docker://localhost:{}/team/packed:1", registry.port);
        let to = format!("docker-archive:{}:app:1", fresh.path("back.tar").display());
        let copy = ["--insecure-policy", "copy", "-q", "--src-tls-verify=false"];
        output(Command::new("skopeo").args(copy).args([&from, &to]));
        let back = fresh.location("docker-archive", "back.tar");
        let back = other.open(&back, None).unwrap().image;
        assert_eq!(back.config_bytes, archived.config_bytes);
    }
}

#[test]
fn archives_that_are_packed_as_a_whole_are_read() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    let digest = sample(&transports, "app:1", Schema::Oci, 700_000);
    for (transport, tag) in [("oci-archive", "1"), ("docker-archive", "app:1")] {
        let plain = scratch.location(transport, &format!("{transport}.tar:{tag}"));
        go(&transports, &name("app:1"), &plain);
        let expected = transports.open(&plain, None).unwrap().image;
        for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
            if !has(program, "packed archives") {
                continue;
            }
            let tar = File::open(scratch.path(&format!("{transport}.tar"))).unwrap();
            let packed = output(Command::new(program).arg("-c").stdin(tar));
            let file = format!("{transport}.tar.{ending}");
            std::fs::write(scratch.path(&file), &packed).unwrap();
            let location = scratch.location(transport, &format!("{file}:{tag}"));
            let opened = transports.open(&location, None).unwrap();
            assert_eq!(opened.origin, Origin::File(location.clone()));
            assert_eq!(opened.image.manifest_digest, expected.manifest_digest);
            let copied = go(&transports, &location, &name(&format!("{ending}:1")));
            assert_eq!(copied.source_digest, expected.manifest_digest);
            // No file is left of it, and what is cut off is an error.
            let left = std::fs::read_dir(scratch.path("store/scratch")).unwrap();
            assert_eq!(left.count(), 0);
            std::fs::write(scratch.path(&file), &packed[..packed.len() - 20]).unwrap();
            let error = transports.open(&location, None).err().unwrap();
            assert!(chain(&error).contains(&file), "{}", chain(&error));
        }
        if transport == "oci-archive" {
            assert_eq!(expected.manifest_digest, digest);
        }
    }
}

#[test]
fn packed_archives_are_bounded() {
    let scratch = Scratch::new();
    // A gigabyte of nothing in a megabyte, and in it no archive.
    let bomb = scratch.path("bomb.tar.gz");
    let make = format!(
        "head -c 1000000000 /dev/zero | gzip -1 > {}",
        bomb.display()
    );
    output(Command::new("sh").args(["-c", &make]));
    let options = TransportOptions {
        limits: Limits {
            unpacked_bytes: 50_000_000,
            ..Limits::default()
        },
        ..TransportOptions::default()
    };
    let transports = scratch.transports_with(options);
    for transport in ["docker-archive", "oci-archive"] {
        let location = scratch.location(transport, "bomb.tar.gz");
        let error = transports.open(&location, None).err().unwrap();
        let text = chain(&error);
        assert!(
            text.contains("50000000") && text.contains("unpacked-bytes"),
            "{text}"
        );
    }
    // Packed twice, and with what we do not unpack.
    for (program, ending) in [("gzip", "gz"), ("xz", "xz")] {
        if !has(program, "refused archives") {
            continue;
        }
        let twice = format!(
            "printf x | gzip | {program} > {}",
            scratch.path(&format!("twice.{ending}")).display()
        );
        output(Command::new("sh").args(["-c", &twice]));
        let location = scratch.location("docker-archive", &format!("twice.{ending}"));
        let error = transports.open(&location, None).err().unwrap();
        assert!(
            chain(&error).contains("unpack it first"),
            "{}",
            chain(&error)
        );
    }
}

/// The other end of this test, as a process whose standard input is a pipe.
#[test]
fn inner_standard_input() {
    let Some(expected) = std::env::var_os("JETTISON_TEST_STDIN") else {
        return;
    };
    let scratch = Scratch::new();
    let from = Location::parse("docker-archive:/dev/stdin").unwrap();
    let transports = scratch.transports();
    let copied = match copy(&transports, &from, &name("x:1"), &CopyOptions::default()) {
        Ok(copied) => copied,
        Err(error) => panic!("{}", chain(&error)),
    };
    assert_eq!(copied.source_digest.to_string(), expected.to_str().unwrap());
}

#[test]
fn an_archive_comes_out_of_a_pipe() {
    let scratch = Scratch::new();
    let transports = scratch.transports();
    sample(&transports, "app:1", Schema::Oci, 700_000);
    let plain = scratch.location("docker-archive", "docker.tar:app:1");
    go(&transports, &name("app:1"), &plain);
    let expected = transports.open(&plain, None).unwrap().image.manifest_digest;
    let file = scratch.path("docker.tar");
    let file = file.display();
    for script in [
        format!("cat {file} | \"$0\" \"$@\""),
        format!("gzip -c {file} | \"$0\" \"$@\""),
        format!("\"$0\" \"$@\" < {file}"),
    ] {
        let ended = Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "packing::inner_standard_input"])
            .env("JETTISON_TEST_STDIN", expected.to_string())
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success(), "{script}: {said}");
        assert!(said.contains("1 passed"), "{said}");
    }
}
