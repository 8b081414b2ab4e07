//! A disk that fills up.

use std::fs;
use std::path::PathBuf;

use crate::support::{Bench, output};

/// A small file system as the store.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        output("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_full_disk() {
    let Some(bench) = Bench::root() else { return };
    let store = bench.path("store");
    fs::create_dir(&store).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=24m", "none"])
        .arg(&store)
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: nothing can be mounted here");
        return;
    }
    let small = Small(store);
    bench.file("big", vec![b'x'; 12 << 20]);
    let good = "FROM base\nRUN echo x > /x\n";
    bench.dockerfile(good);
    let expected = bench.digest(&["-t", "good"]);
    for (instruction, words) in [
        (
            "RUN dd if=/dev/zero of=/big bs=1M count=40",
            "No space left",
        ),
        // Room enough for the files, and none for the layer.
        (
            "RUN dd if=/dev/urandom of=/big bs=1M count=13",
            "No space left",
        ),
        (
            "COPY big /one\nCOPY big /two\nCOPY --chmod=600 big /three",
            "No space left",
        ),
        (
            "COPY --chown=1 big /one\nRUN cat /one > /two",
            "No space left",
        ),
    ] {
        bench.dockerfile(&format!("FROM base\n{instruction}\n"));
        let ran = bench.build(&["--no-slim", "-t", "bad"]);
        ran.says(2, &["Dockerfile:", words]);
        bench.all_gone();
        for folder in ["snapshots", "tmp", "scratch"] {
            let left = bench.names(folder);
            assert!(
                !left
                    .iter()
                    .any(|name| name.starts_with("build-") || name.starts_with("blob-")),
                "{folder}: {left:?}"
            );
        }
        bench.ran(&["store", "prune"]).says(0, &["freed"]);
        let list = bench.ran(&["store", "list"]);
        list.says(0, &["good"]);
        assert!(!list.stdout.contains("bad"));
        bench.dockerfile(good);
        assert_eq!(bench.digest(&["--no-cache"]), expected);
    }
    drop(small);
}
