//! Images made to hurt their reader: each is answered within seconds and a
//! bounded number of nodes, with an error that names the entry or with a tree.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jettison_image::{
    Budget, Entry, EntryKind, Error, Follow, ImageConfig, ImagePath, LayerIndex, LayerIndexBuilder,
    Limits, Manifest, Metadata, Tree,
};
use proptest::prelude::*;

/// Unoptimised code on a busy machine; a hang is what this is to find.
const LONGEST: Duration = Duration::from_secs(30);

fn merge(
    layers: impl IntoIterator<Item = Vec<(String, EntryKind)>>,
    limits: &Limits,
) -> Result<Tree, Error> {
    let budget = Arc::new(Budget::new(limits));
    let index = |entries: Vec<(String, EntryKind)>| -> Result<Arc<LayerIndex>, Error> {
        let mut builder = LayerIndexBuilder::new(Arc::clone(&budget));
        for (ordinal, (path, kind)) in entries.into_iter().enumerate() {
            let path = ImagePath::new(path).unwrap();
            let entry = Entry {
                path,
                kind,
                metadata: Metadata::default(),
            };
            builder.push(&entry, ordinal as u32, None)?;
        }
        Ok(Arc::new(builder.finish()))
    };
    let layers = layers
        .into_iter()
        .map(index)
        .collect::<Result<Vec<_>, _>>()?;
    Tree::merge(layers, limits)
}

fn timed(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let taken = start.elapsed();
    assert!(taken < LONGEST, "{what}: {taken:?}");
}

fn file() -> EntryKind {
    EntryKind::File { size_bytes: 1 }
}

fn link(target: &str) -> EntryKind {
    EntryKind::Symlink {
        target: target.into(),
    }
}

fn text(result: Result<Tree, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_million_entries_end_at_the_limit() {
    timed("a million entries", || {
        let entries = (0..1_000_000).map(|n| (format!("d{}/f{n}", n % 1000), file()));
        let error = text(merge([entries.collect()], &Limits::default()));
        assert!(error.contains("more than 600000 entries"), "{error}");
    });
}

#[test]
fn deep_paths_end_at_the_limit() {
    timed("deep paths", || {
        // Every entry names 250 directories that no entry names.
        let path = |n: usize| format!("{n}/{}f", "d/".repeat(250));
        let entries = (0..10_000).map(|n| (path(n), file())).collect();
        let error = text(merge([entries], &Limits::default()));
        assert!(error.contains("directories that no entry names"), "{error}");
    });
}

#[test]
fn thousands_of_layers_that_take_turns() {
    timed("layers", || {
        let many = (0..20_000).map(|n| (format!("d/f{n}"), file())).collect();
        let clear = vec![
            ("d/.wh..wh..opq".to_owned(), file()),
            ("d/x".to_owned(), file()),
        ];
        let layers = std::iter::once(many).chain((0..3000).map(|_| clear.clone()));
        let tree = merge(layers, &Limits::default()).unwrap();
        assert_eq!(tree.len(), 3);
        assert_eq!(
            tree.hidden()
                .iter()
                .filter(|h| h.hidden_by == 1 && h.layer == 0)
                .count(),
            20_000
        );
    });
}

#[test]
fn long_chains_of_links_end_at_the_limit() {
    timed("chains of links", || {
        // 39 links, each through a long way round, in front of every entry.
        let round = "x/../".repeat(800);
        let mut entries: Vec<_> = (0..39)
            .map(|n| (format!("l{n}"), link(&format!("{round}l{}", n + 1))))
            .collect();
        entries.push(("l39".to_owned(), EntryKind::Directory));
        entries.push(("x".to_owned(), EntryKind::Directory));
        // Two parents in turn, so that none is remembered.
        entries.extend((0..100_000).map(|n| (format!("l{}/f{n}", n % 2), file())));
        let error = text(merge([entries], &Limits::default()));
        assert!(error.contains("steps through paths and links"), "{error}");
    });
}

#[test]
fn links_of_lower_layers_are_not_written_through() {
    let layers = [
        vec![
            ("etc".to_owned(), EntryKind::Directory),
            ("a".to_owned(), link("/etc")),
            ("b".to_owned(), link("../../..")),
        ],
        vec![("a/passwd".to_owned(), file()), ("b/x".to_owned(), file())],
    ];
    let tree = merge(layers, &Limits::default()).unwrap();
    assert!(tree.get("etc/passwd").is_none());
    assert!(tree.get("a").unwrap().is_directory() && tree.get("b/x").is_some());
}

#[test]
fn a_link_loop_is_no_hang() {
    let entries = vec![("a".to_owned(), link("b/x")), ("b".to_owned(), link("a/y"))];
    let tree = merge([entries], &Limits::default()).unwrap();
    timed("resolving", || {
        assert!(tree.resolve("a/b/c", Follow::All).is_err());
    });
}

#[test]
fn wide_and_deep_json() {
    timed("json", || {
        let limits = Limits::default();
        let size = limits.json_bytes as usize - 64;
        for piece in ["[],", "{},", "\"\",", "0,", "[[],{}],"] {
            let json = format!(
                "{{\"schemaVersion\":2,\"x\":[{}0]}}",
                piece.repeat(size / piece.len() - 8)
            );
            assert!(Manifest::parse(json.as_bytes(), &limits).is_err());
            assert!(ImageConfig::parse(json.as_bytes(), &limits).is_ok());
        }
        let keys: String = (0..300_000).map(|n| format!("\"{n}\":0,")).collect();
        assert!(ImageConfig::parse(format!("{{{keys}\"a\":1}}").as_bytes(), &limits).is_ok());
        for deep in ["[", "{\"a\":"] {
            assert!(ImageConfig::parse(deep.repeat(1 << 19).as_bytes(), &limits).is_err());
        }
    });
}

/// Names that collide, hide and link to each other.
fn entry() -> impl Strategy<Value = (String, EntryKind)> {
    let name = prop::sample::select(vec!["a", "b", "c", ".wh.a", ".wh.b", ".wh..wh..opq"]);
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let target = prop::sample::select(vec!["a", "b", "../c", "/a/b", "a/../..", "b/c"]);
    let kind = (0..5, target).prop_map(|(kind, target)| match kind {
        0 => EntryKind::Directory,
        1 => EntryKind::Symlink {
            target: target.into(),
        },
        2 => EntryKind::HardLink {
            target: ImagePath::new(target.replace("..", "a")).unwrap(),
        },
        _ => EntryKind::File { size_bytes: 3 },
    });
    (path, kind)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_layers_say_the_tree_adds_up(
        layers in prop::collection::vec(prop::collection::vec(entry(), 0..8), 1..5),
    ) {
        let Ok(tree) = merge(layers, &Limits::default()) else { return Ok(()) };
        let files = tree.layers().iter().flat_map(|layer| layer.entries()).filter(|entry| {
            matches!(entry.kind(), jettison_image::NodeKind::File { .. })
        });
        let hidden: u64 = tree.hidden().iter().map(|file| file.size_bytes).sum();
        prop_assert_eq!(files.count() as u64 * 3, tree.visible_bytes() + hidden);
        let mut before: Option<ImagePath> = None;
        for node in tree.iter() {
            let path = node.path();
            prop_assert_eq!(tree.get(path.as_bytes()), Some(node));
            if let (Some(before), true) = (&before, node.parent().is_some()) {
                let names = |path: &ImagePath| path.components().map(<[u8]>::to_vec).collect::<Vec<_>>();
                prop_assert!(names(before) < names(&path));
            }
            before = Some(path);
            prop_assert!(node.first_link().is_first_link());
            // Whatever it leads to, it ends and lies in the tree.
            if let Ok(found) = tree.resolve(node.path().as_bytes(), Follow::All) {
                prop_assert!(found.link_target().is_none());
            }
        }
    }

    #[test]
    fn configs_and_manifests_survive_a_round_trip(json in ".{0,200}", key in "[a-zA-Z]{1,8}") {
        let limits = Limits::default();
        let _ = Manifest::parse(json.as_bytes(), &limits);
        let _ = jettison_image::Reference::parse(&json);
        let document = serde_json::json!({ key.clone(): json, "config": { key: [1, null] } });
        if let Ok(config) = ImageConfig::parse(document.to_string().as_bytes(), &limits) {
            let bytes = config.to_bytes();
            let again = ImageConfig::parse(&bytes, &limits).unwrap();
            prop_assert_eq!(&again, &config);
            prop_assert_eq!(again.to_bytes(), bytes);
        }
    }

    #[test]
    fn names_are_what_they_show(text in "[a-zA-Z0-9._:/@-]{0,40}") {
        if let Ok(reference) = jettison_image::Reference::parse(&text) {
            let shown = reference.to_string();
            prop_assert_eq!(&jettison_image::Reference::parse(&shown).unwrap(), &reference);
            prop_assert_eq!(&jettison_image::Reference::parse(&reference.familiar()).unwrap(), &reference);
        }
    }
}
