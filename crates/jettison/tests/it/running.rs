//! Images as a person tries them: `run`, `copy`, `store` and `doctor` of the
//! real binary, on an image made of this machine's static busybox, with a
//! store of its own and no engine in reach.
#![expect(clippy::print_stdout, reason = "what is skipped is said aloud")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jettison_image::{Digest, Platform};
use serde_json::{Value, json};
use tempfile::TempDir;

const APPLETS: [&str; 10] = [
    "sh", "cat", "id", "sleep", "httpd", "pwd", "stty", "touch", "ls", "echo",
];
const IMAGE: &str = "docker-archive:box.tar";

/// A home with an image in it.
struct Home {
    folder: TempDir,
}

impl Home {
    /// None, said aloud, where there is no static busybox.
    fn new() -> Option<Self> {
        let busybox = Path::new("/bin/busybox");
        let dynamic = Command::new("ldd").arg(busybox).output();
        if !busybox.exists() || dynamic.is_ok_and(|ldd| ldd.status.success()) {
            println!("skipped: /bin/busybox is not there or not static (busybox-static)");
            return None;
        }
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("root");
        for name in ["bin", "etc", "www"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for name in APPLETS {
            symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        let users = "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/false\n";
        fs::write(root.join("etc/passwd"), users).unwrap();
        fs::write(root.join("www/index.html"), "hello\n").unwrap();
        fs::write(root.join("plain"), "#!/bin/sh\n").unwrap();
        write_archive(folder.path(), &root);
        Some(Self { folder })
    }

    /// None, said aloud, where images of strangers are not run.
    fn that_contains() -> Option<Self> {
        let home = Self::new()?;
        let found = home.run(&["doctor", "--format", "json"]);
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(found["schema"], "jettison.doctor/1");
        let rows = found["rows"].as_array().unwrap();
        if rows.iter().any(|row| row["detail"] == "used") {
            return Some(home);
        }
        println!("skipped: no tier that contains strangers is possible here");
        None
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jettison"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("JETTISON_STORE", self.folder.path().join("store"))
            .env("DOCKER_HOST", "unix:///nonexistent/engine.sock")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A server in the background, and the address at which it is published.
    fn serve(&self, listen: &str, realm: &str) -> (Child, String) {
        let run = ["run", IMAGE, "-p", "0:8080", "--"];
        let server = ["httpd", "-f", "-h", "/www", "-r", realm, "-p", listen];
        let mut command = self.command(&[&run[..], &server[..]].concat());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let published = lines.find_map(|line| {
            let line = line.unwrap();
            let (address, _) = line.split_once(" leads to")?;
            Some(address.to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        (child, published.unwrap())
    }
}

/// What `docker save` wrote before it wrote OCI layouts.
fn write_archive(folder: &Path, root: &Path) {
    let tar = |from: &Path, to: &Path| {
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "-C"]).arg(from);
        assert!(tar.arg("-cf").arg(to).arg(".").status().unwrap().success());
    };
    let files = folder.join("files");
    fs::create_dir(&files).unwrap();
    tar(root, &files.join("layer.tar"));
    let layer = Digest::of(&fs::read(files.join("layer.tar")).unwrap());
    let run = json!({"Cmd": ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"],
        "Env": ["PATH=/bin", "A=1"], "User": "web", "WorkingDir": "/srv"});
    let config = json!({"os": "linux", "architecture": Platform::host().architecture,
        "config": run, "rootfs": {"type": "layers", "diff_ids": [layer.to_string()]}});
    fs::write(files.join("config.json"), config.to_string()).unwrap();
    let manifest =
        json!([{"Config": "config.json", "RepoTags": ["box:1"], "Layers": ["layer.tar"]}]);
    fs::write(files.join("manifest.json"), manifest.to_string()).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(&files)
        .arg("-cf")
        .arg(folder.join("box.tar"));
    let names = ["manifest.json", "config.json", "layer.tar"];
    assert!(tar.args(names).status().unwrap().success());
}

#[test]
fn programs_run_as_docker_would_run_them() {
    let Some(home) = Home::that_contains() else {
        return;
    };
    let check = |arguments: &[&str], code: i32, stdout: &str, stderr: &str| {
        let ran = home.run(&[&["run"], arguments].concat());
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {said}");
        let answer = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(answer, stdout, "{arguments:?}: {said}");
        assert!(said.contains(stderr), "{arguments:?}: {said}");
    };
    check(&["-q", IMAGE], 7, "out\n", "err");
    check(&[IMAGE, "--", "/bin/id", "-u"], 0, "33\n", "contained by");
    check(&[IMAGE, "--", "pwd"], 0, "/srv\n", "");
    check(&[IMAGE, "-w", "/www", "--", "pwd"], 0, "/www\n", "");
    check(&[IMAGE, "-u", "0", "--", "id", "-u"], 0, "0\n", "");
    check(
        &[IMAGE, "-e", "A=2", "--", "sh", "-c", "echo $A"],
        0,
        "2\n",
        "",
    );
    check(
        &[IMAGE, "--entrypoint", "/bin/echo", "--", "x"],
        0,
        "x\n",
        "",
    );
    let hardened = [IMAGE, "--hardened", "-u", "0", "--"];
    check(&[&hardened[..], &["id", "-u"]].concat(), 0, "65532\n", "");
    check(
        &[&hardened[..], &["touch", "/x"]].concat(),
        1,
        "",
        "Read-only",
    );
    let trap = "trap 'exit 9' TERM; while :; do sleep 0.1; done";
    let patient = ["--timeout", "1", IMAGE, "--", "sh", "-c", trap];
    check(&patient, 9, "", "its time is over");
    check(&[IMAGE, "--", "nothing"], 127, "", "hint:");
    check(&[IMAGE, "--", "/plain"], 126, "", "Permission denied");
    check(&["oci:nowhere"], 125, "", "error:");
    check(&[IMAGE, "-p", "80/udp"], 125, "", "only TCP");
    let shell = "id -u; pwd; echo $A; which wget";
    let found = "33\n/srv\n1\n/.jettison-debug/bin/wget\n";
    check(
        &[IMAGE, "--debug", "--", "-c", shell],
        0,
        found,
        "would run: /bin/sh",
    );
    check(
        &[IMAGE, "--debug", "--shell", "box.tar"],
        125,
        "",
        "not an ELF file",
    );
}

#[test]
fn what_a_program_touches_is_written_down() {
    let Some(home) = Home::that_contains() else {
        return;
    };
    let file = home.folder.path().join("trace.json");
    for by in ["auto", "ptrace"] {
        let flags = ["--trace", "trace.json", "--trace-by", by];
        let command = "cat /www/index.html /www/no-such-page; ls /etc >/dev/null; exit 7";
        let program = ["--entrypoint", "/bin/sh", IMAGE, "--", "-c", command];
        let ran = home.run(&[&["run"], &flags[..], &program].concat());
        // A trace that is made changes nothing of what is said and how it ends.
        assert_eq!(ran.status.code(), Some(7), "{ran:?}");
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "hello\n");
        let trace: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(trace["schema"], "jettison.trace/1");
        assert_eq!(trace["lost"], 0);
        for (path, done) in [
            ("/bin/busybox", "executed"),
            ("/bin/sh", "link"),
            ("/www/index.html", "opened"),
            ("/www/no-such-page", "missing"),
            ("/etc", "listed"),
        ] {
            let mut paths = trace["paths"].as_array().unwrap().iter();
            let found = paths.find(|touched| touched["path"] == path);
            let found = found.map(|touched| touched["done"].as_array().unwrap());
            assert!(
                found.is_some_and(|all| all.iter().any(|one| one == done)),
                "{path} was not {done}: {trace:#}"
            );
        }
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn standard_input_and_a_terminal_are_passed_on() {
    let Some(home) = Home::that_contains() else {
        return;
    };
    let mut cat = home.command(&["run", "-q", "-i", IMAGE, "--", "cat"]);
    let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut cat = cat.spawn().unwrap();
    cat.stdin.take().unwrap().write_all(b"through\n").unwrap();
    assert_eq!(cat.wait_with_output().unwrap().stdout, b"through\n");
    let sizes = [
        "run",
        "-q",
        "-t",
        IMAGE,
        "--",
        "sh",
        "-c",
        "stty size; exit 3",
    ];
    let terminal = home.run(&sizes);
    assert_eq!(terminal.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&terminal.stdout), "24 80\r\n");
}

#[test]
fn published_ports_reach_servers_that_listen_for_others() {
    let Some(home) = Home::that_contains() else {
        return;
    };
    let realm = format!("jettison-test-{}", std::process::id());
    let (mut open, address) = home.serve("0.0.0.0:8080", "other");
    let (mut hidden, refused) = home.serve("127.0.0.1:8080", &realm);
    until("the server answers", || get(&address).ends_with("hello\n"));
    assert_eq!(get(&refused), "");
    // The server has no handler and is the first of its processes: the first
    // interrupt is lost on it, as under docker; a second one kills it.
    interrupt(&open);
    std::thread::sleep(Duration::from_millis(500));
    assert!(open.try_wait().unwrap().is_none());
    interrupt(&open);
    assert_eq!(open.wait().unwrap().code(), Some(137));
    // Nothing outlives a jettison that was killed.
    until("the hidden server runs", || runs(&realm));
    hidden.kill().unwrap();
    hidden.wait().unwrap();
    until("the hidden server is gone", || !runs(&realm));
}

fn get(address: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = asked.and_then(|()| stream.read_to_string(&mut answer).map(drop));
    }
    answer
}

fn interrupt(child: &Child) {
    let mut kill = Command::new("kill");
    let sent = kill.args(["-INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Whether a process with this word among its arguments runs.
fn runs(word: &str) -> bool {
    let mut processes = fs::read_dir("/proc").unwrap().flatten();
    processes.any(|process| {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        arguments
            .split(|&byte| byte == 0)
            .any(|found| found == word.as_bytes())
    })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn images_are_copied_listed_removed_and_pruned() {
    let Some(home) = Home::new() else {
        return;
    };
    let fine = |arguments: &[&str]| {
        let ran = home.run(arguments);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{arguments:?}: {said}");
        String::from_utf8(ran.stdout).unwrap()
    };
    let first = fine(&["copy", IMAGE, "box:1"]);
    assert!(
        first.contains("to the local store as box:1\n1 blob moved"),
        "{first}"
    );
    assert!(fine(&["copy", IMAGE, "box:1"]).contains("nothing moved; 1 already there"));
    assert!(fine(&["copy", "box:1", "oci:layout:1"]).starts_with("from the local store"));
    let listed = fine(&["store", "list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["schema"], "jettison.store/1");
    let platform = Platform::host().to_string();
    assert_eq!(listed["images"][0]["platform"], platform);
    let unknown = home.run(&["store", "remove", "box:1", "other"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        fine(&["store", "list"]).contains("box:1"),
        "nothing was removed"
    );
    assert_eq!(fine(&["store", "remove", "box:1"]), "removed box:1\n");
    assert!(fine(&["store", "prune"]).contains("(3 blobs); 0 B of images stay"));
    assert_eq!(fine(&["store", "list"]), "");
    let lost = home.run(&["copy", "oci:nowhere", "box:2"]);
    assert_eq!(lost.status.code(), Some(2));
}
