//! Two images that are asked the same: stand-ins made of this machine's static
//! busybox, with everything a comparison has to bear and to notice.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests; what is skipped is said aloud"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use jettison_image::{Digest, Platform};
use serde_json::{Value, json};
use tempfile::TempDir;

const APPLETS: [&str; 10] = [
    "sh", "cat", "httpd", "date", "head", "od", "tr", "id", "sleep", "nc",
];
const PAGE: &str = "<title>Shop</title><a href=/about.html>about</a><a href=/cgi-bin/now>now</a>";
/// Another time, identifier and process each time, in header, body, log and file.
const NOW: &str = "#!/bin/sh
echo \"X-Request: $(head -c 6 /dev/urandom | od -An -tx1 | tr -d ' ')\"
echo; echo \"it is $(date +%T), process $$\"
echo \"$(date) asked by $$\" >&2
date > /tmp/asked
cat /www/template
";

struct Home(TempDir);

struct Ran {
    code: Option<i32>,
    text: String,
}

impl Home {
    /// None, said aloud, where images of strangers are not run.
    fn new() -> Option<Self> {
        let busybox = Path::new("/bin/busybox");
        let dynamic = Command::new("ldd").arg(busybox).output();
        if !busybox.exists() || dynamic.is_ok_and(|ldd| ldd.status.success()) {
            println!("skipped: /bin/busybox is not there or not static (busybox-static)");
            return None;
        }
        let home = Self(TempDir::new().unwrap());
        let doctor = home.run(&["doctor", "--format", "json"]);
        if !doctor.text.contains("\"used\"") {
            println!("skipped: no tier that contains strangers is possible here");
            return None;
        }
        Some(home)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jettison"));
        let output = command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("JETTISON_STORE", self.0.path().join("store"))
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked at"), "{stderr}");
        Ran {
            code: output.status.code(),
            text: format!("{}{stderr}", String::from_utf8_lossy(&output.stdout)),
        }
    }

    /// Writes a docker-archive of busybox and these files; a `#!` makes a
    /// program of one.
    fn image(&self, name: &str, config: &Value, files: &[(&str, &str)]) {
        let root = self.0.path().join(format!("{name}.root"));
        for directory in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        for (path, content) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if content.starts_with("#!") {
                0o755
            } else {
                0o644
            };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let parts = self.0.path().join(format!("{name}.parts"));
        fs::create_dir(&parts).unwrap();
        let tar = |from: &Path, to: &Path, names: &[&str]| {
            let mut tar = Command::new("tar");
            tar.args(["--owner=0", "--group=0", "--mtime=@0", "-C"])
                .arg(from);
            assert!(
                tar.arg("-cf")
                    .arg(to)
                    .args(names)
                    .status()
                    .unwrap()
                    .success()
            );
        };
        tar(&root, &parts.join("layer.tar"), &["."]);
        let layer = Digest::of(&fs::read(parts.join("layer.tar")).unwrap());
        let config = json!({"os": "linux", "architecture": Platform::host().architecture,
            "config": config, "rootfs": {"type": "layers", "diff_ids": [layer.to_string()]}});
        fs::write(parts.join("config.json"), config.to_string()).unwrap();
        let manifest =
            json!([{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"]}]);
        fs::write(parts.join("manifest.json"), manifest.to_string()).unwrap();
        let names = ["manifest.json", "config.json", "layer.tar"];
        tar(&parts, &self.0.path().join(format!("{name}.tar")), &names);
    }

    fn verify(&self, old: &str, new: &str, flags: &[&str]) -> Ran {
        let [old, new] = [old, new].map(|name| format!("docker-archive:{name}.tar"));
        self.run(&[&["verify", &old, &new], flags].concat())
    }
}

impl Ran {
    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "no `{word}` in\n{}", self.text);
        }
    }
}

fn server() -> Value {
    json!({"Cmd": ["httpd", "-f", "-p", "8080", "-h", "/www"], "Env": ["PATH=/bin"],
        "ExposedPorts": {"8080/tcp": {}}})
}

fn shop() -> Vec<(&'static str, &'static str)> {
    vec![
        ("www/index.html", PAGE),
        ("www/about.html", "about us\n"),
        ("www/cgi-bin/now", NOW),
        ("www/template", "a template\n"),
    ]
}

fn without(path: &str) -> Vec<(&'static str, &'static str)> {
    shop()
        .into_iter()
        .filter(|(name, _)| *name != path)
        .collect()
}

#[test]
fn a_server_is_compared_page_by_page() {
    let Some(home) = Home::new() else { return };
    home.image("shop", &server(), &shop());
    let flags = ["--evidence", "evidence.json"];
    let ran = home.verify("shop", "shop", &flags);
    ran.says(0, &["verdict: whole"]);
    let evidence = fs::read_to_string(home.0.path().join("evidence.json")).unwrap();
    let evidence: jettison_plan::Comparison = serde_json::from_str(&evidence).unwrap();
    let now =
        |probe: &&jettison_plan::ComparedProbe| probe.probe.to_string() == ":8080/cgi-bin/now";
    let now = evidence.probes().find(now).unwrap();
    let mut noise: Vec<&str> = now.noise.iter().map(|noise| noise.part.as_str()).collect();
    noise.retain(|part| *part != "header date");
    assert_eq!(noise, ["header x-request", "body"]);
    home.image("no-page", &server(), &without("www/about.html"));
    let ran = home.verify("shop", "no-page", &[]);
    ran.says(1, &["differs: first at :8080/about.html", "status 404"]);
    home.image("no-template", &server(), &without("www/template"));
    let ran = home.verify("shop", "no-template", &[]);
    ran.says(1, &[":8080/cgi-bin/now", "a template"]);
}

#[test]
fn a_tool_is_compared_by_what_it_says_and_how_it_ends() {
    let Some(home) = Home::new() else { return };
    let config = json!({"Entrypoint": ["/bin/sh", "/tool"], "Env": ["PATH=/bin"]});
    let check = |name: &str, new: &str, code: i32, words: &[&str]| {
        let old = "echo result; cat /data 2>/dev/null; [ -e /quiet ] || cat /quiet";
        let old = format!("{old}; [ -e /data ]");
        home.image(
            &format!("{name}-old"),
            &config,
            &[("tool", &old), ("data", "d\n"), ("quiet", "")],
        );
        let files: Vec<(&str, &str)> = match new {
            "silent" => vec![("tool", &old), ("data", "d\n")],
            "code" => vec![("tool", &old), ("quiet", "")],
            _ => vec![("tool", &old), ("data", "d\n"), ("quiet", "")],
        };
        home.image(&format!("{name}-new"), &config, &files);
        let ran = home.verify(&format!("{name}-old"), &format!("{name}-new"), &[]);
        ran.says(code, words);
    };
    check("same", "same", 0, &["verdict: whole"]);
    check("stderr", "silent", 1, &["stderr", "can't open '/quiet'"]);
    check("code", "code", 1, &["exit code 1"]);
}

#[test]
fn what_fails_alike_proves_nothing() {
    let Some(home) = Home::new() else { return };
    let failing = json!({"Cmd": ["sh", "-c", "echo db: connection refused >&2; exit 1"],
        "Env": ["PATH=/bin"], "ExposedPorts": {"80/tcp": {}}});
    home.image("failing", &failing, &[]);
    let ran = home.verify("failing", "failing", &[]);
    ran.says(3, &["verdict: could not tell", "--service"]);
    let broken = "#!/bin/sh\necho Status: 500 Broken\necho\necho broken\n";
    home.image("broken", &server(), &[("www/cgi-bin/index.cgi", broken)]);
    let ran = home.verify("broken", "broken", &[]);
    ran.says(3, &["verdict: could not tell", "--probe"]);
    // Nothing was ever asked for: an exit code of 0 without a word is no proof.
    home.image("shell", &json!({"Cmd": ["sh"], "Env": ["PATH=/bin"]}), &[]);
    home.verify("shell", "shell", &[]).says(3, &["--cmd"]);
    home.verify("shell", "shell", &["--probe", "start -> 0"])
        .says(0, &["whole"]);
}

#[test]
fn commands_and_scripts_are_starts_and_questions_of_their_own() {
    let Some(home) = Home::new() else { return };
    let config = json!({"Env": ["PATH=/bin"]});
    home.image("box", &config, &[("data", "d\n")]);
    home.image("less", &config, &[]);
    let none = home.verify("box", "box", &[]);
    none.says(2, &["neither ENTRYPOINT nor CMD", "--cmd"]);
    let flags = ["--cmd", "cat /data", "--cmd", "id -u"];
    home.verify("box", "box", &flags)
        .says(0, &["verdict: whole"]);
    home.verify("box", "less", &flags)
        .says(1, &["start with cat /data"]);
    fs::write(home.0.path().join("script"), "id -u\ncat /data\n").unwrap();
    let script = ["--cmd", "httpd -f -p 8080", "--probe-script", "script"];
    home.verify("box", "box", &script)
        .says(0, &["verdict: whole"]);
    home.verify("box", "less", &script)
        .says(1, &["exit code 1"]);
}

#[test]
fn what_a_program_left_in_its_volume_is_met_again() {
    let Some(home) = Home::new() else { return };
    let program = "[ -e /v/there ] && cat /migrations; echo 1 > /v/there; \
                   exec httpd -f -p 8080 -h /www";
    let config = json!({"Cmd": ["sh", "-c", program], "Env": ["PATH=/bin"],
        "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/v": {}}});
    let page = ("www/index.html", "hello\n");
    home.image("old", &config, &[page, ("migrations", "none\n")]);
    home.image("new", &config, &[page]);
    home.verify("old", "old", &[]).says(0, &["verdict: whole"]);
    let words = [
        "on the volumes that the plain start left",
        "can't open '/migrations'",
    ];
    home.verify("old", "new", &[]).says(1, &words);
}

/// What a program logs since it was asked before it could answer is no
/// difference between images.
#[test]
fn a_question_that_came_too_early() {
    let Some(home) = Home::new() else { return };
    let start = "#!/bin/sh
sleep $(cat /delay) && echo > /tmp/ready &
[ $(cat /delay) = 0 ] && wait
exec httpd -f -p 8080 -h /www";
    let page = "#!/bin/sh
if [ -e /tmp/ready ]; then echo; echo fine; else
  echo 'Status: 503 Service Unavailable'; echo
  echo 'nobody is behind me' >&2
fi";
    let config = json!({"Cmd": ["/start"], "ExposedPorts": {"8080/tcp": {}}});
    for (name, delay) in [("quick", "0"), ("slow", "2")] {
        let files = [
            ("start", start),
            ("www/cgi-bin/now", page),
            ("delay", delay),
        ];
        home.image(name, &config, &files);
    }
    let ran = home.verify("quick", "slow", &["--probe", ":8080/cgi-bin/now"]);
    ran.says(0, &["whole"]);
}
