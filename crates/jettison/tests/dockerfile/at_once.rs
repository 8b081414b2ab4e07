//! Builds at the same time with one store, and the cache mounts that they share.

use crate::support::{Bench, Ran, at_once};

/// Runs the Dockerfile twice at once, with `ME` and `OTHER` as arguments.
fn twice(bench: &Bench) -> Vec<Ran> {
    let build = |me: &str, other: &str| {
        let (me, other) = (format!("ME={me}"), format!("OTHER={other}"));
        bench.command(&[
            "--no-slim",
            "--no-cache",
            "--build-arg",
            &me,
            "--build-arg",
            &other,
        ])
    };
    at_once(vec![build("a", "b"), build("b", "a")])
}

#[track_caller]
fn fine(bench: &Bench, instructions: &str) {
    bench.dockerfile(&format!("FROM base\nARG ME\nARG OTHER\n{instructions}\n"));
    for ran in twice(bench) {
        ran.says(0, &[]);
    }
    bench.all_gone();
}

/// Fails when somebody else is in `/c` at the same time.
const ALONE: &str = "test ! -e /c/busy && touch /c/busy && sleep 0.4 && rm /c/busy";

#[test]
fn cache_mounts() {
    for bench in Bench::both() {
        bench.dockerfile(
            "FROM base\nRUN --mount=type=cache,target=/c echo x >> /c/log && cp /c/log /log\nCMD cat /log\n",
        );
        for times in 1..=3 {
            bench.digest(&["--no-cache", "-t", "made"]);
            assert_eq!(bench.ran(&["run", "made"]).stdout, "x\n".repeat(times));
        }
        // Each waits for the other: they are in it together.
        fine(
            &bench,
            "RUN --mount=type=cache,id=shared,target=/c touch /c/$ME; i=0; \
             while [ ! -e /c/$OTHER ]; do i=$((i+1)); [ $i -lt 150 ] || exit 1; sleep 0.1; done",
        );
        fine(
            &bench,
            &format!("RUN --mount=type=cache,id=locked,sharing=locked,target=/c {ALONE}"),
        );
        fine(
            &bench,
            &format!("RUN --mount=type=cache,id=private,sharing=private,target=/c {ALONE}"),
        );
        // One that is another user's and closed to all others.
        fine(
            &bench,
            "RUN --mount=type=cache,id=closed,mode=0700,uid=1000,gid=1000,target=/c \
             test \"$(stat -c %u:%g:%a /c)\" = 1000:1000:700 && echo x >> /c/log",
        );
    }
}

#[test]
fn a_command_does_not_wait_for_itself_nor_two_for_each_other() {
    let Some(bench) = Bench::root() else { return };
    let mount = |id: &str, target: &str| {
        format!("--mount=type=cache,id={id},sharing=locked,target={target}")
    };
    fine(
        &bench,
        &format!(
            "RUN {} {} echo x > /a/x && cat /b/x",
            mount("one", "/a"),
            mount("one", "/b")
        ),
    );
    let [ab, ba] = [("one", "two"), ("two", "one")].map(|(first, second)| {
        format!(
            "RUN {} {} sleep 0.2\n",
            mount(first, "/a"),
            mount(second, "/b")
        )
    });
    bench.dockerfile(&format!(
        "FROM base AS one\n{ab}{ab}FROM base AS two\n{ba}{ba}\
         FROM base\nCOPY --from=one /etc /one\nCOPY --from=two /etc /two\n"
    ));
    for ran in twice(&bench) {
        ran.says(0, &[]);
    }
}

#[test]
fn the_same_dockerfile_at_the_same_time() {
    for bench in Bench::both() {
        bench.file("text", "text");
        bench.dockerfile(
            "FROM base AS one\nRUN echo x > /x && sleep 0.1\n\
             FROM base AS two\nCOPY text /\nRUN chown 1000 /text\n\
             FROM base\nCOPY --from=one /x /\nCOPY --from=two /text /\n\
             RUN --mount=from=one,target=/one cat /one/x /text > /both\n",
        );
        let builds = (0..4).map(|_| bench.command(&["--no-slim"]));
        let ends: Vec<Ran> = at_once(builds.collect());
        let digests = ends.iter().map(|ran| {
            ran.says(0, &[]);
            ran.stdout.lines().last().unwrap().to_owned()
        });
        let mut digests: Vec<String> = digests.collect();
        digests.dedup();
        assert_eq!(digests.len(), 1, "{digests:?}");
        bench.all_gone();
    }
}
