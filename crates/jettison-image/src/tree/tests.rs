//! Layer sets with what an engine shows of them. The same sets are loaded
//! into a real engine by `tests/tree_oracle.rs`.

use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::{Entry, EntryKind, ImagePath, Metadata};

/// One layer from lines: `d PATH`, `f PATH SIZE`, `l PATH TARGET`,
/// `h PATH TARGET`, `c PATH MAJOR MINOR`.
fn layer(lines: &str, budget: &Arc<Budget>) -> Result<LayerIndex, Error> {
    let mut builder = LayerIndexBuilder::new(Arc::clone(budget));
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    for (ordinal, line) in lines.enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        let kind = match words[0] {
            "d" => EntryKind::Directory,
            "f" => EntryKind::File {
                size_bytes: words[2].parse().unwrap(),
            },
            "l" => EntryKind::Symlink {
                target: words[2].into(),
            },
            "h" => EntryKind::HardLink {
                target: ImagePath::new(words[2]).unwrap(),
            },
            "c" => EntryKind::CharDevice {
                major: number(2),
                minor: number(3),
            },
            other => panic!("{other}"),
        };
        let path = ImagePath::new(words[1]).unwrap();
        let metadata = Metadata {
            mode: 0o700,
            ..Metadata::default()
        };
        builder.push(
            &Entry {
                path,
                kind,
                metadata,
            },
            ordinal as u32,
            None,
        )?;
    }
    Ok(builder.finish())
}

fn merge(layers: &[&str], limits: &Limits) -> Result<Tree, Error> {
    let budget = Arc::new(Budget::new(limits));
    let layers = layers
        .iter()
        .map(|lines| layer(lines, &budget).map(Arc::new));
    Tree::merge(layers.collect::<Result<_, _>>()?, limits)
}

fn show(tree: &Tree) -> String {
    let mut text = String::new();
    for node in tree.iter().skip(1) {
        let path = node.path();
        let kind = match node.kind() {
            NodeKind::File { size_bytes } => format!("f{size_bytes}"),
            NodeKind::Symlink { target } => format!("-> {}", String::from_utf8_lossy(target)),
            NodeKind::Directory if node.origin().is_none() => "implied".to_owned(),
            NodeKind::Directory => "d".to_owned(),
            other => format!("{other:?}"),
        };
        let links = if node.is_first_link() { "" } else { " again" };
        writeln!(text, "{} {kind}{links} @{}", path.display(), node.layer()).unwrap();
    }
    text
}

fn check(layers: &[&str], expected: &str) {
    let tree = merge(layers, &Limits::default()).unwrap();
    let expected: String = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .fold(String::new(), |t, l| t + l + "\n");
    assert_eq!(show(&tree), expected);
    laws(&tree);
}

/// What holds for every tree.
fn laws(tree: &Tree) {
    for node in tree.iter() {
        let path = node.path();
        assert_eq!(tree.get(path.as_bytes()), Some(node));
        assert_eq!(node.subtree().next(), Some(node));
        let names: Vec<_> = node.children().map(|child| child.name().to_vec()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for child in node.children() {
            assert_eq!(child.parent(), Some(node));
            assert!(node.subtree().any(|below| below == child));
        }
        let below = tree
            .iter()
            .filter(|other| other.path().starts_with(&path))
            .count();
        assert_eq!(node.subtree().len(), below, "{path:?}");
    }
    let shipped: u64 = tree
        .layers()
        .iter()
        .flat_map(|layer| layer.entries())
        .map(|entry| match entry.kind() {
            NodeKind::File { size_bytes } => size_bytes,
            _ => 0,
        })
        .sum();
    let hidden: u64 = tree.hidden().iter().map(|file| file.size_bytes).sum();
    assert_eq!(shipped, tree.visible_bytes() + hidden);
}

fn check_error(layers: &[&str], expected: &str) {
    let error = merge(layers, &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn later_layers_replace_and_hide() {
    check(
        &["d a\nf a/x 1\nf a/y 2", "f a/x 3\nf a/.wh.y 0", "f b 1"],
        "/a d @0\n/a/x f3 @1\n/b f1 @2",
    );
    check(&["d a\nf a/x 1", "f a 2"], "/a f2 @1");
    check(&["f a 2", "d a\nf a/x 1"], "/a d @1\n/a/x f1 @1");
    check(&["d a\nf a/x 1", "f a 2", "d a"], "/a d @2");
    check(&["d a\nf a/x 1", "f .wh.a 0"], "");
    check(&["d a\nf a/x 1", "f .wh.nothing 0"], "/a d @0\n/a/x f1 @0");
    check(&["d a\nf a/x 1", "c a/x 0 0"], "/a d @0");
}

#[test]
fn whiteouts_never_hide_their_own_layer() {
    for layer in ["f .wh.a 0\nd a\nf a/y 2", "d a\nf a/y 2\nf .wh.a 0"] {
        check(&["d a\nf a/x 1", layer], "/a d @1\n/a/y f2 @1");
    }
    for layer in ["f a/.wh..wh..opq 0\nf a/y 2", "f a/y 2\nf a/.wh..wh..opq 0"] {
        check(
            &["d a\nf a/x 1\nd a/d\nf a/d/z 1", layer],
            "/a d @0\n/a/y f2 @1",
        );
    }
    check(
        &["d a\nd a/d\nf a/d/z 1", "f a/d/new 2\nf a/.wh..wh..opq 0"],
        "/a d @0\n/a/d implied @1\n/a/d/new f2 @1",
    );
    // A file that became a directory inside one layer was never opaque.
    check(&["d a\nf a/x 1", "f a 5\nd a"], "/a d @1\n/a/x f1 @0");
}

#[test]
fn a_layer_writes_through_a_hard_link_to_a_lower_layers_symlink() {
    check(
        &[
            "d aaaaaaaaaaaaaaaa\nl s /aaaaaaaaaaaaaaaa",
            "h b s\nf b/x 1",
        ],
        "/aaaaaaaaaaaaaaaa d @0\n/aaaaaaaaaaaaaaaa/x f1 @1\n/b -> /aaaaaaaaaaaaaaaa @1\n/s -> /aaaaaaaaaaaaaaaa again @0",
    );
}

#[test]
fn links() {
    check(
        &["f a 5\nh b a\nh c b"],
        "/a f5 @0\n/b f5 again @0\n/c f5 again @0",
    );
    check(&["f a 5\nh b a", "f a 7"], "/a f7 @1\n/b f5 @0");
    check(&["f a 5", "h b a"], "/a f5 @0\n/b f5 again @1");
    check(&["f a 5\nh a a"], "/a f5 @0");
    check(&["f a 5\nh b a\nf a 6"], "/a f6 @0\n/b f5 @0");
    check(&["l a x\nh b a"], "/a -> x @0\n/b -> x again @0");
    check_error(&["h b a"], "/b: is a hard link to /a, which is not there");
    check_error(
        &["f a 5", "f .wh.a 0\nh b a"],
        "/b: is a hard link to /a, which is not there",
    );
    check_error(
        &["d a\nh b a"],
        "/b: is a hard link to /a, which is a directory",
    );
    check_error(
        &["l a b\nl b a\nh c a/x"],
        "/c: is a hard link through a loop of symbolic links",
    );
}

#[test]
fn entries_below_symlinks() {
    // The same layer: the engine unpacks through the link, inside the root.
    check(
        &["d usr\nd usr/lib\nl lib usr/lib\nf lib/x 1"],
        "/lib -> usr/lib @0\n/usr d @0\n/usr/lib d @0\n/usr/lib/x f1 @0",
    );
    check(
        &["l lib ../../usr/./lib\nf lib/x 1"],
        "/lib -> ../../usr/./lib @0\n/usr implied @0\n/usr/lib implied @0\n/usr/lib/x f1 @0",
    );
    // A lower layer: the link is replaced by a directory.
    check(
        &["d usr\nf usr/y 1\nl lib /usr", "f lib/x 1"],
        "/lib implied @1\n/lib/x f1 @1\n/usr d @0\n/usr/y f1 @0",
    );
    check(
        &["d usr\nf usr/y 1\nl lib /usr", "f lib/.wh..wh..opq 0"],
        "/lib implied @1\n/usr d @0\n/usr/y f1 @0",
    );
    check_error(
        &["l a b\nl b a\nf a/x 1"],
        "/a/x: lies below a loop of symbolic links",
    );
    check_error(
        &["f a 1\nf a/x 1"],
        "/a/x: lies below something that is not a directory",
    );
}

#[test]
fn odd_whiteouts() {
    check_error(
        &["f a/.wh. 0"],
        "/a/.wh.: whiteout hides nothing that has a name",
    );
    check_error(
        &["f .wh... 0"],
        "/.wh...: whiteout hides nothing that has a name",
    );
    check_error(
        &["f .wh.. 0"],
        "/.wh..: whiteout hides nothing that has a name",
    );
    check(&["d .wh..wh.plnk\nf .wh..wh.plnk/1 9\nf a 1"], "/a f1 @0");
    check_error(
        &["f / 1"],
        "/: is the root of the image and not a directory",
    );
}

#[test]
fn hidden_bytes_are_charged_to_the_layer_that_hid_them() {
    let charged = |layers: &[&str]| {
        let tree = merge(layers, &Limits::default()).unwrap();
        laws(&tree);
        let mut hidden: Vec<_> = tree
            .hidden()
            .iter()
            .map(|h| (h.layer, h.size_bytes, h.hidden_by))
            .collect();
        hidden.sort_unstable();
        hidden
    };
    assert_eq!(
        charged(&["f a 5", "f a 6", "f .wh.a 0"]),
        [(0, 5, 1), (1, 6, 2), (2, 0, 2)]
    );
    assert_eq!(
        charged(&["d d\nf d/a 5\nf d/b 6", "d d\nf d/.wh..wh..opq 0"]),
        [(0, 5, 1), (0, 6, 1), (1, 0, 1)]
    );
    assert_eq!(
        charged(&["d d\nf d/a 5", "f .wh.d 3"]),
        [(0, 5, 1), (1, 3, 1)]
    );
    assert_eq!(charged(&["f a 5\nh b a", "f .wh.a 0"]), [(1, 0, 1)]);
    assert_eq!(
        charged(&["f a 5\nh b a", "f .wh.a 0", "f b 1"]),
        [(0, 5, 2), (1, 0, 1)]
    );
    assert_eq!(charged(&["f a 5\nf a 6"]), [(0, 5, 0)]);
}

#[test]
fn resolving_stays_inside() {
    let tree = merge(
        &["d usr\nd usr/bin\nf usr/bin/sh 1\nl bin usr/bin\nl abs /usr/bin/sh\nl up ../../../usr\nl loop loop\nl sub/l ../abs"],
        &Limits::default(),
    )
    .unwrap();
    let check = |path: &str, follow, expected: Result<&str, &str>| {
        let found = tree
            .resolve(path, follow)
            .map(|node| node.path().display().to_string());
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found.map_err(|error| error.to_string()), expected, "{path}");
    };
    check("/bin/sh", Follow::All, Ok("/usr/bin/sh"));
    check("bin", Follow::AllButLast, Ok("/bin"));
    check("bin/", Follow::AllButLast, Ok("/usr/bin"));
    check("abs", Follow::All, Ok("/usr/bin/sh"));
    check("sub/l", Follow::All, Ok("/usr/bin/sh"));
    check("up/bin", Follow::AllButLast, Ok("/usr/bin"));
    check("../../bin/../../etc", Follow::All, Err("/etc is not there"));
    check("abs/x", Follow::All, Err("/usr/bin/sh is not a directory"));
    check(
        "loop",
        Follow::All,
        Err("`loop` runs through more than 40 symbolic links"),
    );
    check("", Follow::All, Ok("/"));
}

#[test]
fn siblings_are_in_byte_order_and_subtrees_whole() {
    check(
        &["f a/b 1\nf a.c 1\nf a/b.d 1\nf A 1"],
        "/A f1 @0\n/a implied @0\n/a/b f1 @0\n/a/b.d f1 @0\n/a.c f1 @0",
    );
}

#[test]
fn limits_hold() {
    let limits = Limits {
        entries: 3,
        path_depth: 2,
        name_bytes: 1000,
        ..Limits::default()
    };
    let long = "a".repeat(901);
    let error = |layers: &[&str]| merge(layers, &limits).unwrap_err().to_string();
    assert_eq!(
        error(&["f a 1\nf b 1", "f c 1\nf d 1"]),
        "/d: more than 3 entries; raise it with --limit entries=N"
    );
    assert_eq!(
        error(&["f a/b/c/d 1"]),
        "/a/b/c/d: more than 2 directories deep; raise it with --limit path-depth=N"
    );
    // What an entry's owner and mode take counts as well.
    assert_eq!(
        error(&[&format!("f {long}/{long} 1")]),
        format!(
            "/{long}/{long}: more than 1000 bytes of names and attributes; raise it with --limit name-bytes=N"
        )
    );
    // Paths count where they lead to, through links and directories that no entry names.
    for layer in [
        format!("l s {long}\nf s/b 1"),
        format!("f {long}/b 1\nf c 1"),
    ] {
        let limits = Limits {
            entries: 30,
            ..limits.clone()
        };
        let told = merge(&[&layer], &limits).unwrap_err().to_string();
        let told = told.split_once(": ").map(|(_, problem)| problem);
        assert_eq!(
            told,
            Some(
                "more than 1000 bytes of paths, links followed; raise it with --limit name-bytes=N"
            )
        );
    }
}
