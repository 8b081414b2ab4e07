//! Layouts and archives in memory: what is written is read back, and what an
//! attacker writes is refused. Engines read them in `tests/layout_oracle.rs`.

use std::io::Cursor;

use super::*;
use crate::compression::EncoderOptions;
use crate::testing::MemoryBlobs;
use crate::{
    Compression, Descriptor, Digest, Entry, EntryKind, History, ImageConfig, ImageIndex, ImagePath,
    LayerWriter, Metadata, NewImage, NewLayer, Reference, Schema,
};

fn file(path: &str, size_bytes: u64) -> Entry {
    let kind = EntryKind::File { size_bytes };
    Entry {
        path: ImagePath::new(path).unwrap(),
        kind,
        metadata: Metadata {
            mode: 0o644,
            ..Metadata::default()
        },
    }
}

fn image(schema: Schema, compressions: &[Compression]) -> Image {
    let platform = "linux/amd64".parse().unwrap();
    let mut new = NewImage::new(schema, ImageConfig::new(&platform));
    let mut blobs = MemoryBlobs::default();
    for (at, &compression) in compressions.iter().enumerate() {
        let mut writer = LayerWriter::new(Vec::new(), &EncoderOptions::new(compression)).unwrap();
        let content = vec![at as u8; 100_000];
        writer
            .append(&file(&format!("f{at}"), 100_000), &mut &content[..])
            .unwrap();
        let (built, bytes) = writer.finish().unwrap();
        blobs.add(bytes);
        let step = History {
            created_by: Some(format!("COPY f{at}")),
            ..History::default()
        };
        new.push_layer(NewLayer::from(&built), step);
    }
    new.push_step(History {
        created_by: Some("ENTRYPOINT".into()),
        ..History::default()
    });
    new.finish(Arc::new(blobs)).unwrap()
}

/// The content of all layers, read to the verified end.
fn contents(image: &Image) -> Vec<Vec<u8>> {
    let read = |layer| {
        let mut bytes = Vec::new();
        crate::Decoder::new(
            image.open_layer(layer).unwrap(),
            layer.compression,
            &Limits::default(),
        )
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
        assert_eq!(Digest::of(&bytes), layer.diff_id.0);
        bytes
    };
    image.layers.iter().map(read).collect()
}

fn files(archive: Vec<u8>) -> Result<Arc<dyn Files>, Error> {
    let open = move || Ok(Box::new(Cursor::new(archive.clone())) as Box<dyn ReadSeek>);
    Ok(Arc::new(ArchiveFiles::index(
        Box::new(open),
        &Limits::default(),
    )?))
}

fn open(archive: Vec<u8>) -> Result<Layout, Error> {
    Layout::open(files(archive)?, &Limits::default())
}

fn load(layout: &Layout, name: Option<&str>) -> Result<Image, String> {
    let platform = "linux/amd64".parse().unwrap();
    layout
        .load(name, &platform, &Limits::default())
        .map_err(|error| error.to_string())
}

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

fn oci_archive(image: &Image, names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names
        .iter()
        .map(|name| LayoutName::of(&Reference::parse(name).unwrap()))
        .collect();
    let mut sink = ArchiveSink::new(Vec::new());
    write_oci_layout(&mut sink, image, &names, None).unwrap();
    sink.finish().unwrap()
}

fn docker_archive(image: &Image, names: &[&str]) -> Vec<u8> {
    let names: Vec<_> = names
        .iter()
        .map(|name| Reference::parse(name).unwrap())
        .collect();
    let mut sink = ArchiveSink::new(Vec::new());
    write_docker_archive(&mut sink, &[(image, &names)], &Limits::default()).unwrap();
    sink.finish().unwrap()
}

#[test]
fn an_oci_archive_is_read_back() {
    for schema in [Schema::Oci, Schema::Docker] {
        let image = image(schema, &ALL);
        let archive = oci_archive(&image, &["app:1.0", "app", "ghcr.io/me/app:1.0"]);
        assert_eq!(
            archive,
            oci_archive(&image, &["app:1.0", "app", "ghcr.io/me/app:1.0"])
        );
        let layout = open(archive).unwrap();
        for name in [
            None,
            Some("1.0"),
            Some("app:1.0"),
            Some("ghcr.io/me/app:1.0"),
            Some("app"),
        ] {
            let read = load(&layout, name).unwrap();
            assert_eq!(read.manifest_digest, image.manifest_digest, "{name:?}");
            assert_eq!(contents(&read), contents(&image));
            assert_eq!(read.layers[1].created_by.as_deref(), Some("COPY f1"));
        }
        assert_eq!(
            load(&layout, Some("other")).err().unwrap(),
            "there is no image named other; there are: docker.io/library/app:1.0, docker.io/library/app:latest, ghcr.io/me/app:1.0"
        );
    }
}

#[test]
fn a_docker_archive_is_read_back_with_plain_layers() {
    let image = image(Schema::Oci, &ALL);
    let layout = open(docker_archive(&image, &["app:1.0", "docker.io/me/app"])).unwrap();
    for name in [None, Some("app:1.0"), Some("me/app:latest"), Some("@0")] {
        let read = load(&layout, name).unwrap();
        assert_eq!(read.config_bytes, image.config_bytes);
        assert!(
            read.layers
                .iter()
                .all(|layer| layer.compression == Compression::None)
        );
        assert_eq!(contents(&read), contents(&image));
    }
    let error = load(&layout, Some("app:2.0")).err().unwrap();
    assert_eq!(error, "there is no image named app:2.0; there are: app:1.0");
}

#[test]
fn an_image_replaces_its_namesake_in_a_layout() {
    let [one, two] = [&ALL[..1], &ALL[..2]].map(|compressions| image(Schema::Oci, compressions));
    let name = |text: &str| vec![LayoutName::of(&Reference::parse(text).unwrap())];
    let mut sink = ArchiveSink::new(Vec::new());
    let index = write_oci_layout(&mut sink, &one, &name("a:1"), None).unwrap();
    let index = write_oci_layout(&mut sink, &one, &name("b:1"), Some(index)).unwrap();
    let index = write_oci_layout(&mut sink, &two, &name("a:1"), Some(index)).unwrap();
    let digests: Vec<_> = index.manifests.iter().map(|entry| entry.digest).collect();
    assert_eq!(digests, [one.manifest_digest, two.manifest_digest]);
    // The last index.json of the archive counts.
    let layout = open(sink.finish().unwrap()).unwrap();
    assert_eq!(
        load(&layout, Some("a:1")).unwrap().manifest_digest,
        two.manifest_digest
    );
    for name in ["b:1", &one.manifest_digest.to_string()] {
        assert_eq!(
            load(&layout, Some(name)).unwrap().manifest_digest,
            one.manifest_digest
        );
    }
    assert!(
        load(&layout, None)
            .err()
            .unwrap()
            .starts_with("there are several images")
    );
}

/// A tar archive of files and links.
fn tar(entries: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, link, content) in entries {
        let mut entry = file(path, content.len() as u64);
        if let Some(target) = link {
            entry.kind = EntryKind::Symlink {
                target: target.as_bytes().to_vec(),
            };
        }
        archive.extend(crate::tar::encode_header(&entry).unwrap());
        archive.extend_from_slice(content);
        archive.resize(archive.len() + crate::tar::padding(content.len() as u64), 0);
    }
    archive.extend(crate::tar::END_OF_ARCHIVE);
    archive
}

#[test]
fn an_old_engines_archive_with_linked_and_packed_layers() {
    let image = image(
        Schema::Docker,
        &[Compression::None, Compression::None, Compression::Gzip],
    );
    let blob = |at: usize| {
        let mut bytes = Vec::new();
        image
            .open_layer(&image.layers[at])
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    let manifest = br#"[{"Config":"c.json","RepoTags":null,"Layers":["a/layer.tar","b/layer.tar","c/layer.tar"]}]"#;
    let archive = tar(&[
        ("b/layer.tar", Some("../store/b.tar"), b""),
        ("store/b.tar", None, &blob(1)),
        ("a/layer.tar", None, &blob(0)),
        ("c/layer.tar", None, &blob(2)),
        ("c.json", None, &image.config_bytes),
        ("manifest.json", None, manifest),
    ]);
    let read = load(&open(archive).unwrap(), None).unwrap();
    assert_eq!(contents(&read), contents(&image));
    assert_eq!(read.layers[2].compression, Compression::Gzip);
}

#[test]
fn a_new_engines_archive_keeps_the_digest() {
    let image = image(Schema::Oci, &ALL);
    let manifest = format!(
        r#"[{{"Config":"blobs/sha256/{}","RepoTags":["app:1"],"Layers":["blobs/sha256/{}","x","y"]}}]"#,
        image.manifest.config.digest.hex(),
        image.layers[0].descriptor.digest.hex(),
    );
    let mut archive = oci_archive(&image, &["app:1"]);
    archive.truncate(archive.len() - 1024);
    archive.extend(tar(&[("manifest.json", None, manifest.as_bytes())]));
    let read = load(&open(archive).unwrap(), Some("app:1")).unwrap();
    assert_eq!(read.manifest_digest, image.manifest_digest);
}

#[test]
fn what_is_refused() {
    let check = |archive: Vec<u8>, expected: &str| {
        let error = match open(archive) {
            Ok(layout) => load(&layout, None).err().unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(error, expected);
    };
    check(
        tar(&[]),
        "archive: holds neither manifest.json nor index.json",
    );
    check(
        tar(&[("repositories", None, b"{}")]),
        "archive: was written by an engine before 1.10; save it again with a current one",
    );
    check(
        vec![0x1f, 0x8b, 8, 0],
        "archive: is packed with gzip; unpack it first",
    );
    check(
        tar(&[
            ("manifest.json", Some("index.json"), b""),
            ("index.json", Some("manifest.json"), b""),
        ]),
        "manifest.json: is a loop of links",
    );
    check(
        tar(&[("index.json", Some("/etc/passwd"), b"")]),
        "archive: holds neither manifest.json nor index.json",
    );
    check(
        tar(&[("manifest.json", None, b"[]")]),
        "there is no image in it",
    );
    check(
        tar(&[("manifest.json", None, br#"[{"Config":"c"}]"#)]),
        "c: is missing",
    );
    let error = open(tar(&[("manifest.json", None, &vec![b'['; 200_000])]))
        .err()
        .unwrap();
    assert!(error.to_string().contains("recursion limit"), "{error}");
    let lists = format!(
        "[{{\"Config\":\"c\"}}{}]",
        ",{\"Config\":\"c\"}".repeat(2000)
    );
    let error = open(tar(&[("manifest.json", None, lists.as_bytes())]))
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("more than 1024 manifests"),
        "{error}"
    );
}

#[test]
fn changed_blobs_are_found_out() {
    let image = image(Schema::Oci, &[Compression::None]);
    let mut archive = oci_archive(&image, &[]);
    let at = archive
        .windows(8)
        .position(|window| window == [0; 8])
        .unwrap();
    // The layer's content is zeros; its middle lies well after its header.
    let layer = archive
        .windows(1000)
        .position(|window| window.iter().all(|&b| b == 0))
        .unwrap();
    assert!(layer > at);
    archive[layer + 500] = 1;
    let layout = open(archive).unwrap();
    let read = load(&layout, None).unwrap();
    let error = io_error(&read);
    assert!(error.contains("has the content of"), "{error}");

    let empty = ImageConfig::new(&"linux/amd64".parse().unwrap()).to_bytes();
    let manifest = br#"[{"Config":"0000000000000000000000000000000000000000000000000000000000000000.json","Layers":[]}]"#;
    let archive = tar(&[
        (
            "0000000000000000000000000000000000000000000000000000000000000000.json",
            None,
            &empty,
        ),
        ("manifest.json", None, manifest),
    ]);
    let error = load(&open(archive).unwrap(), None).err().unwrap();
    assert!(error.contains("has the content of"), "{error}");
}

fn io_error(image: &Image) -> String {
    let mut bytes = Vec::new();
    let error = image
        .open_layer(&image.layers[0])
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap_err();
    error.to_string()
}

#[test]
fn indexes_in_indexes_end() {
    let mut blobs: Vec<(String, Vec<u8>)> = Vec::new();
    let mut bytes = ImageIndex::new(Schema::Oci, Vec::new()).to_bytes();
    for _ in 0..50 {
        let inner = Descriptor::of(crate::media_type::OCI_INDEX, &bytes);
        blobs.push((oci::blob_name(&inner.digest), bytes));
        bytes = ImageIndex::new(Schema::Oci, vec![inner]).to_bytes();
    }
    let mut entries: Vec<_> = blobs
        .iter()
        .map(|(name, bytes)| (name.as_str(), None, &bytes[..]))
        .collect();
    entries.push(("index.json", None, &bytes));
    let error = load(&open(tar(&entries)).unwrap(), None).err().unwrap();
    assert_eq!(error, "index.json: nests indexes too deep");
}

#[test]
fn a_docker_archive_of_the_containerd_store_keeps_its_digests() {
    let image = image(Schema::Oci, &ALL);
    let mut blobs: Vec<Vec<u8>> = vec![image.manifest_bytes.clone(), image.config_bytes.clone()];
    for layer in &image.layers {
        let mut bytes = Vec::new();
        let mut blob = image.open_layer(layer).unwrap();
        blob.read_to_end(&mut bytes).unwrap();
        blobs.push(bytes);
    }
    // The platforms that were not saved are listed all the same.
    let mut missing = image.descriptor();
    missing.digest = Digest::of(b"other");
    missing.platform = Some("linux/arm64".parse().unwrap());
    let platforms = ImageIndex::new(Schema::Oci, vec![missing, image.descriptor()]).to_bytes();
    let entry = Descriptor::of(Schema::Oci.index(), &platforms);
    blobs.push(platforms);
    let index = ImageIndex::new(Schema::Oci, vec![entry]).to_bytes();
    let name = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::of(bytes).hex());
    let layers: Vec<_> = blobs[2..5].iter().map(|bytes| name(bytes)).collect();
    let listed = serde_json::json!([
        {"Config": name(&image.config_bytes), "RepoTags": ["app:1"], "Layers": layers}
    ]);
    for (list, wanted) in [(listed.to_string(), Some("app:1")), ("[]".into(), None)] {
        let names: Vec<_> = blobs.iter().map(|bytes| name(bytes)).collect();
        let mut entries: Vec<(&str, Option<&str>, &[u8])> = names
            .iter()
            .zip(&blobs)
            .map(|(name, bytes)| (name.as_str(), None, &bytes[..]))
            .collect();
        entries.push(("index.json", None, &index));
        entries.push(("manifest.json", None, list.as_bytes()));
        let read = load(&open(tar(&entries)).unwrap(), wanted).unwrap();
        assert_eq!(read.manifest_digest, image.manifest_digest, "{list}");
        assert_eq!(contents(&read), contents(&image));
    }
}
