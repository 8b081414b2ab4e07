//! Directories of the host as contexts.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use jettison_image::{Digest, Limits, Node};

use super::Context;
use crate::dockerfile::FileSystem;
use crate::store::Store;

fn open(path: &Path, store: Option<&Store>) -> Context {
    Context::open(path, None, store, &Limits::default()).expect("a context")
}

fn paths(context: &Context) -> Vec<String> {
    let nodes = context.tree().iter().skip(1);
    nodes
        .map(|node| node.path().display().to_string())
        .collect()
}

fn node<'c>(context: &'c Context, path: &str) -> Node<'c> {
    context.tree().get(path).expect(path)
}

fn digest(context: &Context, path: &str) -> Result<Digest, jettison_image::Error> {
    Ok(context.digests(&[node(context, path)])?[0])
}

/// Makes a file older than the clock's tick, so that its hash is trusted.
fn rest(path: &Path) {
    let time = || {
        fs::symlink_metadata(path)
            .expect("facts")
            .modified()
            .expect("a time")
    };
    let changed = time();
    while changed.elapsed().is_ok_and(|age| age.as_millis() < 80) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn ignore_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    fs::create_dir_all(root.join("a/b")).expect("directories");
    for name in ["a/b/keep", "a/b/drop", "a/x.log", "Dockerfile"] {
        fs::write(root.join(name), name).expect("a file");
    }
    assert_eq!(open(root, None).ignore_file(), None);

    fs::write(root.join(".dockerignore"), "a\n!a/b/keep\n").expect("a file");
    let context = open(root, None);
    let expected = ["/.dockerignore", "/Dockerfile", "/a", "/a/b", "/a/b/keep"];
    assert_eq!(paths(&context), expected);
    let shared = context.ignore_file().expect("one").to_owned();
    assert_eq!(shared.file_name().expect("a name"), ".dockerignore");

    let dockerfile = root.join("Dockerfile");
    fs::write(root.join("Dockerfile.dockerignore"), "**\n!a/*.log").expect("a file");
    let limits = Limits::default();
    let context = Context::open(root, Some(&dockerfile), None, &limits).expect("a context");
    assert_eq!(paths(&context), ["/a", "/a/x.log"]);

    fs::write(root.join(".dockerignore"), "a\n[\n").expect("a file");
    let error = Context::open(root, None, None, &limits).expect_err("a bad pattern");
    let text = format!(
        "{error}: {}",
        std::error::Error::source(&error).expect("a cause")
    );
    assert!(
        text.contains(".dockerignore: syntax error in pattern ["),
        "{text}"
    );
}

#[test]
fn odd_names_links_and_what_is_left_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\n odd");
    fs::write(root.join(odd), "odd").expect("a file");
    symlink("/etc/passwd", root.join("out")).expect("a link");
    fs::write(root.join(".wh.x"), "").expect("a file");
    fs::hard_link(root.join(odd), root.join("zz")).expect("a link");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("a socket");
    let context = open(root, None);
    assert_eq!(paths(&context), ["/out", "/zz", "/\\xff\\u{a} odd"]);
    assert_eq!(node(&context, "zz").links(), 2);
    assert_eq!(digest(&context, "zz").expect("read"), Digest::of(b"odd"));
    let left: Vec<_> = context.left_out().iter().map(|left| left.why).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    // A link is a link, whatever it names.
    assert!(context.open(node(&context, "out")).is_err());
}

#[test]
fn hashes_are_remembered_until_a_file_changes() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("context");
    fs::create_dir(&root).expect("a directory");
    let store = Store::open(&directory.path().join("store")).expect("a store");
    let file = root.join("file");
    fs::write(&file, "first").expect("a file");
    rest(&file);
    assert_eq!(
        digest(&open(&root, Some(&store)), "file").expect("read"),
        Digest::of(b"first")
    );

    let again = open(&root, Some(&store));
    assert!(again.hashes[0].get().is_some(), "known without reading");
    drop(again);

    // The same size and the same mtime: the ctime tells.
    let before = fs::metadata(&file)
        .expect("facts")
        .modified()
        .expect("a time");
    fs::write(&file, "secon").expect("a file");
    let times = fs::FileTimes::new().set_modified(before);
    let handle = fs::File::options().write(true).open(&file).expect("a file");
    handle.set_times(times).expect("times");
    assert_eq!(
        digest(&open(&root, Some(&store)), "file").expect("read"),
        Digest::of(b"secon")
    );

    // Hashed within the tick of its change: never trusted.
    fs::write(&file, "third").expect("a file");
    let fresh = open(&root, Some(&store));
    digest(&fresh, "file").expect("read");
    drop(fresh);
    assert!(open(&root, Some(&store)).hashes[0].get().is_none());
}

#[test]
fn what_changes_under_a_build_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let file = root.join("file");
    let context = |content: &str| {
        fs::write(&file, content).expect("a file");
        open(root, None)
    };
    let told = |error: jettison_image::Error| {
        let text = error.to_string();
        assert!(text.contains("/file"), "{text}");
        text
    };

    let changed = context("before");
    fs::write(&file, "after!!").expect("a file");
    told(digest(&changed, "file").expect_err("changed before it was hashed"));

    let changed = context("before");
    digest(&changed, "file").expect("hashed");
    fs::write(&file, "longer than before").expect("a file");
    told(
        changed
            .open(node(&changed, "file"))
            .err()
            .expect("changed after it was hashed"),
    );

    // Within the tick in which it was hashed only the content can tell.
    let changed = context("before");
    digest(&changed, "file").expect("hashed");
    let mut reader = changed.open(node(&changed, "file")).expect("opened");
    fs::write(&file, "BEFORE").expect("a file");
    assert!(reader.read_to_string(&mut String::new()).is_err());

    let replaced = context("before");
    fs::remove_file(&file).expect("removed");
    symlink("/etc/passwd", &file).expect("a link");
    told(digest(&replaced, "file").expect_err("a link now"));
    fs::remove_file(&file).expect("removed");
}

#[test]
fn unreadable_files_are_named_and_limits_hold() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    for name in ["a", "b", "c"] {
        fs::write(root.join(name), name).expect("a file");
    }
    let limits = Limits {
        entries: 2,
        ..Limits::default()
    };
    let error = Context::open(root, None, None, &limits).expect_err("too many");
    assert!(
        std::error::Error::source(&error)
            .expect("a cause")
            .to_string()
            .contains("--limit entries")
    );

    let error = Context::open(&root.join("nope"), None, None, &limits).expect_err("missing");
    assert!(error.to_string().contains("nope"), "{error}");

    fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o000)).expect("a mode");
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: nothing is unreadable for root");
        return;
    }
    let error = digest(&open(root, None), "b").expect_err("unreadable");
    assert!(error.to_string().contains("/b"), "{error}");
}
