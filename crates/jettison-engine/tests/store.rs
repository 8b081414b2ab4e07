//! The store under death and company: writers killed at any moment, several
//! processes writing, naming and pruning at once.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use jettison_engine::store::{LayerFacts, Prune, Store, StoreError, StoredRef};
use jettison_image::{DiffId, Digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn a_blob_is_kept_under_its_digest_and_read_back() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"hello").unwrap();
    let blob = writer.commit().unwrap();
    assert_eq!((blob.digest, blob.size_bytes), (Digest::of(b"hello"), 5));
    assert!(store.has_blob(&blob.digest, 5).unwrap());
    assert!(!store.has_blob(&blob.digest, 6).unwrap());
    assert_eq!(store.read_blob(&blob.digest, 5).unwrap(), b"hello");
    assert!(store.read_blob(&blob.digest, 4).is_err());
    assert!(matches!(
        store.read_blob(&Digest::of(b"other"), 9),
        Err(StoreError::MissingBlob { .. })
    ));
}

#[test]
fn what_is_discarded_goes_unless_somebody_needs_it() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let [mine, named, others] =
        [b"mine", b"name", b"lent"].map(|content| store.put_blob(content).unwrap().digest);
    let stored = StoredRef {
        name: "docker.io/library/app:latest".to_owned(),
        media_type: MANIFEST.to_owned(),
        digest: named,
        size: 4,
    };
    store.put_ref(&stored).unwrap();
    // A second opening has a lease of its own, as another process has.
    let other = Store::open(scratch.path()).unwrap();
    assert!(other.has_blob(&others, 4).unwrap());
    let missing = Digest::of(b"never written");
    let all = [mine, named, others, missing].into();
    store.discard(&all).unwrap();
    assert!(!store.has_blob(&mine, 4).unwrap());
    assert!(store.has_blob(&named, 4).unwrap());
    assert!(store.has_blob(&others, 4).unwrap());
}

#[test]
fn a_blob_of_another_digest_is_refused_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"other").unwrap();
    assert!(matches!(
        writer.commit_as(Digest::of(b"hello")),
        Err(StoreError::Digest { .. })
    ));
    store
        .blob_writer()
        .unwrap()
        .write_all(b"abandoned")
        .unwrap();
    assert_eq!(files(&scratch.path().join("tmp")), 0);
    assert_eq!(files(&scratch.path().join("blobs/sha256")), 0);
}

#[test]
fn a_damaged_blob_fails_and_is_taken_out() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let blob = store.put_blob(b"hello").unwrap();
    std::fs::write(
        scratch.path().join("blobs/sha256").join(blob.digest.hex()),
        b"jello",
    )
    .unwrap();
    let mut read = Vec::new();
    let error = store
        .open_blob(&blob.digest, 5)
        .unwrap()
        .read_to_end(&mut read)
        .unwrap_err();
    assert!(
        error.to_string().contains(&blob.digest.to_string()),
        "{error}"
    );
    assert!(!store.has_blob(&blob.digest, 5).unwrap());
    store.put_blob(b"hello").unwrap();
    assert_eq!(store.read_blob(&blob.digest, 5).unwrap(), b"hello");
}

#[test]
fn what_is_not_a_file_in_the_store_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    let digest = Digest::of(b"hello");
    let path = scratch.path().join("blobs/sha256").join(digest.hex());
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert!(store.read_blob(&digest, 5).is_err());
    std::fs::remove_file(&path).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    assert!(store.read_blob(&digest, 5).is_err());
    // Writing the blob replaces whatever had its name.
    store.put_blob(b"hello").unwrap_err();
    let mut writer = store.blob_writer().unwrap();
    writer.write_all(b"hello").unwrap();
    writer.commit_as(digest).unwrap();
    assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
}

#[test]
fn another_version_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("version"), "77\n").unwrap();
    let error = Store::open(scratch.path()).unwrap_err();
    assert!(error.to_string().contains("77"), "{error}");
}

#[test]
fn names_lists_notes_and_pruning() {
    let scratch = tempfile::tempdir().unwrap();
    let (old, new, shared) = {
        let store = Store::open(scratch.path()).unwrap();
        let shared = store.put_blob(b"shared layer").unwrap().digest;
        let old = put_image(&store, "example.test/app:1", b"old layer", b"shared layer");
        let new = put_image(&store, "example.test/app:2", b"new layer", b"shared layer");
        store.put_note(&old, "plan", b"{\"of\":\"old\"}").unwrap();
        store.put_note(&new, "plan", b"{\"of\":\"new\"}").unwrap();
        store.put_cached("layer-index", "k", b"value").unwrap();
        store.put_blob(b"nobody's").unwrap();
        let facts = LayerFacts {
            diff_id: DiffId(shared),
            unpacked_bytes: 100,
        };
        for content in [&b"old layer"[..], b"new layer", b"shared layer"] {
            store.put_layer_facts(&Digest::of(content), facts).unwrap();
        }
        (old, new, shared)
    };

    let store = Store::open(scratch.path()).unwrap();
    let list = store.list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].stored.name, "example.test/app:1");
    assert_eq!(list[0].platform.as_deref(), Some("linux/arm64/v8"));
    assert_eq!(list[0].created.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(list[0].unpacked_bytes, Some(200));
    assert!(list[0].wire_bytes.unwrap() > 21);

    let dry = store
        .prune(&Prune {
            dry_run: true,
            ..Prune::default()
        })
        .unwrap();
    let pruned = store.prune(&Prune::default()).unwrap();
    assert_eq!(dry, pruned);
    assert_eq!((pruned.blobs, pruned.freed_bytes, pruned.in_use), (1, 8, 0));

    assert!(store.remove_ref("example.test/app:1").unwrap());
    assert!(!store.remove_ref("example.test/app:1").unwrap());
    let pruned = store.prune(&Prune::default()).unwrap();
    assert_eq!(pruned.blobs, 2, "manifest and own layer of the old image");
    assert_eq!(store.note(&old, "plan").unwrap(), None);
    assert_eq!(
        store.note(&new, "plan").unwrap().unwrap(),
        b"{\"of\":\"new\"}"
    );
    assert_eq!(store.cached("layer-index", "k").unwrap(), b"value");
    assert_eq!(store.cached("layer-index", "other"), None);

    // Another process that merely asked for a blob keeps it from going.
    let user = Store::open(scratch.path()).unwrap();
    assert!(user.has_blob(&shared, 12).unwrap());
    let pruned = store
        .prune(&Prune {
            all: true,
            ..Prune::default()
        })
        .unwrap();
    assert_eq!(pruned.names, ["example.test/app:2"]);
    assert_eq!((pruned.in_use, pruned.kept_bytes), (1, 12));
    assert_eq!(store.cached("layer-index", "k"), None);
    drop(user);
    assert_eq!(store.prune(&Prune::default()).unwrap().blobs, 1);
    assert_eq!(files(&scratch.path().join("blobs/sha256")), 0);
    assert_eq!(files(&scratch.path().join("leases")), 1, "our own");
}

#[test]
fn a_budget_takes_the_longest_unused_first() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::open(scratch.path()).unwrap();
    for (name, layer) in [
        ("example.test/a:1", b"aaaa"),
        ("example.test/b:1", b"bbbb"),
        ("example.test/c:1", b"cccc"),
    ] {
        put_image(&store, name, layer, b"shared layer");
    }
    drop(store);
    let refs = scratch.path().join("refs");
    for (age, name) in [
        (300, "example.test/a:1"),
        (100, "example.test/b:1"),
        (200, "example.test/c:1"),
    ] {
        let file = std::fs::File::open(refs.join(Digest::of(name.as_bytes()).hex())).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(age))
            .unwrap();
    }
    let store = Store::open(scratch.path()).unwrap();
    let one = store.list().unwrap()[0].wire_bytes.unwrap();
    let what = Prune {
        budget_bytes: Some(2 * one),
        dry_run: true,
        ..Prune::default()
    };
    assert_eq!(store.prune(&what).unwrap().names, ["example.test/a:1"]);
    let what = Prune {
        older_than: Some(Duration::from_secs(150)),
        ..Prune::default()
    };
    assert_eq!(
        store.prune(&what).unwrap().names,
        ["example.test/a:1", "example.test/c:1"]
    );
    assert_eq!(store.refs().unwrap().len(), 1);
}

/// Writers, namers and pruners in processes of their own, some of them killed
/// at any moment: every name that is left leads to whole blobs, and once all
/// are gone a prune leaves exactly what names lead to.
#[test]
fn processes_that_die_and_processes_that_prune_do_no_harm() {
    let scratch = tempfile::tempdir().unwrap();
    let end = Instant::now() + Duration::from_secs(4);
    let mut children: Vec<Child> = Vec::new();
    let mut seed = 0;
    let mut killed = 0;
    while Instant::now() < end {
        while children.len() < 5 {
            seed += 1;
            children.push(worker(scratch.path(), seed));
        }
        std::thread::sleep(Duration::from_millis(7 + seed % 23));
        let mut victim = children.remove((seed % 3) as usize);
        assert_eq!(
            victim.try_wait().unwrap(),
            None,
            "a worker failed by itself"
        );
        victim.kill().unwrap();
        victim.wait().unwrap();
        killed += 1;
    }
    for mut child in children {
        assert_eq!(child.try_wait().unwrap(), None, "a worker failed by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(killed > 20, "only {killed} killed");

    let store = Store::open(scratch.path()).unwrap();
    let refs = store.refs().unwrap();
    assert!(!refs.is_empty(), "some worker got so far");
    for stored in &refs {
        let manifest = store.read_blob(&stored.digest, 1 << 20).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layers = manifest["layers"].as_array().unwrap().iter();
        for blob in layers.chain([&manifest["config"]]) {
            let digest: Digest = blob["digest"].as_str().unwrap().parse().unwrap();
            let content = store.read_blob(&digest, 1 << 22);
            assert!(content.is_ok(), "{}: {content:?}", stored.name);
        }
    }
    drop(store);
    let store = Store::open(scratch.path()).unwrap();
    store
        .prune(&Prune {
            all: true,
            ..Prune::default()
        })
        .unwrap();
    for (directory, left) in [("blobs/sha256", 0), ("refs", 0), ("tmp", 0), ("leases", 1)] {
        assert_eq!(files(&scratch.path().join(directory)), left, "{directory}");
    }
}

/// The body of the processes above; by itself it tests nothing.
#[test]
fn worker_process() {
    let (Some(path), Some(seed)) = (
        std::env::var_os("JETTISON_TEST_STORE"),
        std::env::var_os("JETTISON_TEST_SEED"),
    ) else {
        return;
    };
    let mut seed: u64 = seed.to_str().unwrap().parse().unwrap();
    loop {
        let store = Store::open(Path::new(&path)).unwrap();
        for _ in 0..5 {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let number = seed >> 33;
            let layer = vec![(number % 7) as u8; 1 + (number % 300_000) as usize / 1000 * 1000];
            put_image(
                &store,
                &format!("example.test/{}:latest", number % 5),
                &layer,
                b"shared",
            );
        }
        if seed.is_multiple_of(3) {
            store
                .remove_ref(&format!("example.test/{}:latest", seed % 5))
                .unwrap();
        }
        store.prune(&Prune::default()).unwrap();
    }
}

fn worker(store: &Path, seed: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker_process", "--nocapture"])
        .env("JETTISON_TEST_STORE", store)
        .env("JETTISON_TEST_SEED", seed.to_string())
        .stdout(std::process::Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

/// Puts an image as a pull does it: what is there already is not written again.
fn put_image(store: &Store, name: &str, layer: &[u8], shared: &[u8]) -> Digest {
    let config =
        br#"{"os":"linux","architecture":"arm64","variant":"v8","created":"2026-01-02T03:04:05Z"}"#;
    let mut blobs = Vec::new();
    for content in [&config[..], layer, shared] {
        let digest = Digest::of(content);
        if !store.has_blob(&digest, content.len() as u64).unwrap() {
            let mut writer = store.blob_writer().unwrap();
            writer.write_all(content).unwrap();
            writer.commit_as(digest).unwrap();
        }
        blobs.push(serde_json::json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest,
            "size": content.len(),
        }));
    }
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": blobs[0], "layers": blobs[1..],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let blob = store.put_blob(&manifest).unwrap();
    let stored = StoredRef {
        name: name.to_owned(),
        media_type: MANIFEST.to_owned(),
        digest: blob.digest,
        size: blob.size_bytes,
    };
    store.put_ref(&stored).unwrap();
    blob.digest
}

fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}
