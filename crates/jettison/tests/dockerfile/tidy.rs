//! `store prune` on what builds leave beside the blobs.

use std::fs;

use crate::support::{Bench, until};

const FILE: &str = "\
FROM base
RUN --mount=type=cache,target=/c,mode=0700,uid=7 mkdir -m 700 /made /c/made; touch /c/made/x; chown 7 /made /c/made
RUN --mount=type=cache,target=/d,sharing=private touch /d/x; echo x > /made/x
";

#[test]
fn what_is_named_stays_and_all_goes() {
    for bench in Bench::both() {
        bench.dockerfile(FILE);
        let named = bench.digest(&["-t", "made"]);
        bench.dockerfile("FROM base\nRUN echo unnamed > /x; chown 7 /x\n");
        bench.digest(&[]);
        let before = bench.names("snapshots");
        // What is not named otherwise is named after the directory.
        bench.ran(&["store", "remove", "app"]).says(0, &["removed"]);
        bench
            .ran(&["store", "prune"])
            .says(0, &["1 unpacked layer"]);
        let after = bench.names("snapshots");
        assert!(
            !after.is_empty() && after.len() == before.len() - 1,
            "{after:?}"
        );
        assert_eq!(bench.names("mounts").len(), 4);
        bench.dockerfile(FILE);
        let again = bench.document(&[]);
        assert_eq!(again["manifest"], *named);
        assert_eq!(again["stages"][0]["cached"], 2);
        bench
            .ran(&["store", "prune", "--all"])
            .says(0, &["2 cache mounts"]);
        for folder in ["snapshots", "mounts", "blobs/sha256", "cache"] {
            assert_eq!(bench.names(folder), [""; 0], "{folder}");
        }
        assert_eq!(bench.digest(&[]), named);
        bench.ran(&["store", "prune", "--all"]).says(0, &["freed"]);
        bench
            .ran(&["store", "prune", "--all"])
            .says(0, &["freed 0"]);
    }
}

#[test]
fn what_a_running_build_uses_stays() {
    for bench in Bench::both() {
        bench.dockerfile(
            "FROM base\nRUN echo one > /one\n\
             RUN --mount=type=cache,target=/c --mount=type=cache,target=/d,sharing=private \
             --mount=target=/context touch /c/x /d/x; i=0; while [ ! -e /c/go ]; do i=$((i+1)); \
             [ $i -lt 200 ] || exit 1; sleep 0.1; done; cat /one /c/x /d/x > /two\n\
             RUN cat /one > /three\n",
        );
        let mut child = bench.start(&["-t", "made"]);
        let mounts = || bench.names("mounts").into_iter();
        let caches = || mounts().filter(|name| !name.ends_with(".lock"));
        let shared = || caches().find(|name| !name.contains('-'));
        let has = |name: &str| bench.path("store/mounts").join(name).join("x").exists();
        until("the command runs", || {
            caches().any(|name| has(&name)) && caches().count() == 2
        });
        for all in [&["store", "prune"][..], &["store", "prune", "--all"]] {
            bench.ran(all).says(0, &[]);
        }
        bench
            .ran(&["store", "prune", "--all"])
            .says(0, &["a build is using them"]);
        fs::write(
            bench
                .path("store/mounts")
                .join(shared().unwrap())
                .join("go"),
            "",
        )
        .unwrap();
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{ended:?}");
        let built = bench.ran(&["run", "made", "--", "cat", "/two", "/three"]);
        built.says(0, &[]);
        assert_eq!(built.stdout, "one\none\n");
        bench
            .ran(&["store", "prune", "--all"])
            .says(0, &["2 cache mounts"]);
        assert_eq!(bench.names("snapshots"), [""; 0]);
    }
}
