//! Content decides: what a context is while it is read, and the same digest
//! for the same content.

use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{Bench, document, last_layer, output, ran};

const SIZE: usize = 3 << 20;

#[test]
fn a_file_changed_with_the_same_size_and_time_is_built_anew() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nCOPY text /\nRUN cat /text > /copy\nCMD cat /copy\n");
    let mut digests = Vec::new();
    for content in ["one\n", "two\n", "six\n"] {
        bench.file("text", content);
        let file = File::options()
            .write(true)
            .open(bench.path("app/text"))
            .unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_600_000_000))
            .unwrap();
        digests.push(bench.digest(&["-t", "made"]));
        assert_eq!(bench.ran(&["run", "made"]).stdout, content);
    }
    digests.dedup();
    assert_eq!(digests.len(), 3);
}

#[test]
fn two_stores_make_the_same_digest() {
    let Some(bench) = Bench::root() else { return };
    bench.file("text", "text");
    bench.dockerfile(
        "FROM base\nWORKDIR /work\nCOPY text .\nRUN date > /dev/null; mkdir /b /a; touch /a/2 /a/1\n",
    );
    let build = |store: &str, epoch: Option<&str>| {
        let mut command = bench.command(&["--no-slim", "--no-cache"]);
        command.env("JETTISON_STORE", bench.path(store));
        match epoch {
            Some(epoch) => command.env("SOURCE_DATE_EPOCH", epoch),
            None => command.env_remove("SOURCE_DATE_EPOCH"),
        };
        let ran = ran(&mut command);
        ran.says(0, &[]);
        ran.stdout.lines().last().unwrap().to_owned()
    };
    let first = build("one", None);
    // What RUN writes is younger now.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(first, build("two", None));
    let dated = build("one", Some("1600000000"));
    assert_ne!(first, dated);
    assert_eq!(dated, build("two", Some("1600000000")));
}

#[test]
fn a_new_file_leaves_earlier_steps_alone() {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nRUN date > /when\nCOPY text /\nRUN true\n");
    let build = |text: &str, epoch: Option<&str>| {
        bench.file("text", text);
        // The newest file is what an image is dated by where nobody says a date.
        let file = File::options().write(true).open(bench.path("app/text"));
        let time = UNIX_EPOCH + Duration::from_secs(1_900_000_000 + text.len() as u64);
        file.unwrap().set_modified(time).unwrap();
        let mut command = bench.command(&["--no-slim", "--format", "json"]);
        match epoch {
            Some(epoch) => command.env("SOURCE_DATE_EPOCH", epoch),
            None => command.env_remove("SOURCE_DATE_EPOCH"),
        };
        document(&mut command)["stages"][0]["cached"].clone()
    };
    assert_eq!(build("one", None), 0);
    assert_eq!(build("three", None), 1);
    assert_eq!(build("three", None), 3);
    assert_eq!(build("three", Some("1600000000")), 0);
    assert_eq!(build("three", Some("1600000001")), 0);
}

/// Builds again and again while `change` works on `/big`: each build says the
/// file's name, or its image has one content.
fn while_changing(change: impl Fn(&Bench, u8) + Sync) {
    let Some(bench) = Bench::root() else { return };
    bench.dockerfile("FROM base\nCOPY big /\n");
    bench.file("big", vec![b'a'; SIZE]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for letter in (b'a'..=b'z').cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                change(&bench, letter);
            }
        });
        let mut whole = 0;
        for round in 0..12 {
            let layout = bench.path(&format!("out{round}"));
            let to = format!("oci:{}", layout.display());
            let ran = bench.build(&["--no-slim", "-o", &to]);
            if ran.code != Some(0) {
                is_over.store(true, Ordering::Relaxed);
                ran.says(2, &["Dockerfile:2", "big"]);
                is_over.store(false, Ordering::Relaxed);
                continue;
            }
            whole += 1;
            let layer = last_layer(&layout);
            let layer = layer.to_str().unwrap();
            let content = output("tar", &["-xOf", layer, "big"]).into_bytes();
            let first = content.first().copied();
            let is_one = content.iter().all(|byte| Some(*byte) == first);
            if !is_one || content.len() != SIZE {
                is_over.store(true, Ordering::Relaxed);
                panic!("torn: {} bytes", content.len());
            }
        }
        is_over.store(true, Ordering::Relaxed);
        println!("{whole} of 12 builds found the file as it was");
    });
}

#[test]
fn a_file_that_is_replaced_meanwhile() {
    while_changing(|bench, letter| {
        bench.file("../next", vec![letter; SIZE]);
        fs::rename(bench.path("next"), bench.path("app/big")).unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(letter)));
    });
}

#[test]
fn a_file_that_is_gone_meanwhile() {
    while_changing(|bench, letter| {
        let _ = fs::remove_file(bench.path("app/big"));
        std::thread::sleep(Duration::from_millis(1));
        bench.file("../next", vec![letter; SIZE]);
        fs::rename(bench.path("next"), bench.path("app/big")).unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(letter)));
    });
}
