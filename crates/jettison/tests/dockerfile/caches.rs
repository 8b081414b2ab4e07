//! Caches of tools that are mounted without being asked: what they keep, what
//! of them is in the image, and when there are none.

use std::time::{Duration, SystemTime};

use crate::support::{Bench, ran};

/// Stands in for npm: counts its runs where it has its cache, and logs beside it.
const NPM: &str = "\
#!/bin/sh
mkdir -p ~/.npm/_cacache ~/.npm/_logs
echo run >> ~/.npm/_cacache/runs
echo log > ~/.npm/_logs/log
wc -l < ~/.npm/_cacache/runs > /runs
";

/// What the last stage has of the stage that ran the tool, for a first input and another.
#[track_caller]
fn check(text: &str, words: &[&str], expected: [&str; 2]) -> String {
    let Some(bench) = Bench::root() else {
        return String::new();
    };
    bench.file("npm", NPM);
    bench.file("clean", "#!/bin/sh\nrm -rf ~/.npm && echo clean\n");
    let mut said = String::new();
    for (input, expected) in ["1", "2"].into_iter().zip(expected) {
        bench.file("input", input);
        bench.dockerfile(text);
        let built = bench.build(&[words, &["--no-slim", "-t", "made"]].concat());
        built.says(0, &[]);
        said = built.text();
        let seen = bench.ran(&["run", "made", "--", "cat", "/runs"]);
        assert_eq!(seen.stdout.trim(), expected, "{}", seen.text());
        let again = bench.build(&[words, &["--no-slim", "-t", "again"]].concat());
        let last = |text: &str| text.lines().last().map(str::to_owned);
        assert_eq!(last(&again.stdout), last(&built.stdout));
    }
    let left = bench.ran(&["run", "made", "--", "find", "/root", "/clean"]);
    bench.all_gone();
    format!("{said}\n{}", left.stdout)
}

const TOOL: &str = "\
FROM base
COPY npm clean /bin/
RUN chmod 755 /bin/npm /bin/clean
COPY input /
RUN npm ci
";

#[test]
fn a_cache_is_kept_and_is_in_no_layer() {
    let said = check(TOOL, &[], ["1", "2"]);
    assert!(
        said.is_empty() || said.contains("/root/.npm/_cacache is kept"),
        "{said}"
    );
    // What the tool writes beside its cache stays, and the mount leaves nothing.
    assert!(
        said.is_empty() || said.contains("/root/.npm/_logs/log"),
        "{said}"
    );
    assert!(!said.contains("_cacache/"), "{said}");
    assert!(
        !said.lines().any(|line| line == "/root/.npm/_cacache"),
        "{said}"
    );
}

#[test]
fn without_the_flag_there_is_none() {
    let said = check(TOOL, &["--no-auto-cache"], ["1", "1"]);
    assert!(
        said.is_empty() || said.contains("/root/.npm/_cacache/runs"),
        "{said}"
    );
    assert!(!said.contains("is kept"), "{said}");
    // The later word counts.
    check(TOOL, &["--no-auto-cache", "--auto-cache"], ["1", "2"]);
}

#[test]
fn who_could_notice_has_none() {
    let copied = format!("{TOOL}FROM base\nCOPY --from=0 /root/.npm /x\nCOPY --from=0 /runs /\n");
    check(&copied, &[], ["1", "1"]);
    check(
        &format!("{TOOL}RUN ls /root/.npm/_cacache > /x\n"),
        &[],
        ["1", "1"],
    );
    let user = TOOL.replace("RUN npm ci", "ENV HOME=/home/x\nRUN HOME=/root npm ci");
    check(&user, &[], ["1", "1"]);
}

#[test]
fn a_program_that_removes_it_is_run_without() {
    let said = check(&TOOL.replace("npm ci", "npm ci && clean"), &[], ["1", "1"]);
    assert!(
        said.is_empty() || said.contains("once more without"),
        "{said}"
    );
}

#[test]
fn a_younger_source_leaves_earlier_steps_alone() {
    let Some(bench) = Bench::root() else { return };
    bench.file("early", "1");
    bench.file("late", "1");
    bench.dockerfile("FROM base\nCOPY early /\nRUN date +%N > /when\nCOPY late /\n");
    let build = |name: &str| {
        let mut command = bench.command(&["--no-slim", "-t", name]);
        command.env_remove("SOURCE_DATE_EPOCH");
        ran(&mut command).says(0, &[]);
        bench
            .ran(&["run", name, "--", "cat", "/when", "/late"])
            .stdout
    };
    let first = build("first");
    bench.file("late", "2");
    let later = SystemTime::now() + Duration::from_secs(100);
    let file = std::fs::File::open(bench.path("app/late")).unwrap();
    file.set_modified(later).unwrap();
    assert_eq!(build("second"), first.replace("\n1", "\n2"));
}
