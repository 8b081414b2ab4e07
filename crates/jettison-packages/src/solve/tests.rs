use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::PackageLimits;
use crate::apt::Role;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// `a 1 Depends: b; Conflicts: c`, one package a line.
fn universe(packages: &str) -> Universe {
    let mut index = String::new();
    for line in packages
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let mut fields = line.split(';').map(str::trim);
        let head = fields.next().unwrap();
        let mut words = head.splitn(3, ' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        index.push_str(&format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: pool/{name}.deb\n\
             Size: 1\nSHA256: {HASH}\n"
        ));
        for field in words.next().into_iter().chain(fields) {
            index.push_str(field);
            index.push('\n');
        }
        index.push('\n');
    }
    let mut universe = Universe::new("trixie", "amd64");
    let limits = PackageLimits::default();
    universe.add(Role::Main, index.as_bytes(), &limits).unwrap();
    universe.finish();
    universe
}

#[track_caller]
fn check(packages: &str, wanted: &str, expected: &str) {
    let wanted: Vec<&str> = wanted.split(' ').collect();
    let got = match solve(&universe(packages), Variant::Custom, &wanted) {
        Ok(base) => {
            let names: Vec<String> = base.packages.into_iter().map(|one| one.name).collect();
            names.join(" ")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(got, expected, "{packages}");
}

#[test]
fn what_is_chosen() {
    check("aa 1 Depends: bb, cc\nbb 1\ncc 1\ndd 1", "aa", "aa bb cc");
    check("aa 1 Depends: bb | cc\nbb 1\ncc 1", "aa", "aa bb");
    // What comes anyhow is enough.
    check(
        "aa 1 Depends: bb | cc, dd\nbb 1\ncc 1\ndd 1 Depends: cc",
        "aa",
        "aa cc dd",
    );
    check("aa 1 Depends: xx | cc\ncc 1", "aa", "aa cc");
    check("aa 1 Depends: bb (>= 2) | cc\nbb 1\ncc 1", "aa", "aa cc");
    check(
        "aa 1 Depends: vv\nbb 1 Provides: vv; Priority: extra\ncc 1 Provides: vv; Priority: optional",
        "aa",
        "aa cc",
    );
    check(
        "aa 1 Depends: vv (>= 2)\nbb 1 Provides: vv\ncc 1 Provides: vv (= 3)",
        "aa",
        "aa cc",
    );
    check(
        "aa 1 Depends: bb:any\nbb 1 Multi-Arch: allowed",
        "aa",
        "aa bb",
    );
    check(
        "aa 1 Depends: bb:amd64, cc:native\nbb 1\ncc 1",
        "aa",
        "aa bb cc",
    );
    // A first choice that cannot be is taken back, however far above.
    check(
        "aa 1 Depends: bb | cc, dd\nbb 1\ncc 1\ndd 1 Depends: ee\nee 1 Conflicts: bb",
        "aa",
        "aa cc dd ee",
    );
    check(
        "aa 1 Depends: bb | cc, dd\nbb 1\ncc 1\ndd 1 Breaks: bb (<< 2)",
        "aa",
        "aa cc dd",
    );
    check(
        "aa 1 Provides: vv; Conflicts: vv\nbb 1 Depends: vv",
        "aa bb",
        "aa bb",
    );
    check("aa 1 Depends: bb\nbb 1 Depends: aa", "aa", "aa bb");
    check("bb 1\nbb 2 Depends: cc\ncc 1", "bb", "bb cc");
    check("vv-impl 1 Provides: vv", "vv", "vv-impl");
}

#[test]
fn why_there_is_none() {
    check("aa 1", "bb", "package bb is not in trixie for amd64");
    check(
        "python3.13 1",
        "python3",
        "package python3 is not in trixie for amd64; there is python3.13",
    );
    check(
        "aa 1 Depends: bb (>= 2)\nbb 1\nzz 1",
        "zz aa",
        "the packages cannot be installed together: aa is asked for; \
         aa 1 depends on bb (>= 2), which trixie does not have",
    );
    check(
        "aa 1 Depends: cc\nbb 1 Conflicts: cc\ncc 2",
        "aa bb",
        "the packages cannot be installed together: aa is asked for; bb is asked for; \
         aa 1 depends on cc; bb 1 conflicts with cc",
    );
    check(
        "aa 1 Depends: bb:i386\nbb 1",
        "aa",
        "the packages cannot be installed together: aa is asked for; \
         aa 1 depends on bb:i386, which trixie does not have",
    );
}

/// The machine's own lists, as apt has them.
fn own() -> Option<Universe> {
    let policy = Command::new("apt-cache").args(["dumpavail"]).output();
    let Some(output) = policy.ok().filter(|output| output.stdout.len() > 1 << 20) else {
        println!("skipped: apt-cache has no lists");
        return None;
    };
    let architecture = Command::new("dpkg")
        .arg("--print-architecture")
        .output()
        .ok()?;
    let architecture = String::from_utf8(architecture.stdout).ok()?;
    let mut universe = Universe::new("this machine's", architecture.trim());
    let mut limits = PackageLimits::default();
    limits.packages *= 4;
    universe
        .add(Role::Main, output.stdout.as_slice(), &limits)
        .ok()?;
    universe.finish();
    Some(universe)
}

/// Beside apt, over packages from everywhere in the index.
#[test]
fn as_apt_chooses() {
    let Some(universe) = own() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let status = scratch.path().join("status");
    std::fs::write(&status, "").unwrap();
    let count = std::env::var("JETTISON_APT_PACKAGES").map_or(12, |n| n.parse().unwrap());
    let mut names: Vec<&str> = universe.names().collect();
    names.sort();
    let step = (names.len() / count).max(1);
    let (mut same, mut other, mut neither) = (0, Vec::new(), 0);
    for name in names.into_iter().skip(step / 2).step_by(step) {
        let option = format!("Dir::State::status={}", status.display());
        // Without one of its own, apt reads all lists anew each time.
        let cache = format!("Dir::Cache={}", scratch.path().display());
        let output = Command::new("apt-get")
            .args([
                "-o",
                &option,
                "-o",
                &cache,
                "-s",
                "--no-install-recommends",
                "install",
                name,
            ])
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| line.strip_prefix("Inst "));
        let theirs: BTreeSet<String> = lines
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        let ours = solve(&universe, Variant::Custom, &[name]);
        let ours: Option<BTreeSet<String>> = ours
            .ok()
            .map(|base| base.packages.into_iter().map(|one| one.name).collect());
        match (ours, output.status.success()) {
            (None, false) => neither += 1,
            (Some(ours), true) if ours == theirs => same += 1,
            (ours, _) => {
                let ours = ours.unwrap_or_default();
                other.push(format!(
                    "{name}: only here {:?}, only apt {:?}",
                    ours.difference(&theirs).collect::<Vec<_>>(),
                    theirs.difference(&ours).collect::<Vec<_>>()
                ));
            }
        }
    }
    println!(
        "{same} as apt, {neither} that neither installs, {} otherwise:\n{}",
        other.len(),
        other.join("\n")
    );
    // Where several packages are the same virtual one, apt may take more of them.
    assert!(other.len() * 20 <= same + 20, "{}", other.join("\n"));
}
