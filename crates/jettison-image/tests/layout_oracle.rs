//! Archives that are written here against those who read them, and archives
//! that others write against our readers.
#![expect(clippy::unwrap_used, reason = "a test")]

mod support;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jettison_image::compression::EncoderOptions;
use jettison_image::layout::{
    ArchiveFiles, ArchiveSink, Layout, LayoutName, ReadSeek, write_docker_archive, write_oci_layout,
};
use jettison_image::testing::MemoryBlobs;
use jettison_image::{
    Compression, Decoder, Entry, EntryKind, History, Image, ImageConfig, ImagePath, LayerWriter,
    Limits, Metadata, NewImage, NewLayer, Platform, Reference, Schema,
};
use support::run;

fn image(schema: Schema) -> Image {
    let mut config = ImageConfig::new(&"linux/amd64".parse().unwrap());
    config.created = Some("2026-01-02T03:04:05Z".to_owned());
    config.run.entrypoint = vec!["/app".to_owned()];
    config.run.set_env("A", "1");
    config.run.labels.insert("a.b".to_owned(), "c".to_owned());
    config.run.exposed_ports.insert("80/tcp".to_owned());
    let mut new = NewImage::new(schema, config);
    let mut blobs = MemoryBlobs::default();
    for (at, compression) in [Compression::Gzip, Compression::None, Compression::Gzip]
        .into_iter()
        .enumerate()
    {
        let mut writer = LayerWriter::new(Vec::new(), &EncoderOptions::new(compression)).unwrap();
        let content = format!("content {at}");
        let kind = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        let metadata = Metadata {
            mode: 0o644,
            ..Metadata::default()
        };
        let entry = Entry {
            path: ImagePath::new(format!("f{at}")).unwrap(),
            kind,
            metadata,
        };
        writer.append(&entry, &mut content.as_bytes()).unwrap();
        let (built, bytes) = writer.finish().unwrap();
        blobs.add(bytes);
        let step = History {
            created_by: Some(format!("step {at}")),
            ..History::default()
        };
        new.push_layer(NewLayer::from(&built), step);
    }
    new.finish(Arc::new(blobs)).unwrap()
}

fn load(path: &Path, name: Option<&str>) -> Image {
    let path = path.to_owned();
    let open = move || Ok(Box::new(File::open(&path)?) as Box<dyn ReadSeek>);
    let limits = Limits::default();
    let files = ArchiveFiles::index(Box::new(open), &limits).unwrap();
    let layout = Layout::open(Arc::new(files), &limits).unwrap();
    layout.load(name, &Platform::host(), &limits).unwrap()
}

/// Configs say the same and layers unpack to what they promise.
fn check_same(read: &Image, image: &Image) {
    assert_eq!(read.config.diff_ids, image.config.diff_ids);
    assert_eq!(read.config.run.entrypoint, image.config.run.entrypoint);
    assert_eq!(read.config.run.labels, image.config.run.labels);
    for layer in &read.layers {
        let packed = read.open_layer(layer).unwrap();
        let mut plain = Vec::new();
        let mut unpack = Decoder::new(packed, layer.compression, &Limits::default()).unwrap();
        unpack.read_to_end(&mut plain).unwrap();
        assert_eq!(jettison_image::Digest::of(&plain), layer.diff_id.0);
    }
}

#[test]
fn docker_loads_ours_and_we_read_its_own() {
    if let Err(error) = run("docker", &["info"], b"") {
        return eprintln!("skipped: no Docker engine: {error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let names =
        ["one", "two"].map(|tag| format!("jettison-layout-oracle:{tag}-{}", std::process::id()));
    for schema in [Schema::Oci, Schema::Docker] {
        let image = image(schema);
        let mut sink = ArchiveSink::new(Vec::new());
        let references = names.clone().map(|name| Reference::parse(&name).unwrap());
        write_docker_archive(&mut sink, &[(&image, &references)], &Limits::default()).unwrap();
        run("docker", &["load"], &sink.finish().unwrap()).unwrap();
        let saved = directory.path().join("saved.tar");
        let outcome = names.iter().try_for_each(|name| {
            let id = run(
                "docker",
                &["image", "inspect", "--format", "{{.Id}}", name],
                b"",
            )?;
            let id = String::from_utf8_lossy(&id).trim().to_owned();
            assert_eq!(id, image.manifest.config.digest.to_string());
            run(
                "docker",
                &["save", "-o", saved.to_str().unwrap(), name],
                b"",
            )?;
            check_same(&load(&saved, Some(name)), &image);
            check_same(&load(&saved, None), &image);
            Ok::<_, String>(())
        });
        run("docker", &["rmi", &names[0], &names[1]], b"").unwrap();
        outcome.unwrap();
    }
}

#[test]
fn skopeo_reads_ours_and_we_read_its_own() {
    if let Err(error) = run("skopeo", &["--version"], b"") {
        return eprintln!("skipped: no skopeo: {error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let text = |name: &str| at(name).display().to_string();
    let image = image(Schema::Oci);
    let reference = Reference::parse("app:1.0").unwrap();

    let mut sink = ArchiveSink::new(File::create(at("oci.tar")).unwrap());
    write_oci_layout(&mut sink, &image, &[LayoutName::of(&reference)], None).unwrap();
    sink.finish().unwrap();
    let mut sink = ArchiveSink::new(File::create(at("docker.tar")).unwrap());
    write_docker_archive(&mut sink, &[(&image, &[reference])], &Limits::default()).unwrap();
    sink.finish().unwrap();

    let policy = "--insecure-policy";
    for source in [
        format!("oci-archive:{}:1.0", text("oci.tar")),
        format!("docker-archive:{}:app:1.0", text("docker.tar")),
    ] {
        let digest = run(
            "skopeo",
            &["inspect", "--format", "{{.Digest}}", &source],
            b"",
        )
        .unwrap();
        if source.starts_with("oci") {
            let digest = String::from_utf8_lossy(&digest).trim().to_owned();
            assert_eq!(digest, image.manifest_digest.to_string());
        }
        for (number, kind) in ["oci-archive", "docker-archive"].into_iter().enumerate() {
            let name = format!("{number}.tar");
            let destination = format!("{kind}:{}:app:2.0", text(&name));
            run(
                "skopeo",
                &[policy, "copy", "-q", &source, &destination],
                b"",
            )
            .unwrap();
            check_same(&load(&at(&name), None), &image);
            check_same(&load(&at(&name), Some("app:2.0")), &image);
            std::fs::remove_file(at(&name)).unwrap();
        }
    }
}
