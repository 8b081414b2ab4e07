//! Layers written here are read back alike, and written alike every time.

use std::collections::BTreeMap;
use std::io::Read as _;

use jettison_image::compression::{Decoder, EncoderOptions, Level};
use jettison_image::layer::{LayerReader, LayerWriter};
use jettison_image::{
    BuiltLayer, Compression, Entry, EntryKind, ImagePath, Limits, Metadata, Timestamp,
};

fn path(text: &str) -> ImagePath {
    ImagePath::new(text).expect("test path")
}

fn samples() -> Vec<(Entry, Vec<u8>)> {
    let metadata = Metadata {
        mode: 0o644,
        mtime: Timestamp::from_seconds(1_700_000_000),
        ..Metadata::default()
    };
    let file = |name: &str, content: &[u8], metadata: &Metadata| {
        let kind = EntryKind::File {
            size_bytes: content.len() as u64,
        };
        (
            Entry {
                path: path(name),
                kind,
                metadata: metadata.clone(),
            },
            content.to_vec(),
        )
    };
    let other = |name: &str, kind: EntryKind| {
        (
            Entry {
                path: path(name),
                kind,
                metadata: metadata.clone(),
            },
            Vec::new(),
        )
    };
    let long = "directory-with-a-rather-long-name/".repeat(4);
    let longest = "x".repeat(120);
    let mut noisy = Vec::new();
    let mut state = 1_u64;
    for _ in 0..170_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        noisy.extend_from_slice(&(state >> 33).to_le_bytes());
    }
    vec![
        other("", EntryKind::Directory),
        other("etc", EntryKind::Directory),
        file("etc/passwd", b"root:x:0:0::/:\n", &metadata),
        file("etc/empty", b"", &metadata),
        file(
            "bin/app",
            &noisy,
            &Metadata {
                mode: 0o4755,
                ..metadata.clone()
            },
        ),
        other(
            "bin/app2",
            EntryKind::HardLink {
                target: path("bin/app"),
            },
        ),
        other(
            "bin/sh",
            EntryKind::Symlink {
                target: b"../bin/app".to_vec(),
            },
        ),
        other(
            "far",
            EntryKind::Symlink {
                target: vec![b'y'; 300],
            },
        ),
        other("dev/null", EntryKind::CharDevice { major: 1, minor: 3 }),
        other(
            "dev/sda",
            EntryKind::BlockDevice {
                major: 8,
                minor: 1_048_575,
            },
        ),
        other("run/pipe", EntryKind::Fifo),
        file(&format!("{long}file"), b"prefix", &metadata),
        file(&format!("{long}{longest}"), b"long", &metadata),
        file("grüße/☃", b"utf-8", &metadata),
        (
            Entry {
                path: ImagePath::new(b"raw/\xff\xfe").expect("bytes are a path"),
                kind: EntryKind::File { size_bytes: 1 },
                metadata: metadata.clone(),
            },
            b"r".to_vec(),
        ),
        file(
            "bin/ping",
            b"elf",
            &Metadata {
                uid: 4_000_000_000,
                gid: 3_000_000,
                mtime: Timestamp {
                    seconds: -5,
                    nanoseconds: 250_000_000,
                },
                uname: b"somebody".as_slice().into(),
                gname: "gruppe-ä".as_bytes().into(),
                xattrs: BTreeMap::from([(
                    b"security.capability".as_slice().into(),
                    b"\x01\0\0\x02\0 \0\0\0\0\0\0\0\0\0\0\0\0\0\0\n="
                        .as_slice()
                        .into(),
                )]),
                pax: BTreeMap::from([(b"atime".as_slice().into(), b"1.5".as_slice().into())]),
                ..metadata.clone()
            },
        ),
    ]
}

fn build(options: &EncoderOptions) -> (BuiltLayer, Vec<u8>) {
    let mut writer = LayerWriter::new(Vec::new(), options).expect("writer");
    for (entry, content) in samples() {
        writer
            .append(&entry, &mut content.as_slice())
            .expect("append");
    }
    writer.finish().expect("finish")
}

#[test]
fn what_is_written_is_read_back() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let (built, blob) = build(&EncoderOptions::new(compression));
        assert_eq!(built.size_bytes, blob.len() as u64);
        let limits = Limits::default();
        let (inline, threaded) = (
            Decoder::detect(std::io::Cursor::new(blob.clone()), &limits).expect("inline"),
            Decoder::detect_pipelined(std::io::Cursor::new(blob), &limits).expect("threaded"),
        );
        for (found, decoder) in [inline, threaded] {
            assert_eq!(found, compression);
            let mut layer = LayerReader::new(decoder, &limits);
            for (ordinal, (entry, content)) in samples().into_iter().enumerate() {
                let mut read = layer.next_entry().expect("readable").expect("an entry");
                assert_eq!(*read.entry(), entry);
                assert_eq!(read.ordinal() as usize, ordinal);
                let mut bytes = Vec::new();
                read.read_to_end(&mut bytes).expect("content");
                assert!(bytes == content, "{:?}", entry.path);
            }
            assert!(layer.next_entry().expect("readable").is_none());
            let summary = layer.finish().expect("finish");
            assert_eq!(summary.diff_id, built.diff_id);
            assert_eq!(summary.unpacked_bytes, built.unpacked_bytes);
            assert_eq!(summary.packed_bytes, Some(built.size_bytes));
        }
    }
}

#[test]
fn threads_do_not_change_the_digest() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        for level in [Level::Graded, Level::Fixed(1), Level::Fixed(9)] {
            let with = |threads| {
                build(&EncoderOptions {
                    compression,
                    level,
                    threads,
                })
                .0
            };
            let expected = with(1);
            for threads in [2, 3, 7] {
                assert_eq!(with(threads), expected, "{compression} {level:?} {threads}");
            }
        }
    }
}

#[test]
fn raw_copies_are_bit_for_bit() {
    let (built, blob) = build(&EncoderOptions::new(Compression::None));
    let mut layer = LayerReader::new(blob.as_slice(), &Limits::default());
    let mut copy =
        LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).expect("writer");
    while let Some(mut entry) = layer.next_entry().expect("readable") {
        copy.append_raw(entry.as_tar()).expect("copy");
    }
    assert_eq!(copy.finish().expect("finish").0, built);
}

#[test]
fn content_must_have_the_length_it_says() {
    let mut writer =
        LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).expect("writer");
    let entry = Entry {
        path: path("a"),
        kind: EntryKind::File { size_bytes: 2 },
        metadata: Metadata::default(),
    };
    for (content, expected) in [(&b"x"[..], "shorter"), (b"xyz", "longer")] {
        let error = writer
            .append(&entry, &mut &*content)
            .expect_err("must fail")
            .to_string();
        assert_eq!(
            error,
            format!("/a: content is {expected} than the 2 bytes the entry says")
        );
    }
}
