//! `jettison compare` on images whose contents `tar` and `gzip` know too.
#![expect(clippy::print_stdout, reason = "what is skipped is said aloud")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use jettison_image::Platform;
use serde_json::{Value, json};

use crate::support::{Jettison, TestImage};

const BUSYBOX: &str = "/bin/busybox";
const STATUS: &str = "\
Package: libfoo
Status: install ok installed
Architecture: amd64
Version: 1.2-3

Package: libbar
Status: install ok installed
Architecture: amd64
Version: 2.0
";

/// A root with a shell, a package database, a setuid program and a compiler.
fn naive(root: &Path) {
    let file = |path: &str, content: &[u8], mode: u32| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("usr/lib/libfoo.so", &[7; 300_000], 0o644);
    file("usr/lib/libbar.so", &[5; 90_000], 0o644);
    file("var/lib/dpkg/status", STATUS.as_bytes(), 0o644);
    let info = "var/lib/dpkg/info";
    file(
        &format!("{info}/libfoo.list"),
        b"/usr/lib/libfoo.so\n",
        0o644,
    );
    file(
        &format!("{info}/libbar.list"),
        b"/usr/lib/libbar.so\n",
        0o644,
    );
    file("usr/bin/su", b"su", 0o4755);
    file("usr/bin/wall", b"wall", 0o2755);
    file("usr/bin/apt-get", b"apt", 0o755);
    file("usr/bin/x86_64-linux-gnu-gcc-12", b"gcc", 0o755);
    symlink("x86_64-linux-gnu-gcc-12", root.join("usr/bin/gcc")).unwrap();
    // Neither a program: one leads nowhere, one is not executable.
    symlink("nowhere", root.join("usr/bin/cc")).unwrap();
    file("usr/bin/npm", b"npm", 0o644);
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
    for applet in ["sh", "httpd", "true"] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    file("www/index.html", b"hello\n", 0o644);
}

/// The same server alone.
fn small(root: &Path) {
    fs::create_dir_all(root.join("www")).unwrap();
    fs::create_dir_all(root.join("app")).unwrap();
    fs::copy(BUSYBOX, root.join("app/httpd")).unwrap();
    fs::write(root.join("www/index.html"), "hello\n").unwrap();
}

fn tar(root: &Path) -> Vec<u8> {
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "--mtime=@0", "-C"]);
    let output = tar.arg(root).args(["-cf", "-", "."]).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// What `gzip -6`, which the engines push with, makes of a file.
fn gzipped(bytes: &[u8], folder: &Path) -> u64 {
    let file = folder.join("to-pack");
    fs::write(&file, bytes).unwrap();
    let output = Command::new("gzip").arg("-6c").arg(&file).output().unwrap();
    output.stdout.len() as u64
}

/// Regular files and their bytes, as `tar` lists them.
fn listed(bytes: &[u8], folder: &Path) -> (u64, u64) {
    let file = folder.join("to-list");
    fs::write(&file, bytes).unwrap();
    let output = Command::new("tar").arg("-tvf").arg(&file).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let regular = lines.lines().filter(|line| line.starts_with('-'));
    let sizes = regular.map(|line| line.split_whitespace().nth(2).unwrap().parse::<u64>());
    sizes.fold((0, 0), |(files, bytes), size| {
        (files + 1, bytes + size.unwrap())
    })
}

struct Pair {
    jettison: Jettison,
    naive: String,
    small: String,
    archives: [Vec<u8>; 2],
    contains: bool,
}

impl Pair {
    /// None, said aloud, where there is no static busybox.
    fn new() -> Option<Self> {
        let dynamic = Command::new("ldd").arg(BUSYBOX).output();
        if !Path::new(BUSYBOX).exists() || dynamic.is_ok_and(|ldd| ldd.status.success()) {
            println!("skipped: /bin/busybox is not there or not static (busybox-static)");
            return None;
        }
        let jettison = Jettison::new();
        let config = |argv: &[&str], user: &str| {
            json!({"os": "linux", "architecture": Platform::host().architecture, "config":
                {"Entrypoint": argv, "User": user, "ExposedPorts": {"8080/tcp": {}}}})
        };
        let home = jettison.home().to_owned();
        let image = |name: &str, make: fn(&Path), config: Value| {
            let root = home.join(format!("{name}.root"));
            fs::create_dir_all(&root).unwrap();
            make(&root);
            let archive = tar(&root);
            let mut image = TestImage::new().layer(archive.clone());
            image.config = config;
            let [docker, _, oci] = image.write(&home.join(name));
            (docker, oci, archive)
        };
        let serve = ["-f", "-p", "8080", "-h", "/www"];
        let argv = |program| std::iter::once(program).chain(serve).collect::<Vec<_>>();
        let (naive, _, first) = image("naive", naive, config(&argv("/bin/httpd"), ""));
        let (_, small, second) = image("small", small, config(&argv("/app/httpd"), "65532"));
        let doctor = jettison.run(["doctor", "--format", "json"]);
        Some(Self {
            contains: doctor.stdout.contains("\"used\""),
            jettison,
            naive,
            small,
            archives: [first, second],
        })
    }

    fn document(&self, flags: &[&str]) -> Value {
        let arguments = ["compare", &self.naive, &self.small, "--format", "json"];
        let answer = self.jettison.run(arguments.iter().chain(flags)).fine();
        serde_json::from_str(&answer).unwrap()
    }
}

fn names(tools: &Value) -> Vec<&str> {
    let tools = tools.as_array().unwrap().iter();
    tools.map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn images_stand_side_by_side() {
    let Some(pair) = Pair::new() else { return };
    let flags = [
        "--no-start",
        "--nodes",
        "3",
        "--pulls-per-day",
        "7",
        "--bandwidth",
        "8k",
    ];
    let found = pair.document(&flags);
    assert_eq!(found["schema"], "jettison.compare/1");
    let home = pair.jettison.home();
    for (at, archive) in pair.archives.iter().enumerate() {
        let (image, costs) = (&found["images"][at], &found["fleet"]["rows"][at]);
        let (files, bytes) = listed(archive, home);
        assert_eq!(image["files"], files);
        assert_eq!(image["unpacked_bytes"], bytes);
        assert_eq!(image["layers"], 1);
        assert!(image["start"].is_null());
        let wire = image["wire_bytes"].as_u64().unwrap();
        let gzip = gzipped(archive, home);
        assert!(wire.abs_diff(gzip) * 20 < gzip, "{wire} against {gzip}");
        assert_eq!(costs["storage_bytes"], 3 * bytes);
        assert_eq!(costs["traffic_bytes_per_day"], 7 * wire);
        assert_eq!(costs["pull_ms"], wire);
        assert_eq!(costs["update_all_bytes"], 3 * wire);
    }
    let [naive, small] = [&found["images"][0], &found["images"][1]];
    assert_eq!(naive["packages"], 2);
    assert_eq!(
        naive["setuid"]["paths"],
        json!(["/usr/bin/su", "/usr/bin/wall"])
    );
    assert_eq!(naive["user"], "root");
    assert_eq!(names(&naive["tools"]["shells"]), ["sh"]);
    assert_eq!(naive["tools"]["shells"][0]["file"], "/bin/busybox");
    assert_eq!(names(&naive["tools"]["package_managers"]), ["apt-get"]);
    assert_eq!(names(&naive["tools"]["compilers"]), ["gcc"]);
    assert_eq!(small["user"], "65532");
    assert_eq!(small["setuid"]["count"], 0);
    for kind in ["shells", "package_managers", "compilers"] {
        assert_eq!(small["tools"][kind], json!([]), "{kind}");
    }
    let movers = &found["movers"][0];
    // With their lists of 19 bytes, which are the packages' own.
    let row = |at: usize| {
        let row = &movers["rows"][at];
        (
            row["change"].clone(),
            row["name"].clone(),
            row["change_bytes"].clone(),
        )
    };
    assert_eq!(row(0), (json!("went"), json!("libfoo"), json!(-300_019)));
    assert_eq!(row(1), (json!("went"), json!("libbar"), json!(-90_019)));
    let unpacked = |image: &Value| image["unpacked_bytes"].as_i64().unwrap();
    assert_eq!(movers["total_bytes"], unpacked(small) - unpacked(naive));
    assert_eq!(found["verdict"]["smallest"], 1);
}

#[test]
fn a_person_reads_a_table_and_a_sentence() {
    let Some(pair) = Pair::new() else { return };
    let arguments = [
        "compare",
        &pair.naive,
        &pair.small,
        "--no-start",
        "--top",
        "1",
    ];
    let text = pair.jettison.run(arguments).fine();
    for words in [
        "on the wire",
        "setuid, setgid programs",
        "% smaller",
        "and 2 more",
        "storage on 100 nodes",
        "a pull",
    ] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    let last = text.lines().last().unwrap();
    assert!(
        last.starts_with(&format!("verdict: {} is the smallest", pair.small)),
        "{text}"
    );
    assert!(
        last.ends_with("it lacks a shell, a package manager, a compiler, setuid or setgid programs and a package database"),
        "{last}"
    );
    let alone = pair.jettison.run(["compare", &pair.naive]);
    assert_eq!(alone.code, Some(2), "{}", alone.stderr);
}

#[test]
fn the_time_to_the_first_good_answer_is_taken_three_times() {
    let Some(pair) = Pair::new() else { return };
    if !pair.contains {
        println!("skipped: no tier that contains strangers is possible here");
        return;
    }
    let check = |flags: &[&str], answer: &str| {
        let found = pair.document(flags);
        for at in [0, 1] {
            let start = &found["images"][at]["start"];
            assert_eq!(start["answer"], answer, "{start}");
            let mut runs: Vec<f64> = serde_json::from_value(start["runs_ms"].clone()).unwrap();
            assert_eq!(runs.len(), 3);
            assert!(runs.iter().all(|ms| *ms > 0.0), "{start}");
            runs.sort_by(f64::total_cmp);
            assert_eq!(start["median_ms"], runs[1]);
        }
    };
    check(&[], "port 8080");
    check(&["--probe", "/index.html"], "/index.html");
    let found = pair.document(&["--probe", "/missing"]);
    assert_eq!(found["images"][0]["start"]["problem"], "status-404");
    // A program that is a shell's has nothing to run it in the small image.
    let found = pair.document(&["--probe", "sh:true"]);
    assert_eq!(found["images"][0]["start"]["problem"], Value::Null);
    assert_eq!(found["images"][1]["start"]["problem"], "missing");
    let text = found["verdict"]["text"].as_str().unwrap();
    assert!(text.contains("a good answer when started"), "{text}");
}

#[test]
fn what_cannot_be_started_says_why_in_a_word() {
    let Some(pair) = Pair::new() else { return };
    if !pair.contains {
        println!("skipped: no tier that contains strangers is possible here");
        return;
    }
    let home = pair.jettison.home();
    let check = |name: &str, config: Value, flags: &[&str], answer: Value, problem: Value| {
        let mut image = TestImage::new().layer(pair.archives[0].clone());
        image.config = config;
        let [docker, ..] = image.write(&home.join(name));
        let arguments = ["compare", &pair.small, &docker, "--format", "json"];
        let found = pair.jettison.run(arguments.iter().chain(flags)).fine();
        let found: Value = serde_json::from_str(&found).unwrap();
        let start = &found["images"][1]["start"];
        assert_eq!(
            (&start["answer"], &start["problem"]),
            (&answer, &problem),
            "{name}: {start}"
        );
    };
    let host = Platform::host().architecture;
    let config =
        |argv: &[&str]| json!({"os": "linux", "architecture": host, "config": {"Cmd": argv}});
    let none = || Value::Null;
    check(
        "ends",
        config(&["/bin/true"]),
        &[],
        json!("the end"),
        none(),
    );
    check("none", config(&[]), &[], none(), json!("no-program"));
    check(
        "gone",
        config(&["/bin/gone"]),
        &[],
        none(),
        json!("missing"),
    );
    check(
        "fails",
        config(&["/bin/sh", "-c", "exit 3"]),
        &[],
        none(),
        json!("exit-3"),
    );
    let hidden = ["/bin/httpd", "-f", "-p", "127.0.0.1:8080"];
    check(
        "hidden",
        config(&hidden),
        &["--timeout", "1"],
        none(),
        json!("loopback"),
    );
    let mut foreign = config(&["/bin/true"]);
    foreign["os"] = json!("plan9");
    check("foreign", foreign, &[], none(), json!("foreign"));
}
