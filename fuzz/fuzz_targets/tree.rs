//! Any layers merged: no panic, shipped bytes are visible or hidden, and
//! every path leads back to its node. One line of input is one entry: its
//! first byte says what it is, `=` parts path and target, an empty line begins
//! a layer.

#![no_main]

use std::sync::Arc;

use jettison_image::{
    Budget, Entry, EntryKind, Follow, ImagePath, LayerIndexBuilder, Limits, Metadata, NodeKind,
    Tree,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let budget = Arc::new(Budget::new(&limits));
    let mut layers = Vec::new();
    let mut builder = LayerIndexBuilder::new(Arc::clone(&budget));
    for (ordinal, line) in data.split(|&b| b == b'\n').enumerate() {
        let Some(entry) = entry(line) else {
            let next = LayerIndexBuilder::new(Arc::clone(&budget));
            layers.push(Arc::new(std::mem::replace(&mut builder, next).finish()));
            continue;
        };
        // What is refused is left out.
        let _ = builder.push(&entry, ordinal as u32, None);
    }
    layers.push(Arc::new(builder.finish()));
    let Ok(tree) = Tree::merge(layers, &limits) else {
        return;
    };
    let entries = tree.layers().iter().flat_map(|layer| layer.entries());
    let shipped = entries
        .filter(|entry| matches!(entry.kind(), NodeKind::File { .. }))
        .count();
    let hidden: u64 = tree.hidden().iter().map(|file| file.size_bytes).sum();
    assert_eq!(shipped as u64, tree.visible_bytes() + hidden);
    for node in tree.iter() {
        assert_eq!(tree.get(node.path().as_bytes()), Some(node));
        let _ = tree.resolve(node.path().as_bytes(), Follow::All);
    }
});

fn entry(line: &[u8]) -> Option<Entry> {
    let (kind, rest) = line.split_first()?;
    let (path, target) = match rest.iter().position(|&b| b == b'=') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    let kind = match kind {
        b'd' => EntryKind::Directory,
        b'l' => EntryKind::Symlink {
            target: target.to_vec(),
        },
        b'h' => EntryKind::HardLink {
            target: ImagePath::new(target).ok()?,
        },
        b'c' => EntryKind::CharDevice { major: 0, minor: 0 },
        _ => EntryKind::File { size_bytes: 1 },
    };
    let path = ImagePath::new(path).ok()?;
    Some(Entry {
        path,
        kind,
        metadata: Metadata::default(),
    })
}
