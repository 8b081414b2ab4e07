//! Layers that were filtered, merged again and held against the original;
//! chosen cases first, then made-up trees and the hostile corpus.

use proptest::prelude::*;

use super::laws::{Breach, check, differences};
use super::*;
use crate::compression::{Compression, EncoderOptions, Level};
use crate::tar::Reader;
use crate::testing::{Expected, MemoryLayers, TarBlock, tar_corpus};
use crate::{Entry, EntryKind, ImagePath, LayerWriter, Limits, Metadata, Node, Timestamp, Tree};

/// One layer from lines: `d PATH`, `f PATH CONTENT`, `l PATH TARGET`,
/// `h PATH TARGET`, `c PATH`, `p PATH`. A number behind it is its mode, in
/// octal; times differ from line to line.
fn layer(number: usize, lines: &str) -> Vec<u8> {
    let mut writer = writer();
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    for (at, line) in lines.enumerate() {
        let mut words = line.split(' ');
        let (what, path) = (words.next().unwrap(), words.next().unwrap());
        let (kind, content) = match what {
            "d" => (EntryKind::Directory, ""),
            "f" => {
                let content = words.next().unwrap();
                let size_bytes = content.len() as u64;
                (EntryKind::File { size_bytes }, content)
            }
            "l" => {
                let target = words.next().unwrap().into();
                (EntryKind::Symlink { target }, "")
            }
            "h" => {
                let target = ImagePath::new(words.next().unwrap()).unwrap();
                (EntryKind::HardLink { target }, "")
            }
            "c" => (EntryKind::CharDevice { major: 1, minor: 3 }, ""),
            "p" => (EntryKind::Fifo, ""),
            other => panic!("{other}"),
        };
        let mode = words.next().unwrap_or("750");
        let text = |text: &str| text.as_bytes().into();
        let mut metadata = Metadata {
            mode: u32::from_str_radix(mode, 8).unwrap(),
            uid: 1000 + at as u64,
            gid: 3,
            mtime: Timestamp {
                seconds: 1_600_000_000 + number as i64,
                nanoseconds: at as u32,
            },
            uname: text("someone"),
            ..Metadata::default()
        };
        if at % 3 == 0 && what != "h" {
            metadata
                .xattrs
                .insert(text("user.key"), [0, 255, number as u8].into());
            metadata.pax.insert(text("atime"), text("17.5"));
        }
        let entry = Entry {
            path: ImagePath::new(path).unwrap(),
            kind,
            metadata,
        };
        writer.append(&entry, &mut content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().1
}

fn writer() -> LayerWriter<Vec<u8>> {
    LayerWriter::new(Vec::new(), &EncoderOptions::new(Compression::None)).unwrap()
}

fn read(layers: &[&str]) -> (MemoryLayers, Tree) {
    let layers = layers.iter().enumerate();
    let archives = layers.map(|(number, lines)| layer(number, lines));
    MemoryLayers::read(archives.collect(), &Limits::default()).unwrap()
}

/// The filtered layers by group.
fn filtered(tree: &Tree, raw: &dyn RawEntries, selection: &Selection) -> Vec<Vec<u8>> {
    let filter = Filter::new(tree, raw, selection).unwrap();
    let groups = filter.groups().into_iter().map(|group| {
        let mut writer = writer();
        filter.write(group, &mut writer).unwrap();
        writer.finish().unwrap().1
    });
    groups.collect()
}

/// Filters, and holds every law against the result; the small tree's paths.
fn laws_hold(tree: &Tree, raw: &dyn RawEntries, selection: &Selection) -> Vec<String> {
    let layers = filtered(tree, raw, selection);
    let (_, small) = MemoryLayers::read(layers.clone(), &Limits::default()).unwrap();
    let rewritten: Vec<ImagePath> = tree
        .iter()
        .filter(|node| {
            let mut names = tree.iter().filter(|o| o.first_link() == node.first_link());
            names.any(|name| selection.rewritten().contains_key(&name.id()))
        })
        .map(|node| node.path())
        .collect();
    let found = check(tree, &small, &|path| rewritten.contains(path));
    assert_eq!(found, [], "of the small tree");
    for node in tree.iter().filter(|&node| selection.keeps(node)) {
        let expressible = !node.path().components().any(|c| c.starts_with(b".wh."));
        let there = small.get(node.path().as_bytes());
        assert!(there.is_some() || !expressible, "{node:?} is kept");
    }
    let mut top = writer();
    complement(tree, &small, raw, &mut top).unwrap();
    let together = layers.into_iter().chain([top.finish().unwrap().1]);
    let (_, whole) = MemoryLayers::read(together.collect(), &Limits::default()).unwrap();
    assert_eq!(differences(tree, &whole), [], "of small and complement");
    for node in tree.iter() {
        let again = whole.get(node.path().as_bytes()).unwrap();
        let facts = |node: Node<'_>| (node.links(), node.first_link().path(), node.metadata());
        assert_eq!(facts(node), facts(again), "{node:?}");
    }
    small.iter().map(|node| shown(node)).collect()
}

fn shown(node: Node<'_>) -> String {
    node.path().display().to_string()
}

fn keeping(tree: &Tree, paths: &[&str]) -> Selection {
    let mut selection = Selection::new(tree);
    for path in paths {
        selection.keep(tree.get(path).expect("a path of the tree"));
    }
    selection
}

#[test]
fn what_is_kept_comes_with_its_directories() {
    let check = |layers: &[&str], keep: &[&str], expected: &[&str]| {
        let (raw, tree) = read(layers);
        let paths = laws_hold(&tree, &raw, &keeping(&tree, keep));
        assert_eq!(paths[1..], *expected, "{layers:?}");
    };
    let two = [
        "d a 700\nd a/b 2711\nf a/b/x one 4755\nf a/y two",
        "d a 1777\nf a/z three",
    ];
    check(&two, &["a/b/x"], &["/a", "/a/b", "/a/b/x"]);
    check(&two, &["a/z", "a/b"], &["/a", "/a/b", "/a/z"]);
    check(&two, &[], &[]);
    // Directories that no entry names, and a root that one does.
    check(
        &["f deep/er/x one", "f deep/.wh.no 0"],
        &["deep/er/x"],
        &["/deep", "/deep/er", "/deep/er/x"],
    );
    check(&["d / 711\nd e 1777"], &[], &[]);
    // Below a link of its own layer: the entry's path is not the node's.
    check(
        &["d usr\nd usr/lib\nl lib usr/lib\nf lib/x one\nh y lib/x"],
        &["y"],
        &["/y"],
    );
    check(
        &["d usr\nd usr/lib\nl lib usr/lib\nf lib/x one"],
        &["usr/lib/x", "lib"],
        &["/lib", "/usr", "/usr/lib", "/usr/lib/x"],
    );
    // Hard links: first name dropped, in between, over layers, to a link.
    let links = ["f b one 4711\nh a b 600\nh c b 4700\nd d\nh d/e b"];
    check(&links, &["c", "d/e"], &["/c", "/d", "/d/e"]);
    check(
        &links,
        &["a", "b", "c", "d/e"],
        &["/a", "/b", "/c", "/d", "/d/e"],
    );
    check(&["f b one", "h a b 4755"], &["b"], &["/b"]);
    check(
        &["l b nowhere\nh a b\np p\nh q p\nc n\nh m n"],
        &["b", "q", "m"],
        &["/b", "/m", "/q"],
    );
    // What a whiteout's name can be mistaken for.
    check(
        &["f x/.wh.d/y one\nf x/z two"],
        &["x/.wh.d/y"],
        &["/x", "/x/.wh.d", "/x/.wh.d/y"],
    );
}

#[test]
fn names_of_one_file_lie_in_one_layer() {
    let (raw, tree) =
        read(&["d b\nf b/one content\nd a\nh a/two b/one\nh a/three b/one\nf a/other x"]);
    let mut selection = keeping(&tree, &["b/one", "a/two", "a/other"]);
    for (path, group) in [("b/one", 0), ("a/two", 2), ("a/other", 1)] {
        selection.set_group(tree.get(path).unwrap(), group);
    }
    laws_hold(&tree, &raw, &selection);
    let names: Vec<Vec<String>> = filtered(&tree, &raw, &selection)
        .iter()
        .map(|layer| {
            entries(layer)
                .iter()
                .map(|e| e.path.display().to_string())
                .collect()
        })
        .collect();
    let expected = [vec!["/a", "/a/other"], vec!["/a", "/a/two", "/b", "/b/one"]];
    assert_eq!(names, expected);
}

#[test]
fn rewritten_files_keep_everything_but_their_content() {
    let (raw, tree) = read(&["f db old-content 4640\nh same db\nf x y"]);
    let mut selection = keeping(&tree, &["db", "x"]);
    selection.rewrite(tree.get("db").unwrap(), b"new".to_vec());
    laws_hold(&tree, &raw, &selection);
    let layer = &filtered(&tree, &raw, &selection)[0];
    let entry = &entries(layer)[0];
    assert_eq!(entry.kind, EntryKind::File { size_bytes: 3 });
    let original = &entries(&raw.archives()[0])[0];
    assert_eq!(entry.metadata.mtime, tree.get("db").unwrap().mtime());
    assert_eq!(entry.metadata.pax, original.metadata.pax);
    // By another of its names, and what has no content.
    let mut selection = keeping(&tree, &["db", "same"]);
    selection.rewrite(tree.get("same").unwrap(), b"longer than it was".to_vec());
    laws_hold(&tree, &raw, &selection);
    let (raw, tree) = read(&["d d"]);
    let mut selection = Selection::new(&tree);
    selection.rewrite(tree.get("d").unwrap(), vec![]);
    assert!(Filter::new(&tree, &raw, &selection).is_err());
}

fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut reader = Reader::new(archive, &Limits::default());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry.into_entry());
    }
    entries
}

#[test]
fn headers_are_copied_bit_for_bit() {
    let odd = [
        TarBlock::pax(&[
            ("VENDOR.thing", b"\xff"),
            ("mtime", b"12.000000001"),
            ("ctime", b"3"),
        ]),
        TarBlock::new(b'0', b"./dir//\xff\xfename", 3)
            .gnu()
            .with(b"abc"),
        TarBlock::new(b'6', "pipe", 0).bytes(),
    ]
    .concat();
    let archive = [&odd[..], &[0; 1024]].concat();
    let (raw, tree) = MemoryLayers::read(vec![archive], &Limits::default()).unwrap();
    let layer = &filtered(&tree, &raw, &Selection::all(&tree))[0];
    let has = |part: &[u8]| layer.windows(part.len()).any(|window| window == part);
    assert!(has(&odd[..odd.len() - 512]) && has(&odd[odd.len() - 512..]));
}

/// Holes stay holes, under another name too.
#[test]
fn sparse_files_stay_sparse() {
    let map = b"1\n1048576\n3\n";
    let mut stored = map.to_vec();
    stored.resize(512, 0);
    stored.extend_from_slice(b"end");
    let sparse = [
        TarBlock::pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"b"),
            ("GNU.sparse.realsize", b"9000000"),
        ]),
        TarBlock::new(b'0', "b", 515).with(&stored),
        TarBlock::new(b'1', "a", 0).link("b").bytes(),
        TarBlock::new(b'1', "c", 0).link("b").bytes(),
        vec![0; 1024],
    ]
    .concat();
    let (raw, tree) = MemoryLayers::read(vec![sparse], &Limits::default()).unwrap();
    for keep in [&["b"][..], &["c"], &["a", "b", "c"]] {
        let selection = keeping(&tree, keep);
        laws_hold(&tree, &raw, &selection);
        let layer = &filtered(&tree, &raw, &selection)[0];
        assert!(layer.len() < 20 << 10, "{} bytes", layer.len());
        let mut reader = Reader::new(&layer[..], &Limits::default());
        let mut entry = reader.next_entry().unwrap().unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        assert_eq!(content.len(), 9_000_000);
        assert_eq!(&content[1_048_575..1_048_580], b"\0end\0");
    }
}

#[test]
fn breaches_are_found() {
    let check = |original: &[&str], small: &[&str], expected: &[(&str, Breach)]| {
        let ((_, original), (_, small)) = (read(original), read(small));
        let found = check(&original, &small, &|path| path.as_bytes() == b"db");
        let found: Vec<_> = found
            .iter()
            .map(|v| (v.path.display().to_string(), v.breach))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|&(path, b)| (path.to_owned(), b))
            .collect();
        assert_eq!(found, expected);
    };
    let original = ["d d 755\nf db old\nf f one\nl l x\nf m two\nh n m"];
    check(&original, &original, &[]);
    check(&original, &["d d 755\nf db new-and-longer"], &[]);
    check(
        &["d d\nf f one"],
        &["d d\nf f two"],
        &[("/f", Breach::Content)],
    );
    check(
        &["d d\nf f one"],
        &["d d\nl f two"],
        &[("/f", Breach::Kind)],
    );
    check(
        &["d d\nl l one"],
        &["d d\nl l two"],
        &[("/l", Breach::Kind)],
    );
    check(&["d d"], &["d d\nf f x"], &[("/f", Breach::Added)]);
    check(
        &["d d"],
        &["d d\nf f x 4755"],
        &[("/f", Breach::Added), ("/f", Breach::Privileged)],
    );
    check(
        &["d d\nf f x 755"],
        &["d d\nf f x 2755"],
        &[("/f", Breach::Metadata), ("/f", Breach::Privileged)],
    );
    check(
        &["d d 755"],
        &["d d 775"],
        &[("/d", Breach::Metadata), ("/d", Breach::MoreWritable)],
    );
    check(&["d d 775"], &["d d 755"], &[("/d", Breach::Metadata)]);
    check(
        &["f a x\nd d\nd e\nh b a"],
        &["f a x\nd d\nd e\nf b x"],
        &[
            ("/a", Breach::Metadata),
            ("/b", Breach::Metadata),
            ("/b", Breach::Links),
        ],
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let lines: String = (0..400)
        .map(|n| format!("f d{}/f{n} {}\n", n % 7, "x".repeat(n * 40 + 1)))
        .collect();
    let (raw, tree) = read(&[&lines]);
    let selection = Selection::all(&tree);
    let filter = Filter::new(&tree, &raw, &selection).unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let digest = |threads| {
            let options = EncoderOptions {
                compression,
                level: Level::default(),
                threads,
            };
            let mut writer = LayerWriter::new(std::io::sink(), &options).unwrap();
            filter.write(0, &mut writer).unwrap();
            writer.finish().unwrap().0.digest
        };
        assert_eq!(digest(1), digest(2));
        assert_eq!(digest(1), digest(1));
    }
}

#[test]
fn owners_decide_the_layer() {
    let big = "x".repeat(70_000);
    let (raw, tree) = read(&[&format!(
        "f app {big}\nf lib {big}\nf sys {big}\nf tiny x\nd e"
    )]);
    let owner = |node: Node<'_>| match node.name() {
        b"sys" => Owner::System,
        b"lib" | b"tiny" => Owner::Language,
        _ => Owner::Application,
    };
    let groups = |keep: &[&str]| {
        let mut selection = keeping(&tree, keep);
        selection.split(&tree, &owner);
        laws_hold(&tree, &raw, &selection);
        Filter::new(&tree, &raw, &selection).unwrap().groups()
    };
    assert_eq!(groups(&["app", "lib", "sys"]), [0, 1, 2]);
    assert_eq!(groups(&["app", "tiny", "sys"]), [0, 2]);
    assert_eq!(groups(&["tiny", "sys"]), [0, 1]);
    assert_eq!(groups(&["sys", "e"]), [0, 2]);
}

#[test]
fn mount_points_and_links_to_them_stay() {
    let (_, tree) =
        read(&["d run\nd var\nl var/run /run\nd data\nl srv data\nd proc\nd home\nd home/x"]);
    let mut config = crate::ImageConfig::new(&"linux/amd64".parse().unwrap());
    config.run.volumes = ["/srv/".to_owned(), "/not/there".to_owned()].into();
    config.run.working_dir = "/home/../home/x".to_owned();
    let mut selection = Selection::new(&tree);
    selection.keep_mount_points(&tree, &config);
    let kept: Vec<_> = tree
        .iter()
        .filter(|&n| selection.keeps(n))
        .map(shown)
        .collect();
    assert_eq!(
        kept,
        [
            "/", "/data", "/home", "/home/x", "/proc", "/run", "/srv", "/var", "/var/run"
        ]
    );
}

#[test]
fn hostile_archives_are_filtered_or_refused() {
    for case in tar_corpus() {
        if !matches!(case.expected, Expected::Fine(_)) {
            continue;
        }
        let Ok((raw, tree)) = MemoryLayers::read(vec![case.bytes], &Limits::default()) else {
            continue;
        };
        println!("{}", case.name);
        laws_hold(&tree, &raw, &Selection::all(&tree));
        let mut some = Selection::new(&tree);
        tree.iter().step_by(2).for_each(|node| some.keep(node));
        laws_hold(&tree, &raw, &some);
        laws_hold(&tree, &raw, &Selection::new(&tree));
    }
}

/// A line of a layer over few names, so that they meet.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![4 => "[abc]", 1 => Just("link".to_owned())];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let modes = prop_oneof![Just("755"), Just("4750"), Just("1777")];
    (0..14, path.clone(), path, modes).prop_map(|(what, path, other, mode)| {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        match what {
            0..=2 => format!("d {path} {mode}"),
            3..=6 => format!("f {path} {}{name} {mode}", other.len()),
            7 => format!("l {path} /{other}"),
            8 | 9 => format!("h {path} {other} {mode}"),
            10 => format!("p {path}"),
            11 => format!("f {parent}/.wh.{name} 0"),
            12 => format!("f {path}/.wh..wh..opq 0"),
            _ => format!("c {path}"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn laws_hold_for_any_tree(
        layers in prop::collection::vec(prop::collection::vec(line(), 1..9), 1..5),
        chosen in any::<u64>(),
        rewritten in any::<u64>(),
    ) {
        // Lines that no layer could have are left out, the rest must work.
        let mut archives: Vec<Vec<u8>> = Vec::new();
        for lines in layers {
            let mut good: Vec<String> = Vec::new();
            for line in lines {
                good.push(line);
                let mut with = archives.clone();
                with.push(layer(archives.len(), &good.join("\n")));
                if MemoryLayers::read(with, &Limits::default()).is_err() {
                    good.pop();
                }
            }
            archives.push(layer(archives.len(), &good.join("\n")));
        }
        let (raw, tree) = MemoryLayers::read(archives, &Limits::default()).unwrap();
        let mut selection = Selection::new(&tree);
        for node in tree.iter() {
            let bit = node.id() % 64;
            if chosen >> bit & 1 == 1 {
                selection.keep(node);
                selection.set_group(node, (rewritten >> (bit / 2) & 3) as u8);
            }
            if chosen & rewritten >> bit & 1 == 1 && node.is_file() && node.links() == 1 {
                selection.rewrite(node, b"rewritten".to_vec());
            }
        }
        laws_hold(&tree, &raw, &selection);
        laws_hold(&tree, &raw, &Selection::all(&tree));
    }
}
