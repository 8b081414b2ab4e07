//! Snapshots: layers as directories, what is written above them, and what
//! comes out of it as a layer; as root and as an ordinary user.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jettison_image::{
    Budget, ContentHash, Digest, Entry, EntryKind, ImagePath, LayerIndex, LayerIndexBuilder,
    Limits, Metadata, Timestamp, Tree,
};
use jettison_sandbox::{ContainerSpec, Error, Mount, MountSource, Network, Options, Sandbox, Tier};

use crate::support::*;

/// What a layer says: entries with their content, removed paths, opaque directories.
#[derive(Default)]
struct Layer {
    entries: Vec<(Entry, Vec<u8>)>,
    removed: Vec<&'static str>,
    opaque: Vec<&'static str>,
}

fn path(text: &str) -> ImagePath {
    ImagePath::new(text).unwrap()
}

impl Layer {
    fn with(mut self, name: &str, kind: EntryKind, mode: u32, owner: u64, content: &[u8]) -> Self {
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

    fn directory(self, name: &str) -> Self {
        self.with(name, EntryKind::Directory, 0o755, 0, b"")
    }

    fn file(self, name: &str, content: &str) -> Self {
        let size_bytes = content.len() as u64;
        let kind = EntryKind::File { size_bytes };
        self.with(name, kind, 0o644, 0, content.as_bytes())
    }

    fn link(self, name: &str, target: &str) -> Self {
        let target = target.into();
        self.with(name, EntryKind::Symlink { target }, 0o777, 0, b"")
    }

    fn removed(mut self, name: &'static str) -> Self {
        self.removed.push(name);
        self
    }

    fn opaque(mut self, name: &'static str) -> Self {
        self.opaque.push(name);
        self
    }

    fn shell(self) -> Self {
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

    fn fill(&self, sandbox: &Sandbox, directory: &Path) -> PathBuf {
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

    fn index(&self) -> LayerIndex {
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
fn exported(sandbox: &Sandbox, upper: &Path, below: &[PathBuf]) -> Layer {
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

fn names(layer: &Layer) -> Vec<String> {
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
fn run_into(sandbox: &Sandbox, below: &[PathBuf], upper: &Path, spec: ContainerSpec) -> String {
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

fn look(sandbox: &Sandbox, layers: &[PathBuf], script: &str) -> String {
    let root = sandbox.stack(layers).unwrap();
    let (exit, out, err) = run(sandbox, &root, &sh(script));
    assert_eq!(exit.code, 0, "{out}{err}");
    out
}

/// What the sandbox mounts on.
const MOUNTED: [&str; 6] = [
    "dev",
    "proc",
    "sys",
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
];

/// Kind, mode, owner, size, time, names and content of every path inside.
fn seen_inside(sandbox: &Sandbox, layers: &[PathBuf]) -> Vec<String> {
    let script = "cd /; for p in $(busybox find . -xdev | busybox sort); do \
         s=$(busybox stat -c '%f|%u|%g|%s|%Y|%y|%h' $p); h=; \
         test -f $p -a ! -L $p && h=$(busybox sha256sum $p | busybox cut -c1-64); \
         echo \"$p|$s|$h\"; done";
    let text = look(sandbox, layers, script);
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

fn in_the_tree(layers: &[&Layer]) -> Vec<String> {
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

fn base() -> Layer {
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

/// Layers with removed paths and opaque directories show what they would in
/// docker.
fn layers_hide(sandbox: &Sandbox, at: &Path) {
    let layers = [
        base().fill(sandbox, &at.join("0")),
        Layer::default()
            .directory("data")
            .directory("kept")
            .file("kept/new", "new\n")
            .removed("data/a")
            .removed("plain")
            .fill(sandbox, &at.join("1")),
        Layer::default()
            .directory("data/sub")
            .file("data/sub/only", "only\n")
            .opaque("data/sub")
            .file("swap", "a file\n")
            .fill(sandbox, &at.join("2")),
    ];
    let out = look(
        sandbox,
        &layers,
        "ls -a /data /data/sub /kept; cat /swap; ls /plain || true",
    );
    assert_eq!(
        out,
        "/data:\n.\n..\nb\nsub\n\n/data/sub:\n.\n..\nonly\n\n/kept:\n.\n..\nfile\nnew\na file\n"
    );
    // Moved, a snapshot is what it was.
    std::fs::rename(&layers[2], at.join("moved")).unwrap();
    let moved = [layers[0].clone(), layers[1].clone(), at.join("moved")];
    assert_eq!(look(sandbox, &moved, "ls /data/sub"), "only\n");
    let error = sandbox.stack(&layers).unwrap_err();
    assert!(error.to_string().contains("opening"), "{error}");
    // The top of a layer can be opaque too.
    let shell = Layer::default()
        .shell()
        .opaque("")
        .fill(sandbox, &at.join("4"));
    let all = [layers[0].clone(), shell];
    assert_eq!(
        look(sandbox, &all, "ls -d /data || true; ls -d /bin"),
        "/bin\n"
    );
    for directory in [&moved[0], &moved[1], &moved[2], &all[1]] {
        sandbox.discard(directory).unwrap();
        assert!(!directory.exists());
    }
    sandbox.discard(&layers[0]).unwrap();
}

/// What a container does to its root comes out as a layer that, merged with
/// the layer below, is what the next container sees.
fn what_a_run_wrote(sandbox: &Sandbox, at: &Path) {
    let lower = base();
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let script = "set -e; cd /; \
        echo more >> data/a; busybox rm data/b; \
        busybox mkdir new; echo x > new/x; ln new/x new/y; ln data/a data/hard; \
        busybox mv data/sub data/renamed; \
        busybox rm -r swap; echo file > swap; \
        busybox rm plain; busybox mkdir plain; echo y > plain/y; \
        busybox rm -r kept; busybox mkdir kept; echo z > kept/again; \
        busybox cp bin/busybox new/set; busybox chown 33:34 new/set; busybox chmod 4755 new/set; \
        busybox mkfifo new/pipe; busybox ln -s ../nowhere new/link; \
        busybox mkdir -m 1777 new/sticky; busybox touch -d '2001-02-03 04:05:06' new/old; \
        busybox dd if=/dev/zero of=new/sparse bs=1 count=1 seek=3000000 2>/dev/null; \
        busybox mkdir -p new/gone/deep; busybox mv new/gone new/came; echo > new/.hidden";
    let upper = at.join("upper");
    run_into(sandbox, &below, &upper, sh(script));
    let layer = exported(sandbox, &upper, &below);
    assert_eq!(
        names(&layer),
        [
            "data/",
            "data/a",
            "data/.wh.b",
            "data/hard=data/a",
            "data/renamed/",
            "data/renamed/deep",
            "data/.wh.sub",
            "kept/",
            "kept/.wh..wh..opq",
            "kept/again",
            "new/",
            "new/.hidden",
            "new/came/",
            "new/came/deep/",
            "new/link",
            "new/old",
            "new/pipe",
            "new/set",
            "new/sparse",
            "new/sticky/",
            "new/x",
            "new/y=new/x",
            "plain/",
            "plain/y",
            "swap",
        ]
    );
    let all = [below[0].clone(), upper.clone()];
    assert_eq!(in_the_tree(&[&lower, &layer]), seen_inside(sandbox, &all));
    // The same again, byte for byte.
    assert_eq!(exported(sandbox, &upper, &below).entries, layer.entries);
    // Filled from what was exported it is the same too.
    let mut again = Layer::default();
    for (entry, content) in layer.entries.iter().cloned() {
        let name = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
        match name.rsplit_once(".wh.") {
            Some((parent, ".opq")) => again.opaque.push(leak(parent.trim_end_matches("/.wh."))),
            Some((parent, hidden)) => again.removed.push(leak(&format!("{parent}{hidden}"))),
            None => again.entries.push((entry, content)),
        }
    }
    let copy = again.fill(sandbox, &at.join("copy"));
    let copied = [below[0].clone(), copy.clone()];
    assert_eq!(seen_inside(sandbox, &copied), seen_inside(sandbox, &all));
    assert_eq!(names(&exported(sandbox, &copy, &below)), names(&layer));
    for directory in [&copy, &upper, &below[0]] {
        sandbox.discard(directory).unwrap();
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn mount(source: MountSource, target: &str, read_only: bool) -> Mount {
    let target = target.into();
    Mount {
        source,
        target,
        read_only,
    }
}

fn bytes(content: &str, mode: u32, owner: u32) -> MountSource {
    MountSource::Bytes {
        content: content.into(),
        mode,
        uid: owner,
        gid: owner + 1,
    }
}

/// What is there only because something is mounted on it is in no layer.
fn no_mount_points(sandbox: &Sandbox, at: &Path) {
    let bare = Layer::default()
        .shell()
        .directory("old")
        .link("ways", "old");
    let bare = bare.directory("old/inner").file("old/inner/file", "x\n");
    let below = vec![bare.fill(sandbox, &at.join("bare"))];
    let host = at.join("host");
    sandbox.make_directory(&host, 0o1770, 33, 34).unwrap();
    let stack = || MountSource::Stack {
        directories: below.clone(),
        path: "ways/inner".into(),
    };
    let tmpfs = MountSource::Tmpfs {
        size_bytes: 1 << 20,
        mode: 0o700,
    };
    let mounts = vec![
        mount(bytes("secret", 0o400, 33), "/run/secrets/one", true),
        mount(bytes("other", 0o440, 0), "/ways/inner/deep/two", true),
        mount(stack(), "/from/here", true),
        mount(stack(), "/old/thrown", false),
        mount(tmpfs, "/old/inner/cache", false),
        mount(
            MountSource::HostDirectory(host.clone()),
            "/var/cache/b",
            false,
        ),
        mount(bytes("in", 0o400, 0), "/var/cache/b/in", true),
    ];
    let check = |number: u32, script: &str, expected: &[&str]| {
        let upper = at.join(number.to_string());
        let spec = ContainerSpec {
            mounts: mounts.clone(),
            ..sh(script)
        };
        let out = run_into(sandbox, &below, &upper, spec);
        let layer = exported(sandbox, &upper, &below);
        assert_eq!(names(&layer), expected, "{script}");
        let all = [below[0].clone(), upper.clone()];
        // The directory of what is mounted to look at it.
        let tree = in_the_tree(&[&bare, &layer]);
        let mut seen = seen_inside(sandbox, &all);
        seen.retain(|line| !line.starts_with("etc ") || tree.contains(line));
        assert_eq!(tree, seen);
        sandbox.discard(&upper).unwrap();
        out
    };
    let script = "cat /run/secrets/one; busybox stat -c ' %a %u %g' /run/secrets/one; \
         cat /from/here/file; echo y > /old/thrown/file; cat /old/thrown/file /old/inner/file; \
         ! touch /from/here/file; ls /from/here; busybox stat -c '%a %u %g' /var/cache/b; \
         echo kept > /var/cache/b/kept";
    let out = check(0, script, &[]);
    assert_eq!(out, "secret 400 33 34\nx\ny\nx\nfile\n1770 33 34\n");
    let script = "cat /var/cache/b/kept; cat /from/here/file; ls /from/here";
    assert_eq!(check(1, script, &[]), "kept\nx\nfile\n");
    let script = "echo x > /etc/own; busybox chmod 700 /old; echo > /run/mine; echo > /var/cache/x";
    let used = [
        "etc/",
        "etc/own",
        "old/",
        "run/",
        "run/mine",
        "var/",
        "var/cache/",
        "var/cache/x",
    ];
    check(2, script, &used);
    // Without having been told, nobody makes the working directory.
    let upper = at.join("working");
    let spec = ContainerSpec {
        working_dir: "/app/src".into(),
        ..sh("pwd")
    };
    assert_eq!(run_into(sandbox, &below, &upper, spec), "/app/src\n");
    let layer = exported(sandbox, &upper, &below);
    assert_eq!(names(&layer), ["app/", "app/src/"]);
    let missing = ContainerSpec {
        mounts: vec![mount(
            MountSource::Stack {
                directories: below.clone(),
                path: "/old/nothing".into(),
            },
            "/x",
            true,
        )],
        ..sh("true")
    };
    let root = sandbox.stack(&below).unwrap();
    match sandbox.start(&root, &missing) {
        Err(Error::Root { path, .. }) => assert_eq!(path, "/old/nothing"),
        other => panic!("{other:?}"),
    }
    for directory in [&host, &upper, &below[0]] {
        sandbox.discard(directory).unwrap();
    }
}

/// The image's own files stay what they are, whatever is mounted on them.
fn own_files_stay(sandbox: &Sandbox, at: &Path) {
    let lower = base()
        .file("etc/hosts", "mine\n")
        .link("etc/resolv.conf", "../run/resolv");
    let lower = lower.directory("run").file("run/resolv", "mine too\n");
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let upper = at.join("upper");
    run_into(
        sandbox,
        &below,
        &upper,
        sh("grep() { :; }; cat /etc/hosts /run/resolv"),
    );
    assert_eq!(names(&exported(sandbox, &upper, &below)), [""; 0]);
    let out = run_into(
        sandbox,
        &below,
        &at.join("two"),
        sh("echo x >> /etc/passwd"),
    );
    assert_eq!(out, "");
    let layer = exported(sandbox, &at.join("two"), &below);
    assert_eq!(names(&layer), ["etc/", "etc/passwd"]);
    for name in ["upper", "two", "base"] {
        sandbox.discard(&at.join(name)).unwrap();
    }
}

/// Capabilities, attributes, links that are broken by writing, odd names.
fn what_files_carry(sandbox: &Sandbox, at: &Path) {
    // CAP_NET_BIND_SERVICE, permitted and effective, version 2.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut lower = base()
        .file("data/server", "server\n")
        .file("data/note", "note\n");
    let marks = [
        ("data/server", "security.capability", &capability[..]),
        ("data/note", "user.note", b"kept"),
    ];
    for (entry, _) in &mut lower.entries {
        for (name, key, value) in marks {
            if entry.path == path(name) {
                let xattrs = &mut entry.metadata.xattrs;
                xattrs.insert(key.as_bytes().into(), value.into());
            }
        }
    }
    let hard = |target| EntryKind::HardLink {
        target: path(target),
    };
    let lower = lower.with("data/twin", hard("data/a"), 0o644, 0, b"");
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let script = "busybox chmod 711 /data/server; echo more >> /data/note; echo b >> /data/a; \
        cd /data; echo > ' odd\t'; echo > \"$(busybox printf 'n\\nl\\377')\"; cat twin; \
        i=0; while [ $i -lt 40 ]; do n=0123456789012345678901234567890123456789; \
        busybox mkdir $n$n; cd $n$n; i=$((i+1)); done; echo deep > deep";
    let upper = at.join("upper");
    assert_eq!(run_into(sandbox, &below, &upper, sh(script)), "a\n");
    let layer = exported(sandbox, &upper, &below);
    let found = |name: &str| {
        let mut entries = layer.entries.iter();
        &entries
            .find(|(entry, _)| entry.path == path(name))
            .unwrap()
            .0
            .metadata
    };
    let value = |name: &str, key: &str| found(name).xattrs.get(key.as_bytes()).cloned();
    assert_eq!(
        value("data/server", marks[0].1).as_deref(),
        Some(&capability[..])
    );
    assert_eq!(
        (found("data/server").xattrs.len(), found("data/server").mode),
        (1, 0o711)
    );
    assert_eq!(
        value("data/note", "user.note").as_deref(),
        Some(&b"kept"[..])
    );
    assert!(found("data").xattrs.is_empty() && found("data/a").xattrs.is_empty());
    let names: Vec<_> = layer
        .entries
        .iter()
        .map(|(entry, _)| entry.path.as_bytes())
        .collect();
    assert!(names.contains(&&b"data/ odd\t"[..]) && names.contains(&&b"data/n\nl\xff"[..]));
    assert!(!names.contains(&&b"data/twin"[..]));
    assert!(
        names
            .iter()
            .any(|name| name.len() > 3200 && name.ends_with(b"/deep"))
    );
    let all = [below[0].clone(), upper.clone()];
    assert_eq!(look(sandbox, &all, "cat /data/a /data/twin"), "a\nb\na\n");
    // What a layer would take for a removed path is refused, not misread.
    let odd = at.join("odd");
    run_into(sandbox, &below, &odd, sh("echo > /data/.wh.a"));
    let mut export = sandbox.export(&odd, &below).unwrap();
    let error = loop {
        match export.next_entry() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended"),
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&error, Error::Root { path, .. } if path == "/data/.wh.a"),
        "{error:?}"
    );
    // Read half, then left.
    let mut half = sandbox.export(&upper, &below).unwrap();
    half.next_entry().unwrap().unwrap();
    drop(half);
    for directory in [&odd, &upper, &below[0]] {
        sandbox.discard(directory).unwrap();
        assert!(!directory.exists());
    }
}

fn many_layers(sandbox: &Sandbox, at: &Path) {
    let mut layers = vec![Layer::default().shell().fill(sandbox, &at.join("shell"))];
    for number in 0..149 {
        let layer = Layer::default()
            .directory("all")
            .file(&format!("all/{number:03}"), "");
        layers.push(layer.fill(sandbox, &at.join(number.to_string())));
    }
    let upper = at.join("upper");
    let out = run_into(
        sandbox,
        &layers,
        &upper,
        sh("ls /all | busybox wc -l; echo > /all/last"),
    );
    assert_eq!(out, "149\n");
    assert_eq!(
        names(&exported(sandbox, &upper, &layers)),
        ["all/", "all/last"]
    );
    layers.push(upper);
    assert_eq!(look(sandbox, &layers, "ls /all | busybox wc -l"), "150\n");
    for layer in layers {
        sandbox.discard(&layer).unwrap();
    }
}

/// Whoever listens on a socket of the machine is reached by every user of
/// the container, and sees our own user.
fn a_socket(sandbox: &Sandbox, at: &Path) {
    if !crate::tiers::has("perl") {
        return;
    }
    let lower = base().link("lib", "usr/lib").link("lib64", "usr/lib64");
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let place = at.join("agent");
    let listener = std::os::unix::net::UnixListener::bind(&place).unwrap();
    let answering = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(&asked).unwrap();
            stream.write_all(&[b'x'; 300_000]).unwrap();
        }
    });
    let socket = MountSource::HostSocket {
        path: place,
        mode: 0o600,
        uid: 33,
        gid: 34,
    };
    let root = sandbox.stack(&below).unwrap();
    let script = "busybox stat -c '%F %a %u %g' /run/agent/socket; \
         exec /usr/bin/perl -MIO::Socket::UNIX -e ' \
         $s = IO::Socket::UNIX->new(\"/run/agent/socket\") or die $!; \
         print $s \"ping\\n\"; $s->flush; shutdown($s, 1); local $/; print length(<$s>), \"\\n\"'";
    for user in ["33:34", "0"] {
        let spec = ContainerSpec {
            mounts: vec![
                mount(socket.clone(), "/run/agent/socket", false),
                mount(MountSource::HostReadOnly("/usr".into()), "/usr", true),
            ],
            user: user.to_owned(),
            ..sh(script)
        };
        let (_, out, err) = run(sandbox, &root, &spec);
        assert_eq!(out, "socket 600 33 34\n300005\n", "{err}");
    }
    answering.join().unwrap();
    drop(root);
    sandbox.discard(&below[0]).unwrap();
    std::fs::remove_file(at.join("agent")).unwrap();
}

fn in_root(body: impl FnOnce(&Sandbox, &Path)) {
    let Some(sandbox) = root_tier() else { return };
    if busybox().is_none() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    body(&sandbox, at.path());
}

#[test]
fn layers_hide_what_is_below() {
    in_root(layers_hide);
}

#[test]
fn what_a_run_wrote_is_a_layer() {
    in_root(what_a_run_wrote);
}

#[test]
fn mount_points_are_in_no_layer() {
    in_root(no_mount_points);
}

#[test]
fn files_that_are_mounted_on_stay() {
    in_root(own_files_stay);
}

#[test]
fn what_files_carry_is_kept() {
    in_root(what_files_carry);
}

#[test]
fn a_hundred_and_fifty_layers() {
    in_root(many_layers);
}

#[test]
fn a_socket_of_the_machine() {
    in_root(a_socket);
}

/// The machine's network, and its resolver, however `/etc/resolv.conf` leads
/// to it.
fn the_machines_network(tier: Tier, scratch_dir: Option<PathBuf>, at: &Path) {
    let options = Options {
        tier: Some(tier),
        network: Network::Host,
        scratch_dir,
        ..Options::default()
    };
    let sandbox = Sandbox::open(&options).unwrap();
    let lower = base().link("lib", "usr/lib").link("lib64", "usr/lib64");
    let below = vec![lower.fill(&sandbox, &at.join("base"))];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"the machine\n").unwrap();
    });
    let script = format!("cat /etc/resolv.conf; busybox nc 127.0.0.1 {port} </dev/null");
    let spec = ContainerSpec {
        network: Network::Host,
        upper: Some(at.join("upper")),
        ..sh(&script)
    };
    let out = run_into(&sandbox, &below, &at.join("upper"), spec);
    let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(out, format!("{resolver}the machine\n"));
    answering.join().unwrap();
    // A step may be cut off from it.
    let alone = ContainerSpec {
        network: Network::None,
        ..sh("busybox ip -o addr")
    };
    let (_, out, _) = run(&sandbox, &sandbox.stack(&below).unwrap(), &alone);
    assert!(
        out.contains("127.0.0.1/8") && out.lines().count() <= 2,
        "{out}"
    );
    for name in ["upper", "base"] {
        sandbox.discard(&at.join(name)).unwrap();
    }
}

#[test]
fn a_step_in_the_machines_network() {
    if is_root() && busybox().is_some() {
        let at = tempfile::tempdir().unwrap();
        the_machines_network(Tier::Root, None, at.path());
    }
}

/// What the next test kills.
#[test]
fn victim() {
    let Some(at) = std::env::var_os("JETTISON_TEST_SNAPSHOT") else {
        return;
    };
    let at = PathBuf::from(at);
    let options = Options::default();
    let sandbox = Sandbox::open(&options).unwrap();
    let below = vec![base().fill(&sandbox, &at.join("base"))];
    let root = sandbox.stack(&below).unwrap();
    let upper = at.join("upper");
    std::fs::create_dir(&upper).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at.join("agent")).unwrap();
    let socket = MountSource::HostSocket {
        path: at.join("agent"),
        mode: 0o600,
        uid: 0,
        gid: 0,
    };
    let spec = ContainerSpec {
        upper: Some(upper),
        mounts: vec![mount(socket, "/run/agent", false)],
        ..sh("echo x > /data/new; echo up; busybox sleep 86397")
    };
    let container = sandbox.start(&root, &spec).unwrap();
    while container.stdout().head.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    println!("up");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn killed_in_a_step_nothing_is_left_but_its_directories() {
    use std::io::{BufRead, BufReader};
    if !is_root() || busybox().is_none() {
        return;
    }
    let at = tempfile::tempdir().unwrap();
    // Nobody else's, who may be mounting too.
    let mounts = || {
        let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let place = at.path().to_str().unwrap();
        let of_ours = |line: &&str| line.contains(place) || line.contains("jettison");
        text.lines().filter(of_ours).count()
    };
    let before = mounts();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "snapshots::victim", "--nocapture"])
        .env("JETTISON_TEST_SNAPSHOT", at.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().contains("up") {}
    child.kill().unwrap();
    child.wait().unwrap();
    let marked = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        let of_ours = |line: &Vec<u8>| {
            let line = String::from_utf8_lossy(line);
            line.contains("86397") || line.contains("snapshots::victim\0")
        };
        lines.filter(of_ours).count()
    };
    let until = std::time::Instant::now() + MOMENT;
    while marked() > 0 && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!((marked(), mounts()), (0, before));
    let sandbox = root_tier().unwrap();
    for name in ["upper", "base"] {
        sandbox.discard(&at.path().join(name)).unwrap();
        assert!(!at.path().join(name).exists());
    }
}

/// Everything above as an ordinary user with subordinate ids.
#[test]
fn inner_snapshots() {
    let Some(sandbox) = crate::tiers::open(Tier::UserNamespace) else {
        return;
    };
    let scratch = std::env::var_os("JETTISON_TEST_TIER").unwrap();
    let at = Path::new(&scratch).with_file_name("snapshots");
    std::fs::create_dir(&at).unwrap();
    let bodies = [
        layers_hide,
        what_a_run_wrote,
        no_mount_points,
        own_files_stay,
        what_files_carry,
        many_layers,
        a_socket,
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let at = at.join(number.to_string());
        std::fs::create_dir(&at).unwrap();
        body(&sandbox, &at);
        std::fs::remove_dir(&at).unwrap();
    }
    drop(sandbox);
    the_machines_network(Tier::UserNamespace, Some(scratch.into()), &at);
    println!("inner ran");
}

#[test]
fn snapshots_of_an_ordinary_user() {
    let text = as_user_with_ids("snapshots::inner_snapshots");
    assert!(text.is_none_or(|text| text.contains("inner ran")));
}

/// Runs a test of this binary as a user who has subordinate ids.
pub(crate) fn as_user_with_ids(test: &str) -> Option<String> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = ALONE.lock();
    if !is_root() || !crate::tiers::has("newuidmap") {
        return None;
    }
    let name = "jettison-test-snap";
    let _ = std::process::Command::new("useradd")
        .args(["--no-create-home", "--uid", "54322", name])
        .output();
    let text = crate::tiers::as_user(54322, test, &[]);
    let _ = std::process::Command::new("userdel").arg(name).output();
    text
}

/// A snapshot with a shell.
pub(crate) fn shell(sandbox: &Sandbox, directory: &Path) -> PathBuf {
    base().fill(sandbox, directory)
}
