//! What is read out of a spool is what the layers say.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use jettison_image::compression::EncoderOptions;
use jettison_image::{
    Entry, EntryKind, History, ImageConfig, ImagePath, LayerWriter, Metadata, NewImage, NewLayer,
};

use super::*;
use crate::progress::Silent;
use crate::store::Store;
use crate::transport::{TransportOptions, Transports};

pub(crate) fn context(directory: &Path) -> Context {
    limited_context(directory, Limits::default())
}

fn limited_context(directory: &Path, limits: Limits) -> Context {
    let store = Store::open(directory).unwrap();
    let options = TransportOptions {
        limits,
        ..TransportOptions::default()
    };
    Context {
        transports: Transports::new(store, options, Arc::new(Silent)).unwrap(),
        progress: Arc::new(Silent),
    }
}

fn entry(path: &str, kind: EntryKind) -> Entry {
    let metadata = Metadata {
        mode: 0o640,
        ..Metadata::default()
    };
    Entry {
        path: ImagePath::new(path).unwrap(),
        kind,
        metadata,
    }
}

fn content(seed: u8, size_bytes: usize) -> Vec<u8> {
    (0..size_bytes).map(|at| (at / 3) as u8 ^ seed).collect()
}

/// A layer of files and of links to `big`, and what follows it raw.
pub(crate) fn layer(
    store: &Store,
    compression: Compression,
    files: &[(&str, Vec<u8>)],
    links: &[&str],
) -> NewLayer {
    let sink = store.blob_writer().unwrap();
    let mut writer = LayerWriter::new(sink, &EncoderOptions::new(compression)).unwrap();
    for (path, content) in files {
        let size_bytes = content.len() as u64;
        let entry = entry(path, EntryKind::File { size_bytes });
        writer.append(&entry, &mut &content[..]).unwrap();
    }
    for path in links {
        let target = ImagePath::new("big").unwrap();
        let entry = entry(path, EntryKind::HardLink { target });
        writer.append_empty(&entry).unwrap();
    }
    let (built, sink) = writer.finish().unwrap();
    sink.commit_as(built.digest).unwrap();
    NewLayer::from(&built)
}

pub(crate) fn image(context: &Context, layers: Vec<NewLayer>) -> Image {
    let platform = jettison_image::Platform::host();
    let mut image = NewImage::new(jettison_image::Schema::Oci, ImageConfig::new(&platform));
    for layer in layers {
        image.push_layer(layer, History::default());
    }
    image.finish(Arc::new(context.store_source())).unwrap()
}

#[test]
fn contents_entries_and_layers_are_the_image_s_own() {
    let scratch = tempfile::tempdir().unwrap();
    let context = context(scratch.path());
    let store = context.store();
    let below = [
        ("big", content(1, 3_000_000)),
        ("d/small", content(2, 700)),
        ("empty", vec![]),
        ("gone", content(3, 9)),
    ];
    let above = [("d/small", content(4, 513)), (".wh.gone", vec![])];
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layers = vec![
            layer(store, compression, &below, &["d/link"]),
            layer(store, compression, &above, &[]),
        ];
        let image = image(&context, layers);
        let spool = Spool::open(&image, &context).unwrap();
        let expected = BTreeMap::from([
            ("big", content(1, 3_000_000)),
            ("d/link", content(1, 3_000_000)),
            ("d/small", content(4, 513)),
            ("empty", vec![]),
        ]);
        for (path, content) in &expected {
            let node = spool.tree().get(path).unwrap();
            assert_eq!(*spool.read(node, u64::MAX).unwrap(), content[..]);
            let most = content.len().min(100);
            assert_eq!(*spool.read(node, 100).unwrap(), content[..most]);
            let sha256 = jettison_image::Digest::of(content);
            assert_eq!(node.sha256(), Some(sha256), "{path}");
            let mut reader = spool.entry_at(node.content_origin().unwrap()).unwrap();
            let mut entry = reader.next_entry().unwrap().unwrap();
            let mut read = Vec::new();
            entry.read_to_end(&mut read).unwrap();
            assert_eq!(read, *content);
        }
        assert!(spool.tree().get("gone").is_none());
        // The unpacked image says the same, and may be spooled as well.
        let plain = spool.image();
        assert_eq!(plain.layers[1].diff_id, image.layers[1].diff_id);
        let again = Spool::open(plain, &context).unwrap();
        let paths = |tree: &Tree| tree.iter().map(|node| node.path()).collect::<Vec<_>>();
        assert_eq!(paths(again.tree()), paths(spool.tree()));
        let node = again.tree().get("d/small").unwrap();
        assert_eq!(*again.read(node, u64::MAX).unwrap(), content(4, 513));
    }
    let left = std::fs::read_dir(context.scratch().unwrap()).unwrap();
    assert_eq!(left.count(), 0, "scratch files have no name");
}

#[test]
fn holes_of_sparse_files_are_zeros() {
    let scratch = tempfile::tempdir().unwrap();
    let tree = scratch.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let mut file = File::create(tree.join("sparse")).unwrap();
    file.set_len(3 << 20).unwrap();
    file.write_all(b"start").unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"end", 2 << 20).unwrap();
    let tar = std::process::Command::new("tar")
        .args(["--sparse", "--format=pax", "-cC"])
        .arg(&tree)
        .args(["-f", "-", "sparse"])
        .output();
    let Ok(tar) = tar else {
        println!("skipped: there is no tar program");
        return;
    };
    let context = context(&scratch.path().join("store"));
    let blob = context.store().put_blob(&tar.stdout).unwrap();
    let layer = NewLayer {
        digest: blob.digest,
        size_bytes: blob.size_bytes,
        diff_id: jettison_image::DiffId(blob.digest),
        compression: Compression::None,
    };
    let spool = Spool::open(&image(&context, vec![layer]), &context).unwrap();
    let node = spool.tree().get("sparse").unwrap();
    let read = spool.read(node, u64::MAX).unwrap();
    assert_eq!(*read, *std::fs::read(tree.join("sparse")).unwrap());
    assert_eq!(&*spool.read(node, 6).unwrap(), b"start\0");
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let context = limited_context(scratch.path(), Limits::default());
    let honest = layer(
        context.store(),
        Compression::Gzip,
        &[("a", content(1, 5000))],
        &[],
    );
    let other = layer(context.store(), Compression::Gzip, &[], &[]);
    let lie = NewLayer {
        diff_id: other.diff_id,
        ..honest.clone()
    };
    let error = |image: &Image, context: &Context| match Spool::open(image, context) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let problem = error(&image(&context, vec![lie]), &context);
    assert!(problem.contains("unpacks to"), "{problem}");
    let twice = image(&context, vec![honest.clone(), other]);
    let limits = Limits {
        unpacked_bytes: 7000,
        ..Limits::default()
    };
    let context = limited_context(scratch.path(), limits);
    let problem = error(&twice, &context);
    assert!(problem.contains("unpacked-bytes"), "{problem}");
}
