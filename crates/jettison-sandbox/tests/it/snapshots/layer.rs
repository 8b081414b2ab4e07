//! What the tests of snapshots need: layers as they are meant, as they lie on
//! disk, as they are read back, and as a container sees them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::{
    Budget, ContentHash, Digest, Entry, EntryKind, ImagePath, LayerIndex, LayerIndexBuilder,
    Limits, Metadata, Timestamp, Tree,
};
use jettison_sandbox::{ContainerSpec, Mount, MountSource, Sandbox};

use crate::support::*;

/// What a layer says: entries with their content, removed paths, opaque directories.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) entries: Vec<(Entry, Vec<u8>)>,
    pub(super) removed: Vec<&'static str>,
    pub(super) opaque: Vec<&'static str>,
}

pub(super) fn path(text: &str) -> ImagePath {
    ImagePath::new(text).unwrap()
}

impl Layer {
    pub(super) fn with(
        mut self,
        name: &str,
        kind: EntryKind,
        mode: u32,
        owner: u64,
        content: &[u8],
    ) -> Self {
        let metadata = Metadata {
            mode,
            uid: owner,
            gid: owner,
            mtime: Timestamp {
                seconds: 1_500_000_000,
                nanoseconds: 123_456_789,
            },
            ..Metadata::default()
        };
        let entry = Entry {
            path: path(name),
            kind,
            metadata,
        };
        self.entries.push((entry, content.to_vec()));
        self
    }

    pub(super) fn directory(self, name: &str) -> Self {
        self.with(name, EntryKind::Directory, 0o755, 0, b"")
    }

    pub(super) fn file(self, name: &str, content: &str) -> Self {
        let size_bytes = content.len() as u64;
        let kind = EntryKind::File { size_bytes };
        self.with(name, kind, 0o644, 0, content.as_bytes())
    }

    pub(super) fn link(self, name: &str, target: &str) -> Self {
        let target = target.into();
        self.with(name, EntryKind::Symlink { target }, 0o777, 0, b"")
    }

    pub(super) fn removed(mut self, name: &'static str) -> Self {
        self.removed.push(name);
        self
    }

    pub(super) fn opaque(mut self, name: &'static str) -> Self {
        self.opaque.push(name);
        self
    }

    pub(super) fn shell(self) -> Self {
        let busybox = busybox().unwrap();
        let size_bytes = busybox.len() as u64;
        let kind = EntryKind::File { size_bytes };
        let mut layer = self.directory("bin");
        layer = layer.with("bin/busybox", kind, 0o755, 0, &busybox);
        for name in ["sh", "cat", "ls", "true", "echo", "touch", "id", "mv", "ln"] {
            layer = layer.link(&format!("bin/{name}"), "busybox");
        }
        layer
    }

    pub(super) fn fill(&self, sandbox: &Sandbox, directory: &Path) -> PathBuf {
        let mut writer = sandbox.new_snapshot(directory).unwrap();
        for (entry, content) in &self.entries {
            writer.put(entry, &mut &content[..]).unwrap();
        }
        for name in &self.removed {
            writer.removed(&path(name)).unwrap();
        }
        for name in &self.opaque {
            writer.opaque(&path(name)).unwrap();
        }
        let report = writer.finish().unwrap();
        assert_eq!((report.owners_lost, report.attributes_lost), (0, 0));
        directory.to_owned()
    }

    pub(super) fn index(&self) -> LayerIndex {
        let limits = Limits::default();
        let mut index = LayerIndexBuilder::new(Arc::new(Budget::new(&limits)));
        for (ordinal, (entry, content)) in self.entries.iter().enumerate() {
            let is_file = matches!(entry.kind, EntryKind::File { .. });
            let hash = is_file.then(|| ContentHash::Sha256(*Digest::of(content).as_bytes()));
            index.push(entry, ordinal as u32, hash).unwrap();
        }
        index.finish()
    }
}

/// An export as a layer; whiteouts are entries.
pub(super) fn exported(sandbox: &Sandbox, upper: &Path, below: &[PathBuf]) -> Layer {
    let mut export = sandbox.export(upper, below).unwrap();
    let mut layer = Layer::default();
    while let Some(mut entry) = export.next_entry().unwrap() {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let EntryKind::File { size_bytes } = entry.entry().kind {
            assert_eq!(size_bytes, content.len() as u64);
        }
        layer.entries.push((entry.entry().clone(), content));
    }
    layer
}

pub(super) fn names(layer: &Layer) -> Vec<String> {
    let show = |(entry, _): &(Entry, Vec<u8>)| {
        let name = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
        match &entry.kind {
            EntryKind::Directory => name + "/",
            EntryKind::HardLink { target } => {
                format!("{name}={}", String::from_utf8_lossy(target.as_bytes()))
            }
            _ => name,
        }
    };
    layer.entries.iter().map(show).collect()
}

/// Runs a script to its end; what it wrote stays in `upper`.
pub(super) fn run_into(
    sandbox: &Sandbox,
    below: &[PathBuf],
    upper: &Path,
    spec: ContainerSpec,
) -> String {
    std::fs::create_dir(upper).unwrap();
    let root = sandbox.stack(below).unwrap();
    let spec = ContainerSpec {
        upper: Some(upper.to_owned()),
        ..spec
    };
    let container = sandbox.start(&root, &spec).unwrap();
    let (exit, out, err) = finish(&container);
    assert_eq!(exit.code, 0, "{out}{err}");
    container.close().unwrap();
    assert_eq!(
        std::fs::read_dir(upper).unwrap().count(),
        1,
        "only the files"
    );
    out
}

pub(super) fn look(sandbox: &Sandbox, layers: &[PathBuf], script: &str) -> String {
    let root = sandbox.stack(layers).unwrap();
    let (exit, out, err) = run(sandbox, &root, &sh(script));
    assert_eq!(exit.code, 0, "{out}{err}");
    out
}

/// What the sandbox mounts on.
pub(super) const MOUNTED: [&str; 6] = [
    "dev",
    "proc",
    "sys",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
];

/// Tells of every path what [`told`] reads.
pub(super) const TELL: &str = "cd /; for p in $(busybox find . -xdev | busybox sort); do \
     s=$(busybox stat -c '%f|%u|%g|%s|%Y|%y|%h' $p); h=; \
     test -f $p -a ! -L $p && h=$(busybox sha256sum $p | busybox cut -c1-64); \
     echo \"$p|$s|$h\"; done";

/// Kind, mode, owner, size, time, names and content of every path inside.
pub(super) fn seen_inside(sandbox: &Sandbox, layers: &[PathBuf]) -> Vec<String> {
    told(&look(sandbox, layers, TELL))
}

/// The same from what [`TELL`] said.
pub(super) fn told(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('|').collect();
        let &[name, kind, uid, gid, size, seconds, time, links, hash] = &words[..] else {
            panic!("{line}");
        };
        let name = name.trim_start_matches("./");
        if name == "." || MOUNTED.contains(&name) {
            continue;
        }
        let kind = u32::from_str_radix(kind, 16).unwrap();
        let fraction = time.split('.').nth(1).unwrap().split(' ').next().unwrap();
        let rest = match kind & 0o170_000 {
            0o040_000 => String::new(),
            _ => format!(" {size} {links}"),
        };
        lines.push(format!(
            "{name} {kind:o} {uid} {gid} {seconds}.{fraction}{rest} {hash}"
        ));
    }
    lines.sort();
    lines
}

pub(super) fn in_the_tree(layers: &[&Layer]) -> Vec<String> {
    let layers = layers.iter().map(|layer| Arc::new(layer.index()));
    let tree = Tree::merge(layers.collect(), &Limits::default()).unwrap();
    let mut lines = Vec::new();
    for node in tree.iter() {
        let name = String::from_utf8(node.path().as_bytes().to_vec()).unwrap();
        if name.is_empty() || MOUNTED.contains(&name.as_str()) {
            continue;
        }
        let first = node.first_link();
        let (kind, size) = match first.entry().kind {
            EntryKind::Directory => (0o040_000, None),
            EntryKind::Symlink { target } => (0o120_000, Some(target.len() as u64)),
            EntryKind::Fifo => (0o010_000, Some(0)),
            EntryKind::CharDevice { .. } => (0o020_000, Some(0)),
            EntryKind::BlockDevice { .. } => (0o060_000, Some(0)),
            _ => (0o100_000, Some(first.size_bytes())),
        };
        let rest = size.map_or(String::new(), |size| format!(" {size} {}", node.links()));
        let hash = node.sha256().map_or(String::new(), |hash| hash.hex());
        let (uid, gid) = node.owner();
        lines.push(format!(
            "{name} {:o} {uid} {gid} {}.{:09}{rest} {hash}",
            kind | node.mode(),
            node.mtime().seconds,
            node.mtime().nanoseconds,
        ));
    }
    lines.sort();
    lines
}

pub(super) fn base() -> Layer {
    let root = Layer::default().shell().directory("etc");
    let root = root.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    let root = root.directory("dev").directory("proc").directory("sys");
    root.directory("data")
        .file("data/a", "a\n")
        .file("data/b", "b\n")
        .directory("data/sub")
        .file("data/sub/deep", "deep\n")
        .directory("kept")
        .file("kept/file", "kept\n")
        .file("plain", "plain\n")
        .directory("swap")
        .file("swap/inner", "inner\n")
}

pub(super) fn mount(source: MountSource, target: &str, read_only: bool) -> Mount {
    let target = target.into();
    Mount {
        source,
        target,
        read_only,
    }
}

pub(super) fn bytes(content: &str, mode: u32, owner: u32) -> MountSource {
    MountSource::Bytes {
        content: content.into(),
        mode,
        uid: owner,
        gid: owner + 1,
    }
}
