//! The sums of reports, on images made here.

use super::*;
use crate::compression::EncoderOptions;
use crate::testing::MemoryBlobs;
use crate::{
    Compression, Entry, EntryKind, History, ImageConfig, ImagePath, LayerWriter, Metadata,
    NewImage, NewLayer, Schema,
};

/// A file of this size and content, or a whiteout, or a hard link `to`.
enum Put<'a> {
    Noise(&'a str, usize, u32),
    Zeros(&'a str, usize),
    Link(&'a str, &'a str),
    Setuid(&'a str),
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn image(layers: &[&[Put]], compression: Compression) -> Image {
    let mut new = NewImage::new(
        Schema::Oci,
        ImageConfig::new(&"linux/amd64".parse().unwrap()),
    );
    let mut blobs = MemoryBlobs::default();
    for (at, puts) in layers.iter().enumerate() {
        let mut writer = LayerWriter::new(Vec::new(), &EncoderOptions::new(compression)).unwrap();
        for put in *puts {
            let (path, content, mode) = match put {
                Put::Noise(path, len, seed) => (path, noise(*len, *seed), 0o644),
                Put::Zeros(path, len) => (path, vec![0; *len], 0o644),
                Put::Link(path, _) => (path, Vec::new(), 0o644),
                Put::Setuid(path) => (path, vec![1; 10], 0o4755),
            };
            let kind = match put {
                Put::Link(_, to) => EntryKind::HardLink {
                    target: ImagePath::new(to).unwrap(),
                },
                _ => EntryKind::File {
                    size_bytes: content.len() as u64,
                },
            };
            let metadata = Metadata {
                mode,
                ..Metadata::default()
            };
            let entry = Entry {
                path: ImagePath::new(path).unwrap(),
                kind,
                metadata,
            };
            writer.append(&entry, &mut &content[..]).unwrap();
        }
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

fn layers() -> Vec<Vec<Put<'static>>> {
    vec![
        vec![
            Put::Noise("usr/lib/a.so", 300_000, 1),
            Put::Zeros("usr/log", 4_000_000),
            Put::Noise("usr/old", 50_000, 2),
            Put::Link("usr/lib/a.so.1", "usr/lib/a.so"),
        ],
        vec![
            Put::Noise("usr/old", 60_000, 3),
            Put::Noise("opt/copy.so", 300_000, 1),
            Put::Setuid("usr/bin/su"),
        ],
        vec![
            Put::Noise(".wh.opt", 0, 1),
            Put::Noise("app", 1000, 5),
            Put::Noise("app2", 1000, 5),
        ],
    ]
}

fn survey(compression: Compression, threads: usize) -> Survey {
    let layers = layers();
    let layers: Vec<&[Put]> = layers.iter().map(Vec::as_slice).collect();
    let options = SurveyOptions {
        threads,
        ..SurveyOptions::default()
    };
    Survey::read(&image(&layers, compression), &options, &Limits::default()).unwrap()
}

#[test]
fn the_sums_are_exact() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for threads in [1, 2, 8] {
            let survey = survey(compression, threads);
            let totals = survey.totals();
            assert_eq!(
                totals.shipped_bytes,
                300_000 + 4_000_000 + 50_000 + 60_000 + 300_000 + 10 + 2000
            );
            assert_eq!(totals.wasted_bytes, 50_000 + 300_000);
            assert_eq!(totals.visible_bytes, survey.tree().visible_bytes());
            assert_eq!(totals.files, 6);
            let hidden: Vec<_> = survey
                .layers()
                .iter()
                .map(|layer| layer.hidden_bytes)
                .collect();
            assert_eq!(hidden, [0, 50_000, 300_000]);
            for depth in 0..4 {
                let rows = survey.directories(depth);
                let unpacked: u64 = rows.iter().map(|row| row.unpacked_bytes).sum();
                let wire: u64 = rows.iter().map(|row| row.wire_bytes).sum();
                assert_eq!(unpacked, totals.visible_bytes);
                let all = wire + totals.wire_wasted_bytes + totals.wire_overhead_bytes;
                assert_eq!(all, totals.wire_bytes, "{compression}");
            }
            assert_eq!(survey.layers()[1].created_by.as_deref(), Some("step 1"));
        }
    }
}

#[test]
fn a_file_costs_what_its_packed_bytes_are() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let survey = survey(compression, 1);
        let cost = |path| survey.wire_bytes(survey.tree().get(path).unwrap());
        // Positions between two marks of the decoder are shared out evenly.
        let (noise, zeros) = (cost("usr/lib/a.so"), cost("usr/log"));
        assert!(
            (250_000..360_000).contains(&noise),
            "{compression}: {noise}"
        );
        assert!(zeros < 60_000, "{compression}: {zeros}");
    }
    let survey = survey(Compression::None, 1);
    assert_eq!(
        survey.wire_bytes(survey.tree().get("usr/lib/a.so").unwrap()),
        300_000
    );
}

#[test]
fn rows() {
    let survey = survey(Compression::Gzip, 2);
    let shown = |depth| {
        let rows = survey.directories(depth);
        rows.iter()
            .map(|row| format!("{} {}", row.key.display(), row.unpacked_bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(0), ["/ 4362010"]);
    assert_eq!(shown(1), ["/usr 4360010", "/ 2000"]);
    assert_eq!(
        shown(2),
        ["/usr 4060000", "/usr/lib 300000", "/ 2000", "/usr/bin 10"]
    );
    let largest: Vec<_> = survey
        .largest(2)
        .iter()
        .map(|row| row.path.display().to_string())
        .collect();
    assert_eq!(largest, ["/usr/log", "/usr/lib/a.so"]);
    let hidden = survey.hidden(1);
    assert_eq!(
        (
            hidden[0].path.display().to_string().as_str(),
            hidden[0].layer,
            hidden[0].hidden_by
        ),
        ("/opt/copy.so", 1, 2)
    );
    let duplicates = survey.duplicates(9);
    assert_eq!(duplicates.len(), 1);
    assert_eq!(
        (duplicates[0].saved_bytes, survey.duplicate_bytes()),
        (1000, 1000)
    );
    assert_eq!(
        survey.privileged()[0].path.display().to_string(),
        "/usr/bin/su"
    );
    let groups = survey.groups(|node| node.name().ends_with(b".so").then_some("libraries"));
    assert_eq!(groups[1].key, Some("libraries"));
    assert_eq!(groups[1].unpacked_bytes, 300_000);
}

#[test]
fn a_layer_that_is_not_what_the_config_says() {
    let mut lying = image(&[&[Put::Noise("a", 10, 1)]], Compression::Gzip);
    lying.layers[0].diff_id = crate::DiffId(Digest::of(b"other"));
    let error = Survey::read(&lying, &SurveyOptions::default(), &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("unpacks to sha256:"), "{error}");
    let limits = Limits {
        unpacked_bytes: 15_000,
        ..Limits::default()
    };
    let two = image(
        &[&[Put::Noise("a", 9000, 1)], &[Put::Noise("a", 9000, 1)]],
        Compression::Gzip,
    );
    let error = Survey::read(
        &two,
        &SurveyOptions {
            threads: 2,
            ..SurveyOptions::default()
        },
        &limits,
    )
    .unwrap_err();
    assert!(error.to_string().contains("unpacked bytes"), "{error}");
}
