//! Roots from images: layers, whiteouts, hard links, what does not fit.

use std::io::{Cursor, Read};
use std::sync::Arc;

use jettison_image::compression::EncoderOptions;
use jettison_image::layer::LayerReader;
use jettison_image::{
    BlobSource, Budget, Compression, Decoder, Descriptor, Digest, Entry, EntryKind, Error, History,
    Image, ImageConfig, ImagePath, LayerIndexBuilder, LayerWriter, Limits, Metadata, NewImage,
    NewLayer, Schema, Tree,
};
use jettison_sandbox::{Options, Tier};

use crate::support::*;

/// Layers in memory, in the order of the image.
struct Blobs(Vec<(Digest, Vec<u8>)>);

impl BlobSource for Blobs {
    fn open(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, Error> {
        let found = self.0.iter().find(|(own, _)| *own == blob.digest);
        let (_, bytes) = found.ok_or(Error::MissingBlob {
            digest: blob.digest,
        })?;
        Ok(Box::new(Cursor::new(bytes.clone())))
    }
}

fn entry(path: &str, kind: EntryKind) -> Entry {
    let metadata = Metadata {
        mode: 0o755,
        ..Metadata::default()
    };
    Entry {
        path: ImagePath::new(path).unwrap(),
        kind,
        metadata,
    }
}

type Content = Vec<(Entry, Vec<u8>)>;

fn file(path: &str, content: &[u8]) -> (Entry, Vec<u8>) {
    (
        entry(
            path,
            EntryKind::File {
                size_bytes: content.len() as u64,
            },
        ),
        content.to_vec(),
    )
}

fn image(layers: Vec<Content>) -> (Image, Tree) {
    let limits = Limits::default();
    let budget = Arc::new(Budget::new(&limits));
    let (mut blobs, mut indexes) = (Vec::new(), Vec::new());
    let mut new = NewImage::new(
        Schema::Oci,
        ImageConfig::new(&"linux/amd64".parse().unwrap()),
    );
    for content in layers {
        let options = EncoderOptions::new(Compression::Gzip);
        let mut writer = LayerWriter::new(Vec::new(), &options).unwrap();
        for (entry, content) in &content {
            writer.append(entry, &mut &content[..]).unwrap();
        }
        let (built, bytes) = writer.finish().unwrap();
        let decoder = Decoder::new(&bytes[..], Compression::Gzip, &limits).unwrap();
        let mut reader = LayerReader::new(decoder, &limits);
        let mut index = LayerIndexBuilder::new(Arc::clone(&budget));
        while let Some(entry) = reader.next_entry().unwrap() {
            index.push(entry.entry(), entry.ordinal(), None).unwrap();
        }
        reader.finish().unwrap();
        indexes.push(Arc::new(index.finish()));
        blobs.push((built.digest, bytes));
        new.push_layer(NewLayer::from(&built), History::default());
    }
    let image = new.finish(Arc::new(Blobs(blobs))).unwrap();
    (image, Tree::merge(indexes, &limits).unwrap())
}

fn layers() -> Option<Vec<Content>> {
    let link = |path: &str, target: &str| {
        let target = target.as_bytes().to_vec();
        (entry(path, EntryKind::Symlink { target }), Vec::new())
    };
    let hard = |path: &str, target: &str| {
        let target = ImagePath::new(target).unwrap();
        (entry(path, EntryKind::HardLink { target }), Vec::new())
    };
    Some(vec![
        vec![
            file("bin/busybox", &busybox()?),
            link("bin/sh", "busybox"),
            file("data/old", b"old"),
            file("data/first", b"shared"),
            hard("data/second", "data/first"),
            file("gone/a", b"a"),
            file("opaque/hidden", b"h"),
        ],
        vec![
            file("data/old", b"new"),
            file(".wh.gone", b""),
            file("opaque/.wh..wh..opq", b""),
            file("opaque/shown", b"s"),
            hard("data/third", "data/second"),
        ],
    ])
}

const LOOK: &str = "cd /; busybox find data opaque gone | busybox sort; busybox cat data/old \
    data/third; busybox stat -c %h data/first";

#[test]
fn an_image_is_what_its_layers_make_together() {
    let Some(sandbox) = root_tier() else { return };
    let Some(layers) = layers() else { return };
    let (image, tree) = image(layers);
    let root = sandbox.prepare(&image, &tree, &Limits::default()).unwrap();
    let (_, out, err) = run(&sandbox, &root, &sh(LOOK));
    let files = "data\ndata/first\ndata/old\ndata/second\ndata/third\nopaque\nopaque/shown\n";
    assert_eq!(out, format!("{files}newshared3\n"), "{err}");
}

#[test]
fn what_does_not_fit_into_memory_goes_to_the_scratch_directory() {
    if !is_root() {
        return;
    }
    let Some(layers) = layers() else { return };
    let (image, tree) = image(layers);
    let scratch = tempfile::tempdir().unwrap();
    let options = |scratch_dir| Options {
        tier: Some(Tier::Root),
        memory_bytes: Some(100_000),
        scratch_dir,
        ..Options::default()
    };
    let small = jettison_sandbox::Sandbox::open(&options(None)).unwrap();
    let error = small
        .prepare(&image, &tree, &Limits::default())
        .unwrap_err();
    assert!(error.hint().is_some(), "{error:?}");
    let path = scratch.path().to_owned();
    let sandbox = jettison_sandbox::Sandbox::open(&options(Some(path))).unwrap();
    let root = sandbox.prepare(&image, &tree, &Limits::default()).unwrap();
    let (exit, out, err) = run(&sandbox, &root, &sh(LOOK));
    assert!(
        exit.code == 0 && out.ends_with("newshared3\n"),
        "{out}{err}"
    );
    drop((root, sandbox));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_layer_that_is_not_what_it_says_gives_no_root() {
    let Some(sandbox) = root_tier() else { return };
    let Some(layers) = layers() else { return };
    let (mut image, tree) = image(layers);
    let mut bytes = Vec::new();
    image
        .open_layer(&image.layers[1])
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    let last = bytes.len() - 9;
    bytes[last] ^= 1;
    let source = Blobs(vec![
        (image.layers[1].descriptor.digest, bytes),
        (image.layers[0].descriptor.digest, {
            let mut bytes = Vec::new();
            image
                .open_layer(&image.layers[0])
                .unwrap()
                .read_to_end(&mut bytes)
                .unwrap();
            bytes
        }),
    ]);
    image.source = Arc::new(source);
    assert!(sandbox.prepare(&image, &tree, &Limits::default()).is_err());
}
