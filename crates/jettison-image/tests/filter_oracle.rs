//! Filtered layers in a real engine: the small image shows nothing that the
//! original does not, and with the complement on top it shows the same.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use jettison_image::compression::EncoderOptions;
use jettison_image::filter::{Filter, Selection, complement};
use jettison_image::layout::{ArchiveSink, write_docker_archive};
use jettison_image::tar::Reader;
use jettison_image::testing::{MemoryBlobs, MemoryLayers};
use jettison_image::{
    Compression, DiffId, Digest, Entry, EntryKind, History, ImageConfig, ImagePath, LayerWriter,
    Limits, Metadata, NewImage, NewLayer, Reference, Schema, Timestamp,
};

/// One line an entry: kind, path, mode, then content or target.
const LAYERS: [&str; 3] = [
    "d t 755\nd t/bin 1777\nf t/bin/su 4755 program\nh t/bin/su-too 4755 t/bin/su\n\
     f t/bin/ping 755 capable\nf t/bin/tool 2711 group\np t/pipe 622\nc t/null 666\n\
     d t/lib 755\nd t/lib/deep 700\nf t/lib/deep/a 640 A\nf t/lib/deep/b 440 B\n\
     l t/usr-lib 777 /t/lib\nd t/gone 755\nf t/gone/x 644 x\nf t/db 644 records-of-all\n\
     f t/lib/\u{fc} 644 latin",
    "d t 751\nf t/.wh.gone 0 \nd t/lib 755\nf t/lib/deep.so 755 later\nd t/lib/deep 700\n\
     f t/lib/deep/a 600 changed\nh t/lib/deep/a2 600 t/lib/deep/a\nh t/lib/a3 600 t/lib/deep/a",
    "d t 751\nd t/lib 775\nd t/lib/deep 700\nf t/lib/deep/.wh..wh..opq 0 \nf t/lib/deep/c 604 C\n\
     f t/last 600 end",
];

const KEPT: [&str; 8] = [
    "t/bin/su-too",
    "t/bin/ping",
    "t/bin/tool",
    "t/lib/a3",
    "t/lib/deep/c",
    "t/usr-lib",
    "t/pipe",
    "t/db",
];

fn layer(number: i64, lines: &str) -> Vec<u8> {
    let mut writer = writer();
    for (at, line) in lines.lines().enumerate() {
        let words: Vec<&str> = line.splitn(4, ' ').map(str::trim).collect();
        let rest = words.get(3).copied().unwrap_or_default();
        let kind = match words[0] {
            "d" => EntryKind::Directory,
            "f" => EntryKind::File {
                size_bytes: rest.len() as u64,
            },
            "l" => EntryKind::Symlink {
                target: rest.into(),
            },
            "h" => EntryKind::HardLink {
                target: ImagePath::new(rest).unwrap(),
            },
            "c" => EntryKind::CharDevice { major: 1, minor: 3 },
            _ => EntryKind::Fifo,
        };
        let mut metadata = Metadata {
            mode: u32::from_str_radix(words[2], 8).unwrap(),
            uid: 70 + number as u64,
            gid: 8,
            mtime: Timestamp {
                seconds: 1_600_000_000 + number,
                nanoseconds: if words[0] == "h" { 0 } else { at as u32 * 1000 },
            },
            ..Metadata::default()
        };
        if words[1] == "t/bin/ping" {
            // cap_net_raw=ep (linux/capability.h, struct vfs_cap_data).
            let value: [u8; 20] = [
                1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ];
            let name: &[u8] = b"security.capability";
            metadata.xattrs.insert(name.into(), value.into());
        }
        let entry = Entry {
            path: ImagePath::new(words[1]).unwrap(),
            kind,
            metadata,
        };
        writer.append(&entry, &mut rest.as_bytes()).unwrap();
    }
    writer.finish().unwrap().1
}

fn writer() -> LayerWriter<Vec<u8>> {
    LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).unwrap()
}

/// What the engine shows of these layers below `t`.
fn exported(layers: &[Vec<u8>], name: &str) -> BTreeMap<ImagePath, (Entry, Vec<u8>)> {
    let name = format!("filter-{name}:{}", std::process::id());
    let limits = Limits::default();
    let mut image = NewImage::new(
        Schema::Docker,
        ImageConfig::new(&"linux/amd64".parse().unwrap()),
    );
    let mut blobs = MemoryBlobs::default();
    for layer in layers {
        let digest = blobs.add(layer.clone());
        let layer = NewLayer {
            digest,
            size_bytes: layer.len() as u64,
            diff_id: DiffId(Digest::of(layer)),
            compression: Compression::None,
        };
        image.push_layer(layer, History::default());
    }
    let image = image.finish(Arc::new(blobs)).unwrap();
    let mut sink = ArchiveSink::new(Vec::new());
    let names = [Reference::parse(&name).unwrap()];
    write_docker_archive(&mut sink, &[(&image, &names)], &limits).unwrap();
    let export = engine::export(&sink.finish().unwrap(), &name).unwrap();
    let mut reader = Reader::new(&export[..], &limits);
    let mut entries = BTreeMap::new();
    while let Some(mut entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        let entry = entry.into_entry();
        if entry.path.as_bytes().starts_with(b"t") {
            entries.insert(entry.path.clone(), (entry, content));
        }
    }
    entries
}

#[test]
fn a_real_engine_shows_the_original_again() {
    if let Err(missing) = engine::overlay() {
        return eprintln!("skipped: {missing}");
    }
    let originals: Vec<Vec<u8>> = (0..)
        .zip(LAYERS)
        .map(|(n, lines)| layer(n, lines))
        .collect();
    let limits = Limits::default();
    let (raw, tree) = MemoryLayers::read(originals.clone(), &limits).unwrap();
    let mut selection = Selection::new(&tree);
    for (at, path) in KEPT.iter().enumerate() {
        let node = tree.get(path).unwrap();
        selection.keep(node);
        selection.set_group(node, (at / 3) as u8);
    }
    selection.rewrite(tree.get("t/db").unwrap(), b"of some".to_vec());
    let filter = Filter::new(&tree, &raw, &selection).unwrap();
    let mut layers: Vec<Vec<u8>> = Vec::new();
    for group in filter.groups() {
        let mut writer = writer();
        filter.write(group, &mut writer).unwrap();
        layers.push(writer.finish().unwrap().1);
    }
    let (_, small_tree) = MemoryLayers::read(layers.clone(), &limits).unwrap();
    let original = exported(&originals, "original");
    let small = exported(&layers, "small");
    for (path, (entry, content)) in &small {
        let (before, content_before) = &original[path];
        if path.as_bytes() == b"t/db" {
            assert_eq!(entry.metadata, before.metadata);
            assert_eq!(content, b"of some");
            continue;
        }
        assert_eq!(entry.metadata, before.metadata, "{path:?}");
        // A name whose first name went has the content itself.
        if let EntryKind::HardLink { target } = &before.kind {
            assert_eq!(*content, original[target].1, "{path:?}");
        } else {
            assert_eq!(
                (&entry.kind, content),
                (&before.kind, content_before),
                "{path:?}"
            );
        }
    }
    assert!(KEPT.iter().all(|path| small.contains_key(path.as_bytes())));
    let mut top = writer();
    complement(&tree, &small_tree, &raw, &mut top).unwrap();
    layers.push(top.finish().unwrap().1);
    assert_eq!(exported(&layers, "whole"), original);
}
