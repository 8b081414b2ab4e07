//! The merged tree against a real engine: crafted layer sets are loaded into
//! Docker, and what `docker export` writes must be what the tree says.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "support/engine.rs"]
mod engine;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use jettison_image::compression::EncoderOptions;
use jettison_image::layout::{ArchiveSink, write_docker_archive};
use jettison_image::tar::Reader;
use jettison_image::testing::MemoryBlobs;
use jettison_image::{
    Budget, Compression, Entry, EntryKind, History, ImageConfig, ImagePath, LayerIndexBuilder,
    LayerWriter, Limits, Metadata, NewImage, NewLayer, Node, NodeKind, Reference, Schema,
    Timestamp, Tree,
};

/// Layer sets: one string a layer, one line an entry, as in the crate's own
/// tests. Everything lies below `t`, since a container adds names of its own.
///
/// Directories that an upper layer implies are named by it nevertheless: this
/// engine gives them to root, others leave them as they are. No path comes
/// twice in a layer, which it refuses.
const SETS: &[&[&str]] = &[
    &[
        "d t\nd t/a\nf t/a/x 1\nf t/a/y 2",
        "d t\nd t/a\nf t/a/x 3\nf t/a/.wh.y 0",
        "d t\nf t/b 1",
    ],
    &["d t\nd t/a\nf t/a/x 1", "d t\nf t/a 2"],
    &["d t\nf t/a 2", "d t\nd t/a\nf t/a/x 1"],
    &["d t\nd t/a\nf t/a/x 1", "d t\nf t/a 2", "d t\nd t/a"],
    &["d t\nd t/a\nf t/a/x 1", "d t\nf t/.wh.a 0"],
    &["d t\nd t/a\nf t/a/x 1", "d t\nf t/.wh.nothing 0"],
    &[
        "d t\nd t/a\nf t/a/x 1\nd t/a/d\nf t/a/d/z 1",
        "d t\nd t/a\nf t/a/.wh..wh..opq 0\nf t/a/y 2",
    ],
    &[
        "d t\nd t/a\nf t/a/x 1\nd t/a/d\nf t/a/d/z 1",
        "d t\nd t/a\nf t/a/y 2\nf t/a/.wh..wh..opq 0",
    ],
    &[
        "d t\nd t/a\nd t/a/d\nf t/a/d/z 1",
        "d t\nd t/a\nd t/a/d\nf t/a/d/new 2\nf t/a/.wh..wh..opq 0",
    ],
    &["d t\nf t/a 5\nh t/b t/a\nh t/c t/b"],
    &["d t\nf t/a 5\nh t/b t/a", "d t\nf t/a 7"],
    &["d t\nf t/a 5\nh t/b t/a", "d t\nf t/.wh.a 0"],
    &["d t\nl t/a x\nh t/b t/a"],
    &["d t\nd t/usr\nd t/usr/lib\nl t/lib usr/lib\nf t/lib/x 1"],
    &["d t\nd t/usr\nd t/usr/lib\nl t/lib ../../../t/usr/./lib\nf t/lib/x 1\nh t/y t/lib/x"],
    &[
        "d t\nd t/usr\nf t/usr/y 1\nl t/lib /t/usr",
        "d t\nf t/lib/x 1",
    ],
    &[
        "d t\nd t/usr\nf t/usr/y 1\nl t/lib usr",
        "d t\nd t/lib\nf t/lib/x 1",
    ],
    &[
        "d t\nd t/usr\nf t/usr/y 1\nl t/lib usr",
        "d t\nf t/lib/.wh..wh..opq 0",
    ],
    &[
        "d t\nd t/usr\nf t/usr/y 1\nl t/lib usr",
        "d t\nf t/lib/.wh.y 0",
    ],
    &["d t\nf t/x 1", "d t\nf t/sub/deep/er/x 2"],
    &[
        "d t\nd t/a\nf t/a/x 1\nd t/a/sub\nf t/a/sub/y 1",
        "d t\nc t/a 0 0",
    ],
    &["d t\nd t/a\nc t/a/null 1 3\np t/a/pipe\nf t/A 1\nf t/a.b 1"],
    &["d t\nf t/a 1", "d t\nf t/.wh.a 0", "d t\nf t/a 3"],
    &[
        "d t\nd t/d\nf t/d/x 1",
        "d t\nf t/.wh.d 0",
        "d t\nd t/d\nf t/d/y 3",
    ],
    &["d t\nd t/d\nf t/d/x 1\nl t/d/l x", "d t\nl t/d x"],
];

fn entries(lines: &str) -> Vec<Entry> {
    let entry = |(at, line): (usize, &str)| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        let (kind, mode) = match words[0] {
            "d" => (EntryKind::Directory, 0o750),
            "f" => (
                EntryKind::File {
                    size_bytes: words[2].parse().unwrap(),
                },
                0o640,
            ),
            "l" => (
                EntryKind::Symlink {
                    target: words[2].into(),
                },
                0o777,
            ),
            "h" => (
                EntryKind::HardLink {
                    target: ImagePath::new(words[2]).unwrap(),
                },
                0o640,
            ),
            "c" => (
                EntryKind::CharDevice {
                    major: number(2),
                    minor: number(3),
                },
                0o600,
            ),
            "p" => (EntryKind::Fifo, 0o600),
            other => panic!("{other}"),
        };
        let metadata = Metadata {
            mode,
            uid: 7,
            gid: 8,
            mtime: Timestamp::from_seconds(1_600_000_000 + at as i64),
            ..Metadata::default()
        };
        Entry {
            path: ImagePath::new(words[1]).unwrap(),
            kind,
            metadata,
        }
    };
    lines.lines().enumerate().map(entry).collect()
}

/// The set as a docker-archive, and as a tree.
fn make(set: &[&str], name: &str) -> (Vec<u8>, Tree) {
    let limits = Limits::default();
    let config = ImageConfig::new(&"linux/amd64".parse().unwrap());
    let mut new = NewImage::new(Schema::Docker, config);
    let mut blobs = MemoryBlobs::default();
    let mut indexes = Vec::new();
    let budget = Arc::new(Budget::new(&limits));
    for lines in set {
        let mut writer =
            LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).unwrap();
        let mut index = LayerIndexBuilder::new(Arc::clone(&budget));
        for (ordinal, entry) in entries(lines).iter().enumerate() {
            let size = match entry.kind {
                EntryKind::File { size_bytes } => size_bytes,
                _ => 0,
            };
            writer
                .append(entry, &mut &vec![b'x'; size as usize][..])
                .unwrap();
            index.push(entry, ordinal as u32, None).unwrap();
        }
        let (built, bytes) = writer.finish().unwrap();
        blobs.add(bytes);
        new.push_layer(NewLayer::from(&built), History::default());
        indexes.push(Arc::new(index.finish()));
    }
    new.push_step(History::default());
    let image = new.finish(Arc::new(blobs)).unwrap();
    let mut sink = ArchiveSink::new(Vec::new());
    let names = [Reference::parse(name).unwrap()];
    write_docker_archive(&mut sink, &[(&image, &names)], &limits).unwrap();
    (
        sink.finish().unwrap(),
        Tree::merge(indexes, &limits).unwrap(),
    )
}

/// One line for each path below `t`: kind, size, and metadata where an entry
/// of the image says it.
fn of_tree(tree: &Tree) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    let below = |root: &Node<'_>| root.name().starts_with(b"t");
    for node in tree
        .root()
        .children()
        .filter(below)
        .flat_map(|root| root.subtree())
    {
        let kind = match node.kind() {
            NodeKind::File { size_bytes } => format!("file {size_bytes}"),
            NodeKind::Symlink { target } => format!("link {}", String::from_utf8_lossy(target)),
            NodeKind::Directory => "directory".to_owned(),
            NodeKind::CharDevice { major, minor } => format!("char {major} {minor}"),
            NodeKind::Fifo => "fifo".to_owned(),
            other => format!("{other:?}"),
        };
        let metadata = match node.content_origin() {
            None => String::new(),
            Some(_) => {
                let (uid, gid) = node.owner();
                format!(" {:o} {uid}:{gid} {}", node.mode(), node.mtime().seconds)
            }
        };
        lines.insert(node.path().display().to_string(), kind + &metadata);
    }
    lines
}

fn of_export(export: &[u8]) -> BTreeMap<String, String> {
    let limits = Limits::default();
    let mut reader = Reader::new(export, &limits);
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let entry = entry.into_entry();
        if !entry.path.as_bytes().starts_with(b"t") {
            continue;
        }
        let Metadata {
            mode,
            uid,
            gid,
            mtime,
            ..
        } = &entry.metadata;
        let metadata = format!(" {mode:o} {uid}:{gid} {}", mtime.seconds);
        let kind = match &entry.kind {
            EntryKind::File { size_bytes } => format!("file {size_bytes}"),
            EntryKind::Symlink { target } => format!("link {}", String::from_utf8_lossy(target)),
            EntryKind::Directory => "directory".to_owned(),
            EntryKind::CharDevice { major, minor } => format!("char {major} {minor}"),
            EntryKind::Fifo => "fifo".to_owned(),
            EntryKind::HardLink { target } => {
                let line = lines[&target.display().to_string()].clone();
                lines.insert(entry.path.display().to_string(), line);
                continue;
            }
            other => format!("{other:?}"),
        };
        lines.insert(entry.path.display().to_string(), kind + &metadata);
    }
    lines
}

#[test]
fn a_real_engine_shows_the_same_tree() {
    if let Err(missing) = engine::overlay() {
        return eprintln!("skipped: {missing}");
    }
    let name = format!("jettison-tree-oracle:{}", std::process::id());
    let layers = together();
    let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
    let (archive, tree) = make(&layers, &name);
    let export = engine::export(&archive, &name).unwrap();
    let wrong = differences(&of_tree(&tree), &of_export(&export));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All sets as one: set number 3 lies below `t3`.
fn together() -> Vec<String> {
    let mut layers = vec![String::new(); 3];
    for (number, set) in SETS.iter().enumerate() {
        let renamed = |word: &str| match word {
            "t" => format!("t{number}"),
            _ if word.starts_with("t/") => format!("t{number}{}", &word[1..]),
            _ => word.replace("/t/", &format!("/t{number}/")),
        };
        for (layer, lines) in layers.iter_mut().zip(*set) {
            for line in lines.lines() {
                let words: Vec<String> = line.split(' ').map(renamed).collect();
                *layer += &(words.join(" ") + "\n");
            }
        }
    }
    layers
}

fn differences(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differs = |path: &String| {
        let (our, their) = (ours.get(path), theirs.get(path));
        // No entry says whose a directory is that only a path implies.
        let same = match (our, their) {
            (Some(our), Some(their)) if our == "directory" => their.starts_with("directory"),
            (our, their) => our == their,
        };
        (!same).then(|| format!("{path}: tree {our:?}, engine {their:?}"))
    };
    paths.into_iter().filter_map(differs).collect()
}
