//! What a container wrote, as a layer.

use std::path::Path;

use jettison_image::EntryKind;
use jettison_sandbox::{Error, Sandbox};

use super::layer::*;
use crate::support::*;

/// What a program can do to a root.
pub(super) const EVERYTHING: &str = "set -e; cd /; \
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

/// What a container does to its root comes out as a layer that, merged with
/// the layer below, is what the next container sees.
pub(super) fn what_a_run_wrote(sandbox: &Sandbox, at: &Path) {
    let lower = base();
    let below = vec![lower.fill(sandbox, &at.join("base"))];
    let upper = at.join("upper");
    run_into(sandbox, &below, &upper, sh(EVERYTHING));
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

/// Capabilities, attributes, links that are broken by writing, odd names.
pub(super) fn what_files_carry(sandbox: &Sandbox, at: &Path) {
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
    // Deeper than a process may have files open.
    let deep = at.join("deep");
    let script = "p=$(busybox printf 'd/%.0s' $(busybox seq 550)); cd /; \
         for i in 1 2; do busybox mkdir -p $p && cd $p || exit 1; done";
    run_into(sandbox, &below, &deep, sh(script));
    let layer = exported(sandbox, &deep, &below);
    assert_eq!(layer.entries.len(), 1100);
    sandbox.discard(&deep).unwrap();
    // Read half, then left.
    let mut half = sandbox.export(&upper, &below).unwrap();
    half.next_entry().unwrap().unwrap();
    drop(half);
    for directory in [&odd, &upper, &below[0]] {
        sandbox.discard(directory).unwrap();
        assert!(!directory.exists());
    }
}
