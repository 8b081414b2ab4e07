//! Builds that are killed: nothing of them runs or is mounted, and the next
//! build finds everything in order.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::support::{Bench, output, until};

const FILE: &str = "\
FROM base AS one
ENV OF=MARK
RUN mkdir /made && chown 1000:1000 /made && chmod 700 /made
RUN --mount=type=cache,target=/c for i in 1 2 3 4 5; do echo $i > /made/$i; chown $i /made/$i; sleep 0.02; done; touch /c/x
FROM base
ENV OF=MARK
COPY text /
RUN chown app:team /text; sleep 0.05
COPY --from=one /made /made
RUN ls -ln /made | wc -l > /count
";

/// A number that is different each time, and the same for a seed.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn unfinished(bench: &Bench) -> Vec<String> {
    let names = bench.names("snapshots").into_iter();
    names.filter(|name| name.starts_with("build-")).collect()
}

#[test]
fn killed_at_any_moment() {
    let given = std::env::var("JETTISON_TEST_SEED").ok();
    let given = given.and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("JETTISON_TEST_SEED={seed}");
    let mut state = seed;
    for (bench, rounds) in Bench::both().zip([20, 12]) {
        bench.file("text", "text");
        bench.dockerfile(FILE);
        let began = Instant::now();
        let expected = bench.digest(&["--no-cache"]);
        let all = u64::try_from(began.elapsed().as_micros()).unwrap();
        let mut left = 0;
        for round in 0..rounds {
            let mut child = bench.start(&["--no-cache", "-t", "made"]);
            let after = Duration::from_micros(next(&mut state) % all);
            std::thread::sleep(after);
            child.kill().unwrap();
            child.wait().unwrap();
            bench.all_gone();
            left += unfinished(&bench).len();
            // Some lie on top of each other.
            if round % 5 == 0 {
                assert_eq!(bench.digest(&["--no-cache"]), expected, "after {after:?}");
                assert_eq!(unfinished(&bench), [""; 0], "after {after:?}");
            }
        }
        println!("{left} unfinished snapshots were found");
        bench.ran(&["store", "prune"]).says(0, &["freed"]);
        assert_eq!(unfinished(&bench), [""; 0]);
        assert_eq!(bench.digest(&[]), expected);
        bench.ran(&["store", "prune", "--all"]).says(0, &["freed"]);
        for folder in ["snapshots", "mounts", "blobs/sha256", "scratch"] {
            assert_eq!(bench.names(folder), [""; 0], "{folder}");
        }
        bench.all_gone();
    }
}

#[test]
fn an_interrupt_ends_everything() {
    for bench in Bench::both() {
        bench.dockerfile(
            "FROM base\nENV OF=MARK\nRUN trap '' INT TERM; chown 1 /tmp; sleep 100 & sleep 100\n",
        );
        let mut child = bench.start(&[]);
        until("the command runs", || {
            let mut lines = bench.processes().into_iter();
            lines.any(|line| line.starts_with("sleep 100"))
        });
        let id = child.id().to_string();
        output("kill", &["-INT", &id]);
        let mut ended = None;
        until("it ends", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        let ended = ended.unwrap();
        assert!(
            ended.signal() == Some(2) || ended.code() == Some(130),
            "{ended:?}"
        );
        bench.all_gone();
        bench.dockerfile("FROM base\nRUN true\n");
        bench.digest(&[]);
        assert_eq!(unfinished(&bench), [""; 0]);
    }
}
